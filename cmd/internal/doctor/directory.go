package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"
)

// directory looks at the data directory: first from outside, then inside as long as no ledger
// has it open, if all is there that it is opened with.
func (d *Doctor) directory(ctx context.Context, all bool) {
	info, err := os.Stat(d.Data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.parent()
		return
	case err != nil:
		d.say("directory", "broken", err.Error(),
			"let the user of the ledger see "+d.Data+", or name another directory with --data")
		return
	case !info.IsDir():
		d.say("directory", "broken", d.Data+" is no directory",
			"name a data directory with --data; it is made if it is not there")
		return
	}
	if err := writable(d.Data); err != nil {
		d.say("directory", "broken", "it cannot be written: "+err.Error(),
			"give "+d.Data+" to the user that runs the ledger, as in chown, with mode 0700; mount it read-write")
		return
	}

	if _, err := os.Stat(filepath.Join(d.Data, "FORMAT")); errors.Is(err, os.ErrNotExist) {
		if err := server.CheckOurs(d.Data); err != nil {
			d.say("directory", "broken", err.Error(), "name an empty directory, or one of a ledger, with --data")
		} else {
			d.say("directory", "ok", "it is empty and can be written: serve begins a ledger in it", "")
		}
		return
	}

	d.say("directory", "ok", "it is a ledger's and can be written", "")
	d.future()
	if d.isOf() && all {
		d.inside(ctx)
	}
}

// isOf reports whether the directory says that its records and its persons are where the flags
// say that they are.
func (d *Doctor) isOf() bool {
	good := true
	for _, p := range []struct {
		place server.Location
		at    string
	}{{server.RecordsPlace, d.Dir.Store}, {server.VaultPlace, d.Dir.Vault}} {
		address, err := p.place.Address(p.at)
		if err != nil {
			good = false // which is said of the server
			continue
		}
		if err := p.place.Check(d.Data, address, false); err != nil {
			d.say("directory", "broken", err.Error(),
				"say the same of "+p.place.Flag+" as when the ledger was begun; consentledger migrate moves it")
			good = false
		}
	}
	return good
}

// parent looks where a directory would be made that is not there.
func (d *Doctor) parent() {
	dir := filepath.Dir(filepath.Clean(d.Data))
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err := writable(dir); err != nil {
		d.say("directory", "broken", d.Data+" is not there and cannot be made: "+err.Error(),
			"make it for the user that runs the ledger, or name another with --data")
		return
	}
	d.say("directory", "ok", d.Data+" is not there yet: serve makes it", "")
}

// future looks for files that were written later than now.
func (d *Doctor) future() {
	var newest time.Time
	for _, name := range []string{"store", "log", "views"} {
		files, err := os.ReadDir(filepath.Join(d.Data, name))
		if err != nil {
			continue
		}
		for _, f := range files {
			if info, err := f.Info(); err == nil && info.ModTime().After(newest) {
				newest = info.ModTime()
			}
		}
	}

	if ahead := time.Until(newest); ahead > clockMargin {
		d.say("clock", "broken", fmt.Sprintf("the ledger was written %s later than it is now: this clock is slow, or "+
			"was fast then", ahead.Round(time.Minute)),
			"set the clock right and keep it so (NTP), before the ledger starts: no record is earlier than the newest")
	}
}

// inside opens the directory as "replay --data" does.
func (d *Doctor) inside(ctx context.Context) {
	dir, err := server.OpenDataDirWith(ctx, d.Data, "", false, d.Dir)
	_, running := errors.AsType[server.InUse](err)
	switch {
	case running:
		d.running = true
		d.say("keys", "skipped", "a ledger has the directory open", "")
		d.say("log", "skipped", "a ledger has the directory open", "")
		return
	case errors.Is(err, vault.ErrWrongKeys):
		d.say("keys", "broken", "keys does not open this vault: it is another ledger's, or an older one's",
			"bring back the file keys that belongs to this store: from the backup of the same ledger")
		return
	case err != nil:
		d.say("store", "broken", err.Error(), "what the message says; a backup of the whole directory is the way back")
		return
	}
	defer dir.Close()
	d.say("keys", "ok", "they open the vault", "")

	err = dir.Behind(ctx)
	older, behind := errors.AsType[*transparency.OlderError](err)
	switch {
	case behind:
		d.say("log", "broken", fmt.Sprintf("the store ends at position %d, and records up to position %d of %s were "+
			"signed: the store is older than its log", older.Head, older.Signed, older.App),
			"bring back the newer store; if it is lost for good: consentledger log renew --records-lost")
	case err != nil:
		d.say("log", "broken", err.Error(),
			"bring back the directory log from a backup of this ledger, never from an older state")
	default:
		d.say("log", "ok", "the store holds all that was signed", "")
	}
}

// writable reports whether a file can be made in a directory. It is gone again.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".consentledger-doctor-*")
	if err != nil {
		if e, is := errors.AsType[*os.PathError](err); is {
			return e.Err
		}
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// clockMargin is how far a clock may be off: a grant that is further ahead is refused.
const clockMargin = 5 * time.Minute
