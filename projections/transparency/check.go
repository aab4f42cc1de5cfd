package transparency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// Check derives the trees that were there when the logs were opened once more
// from their first record, and compares every tile. Trees that Run builds from
// the first record need no such check. It returns how many records it read.
//
// Tiles that differ are built again. Records that do not give the root that was
// signed are a fault. If all is well, the entry bundles go that an older program
// kept as files. Check works half the time and rests the other half.
func (l *Log) Check(ctx context.Context) (int64, error) {
	checks := l.checks()
	todo := len(checks)
	if todo == 0 {
		return 0, nil
	}

	began, n := time.Now(), int64(0)
	for r, err := range l.Records.ReadAll(ctx, 0) {
		if err != nil {
			return n, err
		}
		stream, err := ident.ParseStreamID(string(r.Stream))
		if err != nil {
			return n, fmt.Errorf("record %d: %w", r.Position, err)
		}
		c := checks[stream.App]
		if c == nil || c.edge.Size == c.size {
			continue
		}
		n++
		if c.add(r); c.edge.Size == c.size {
			if err := l.judge(stream.App, c); err != nil {
				return n, err
			}
			l.isChecked(stream.App)
			if todo--; todo == 0 {
				return n, nil
			}
		}
		if n%4096 == 0 {
			rest(ctx, time.Since(began))
			began = time.Now()
		}
	}

	for app, c := range checks {
		if c.edge.Size < c.size {
			return n, l.halt(app, fmt.Errorf("the store holds %d records, but %d were signed: records are missing",
				c.edge.Size, c.size))
		}
	}
	return n, nil
}

// checks returns what there is to check.
func (l *Log) checks() map[ident.AppName]*treeCheck {
	checks := map[ident.AppName]*treeCheck{}
	for app, c := range l.opened {
		if c.size > 0 {
			checks[app] = &c
		}
	}
	return checks
}

// A treeCheck derives a tree and compares it with its files.
type treeCheck struct {
	dir    string
	size   int64
	root   merkle.Hash // for this size, as the tiles have it
	signed bool        // the root was signed; if not, the process died before it said how far it was
	edge   merkle.Edge
	wrong  string // the first file that differs

	ids       []eventstore.EventID // of the records that are in no run yet
	positions []eventstore.Position
}

func (c *treeCheck) add(r eventstore.Recorded) {
	c.edge.Append(r.Data, func(t merkle.Tile, hashes []byte) { c.compare(merkle.Path(t), hashes) })
	c.ids, c.positions = append(c.ids, r.ID), append(c.positions, r.Position)
	if len(c.ids) == runLength {
		c.compare(runName(c.edge.Size/runLength-1), formatRun(c.ids, c.positions))
		c.ids, c.positions = c.ids[:0], c.positions[:0]
	}
}

// compare notes the first file that is not as derived.
func (c *treeCheck) compare(path string, want []byte) {
	if c.wrong != "" {
		return
	}
	if got, err := os.ReadFile(filepath.Join(c.dir, path)); err != nil || !bytes.Equal(got, want) {
		c.wrong = path
	}
}

// judge says what a check came to.
func (l *Log) judge(app ident.AppName, c *treeCheck) error {
	root := c.edge.Root()
	if root != c.root && !c.signed {
		c.wrong = "the right edge" // or a record: whoever builds it again finds out
	} else if root != c.root {
		return l.halt(app, fmt.Errorf("the first %d records give the root %s, but %s was signed: a record was "+
			"changed, removed, inserted or moved", c.size, root, c.root))
	}
	if c.wrong != "" {
		err := fmt.Errorf("app %s: %s is not as the records give it: %w", app, c.wrong, errRebuild)
		l.interrupt(err)
		return err
	}
	return l.removeEntries(app, c.dir)
}

// isChecked notes that what an earlier process left of a log is as the records give it.
func (l *Log) isChecked(app ident.AppName) {
	if t := l.tree(app); t != nil {
		t.verified.Store(time.Now().UnixMilli())
		t.unchecked.Store(false)
	}
}

// removeEntries removes the entry bundles that an older program kept as files,
// once the store was found to hold the same.
func (l *Log) removeEntries(app ident.AppName, dir string) error {
	entries := filepath.Join(dir, "tile", "entries")
	if _, err := os.Stat(entries); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l.Log.Info("the entry bundles of an older program are removed: the store holds every record as it was signed",
		"app", app)
	return os.RemoveAll(entries)
}
