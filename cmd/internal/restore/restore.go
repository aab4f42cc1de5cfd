// Package restore makes a data directory of the two files of a backup, and verifies all of it,
// or verifies the files and writes nothing. A directory may be served once every record stands
// in its place, the trees of all apps give what was signed, and every sealed part is what its
// record commits to.
package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// drillUse is what a directory is for that a drill made: nothing serves it.
const drillUse = "drill"

// A Restoration makes one data directory.
type Restoration struct {
	Files       Backup
	Keys        string   // the file with the keys of the vault, which is in no backup
	To          string   // the data directory to be made
	Checkpoints []string // what was published last, files or URLs
	Fork        string   // why there is nothing newer: the logs begin anew, under
	Origin      string   // another name; empty: a random one
	Drill       bool     // verify everything, for nobody to serve
	Older       bool     // take a vault that is older than the log
	Erased      []string // certificates of who was erased behind the end of the log
	Tell        io.Writer

	log, vault *backupFile
	dir        *server.DataDir
	kept       map[string][]byte // the files of the logs, by their names below log
	roots      *transparency.Roots
	rows       []Row // what is told in the end
}

// Check refuses flags that contradict each other.
func (r *Restoration) Check() error {
	switch {
	case r.Drill && r.Fork != "":
		return exit.Usage(errors.New("--drill and --fork: a drill is never served, so it forks nothing"))
	case r.Origin != "" && r.Fork == "":
		return exit.Usage(errors.New("--origin is that of logs that begin anew: give it with --fork, or leave it out"))
	case len(r.Fork) > 500:
		return exit.Usage(errors.New("--fork: say in 1 to 500 bytes why there is nothing newer"))
	}
	return nil
}

// A Row is one thing that was restored or verified.
type Row struct {
	Part  string `json:"part"`
	Count int64  `json:"count"`
	Note  string `json:"note,omitzero"`
}

// Run restores everything, or nothing.
func (r *Restoration) Run(ctx context.Context) (_ []Row, err error) {
	if r.Keys == "" {
		r.Keys = os.Getenv(server.KeysVariable)
	}
	if r.Keys == "" {
		return nil, exit.Usage(fmt.Errorf("--vault-keys: name the file with the keys of the vault, which is in no "+
			"backup: a copy of DATA/keys; or set %s", server.KeysVariable))
	}
	keys, err := vault.OpenSealedKeys(r.Keys, true, server.KEKOf(""))
	if err != nil {
		return nil, files.Unread("--vault-keys", err)
	}
	r.Files.Tell = r.Tell
	if r.log, r.vault, err = r.Files.open(); err != nil {
		return nil, err
	}
	defer r.log.close()
	defer r.vault.close()
	if err := match(r.log, r.vault, r.Older); err != nil {
		return nil, err
	}

	if err := r.begin(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(server.FullDisk(r.To, err), r.clear())
		}
		err = errors.Join(err, r.dir.Close())
	}()
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.judge(); err != nil {
		return nil, err
	}
	if err := r.open(ctx, keys); err != nil {
		return nil, err
	}
	if err := r.verify(ctx); err != nil {
		return nil, err
	}
	if err := r.eraseAgain(ctx); err != nil {
		return nil, err
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	return r.rows, nil
}

func (r *Restoration) told(part string, count int64, note string) {
	r.rows = append(r.rows, Row{part, count, note})
}

// finish begins the logs anew if they have to fork, and makes the directory one of ours.
func (r *Restoration) finish(ctx context.Context) error {
	use, note := r.log.Head.Use, r.note()
	if r.Drill {
		use = drillUse
	}
	if r.Fork != "" {
		config, err := r.dir.LogConfig(ctx, "")
		if err != nil {
			return err
		}
		kept, err := transparency.Fork(ctx, config, r.Origin, r.Fork)
		if err != nil {
			return err
		}
		r.told("logs that begin anew", int64(len(r.roots.Trees())), "the old ones are in "+kept)
		note += fmt.Sprintf("fork %q\n", r.Fork)
	}
	if err := server.WriteDurably(vfs.Default, r.To, server.RestoredFile, note); err != nil {
		return err
	}
	db := r.dir.DB
	r.dir.DB = nil
	if err := errors.Join(db.Close(), ctx.Err()); err != nil {
		return err
	}

	if err := server.WriteFormat(vfs.Default, r.To, use); err != nil {
		return err
	}
	if err := server.RemoveDurably(r.To, server.RestoreFile); err != nil {
		return err
	}
	if r.Drill {
		fmt.Fprintf(r.Tell, "the drill is done: %s is whole and can be read, and nothing serves it; it holds every "+
			"person's data, so remove it\n", r.To)
		return nil
	}
	fmt.Fprintf(r.Tell, "restored: start the ledger with serve --data %s, issue API keys and add webhooks, which no "+
		"backup has, and make a new backup\n", r.To)
	return nil
}

// note is what the directory keeps of how it was made.
func (r *Restoration) note() string {
	return fmt.Sprintf("%slog %s %s %d\nvault %s %s %d\n", server.RestoreHeader,
		r.log.Head.ID, r.log.Head.Made, r.log.Head.Position, r.vault.Head.ID, r.vault.Head.Made, r.vault.Head.Position)
}
