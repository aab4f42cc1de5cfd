package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

// A Snapshot is a database as it was at one moment: records and rows of the same write.
// It is made of links to the tables, so it takes little room, and lies in a directory of
// its own on the same disk. What is erased meanwhile stays in that directory until the
// snapshot is closed, and nowhere else on its account.
type Snapshot struct {
	db  *DB
	dir string
}

// Snapshot makes one in dir, which must not be there. What is in it is durable in d.
func (d *DB) Snapshot(dir string) (*Snapshot, error) {
	if err := d.Writable(); err != nil {
		return nil, err
	}
	err := d.reading(func() error {
		return d.attempt(func() error { return d.pebble.Checkpoint(dir, pebble.WithFlushedWAL()) })
	})
	if err != nil {
		return nil, fmt.Errorf("embedded: snapshot: %w", err)
	}

	s := &Snapshot{newDB(dir, Options{FS: d.fs, Logger: d.log}), dir}
	err = s.db.openPebble(dir, Options{FS: d.fs, Logger: d.log, CacheBytes: 8 << 20}, Room{}, true)
	if err != nil {
		return nil, errors.Join(err, d.fs.RemoveAll(dir))
	}
	last, err := s.db.lastPosition()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: snapshot: %w", err), s.Close())
	}
	s.db.last, s.db.mark.position = last, last
	return s, nil
}

// Head returns the position of the last record; zero: there is none.
func (s *Snapshot) Head() eventstore.Position { return s.db.last }

// ReadAll yields every record after a position, in order.
func (s *Snapshot) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return s.db.Store().ReadAll(ctx, after)
}

// Scan yields the rows whose key begins with prefix, in order of key.
func (s *Snapshot) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return s.db.Rows().Scan(ctx, prefix)
}

// Close gives the snapshot up and removes its directory.
func (s *Snapshot) Close() error {
	s.db.open.Lock()
	defer s.db.open.Unlock()
	if s.db.closed {
		return nil
	}
	s.db.closed = true
	return errors.Join(s.db.attempt(s.db.pebble.Close), s.db.fs.RemoveAll(s.dir))
}
