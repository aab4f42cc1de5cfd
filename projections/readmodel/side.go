package readmodel

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// A side is the writer's or the readers' connections to a read model.
type side struct {
	db    *sql.DB
	begin string
	conns chan *conn // nil: not opened yet

	text func(string) string // a statement as the engine reads it; nil: as it is
	away func(error) error   // says of an error that the server is not there; nil: there is no server
}

func newSide(db *sql.DB, begin string, conns int) *side {
	s := &side{db: db, begin: begin, conns: make(chan *conn, conns)}
	for range conns {
		s.conns <- nil
	}
	return s
}

// A conn is a connection and what was prepared on it: queries, and what changes
// something, which the driver is asked for itself.
type conn struct {
	*sql.Conn
	side    *side
	made    time.Time
	stmts   map[string]*sql.Stmt
	changes map[string]driver.StmtExecContext
	args    []driver.NamedValue // of the change under way
}

// close waits for the transactions that are under way.
func (s *side) close() error {
	var err error
	for range cap(s.conns) {
		if c := <-s.conns; c != nil {
			err = errors.Join(err, c.close())
		}
	}
	return errors.Join(err, s.db.Close())
}

func (c *conn) close() (err error) {
	for _, stmt := range c.stmts {
		err = errors.Join(err, stmt.Close())
	}
	err = errors.Join(err, c.Raw(func(any) (err error) {
		for _, stmt := range c.changes {
			err = errors.Join(err, stmt.(driver.Stmt).Close())
		}
		return err
	}))
	return errors.Join(err, c.Close())
}

// drop closes a server's connection without a word to the server, which may be asleep.
func (c *conn) drop() {
	_ = c.Raw(func(raw any) error {
		if s, is := raw.(*stdlib.Conn); is {
			return s.Conn().PgConn().Conn().Close()
		}
		return nil
	})
	_ = c.close() // whatever is wrong with it, it is not used any more
}

// A server's connection is not used for longer than lifetime: the server may have been
// replaced, and the old one not know it. Whoever begins has patience for a server.
const (
	lifetime = 5 * time.Minute
	patience = 10 * time.Second
)

// in runs f in a transaction. The commit is the commit point.
func (s *side) in(ctx context.Context, f func(*Tx) error) (err error) {
	var c *conn
	select {
	case c = <-s.conns:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.conns <- c }()
	if c, err = s.begun(ctx, c); err != nil {
		return err
	}

	tx := &Tx{ctx: ctx, c: c}
	if err = f(tx); err == nil {
		err = c.control(ctx, "COMMIT")
	}
	if err == nil {
		return nil
	}

	// SQLite may have rolled back already: then there is nothing to undo. A server that
	// does not is gone, or the connection is.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if bad := c.control(ctx, "ROLLBACK"); bad != nil && s.away != nil {
		c.drop() // it is lost
		c = nil
		err = s.away(err)
	}
	return err
}

// begun begins a transaction on a connection, or on another: what was at rest may have
// been cut.
func (s *side) begun(ctx context.Context, c *conn) (*conn, error) {
	if s.away == nil {
		return s.beginOn(ctx, c)
	}

	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rested := c != nil
	if rested && time.Since(c.made) > lifetime {
		c.drop()
		c = nil
	}

	c, err := s.beginOn(short, c)
	if err != nil && rested && short.Err() == nil {
		c, err = s.beginOn(short, nil)
	}
	if err != nil {
		err = s.away(err)
	}
	return c, err
}

// beginOn begins a transaction on a connection, which is made if there is none.
func (s *side) beginOn(ctx context.Context, c *conn) (*conn, error) {
	if c == nil {
		plain, err := s.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		c = &conn{Conn: plain, side: s, made: time.Now(), stmts: map[string]*sql.Stmt{},
			changes: map[string]driver.StmtExecContext{}}
	}

	err := c.control(ctx, s.begin)
	if err != nil && s.away != nil {
		c.drop()
		return nil, err
	}
	return c, err
}

// control begins or ends a transaction.
func (c *conn) control(ctx context.Context, statement string) error {
	if c.side.away == nil {
		_, err := (&Tx{ctx: ctx, c: c}).Exec(statement)
		return err
	}
	// Not prepared: in a transaction that failed nothing can be.
	return c.Raw(func(raw any) error {
		if e, is := raw.(driver.ExecerContext); is {
			_, err := e.ExecContext(ctx, statement, nil)
			return err
		}
		return errors.New("the driver carries out no statements")
	})
}
