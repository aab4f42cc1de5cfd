package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A writer is the one connection of a store that appends. Nothing on it is ever
// cancelled: a server that is asked to cancel a commit makes it.
type writer struct {
	store *Store
	conn  *pgx.Conn // nil: there is none
	is    session
}

// A caller dials for one connection, and then no more: a request to cancel would be
// another connection.
type caller struct {
	dial    pgconn.DialFunc
	through atomic.Bool
}

var errNoCancel = errors.New("a commit is not cancelled")

func (c *caller) call(ctx context.Context, network, address string) (net.Conn, error) {
	if c.through.Load() {
		return nil, errNoCancel
	}
	return c.dial(ctx, network, address)
}

// connect makes the connection if there is none to the server that is used.
func (w *writer) connect() error {
	s := w.store
	known, _ := s.current()
	if w.conn != nil && !w.conn.IsClosed() && w.is.identity == known {
		return nil
	}
	w.drop()

	config := s.pool.Config().ConnConfig
	calls := &caller{dial: config.DialFunc}
	config.DialFunc = calls.call
	conn, err := pgx.ConnectConfig(s.life, config)
	if err != nil {
		return err
	}
	calls.through.Store(true)
	w.conn, w.is = conn, sessionOf(conn.PgConn())
	return nil
}

// drop ends the connection without a word to the server, which goes on with what it
// does.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	_ = w.conn.PgConn().Conn().Close() // whatever is wrong with it, it is not used any more
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.conn.Close(ctx)
	<-w.conn.PgConn().CleanupDone()
	w.conn = nil
}

// watch ends the connection if the store is closed meanwhile, or another server is
// used: this one may be asleep, and never answer, so it looks for another one now and
// then. The function that it returns ends the watch.
func (w *writer) watch() func() {
	s := w.store
	conn := w.conn.PgConn().Conn()
	known, moved := s.current()
	if known != w.is.identity {
		_ = conn.Close()
	}
	over := make(chan struct{})
	look := func() {
		clock := time.NewTicker(answersWithin)
		defer clock.Stop()
		for {
			select {
			case <-over:
				return
			case <-moved:
				_ = conn.Close()
				return
			case <-s.life.Done():
				_ = conn.Close()
				return
			case <-clock.C:
				_ = s.isPrimary() // a new connection finds out
			}
		}
	}
	if !s.spawn(look) {
		_ = conn.Close()
	}
	return func() { close(over) }
}
