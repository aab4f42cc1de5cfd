package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a restore writes down, and in which order: RESTORE, without FORMAT beside it: the
// directory is not finished, and nothing opens it. Then all that is restored, which is
// verified. Then RESTORED, which says of what it was made, and FORMAT.
const (
	RestoreFile  = "RESTORE"
	RestoredFile = "RESTORED"

	RestoreHeader = "consentledger restore 1\n"

	// drillUse is what a directory is for that a drill made: nothing serves it.
	drillUse = "drill"
)

func unfinishedRestore(path string) error {
	return fmt.Errorf("%s is what an interrupted restore left: run consentledger restore once more and it begins anew, or remove the directory", path)
}

// A Restoring is one call of restore.
type Restoring struct {
	Files        BackupNames
	Keys, To     string
	Checkpoints  []string
	Fork, Origin string
	Drill, Older bool
	Erased       []string // certificates
	Tell         io.Writer

	log, vault *backupFile
	dir        *DataDir
	kept       map[string][]byte // the files of the logs, by their names below log
	roots      *transparency.Roots
	rows       []RestoredRow // what is told in the end
}

// Check refuses flags that contradict each other.
func (r *Restoring) Check() error {
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

// A RestoredRow is one thing that was restored or verified.
type RestoredRow struct {
	Part  string `json:"part"`
	Count int64  `json:"count"`
	Note  string `json:"note,omitzero"`
}

// Run restores everything, or nothing.
func (r *Restoring) Run(ctx context.Context) (_ []RestoredRow, err error) {
	if r.Keys == "" {
		r.Keys = os.Getenv(KeysVariable)
	}
	if r.Keys == "" {
		return nil, exit.Usage(fmt.Errorf("--vault-keys: name the file with the keys of the vault, which is in no backup: a copy of DATA/keys; or set %s", KeysVariable))
	}
	keys, err := vault.OpenSealedKeys(r.Keys, true, KEKOf(""))
	if err != nil {
		return nil, files.Unread("--vault-keys", err)
	}
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
			err = errors.Join(FullDisk(r.To, err), r.clear())
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

func (r *Restoring) told(part string, count int64, note string) {
	r.rows = append(r.rows, RestoredRow{part, count, note})
}

// begin takes the directory. What an interrupted restore left in it goes.
func (r *Restoring) begin() error {
	if info, err := os.Stat(r.To); err == nil && !info.IsDir() {
		return exit.Usage(fmt.Errorf("--to: %s is no directory", r.To))
	}
	if err := os.MkdirAll(r.To, 0o700); err != nil {
		return files.NamedBy("--to", err)
	}
	if err := r.free(); err != nil { // before anything of somebody else's is touched
		return err
	}
	lock, err := LockDir(r.To)
	if err != nil {
		return err
	}

	r.dir = &DataDir{path: r.To, lock: lock}
	err = r.free() // another restore may have ended meanwhile
	if err == nil {
		err = MakePrivate(r.To)
	}
	if err == nil {
		err = r.clear()
	}
	if err == nil {
		err = WriteDurably(vfs.Default, r.To, RestoreFile, RestoreHeader)
	}
	if err != nil {
		return errors.Join(err, r.dir.Close())
	}
	return nil
}

// free refuses a directory that has something in it which no interrupted restore left.
func (r *Restoring) free() error {
	names, err := r.others()
	if err != nil || len(names) == 0 {
		return err
	}
	begun := Named(names, RestoreFile) || len(names) == 1 && names[0] == RestoreFile+".new"
	if begun && !Named(names, "FORMAT") {
		return nil
	}
	return exit.Usage(fmt.Errorf("--to: %s is not empty, it has %q: name a new directory", r.To, names[0]))
}

// others are the entries of the directory that are not there before a restore.
func (r *Restoring) others() (names []string, err error) {
	entries, err := os.ReadDir(r.To)
	for _, e := range entries {
		if e.Name() != "LOCK" && e.Name() != "lost+found" {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// clear removes what was restored, the note that it is not whole last.
func (r *Restoring) clear() error {
	if r.dir.DB != nil {
		db := r.dir.DB
		r.dir.DB = nil
		if err := db.Close(); err != nil {
			return err
		}
	}
	names, err := r.others()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != RestoreFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.To, name)))
		}
	}
	if err != nil {
		return err
	}
	return RemoveDurably(r.To, RestoreFile)
}

// load writes what both files hold.
func (r *Restoring) load(ctx context.Context) (err error) {
	fmt.Fprintf(r.Tell, "restoring the log up to position %d\n", r.log.Head.Position)
	if r.dir.DB, err = embedded.Open(filepath.Join(r.To, "store"), embedded.Options{}); err != nil {
		return err
	}
	r.kept = map[string][]byte{}
	rows := &rowBatch{to: r.dir.DB.Rows()}
	l := &logBatch{to: r.dir.DB.Store()}
	err = r.log.drain(ctx, sink{
		file:   r.file,
		begin:  func() (err error) { r.roots, err = treesOf(ctx, r.kept, r.Checkpoints); l.roots = r.roots; return err },
		record: func(record eventstore.Recorded) error { return l.add(ctx, record) },
		row:    func(row eventstore.Row) error { return rows.add(ctx, row) },
	})
	if err == nil {
		err = l.flush(ctx)
	}
	if err != nil {
		return err
	}
	if at := eventstore.Position(l.n); at != r.log.Head.Position {
		return exit.NotAuthentic(r.log.wrong(fmt.Errorf("it ends at position %d, and says %d", at,
			r.log.Head.Position)))
	}

	fmt.Fprintf(r.Tell, "restoring the vault\n")
	if err := r.vault.drain(ctx, sink{row: func(row eventstore.Row) error { return rows.add(ctx, row) }}); err != nil {
		return err
	}
	if err := rows.flush(ctx); err != nil {
		return err
	}
	r.told("records", l.n, "backup "+r.log.Head.ID+" of "+r.log.Head.Made)
	return r.syncFiles()
}

// file writes a piece of a file, and keeps what the logs stand on.
func (r *Restoring) file(path string, more bool, data []byte) error {
	keepLogFile(r.kept, path, data)
	name := filepath.Join(r.To, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if more {
		flags = os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFiles makes the names of files durable, and puts the keys beside them.
func (r *Restoring) syncFiles() error {
	text, err := files.ReadOwnFile(r.Keys, files.MaxKeyFile)
	if err == nil {
		err = WritePrivate(filepath.Join(r.To, "keys"), string(text))
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(r.To, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return err
		case path == filepath.Join(r.To, "store"):
			return fs.SkipDir
		}
		return syncDir(vfs.Default, path)
	})
}

// A logBatch hands records to a store, many at once.
type logBatch struct {
	to    eventstore.Store
	roots *transparency.Roots
	n     int64
	batch []eventstore.Recorded
	size  int
}

func (l *logBatch) add(ctx context.Context, r eventstore.Recorded) error {
	l.n++
	if err := inOrder(r, l.n); err != nil {
		return exit.NotAuthentic(err)
	}
	if err := l.roots.Add(r); err != nil {
		return exit.NotAuthentic(err)
	}
	l.batch, l.size = append(l.batch, r), l.size+len(r.Data)
	if len(l.batch) < 2000 && l.size < 4<<20 {
		return nil
	}
	return l.flush(ctx)
}

func (l *logBatch) flush(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	at, err := eventstore.Import(ctx, l.to, l.batch...)
	if err != nil {
		return err
	}
	if at != eventstore.Position(l.n) {
		return fmt.Errorf("record %d came to position %d", l.n, at)
	}
	l.batch, l.size = nil, 0
	return nil
}

// A rowBatch writes rows, many at once.
type rowBatch struct {
	to   eventstore.Rows
	c    eventstore.Change
	size int
}

func (b *rowBatch) add(ctx context.Context, row eventstore.Row) error {
	b.c.Put, b.size = append(b.c.Put, row), b.size+len(row.Key)+len(row.Value)
	if len(b.c.Put) < 1000 && b.size < 4<<20 {
		return nil
	}
	return b.flush(ctx)
}

func (b *rowBatch) flush(ctx context.Context) error {
	err := Durably(ctx, b.to, b.c)
	b.c, b.size = eventstore.Change{}, 0
	return err
}

// judge says whether the ledger may go on from here.
func (r *Restoring) judge() error {
	if err := r.roots.Done(); err != nil {
		return exit.NotAuthentic(r.log.wrong(err))
	}
	for _, t := range r.roots.Trees() {
		r.told("log of "+string(t.App), t.Size, fmt.Sprintf("%d signed, root %s", t.Signed, t.Root))
	}
	behind := r.roots.Behind()
	switch unknown := r.roots.Unpublished(); {
	case r.Drill:
		return nil
	case behind != nil && r.Fork == "":
		return exit.Conflict(fmt.Errorf("--log: %w; restore a newer backup. If there is none, say why with --fork: "+
			"the logs begin anew under another origin", behind))
	case behind == nil && len(unknown) == 0 && r.Fork != "" && len(r.Checkpoints) > 0:
		return exit.Conflict(errors.New("--fork: nothing was published that this backup does not have, so nothing has to fork: leave it out"))
	case len(unknown) > 0 && r.Fork == "":
		return exit.Usage(fmt.Errorf("say with --checkpoint what was published last of %s: nobody knows otherwise whether this backup is the newest. "+
			"If it cannot be had, say why with --fork; to look only, give --drill", unknown[0]))
	}
	return nil
}

// open opens the ledger in the directory, which has no FORMAT yet.
func (r *Restoring) open(ctx context.Context, keys *vault.FileKeys) error {
	used, err := vault.Used(ctx, r.dir.DB.Rows())
	if err == nil && !used {
		err = r.vault.wrong(errors.New("it holds no vault"))
	}
	if err != nil {
		return err
	}
	if err := r.dir.openLedger(ctx, Addresses{}, keys, measured{}); err != nil {
		return r.wrongKeys(err)
	}
	n, err := r.dir.Vault.Whole(ctx)
	r.told("keys of apps and persons", int64(max(n-1, 0)), "") // one tells wrong keys
	return r.wrongKeys(err)
}

func (r *Restoring) wrongKeys(err error) error {
	if !errors.Is(err, vault.ErrWrongKeys) {
		return err
	}
	return exit.NotAuthentic(fmt.Errorf("--vault-keys: %s does not open --vault %s, which is of %s: %w; bring the file of then, "+
		"or a backup that was made after the epoch was destroyed", r.Keys, r.vault.name, r.vault.Head.Made, err))
}

// maxFindings is how many are told.
const maxFindings = 10

// verify holds every record against what is kept beside it. What was sealed after an older
// vault is not there: that is counted, and no finding.
func (r *Restoring) verify(ctx context.Context) error {
	fmt.Fprintf(r.Tell, "verifying %d records\n", r.log.Head.Position)
	h := r.dir.Ledger.Holding(ctx, "")
	var wrong []string
	more, lost, n := 0, int64(0), int64(0)
	for record, err := range r.dir.Store.ReadAll(ctx, 0) {
		if err != nil {
			return errors.Join(err, h.Close())
		}
		n++
		for _, what := range h.Check(record.Data) {
			switch {
			case record.Position > r.vault.Head.Position:
				lost++
			case len(wrong) < maxFindings:
				wrong = append(wrong, fmt.Sprintf("record %d: %s", record.Position, what))
			default:
				more++
			}
		}
	}
	if err := h.Close(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return exit.NotAuthentic(fmt.Errorf("--vault: %s does not hold what the records commit to, in %d places:\n%s", r.vault.name,
			len(wrong)+more, strings.Join(wrong, "\n")))
	}
	r.told("commitments that sealed parts keep", h.Commitments, "")
	if lost > 0 {
		r.told("what was sealed since the vault's backup", lost, "lost")
	}
	return r.verifyTexts(ctx)
}

// verifyTexts holds every public text against its hash.
func (r *Restoring) verifyTexts(ctx context.Context) error {
	n := int64(0)
	for row, err := range r.dir.Rows().Scan(ctx, []byte("b/")) {
		if err != nil {
			return err
		}
		var hash blobs.Hash
		if len(row.Key) != 2+len(hash) {
			return exit.NotAuthentic(r.log.wrong(errors.New("a text has no hash for a name")))
		}
		copy(hash[:], row.Key[2:])
		if _, _, err := r.dir.Blobs.Get(ctx, hash); err != nil {
			return exit.NotAuthentic(r.log.wrong(err))
		}
		n++
	}
	r.told("public texts", n, "")
	return nil
}

// eraseAgain erases whom the log says to erase and the vault still has: the order is as
// good as on the day it was given.
func (r *Restoring) eraseAgain(ctx context.Context) error {
	type person struct {
		app  domain.AppName
		name vault.Pseudonym
	}
	var ordered []person
	for e, err := range r.dir.Ledger.Replay(ctx, 0) {
		if err != nil {
			return err
		}
		if _, is := e.Event.(domain.ErasureOrdered); !is {
			continue
		}
		name, err := vault.ParsePseudonym(e.Stream.ID)
		if err != nil {
			return unreadableErasure(e, err)
		}
		ordered = append(ordered, person{e.Stream.App, name})
	}

	again := int64(0)
	for _, p := range ordered {
		owner, there, err := r.dir.Vault.ByPseudonym(ctx, string(p.app), p.name)
		if err == nil && there {
			again++
			err = r.dir.Vault.Order(ctx, owner)
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.dir.Ledger.FinishErasures(ctx); err != nil {
		return fmt.Errorf("an erasure that was ordered could not be finished: %w", err)
	}
	for _, p := range ordered {
		if _, there, err := r.dir.Vault.ByPseudonym(ctx, string(p.app), p.name); err != nil || there {
			return errors.Join(err, fmt.Errorf("person %s of %s is erased, and is in the vault again", p.name, p.app))
		}
	}
	if err := r.eraseCertified(ctx); err != nil {
		return err
	}
	r.told("persons whom the log says to erase", int64(len(ordered)), fmt.Sprintf("%d of them erased again", again))
	return nil
}

func unreadableErasure(e codec.Entry, err error) error {
	return &codec.UnreadableError{Position: e.Position, Type: e.Type, Err: err}
}

// finish begins the logs anew if they have to fork, and makes the directory one of ours.
func (r *Restoring) finish(ctx context.Context) error {
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
	if err := WriteDurably(vfs.Default, r.To, RestoredFile, note); err != nil {
		return err
	}
	db := r.dir.DB
	r.dir.DB = nil
	if err := errors.Join(db.Close(), ctx.Err()); err != nil {
		return err
	}

	if err := WriteFormat(vfs.Default, r.To, use); err != nil {
		return err
	}
	if err := RemoveDurably(r.To, RestoreFile); err != nil {
		return err
	}
	if r.Drill {
		fmt.Fprintf(r.Tell, "the drill is done: %s is whole and can be read, and nothing serves it; it holds every person's data, so remove it\n", r.To)
		return nil
	}
	fmt.Fprintf(r.Tell, "restored: start the ledger with serve --data %s, issue API keys and add webhooks, which no backup has, and make a new backup\n", r.To)
	return nil
}

// note is what the directory keeps of how it was made.
func (r *Restoring) note() string {
	return fmt.Sprintf("%slog %s %s %d\nvault %s %s %d\n", RestoreHeader,
		r.log.Head.ID, r.log.Head.Made, r.log.Head.Position, r.vault.Head.ID, r.vault.Head.Made, r.vault.Head.Position)
}
