package transparency

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/atomicfile"
)

// A LostError says that what an app's log is signed with is gone, although the
// log was begun: going on with anything else would be a second history under
// one name. It does not go away by itself.
type LostError struct {
	App  ident.AppName
	File string // what is gone
}

func (e *LostError) Error() string {
	return fmt.Sprintf("the log of %s was begun and signed, and %s is gone: bring it back from where you keep it; "+
		"if it is lost for good, the log cannot go on: begin another under a new origin with consentledger log "+
		"renew", e.App, e.File)
}

// An OlderError says that the store ends before what was signed: it is an older
// one, and going on from it would be a second history under one name.
type OlderError struct {
	App    ident.AppName
	Head   eventstore.Position // where the store ends
	Signed eventstore.Position // of the last record that was signed
	Size   int64               // how many records of the app were
}

func (e *OlderError) Error() string {
	return fmt.Sprintf("app %s: the store ends at position %d, but a checkpoint of %d records up to position %d was "+
		"signed: "+
		"the store is older than what was signed, as after a restore of an old backup; bring back the newer store; "+
		"if that is lost for good, so are the records behind position %d: begin the logs anew under a new origin, "+
		"which says so, with consentledger log renew --records-lost",
		e.App, e.Head, e.Size, e.Signed, e.Head)
}

// lostOrigin returns what is lost if no directory has the logs that were begun.
func (r *Register) lostOrigin(file string) *LostError {
	for _, app := range slices.Sorted(maps.Keys(r.all())) {
		return &LostError{app, file}
	}
	return nil
}

// known returns the apps whose logs were begun, whether or not their keys are
// still there.
func (k *Keep) known() ([]ident.AppName, error) {
	apps, err := k.Apps()
	if err != nil || k.shared != nil {
		return apps, err
	}
	all := k.register.all()
	for _, app := range apps {
		all[app] = ""
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// declareLost makes what is lost a fault: readers are told, nothing is signed.
func (l *Log) declareLost(lost *LostError) {
	l.trees, l.opened = nil, nil
	l.halt(lost.App, lost)
}

// ErrNotLost says that nothing is lost: the logs go on.
var ErrNotLost = errors.New("nothing that the logs are signed with is lost: they go on under their origin, which " +
	"never changes; if somebody else has a signing key, move the directory log out of the data directory first")

// Renew gives up the logs whose signing keys are lost, those of all apps that
// stand under their origin, and makes room for others under a new one; see
// [OpenKeep] for an empty one. What is left of the old ones, tiles and signed
// checkpoints, is moved beside the directory, and Renew says where: it still
// verifies as far as it was signed. Why is kept in the register: no personal
// data. If Renew fails it can be called again.
//
// RecordsLost says that a newer store is lost for good: a store that is older
// than what was signed is taken, and the register keeps where it ended.
func Renew(ctx context.Context, c Config, origin, why string, recordsLost bool) (kept string, err error) {
	if c.Keep.shared != nil {
		return "", errors.New("the logs of several processes are signed with keys that lie in the rows they share, " +
			"and go on as long as those are there: bring back a backup of these")
	}

	l, err := Open(ctx, c)
	if older, is := errors.AsType[*OlderError](err); is && recordsLost {
		why += fmt.Sprintf(" (the store ended at position %d, and %d was signed: what was recorded behind it is lost)",
			older.Head, older.Signed)
	} else if err != nil {
		return "", err
	} else if err := l.isLost(); err != nil {
		return "", err
	}
	return c.renew(ctx, origin, why)
}

// isLost returns nil if what the logs are signed with is lost, and nothing else
// is wrong.
func (l *Log) isLost() error {
	f := l.fault.Load()
	if f == nil {
		return ErrNotLost
	}
	if _, lost := errors.AsType[*LostError](f.Err); !lost {
		return f
	}
	return nil
}

// setAside moves what is left of a keep and of its tiles to a directory of
// their own.
func setAside(keep, tiles string) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.lost-%d", keep, n)
		err := os.Mkdir(aside, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		for _, move := range [][2]string{{keep, filepath.Join(aside, "keep")}, {tiles, filepath.Join(aside, "tiles")}} {
			if err := os.Rename(move[0], move[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
		return aside, atomicfile.SyncDir(filepath.Dir(keep))
	}
}
