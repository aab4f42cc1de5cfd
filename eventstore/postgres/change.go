package postgres

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"consentledger/eventstore"
)

// maxKey is the longest key, in bytes: an index takes no longer ones.
const maxKey = 2000

// checkChange returns an error if a change holds what PostgreSQL has no room for.
func checkChange(c eventstore.Change) error {
	for key := range keysOf(c) {
		if len(key) > maxKey {
			return fmt.Errorf("postgres: a row's key has at most %d bytes, this has %d", maxKey, len(key))
		}
	}
	return nil
}

// keysOf yields the keys of a change, and whether it changes them.
func keysOf(c eventstore.Change) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		for _, row := range c.Put {
			if !yield(row.Key, true) {
				return
			}
		}
		for _, key := range c.Delete {
			if !yield(key, true) {
				return
			}
		}
		for _, key := range slices.Concat(c.Present, c.Absent) {
			if !yield(key, false) {
				return
			}
		}
	}
}

// Write implements [eventstore.Rows]. When it returns nil the change survives a crash.
//
// When ctx ends before the server has answered, the outcome is unknown, and goes on
// being settled: by sending the same again until the server has answered.
func (r *Rows) Write(ctx context.Context, c eventstore.Change) error {
	if err := checkChange(c); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.Fault(); err != nil {
		return err
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	return r.queue.bring(&r.server, &changing{waiting: newWaiting(ctx), change: owned(c)})
}

// owned returns a copy of a change, in which no key is put twice or put and deleted:
// of two puts the later counts, and a delete more than any.
func owned(c eventstore.Change) (o eventstore.Change) {
	last := make(map[string]int, len(c.Put)+len(c.Delete))
	for i, row := range c.Put {
		last[string(row.Key)] = i
	}

	for _, key := range c.Delete {
		if last[string(key)] >= 0 {
			last[string(key)] = -1
			o.Delete = append(o.Delete, append([]byte{}, key...))
		}
	}

	for i, row := range c.Put {
		if last[string(row.Key)] == i {
			o.Put = append(o.Put, eventstore.Row{Key: append([]byte{}, row.Key...),
				Value: append([]byte{}, row.Value...)})
		}
	}

	for _, key := range c.Present {
		o.Present = append(o.Present, append([]byte{}, key...))
	}

	for _, key := range c.Absent {
		o.Absent = append(o.Absent, append([]byte{}, key...))
	}
	return o
}

// A changing is a change on its way.
type changing struct {
	waiting
	change eventstore.Change
}

func (c *changing) waiter() *waiting { return &c.waiting }

func (c *changing) subject() string { return "rows" }

// newMix returns what chooses the changes that are made in one transaction: none
// touches a key that another one changes.
func newMix() func(*changing) choice {
	changed := make(map[string]bool) // by those chosen; false: looked at
	size := 0
	return func(c *changing) choice {
		n := 0
		for key, changes := range keysOf(c.change) {
			was, met := changed[string(key)]
			if met && (was || changes) {
				return waits
			}
			n += len(key) + 64
		}
		for _, row := range c.change.Put {
			n += len(row.Value)
		}
		if size > 0 && size+n > batchBytes {
			return closes
		}
		size += n
		for key, changes := range keysOf(c.change) {
			changed[string(key)] = changed[string(key)] || changes
		}
		return goes
	}
}

const commitChanges = `SELECT pid, number, id, made
	FROM {store}.write_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

// commit has the server make changes in a transaction of its own, and tells each
// caller what became of its own. What was sent before is sent as it was, and the
// server knows it again.
func (r *Rows) commit(w *writer[*changing], batch []*changing) error {
	if !slices.Equal(batch, r.holding) {
		r.batch, r.holding = newUUID(), slices.Clone(batch)
	}
	var pid int64
	var number int64
	var id pgtype.UUID
	var made []bool
	row := w.conn.QueryRow(context.Background(), r.sql(commitChanges), r.arguments(batch)...)
	if err := row.Scan(&pid, &number, &id, &made); err != nil { // reads to the end of the transaction
		return err
	}
	if err := w.certain(uint32(pid)); err != nil {
		return err
	}
	if len(made) != len(batch) {
		return fmt.Errorf("the server tells what became of %d changes of %d", len(made), len(batch))
	}

	r.see(eventstore.Position(number), id.Bytes)
	r.holding = nil
	for i, c := range batch {
		if made[i] {
			c.end(nil)
			continue
		}
		c.end(fmt.Errorf("postgres: %w", eventstore.ErrCondition))
	}
	return nil
}

// A keyList is some keys and of which change each is, from 1.
type keyList struct {
	of   []int32
	keys [][]byte
}

func (l *keyList) add(of int, keys ...[]byte) {
	for _, key := range keys {
		l.of, l.keys = append(l.of, int32(of)), append(l.keys, key)
	}
}

// arguments are those of write_v1.
func (r *Rows) arguments(batch []*changing) []any {
	var present, absent, gone, put keyList
	var values [][]byte
	doubt := false
	for i, c := range batch {
		doubt = doubt || c.doubt
		present.add(i+1, c.change.Present...)
		absent.add(i+1, c.change.Absent...)
		gone.add(i+1, c.change.Delete...)
		for _, row := range c.change.Put {
			put.add(i+1, row.Key)
			values = append(values, row.Value)
		}
	}

	return []any{
		pgtype.UUID{Bytes: r.writer, Valid: true}, pgtype.UUID{Bytes: r.batch, Valid: true},
		int64(r.Seen().Position), len(batch),
		present.of, present.keys, absent.of, absent.keys, gone.of, gone.keys, put.of, put.keys, values, doubt,
	}
}
