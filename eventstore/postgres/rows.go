package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"consentledger/eventstore"
)

var _ eventstore.Rows = (*Rows)(nil)

// Rows are [eventstore.Rows] on PostgreSQL, in a schema of their own, beside a
// [Store] or without one. Several processes may have them open. Their calls end as
// those of a Store do.
type Rows struct {
	server
	queue  *queue[*changing] // changes that wait for their turn
	writer [16]byte          // tells the writer of this process from others

	purging chan struct{} // holds one while rows are purged

	batch   [16]byte    // the transaction that is sent last
	holding []*changing // the changes in it
}

//go:embed rows.sql
var rowsSchema string

// ofRows is the content of the rows' schema. A part that is written anew has to be
// owned.
var ofRows = content{
	schema: rowsSchema,
	relations: []relation{
		{"rows_v1", "SELECT, INSERT, UPDATE, DELETE"},
		{"dirty_v1", "SELECT, INSERT, UPDATE, DELETE"},
		{"store_v1", "SELECT"},
		{"timelines_v1", "SELECT, INSERT"},
		{"turn_v1", "SELECT, UPDATE"},
		{"writers_v1", "SELECT, INSERT, UPDATE"},
	},
	owned: true,
	// There are no statistics, and every statement finds its rows by their keys.
	settings: "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
	holds:    holdsChange,
}

// OpenRows returns the rows at an address, without waiting for them, as [Open] does.
// The name of their schema is "consentledger_vault" if there is no other, and what
// was seen is the newest transaction that wrote.
func OpenRows(a *Address, o Options) (*Rows, error) {
	r := &Rows{queue: newQueue(newMix), writer: newUUID(), purging: make(chan struct{}, 1)}
	if err := r.connect(a, o, "consentledger_vault", ofRows); err != nil {
		return nil, err
	}
	w := &writer[*changing]{server: &r.server, queue: r.queue, send: r.commit}
	r.spawn(w.run)
	return r, nil
}

// RowsSchema returns the statements that make the schema of rows, as [Schema] does for
// a store's.
func RowsSchema(name string) (string, error) { return script(name, rowsSchema) }

// newUUID returns a random UUID of version 4.
func newUUID() (id [16]byte) {
	rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// holdsChange looks whether the newest transaction that is known is there: the count
// says so, and if there was none since, its id.
func holdsChange(ctx context.Context, s *server, c *pgconn.PgConn, m eventstore.Mark) error {
	row, err := one(ctx, c, s.sql(fmt.Sprintf("SELECT number < %[1]d, number = %[1]d, number, id FROM {store}.turn_v1", m.Position)))
	if err != nil {
		return err
	}
	if row[0] == "t" {
		return s.broken("the rows were changed %s times, and had been changed %d times: "+
			"did a standby take over that did not have all changes, or was an old copy of the database put in place?", row[2], m.Position)
	}
	if id, err := eventstore.ParseEventID(row[3]); row[1] == "t" && (err != nil || id != m.ID) {
		return s.broken("change %d of the rows is %s, and it was %s", m.Position, row[3], m.ID)
	}
	return nil
}

// Get implements [eventstore.Rows].
func (r *Rows) Get(ctx context.Context, key []byte) (value []byte, ok bool, err error) {
	err = r.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		value, ok = nil, false
		err := c.QueryRow(ctx, r.sql("SELECT value FROM {store}.rows_v1 WHERE key = $1"), some(key)).Scan(&value)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return value, ok, err
}

// Sync implements [eventstore.Rows]. It has nothing to do: what Write has returned for
// is durable, and what anybody can read is as well.
func (r *Rows) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.Fault()
}

// Bounds of what a scan reads by one statement. One row is always read.
const (
	scanRows  = 1000
	scanBytes = 4 << 20
)

// nextRows selects rows from a key on, or behind it.
const nextRows = `SELECT key, value FROM (
		SELECT key, value, sum(octet_length(value)) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) - octet_length(value) AS before
		FROM (SELECT key, value FROM {store}.rows_v1 WHERE key %s $1 AND ($2::bytea IS NULL OR key < $2) ORDER BY key LIMIT $3) r
	) r WHERE before < $4 ORDER BY key`

// Scan implements [eventstore.Rows]. Up to a thousand rows are read at once, and those
// behind them as they are by then.
func (r *Rows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		from, statement := some(prefix), fmt.Sprintf(nextRows, ">=")
		for {
			page, err := r.page(ctx, statement, from, behindPrefix(prefix))
			if err != nil {
				yield(eventstore.Row{}, err)
				return
			}
			size := 0
			for _, row := range page {
				size += len(row.Value)
				if err := ctx.Err(); err != nil {
					yield(eventstore.Row{}, err)
					return
				}
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < scanRows && size < scanBytes {
				return // there were no more at that moment
			}
			from, statement = bytes.Clone(page[len(page)-1].Key), fmt.Sprintf(nextRows, ">")
		}
	}
}

func (r *Rows) page(ctx context.Context, statement string, from, to []byte) (page []eventstore.Row, err error) {
	err = r.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		found, err := c.Query(ctx, r.sql(statement), from, to, scanRows, scanBytes)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (one eventstore.Row, err error) {
			err = row.Scan(&one.Key, &one.Value)
			return one, err
		})
		return err
	})
	return page, err
}

// behindPrefix returns the first key that follows all with a prefix; nil: none does.
func behindPrefix(prefix []byte) []byte {
	for n := len(prefix); n > 0; n-- {
		if prefix[n-1] < 0xff {
			end := bytes.Clone(prefix[:n])
			end[n-1]++
			return end
		}
	}
	return nil
}

// some returns b, not nil: no bytes are not NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

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
			o.Put = append(o.Put, eventstore.Row{Key: append([]byte{}, row.Key...), Value: append([]byte{}, row.Value...)})
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

const commitChanges = `SELECT pid, number, id, made FROM {store}.write_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

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
		pgtype.UUID{Bytes: r.writer, Valid: true}, pgtype.UUID{Bytes: r.batch, Valid: true}, int64(r.Seen().Position), len(batch),
		present.of, present.keys, absent.of, absent.keys, gone.of, gone.keys, put.of, put.keys, values, doubt,
	}
}
