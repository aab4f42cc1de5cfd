package readmodel

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"strings"

	"consentledger/eventstore"
)

// A Tx is a transaction. Statements are prepared once per text and connection.
type Tx struct {
	ctx    context.Context // of the one call that the transaction lives in
	c      *conn
	writer string
}

// Writer is another once another process writes the read model, which may have lost
// entries: then what is held in memory of it is read again. Of a file there is one.
func (t *Tx) Writer() string { return t.writer }

// read returns a statement as the engine reads it.
func (s *side) read(query string) string {
	if s.text == nil {
		return query
	}
	return s.text(query)
}

func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.c.stmts[query]; ok {
		return s, nil
	}
	s, err := t.c.PrepareContext(t.ctx, t.c.side.read(query))
	if err == nil {
		t.c.stmts[query] = s
	}
	return s, err
}

// Exec runs a statement and returns how many rows it changed. It asks the driver
// itself: database/sql takes a third of the time that SQLite takes for a row.
func (t *Tx) Exec(query string, args ...any) (n int64, err error) {
	t.c.args = t.c.args[:0]
	for i, arg := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return 0, fmt.Errorf("argument %d: %w", i+1, err)
		}
		if flag, is := v.(bool); is { // a flag is a number
			v = int64(0)
			if flag {
				v = int64(1)
			}
		}
		t.c.args = append(t.c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}

	err = t.c.Raw(func(c any) error {
		s, err := t.c.change(t.ctx, c.(driver.ConnPrepareContext), query)
		if err != nil {
			return err
		}
		r, err := s.ExecContext(t.ctx, t.c.args)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return n, err
}

func (c *conn) change(
	ctx context.Context, raw driver.ConnPrepareContext, query string,
) (driver.StmtExecContext, error) {
	if s, ok := c.changes[query]; ok {
		return s, nil
	}
	s, err := raw.PrepareContext(ctx, c.side.read(query))
	if err != nil {
		return nil, err
	}
	c.changes[query] = s.(driver.StmtExecContext)
	return c.changes[query], nil
}

// Each calls row for every row of the answer; scan reads its columns.
func (t *Tx) Each(query string, args []any, row func(scan func(...any) error) error) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}

	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}

	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// Row reads the one row of the answer into into.
func (t *Tx) Row(query string, args []any, into ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(t.ctx, args...).Scan(into...)
}

// A Sum is the SHA-256 of a table's rows in the order of its primary key.
type Sum [32]byte

// Hash returns the Sum of every table but the checkpoint's, for comparison
// with a read model that was built from nothing, and the position that they are
// as of: both of one snapshot, however far that is.
func (db *DB) Hash(ctx context.Context) (sums map[string]Sum, asOf eventstore.Position, err error) {
	sums = map[string]Sum{}
	err = db.read(ctx, func(tx *Tx, p eventstore.Position) error {
		asOf = p
		keys := map[string][]string{}
		err := tx.Each(db.keys, nil,
			func(scan func(...any) error) error {
				var table, column string
				err := scan(&table, &column)
				keys[table] = append(keys[table], column)
				return err
			})
		for table, key := range keys {
			if err == nil {
				sums[table], err = tx.sum(table, key)
			}
		}
		return err
	})
	return sums, asOf, err
}

func (t *Tx) sum(table string, key []string) (Sum, error) {
	h := sha256.New()
	rows, err := t.c.QueryContext(t.ctx, "SELECT * FROM "+table+" ORDER BY "+strings.Join(key, ", "))
	if err != nil {
		return Sum{}, err
	}

	columns, err := rows.Columns()
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}

	for err == nil && rows.Next() {
		if err = rows.Scan(into...); err != nil {
			break
		}
		for _, v := range values {
			if err = write(h, v); err != nil {
				break
			}
		}
	}
	return Sum(h.Sum(nil)), errors.Join(err, rows.Err(), rows.Close())
}

// write adds a value to h so that no two rows look alike.
func write(h hash.Hash, v any) error {
	var b [9]byte
	switch v := v.(type) {
	case nil:
		b[0] = 'n'
		h.Write(b[:])
	case int64:
		b[0] = 'i'
		binary.BigEndian.PutUint64(b[1:], uint64(v))
		h.Write(b[:])
	case float64:
		b[0] = 'f'
		binary.BigEndian.PutUint64(b[1:], math.Float64bits(v))
		h.Write(b[:])
	case string:
		b[0] = 's'
		binary.BigEndian.PutUint64(b[1:], uint64(len(v)))
		h.Write(b[:])
		h.Write([]byte(v))
	case []byte:
		b[0] = 'b'
		binary.BigEndian.PutUint64(b[1:], uint64(len(v)))
		h.Write(b[:])
		h.Write(v)
	default:
		return fmt.Errorf("a column holds a %T", v)
	}
	return nil
}
