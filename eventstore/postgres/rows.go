package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	newest:   "change %d of the rows",
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
	last := fmt.Sprintf("SELECT number < %[1]d, number = %[1]d, number, id FROM {store}.turn_v1", m.Position)
	row, err := one(ctx, c, s.sql(last))
	if err != nil {
		return err
	}

	if row[0] == "t" {
		return s.broken("the rows were changed %s times, and had been changed %d times: "+
			"did a standby take over that did not have all changes, or was an old copy of the database put in place?",
			row[2], m.Position)
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

// nextRows selects rows from a key on, or behind it, up to another. The bounds stand
// alone, so that an index is read between them and no further.
const nextRows = `SELECT key, value FROM (
		SELECT key, value,
			sum(octet_length(value)) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) - octet_length(value) AS before
		FROM (SELECT key, value FROM {store}.rows_v1
			WHERE key %s $1 AND %s ORDER BY key LIMIT $3) r
	) r WHERE before < $4 ORDER BY key`

// selectRows is nextRows with a comparison to the first key, up to a key; nil: to the end.
func selectRows(first string, until []byte) string {
	if until == nil {
		return fmt.Sprintf(nextRows, first, "$2::bytea IS NULL")
	}
	return fmt.Sprintf(nextRows, first, "key < $2")
}

// Scan implements [eventstore.Rows]. Up to a thousand rows are read at once, and those
// behind them as they are by then.
func (r *Rows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		from, until := some(prefix), behindPrefix(prefix)
		statement := selectRows(">=", until)
		for {
			page, err := r.page(ctx, statement, from, until)
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
			from, statement = bytes.Clone(page[len(page)-1].Key), selectRows(">", until)
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
