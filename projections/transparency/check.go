package transparency

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// Check derives the trees that were there when the logs were opened once more
// from their first record, and compares every tile. Trees that Run builds from
// the first record need no such check. It returns how many records it read.
//
// Tiles that differ are built again. Records that do not give the root that was
// signed are a fault. Check works half the time and rests the other half.
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
		stream, err := domain.ParseStreamID(string(r.Stream))
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
			return n, l.halt(app, fmt.Errorf("the store holds %d records, but %d were signed: records are missing", c.edge.Size, c.size))
		}
	}
	return n, nil
}

// checks returns what there is to check.
func (l *Log) checks() map[domain.AppName]*treeCheck {
	checks := map[domain.AppName]*treeCheck{}
	for app, s := range l.opened {
		if s.Size > 0 {
			checks[app] = &treeCheck{dir: filepath.Join(l.Dir, string(app)), size: s.Size, root: s.Root}
		}
	}
	return checks
}

// A treeCheck derives a tree and compares it with its files.
type treeCheck struct {
	dir    string
	size   int64
	root   merkle.Hash // that was signed for this size
	edge   merkle.Edge
	bundle []byte
	ids    []eventstore.EventID
	wrong  string // the first file that differs
}

func (c *treeCheck) add(r eventstore.Recorded) {
	c.bundle = merkle.AppendEntry(c.bundle, r.Data)
	c.edge.Append(r.Data, func(t merkle.Tile, hashes []byte) { c.compare(merkle.Path(t), hashes) })
	if c.edge.Size%merkle.Width == 0 {
		c.compare(merkle.Path(merkle.At(-1, c.edge.Size/merkle.Width-1, c.edge.Size)), c.bundle)
		c.bundle = c.bundle[:0]
	}
	if c.ids = append(c.ids, r.ID); len(c.ids) == runLength {
		c.compare(runName(c.edge.Size/runLength-1), sortedRun(c.ids))
		c.ids = c.ids[:0]
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
func (l *Log) judge(app domain.AppName, c *treeCheck) error {
	if root := c.edge.Root(); root != c.root {
		return l.halt(app, fmt.Errorf("the first %d records give the root %s, but %s was signed: a record was changed, removed, inserted or moved", c.size, root, c.root))
	}
	if c.wrong != "" {
		err := fmt.Errorf("app %s: %s is not as the records give it: %w", app, c.wrong, errRebuild)
		l.interrupt(err)
		return err
	}
	return nil
}
