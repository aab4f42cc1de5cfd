// Package readmodel is the SQL behind the answers: for each projection a file of
// SQLite, or a schema of a PostgreSQL database. Both have the same tables, and the
// projections' statements are written once: see [Place].
//
// A read model is a cache of history. One that is damaged, or of another shape, is
// not used, and the projection starts again from position zero. Power loss may
// take the last transactions (SQLite's synchronous=NORMAL, PostgreSQL's
// synchronous_commit=off); it takes answer and checkpoint together, so that they
// are made again. Integers are stored as integers, flags as 0 and 1, instants as UTC
// milliseconds, names and hashes as text.
package readmodel

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Place is where read models are kept: a [Dir] or a [Database].
type Place interface {
	open(ctx context.Context, name, schema string) (*DB, error)

	// Discard removes the read model of a name, which nobody has open: that of
	// another history.
	Discard(ctx context.Context, name string) error
}

// A DB is the read model of one projection. Apply is called by one goroutine at a
// time, View by any number.
type DB struct {
	writer  *side
	readers *side
	close   func() error
	gate    atomic.Pointer[func(context.Context) error]

	meta string // the query for checkpoint and writer
	// moves the checkpoint from at, and returns how many rows it changed
	move    func(*Tx, eventstore.Position) (int64, error)
	keys    string                      // the query for tables and the columns of their primary keys
	note    func(error) error           // remembers what an error says of the read model
	applied func(context.Context) error // is called after every Apply; nil: nothing is to do
	// how long an Apply may take, or a View that has no deadline; zero: as long as it likes
	within time.Duration
	// at holds whatever becomes of an Apply: others may write, too
	strict bool

	known bool                // owned by Apply, as at
	at    eventstore.Position // the checkpoint, if known
}

// format is hashed with every schema: change it to rebuild every read model.
const format = "readmodel 1\n"

func hashOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// Open returns the read model of a projection. Schema is the DDL of its tables, as
// SQLite reads it; every table has a primary key.
func Open(ctx context.Context, place Place, name, schema string) (*DB, error) {
	db, err := place.open(ctx, name, schema)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	return db, nil
}

// Close closes the read model, after the transactions that are under way. Nothing
// may be asked of db afterwards; closing again does nothing.
func (db *DB) Close() error { return db.close() }

// Position returns the checkpoint: the position of the last entry applied.
func (db *DB) Position(ctx context.Context) (at eventstore.Position, err error) {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	err = db.read(ctx, func(_ *Tx, p eventstore.Position) error {
		at = p
		return nil
	})
	return at, err
}

// ErrOvertaken says that somebody else applies entries, too: the checkpoint is not
// where this process left it. What it holds in memory is of no use any more; it has to
// open the read model again.
var ErrOvertaken = errors.New("somebody else has moved the checkpoint")

// Apply runs change and moves the checkpoint to the last of entries, in one
// transaction: both or neither, unless the error is of the commit itself, when
// it is not known. Entries that are not after the checkpoint are an error, and so is a
// checkpoint that others moved, [ErrOvertaken].
func (db *DB) Apply(ctx context.Context, entries []codec.Entry, change func(*Tx) error) error {
	last := eventstore.Position(0)
	for _, e := range entries {
		if e.Position <= last {
			return fmt.Errorf("entry %d comes after %d", e.Position, last)
		}
		last = e.Position
	}
	if last == 0 {
		return nil
	}

	// Not cancelled: it takes milliseconds, and a commit that is cancelled may be made.
	bounded, cancel := db.bounded(context.WithoutCancel(ctx))
	defer cancel()
	err := db.writer.in(bounded, func(tx *Tx) error {
		if err := db.advance(tx, entries[0].Position, last); err != nil {
			return err
		}
		return change(tx)
	})
	if err != nil {
		db.known = db.known && db.strict
		return db.note(err)
	}
	db.known, db.at = true, last
	if db.applied != nil {
		return db.applied(ctx)
	}
	return nil
}

// advance moves the checkpoint to the last of entries that begin with first.
func (db *DB) advance(tx *Tx, first, last eventstore.Position) error {
	if !db.known {
		var p int64
		if err := tx.Row(db.meta, nil, &p, &tx.writer); err != nil {
			return err
		}
		db.at = eventstore.Position(p)
	}

	if first <= db.at {
		return fmt.Errorf("entry %d is not after the checkpoint, %d", first, db.at)
	}

	n, err := db.move(tx, last)
	if err == nil && n != 1 {
		err = fmt.Errorf("entries after %d: %w", db.at, ErrOvertaken)
	}
	return err
}

// Gate lets View fail with what check says, as long as it says something: an
// answer from a read model that has not read enough of the log is none.
func (db *DB) Gate(check func(context.Context) error) { db.gate.Store(&check) }

// View runs read on one snapshot, with the position that the snapshot is as
// of.
func (db *DB) View(ctx context.Context, read func(*Tx, eventstore.Position) error) error {
	if check := db.gate.Load(); check != nil {
		if err := (*check)(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	return db.read(ctx, read)
}

// bounded gives a context a deadline that has none: a server may be asleep.
func (db *DB) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has || db.within == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, db.within)
}

func (db *DB) read(ctx context.Context, read func(*Tx, eventstore.Position) error) error {
	return db.note(db.readers.in(ctx, func(tx *Tx) error {
		var p int64
		if err := tx.Row(db.meta, nil, &p, &tx.writer); err != nil {
			return err
		}
		return read(tx, eventstore.Position(p))
	}))
}
