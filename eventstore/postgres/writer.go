package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"consentledger/eventstore"
)

// A writer makes what waits in a queue, by the one connection that writes. Nothing
// on it is ever cancelled: a server that is asked to cancel a commit makes it.
type writer[T write] struct {
	server *server
	queue  *queue[T]

	// send has the server make writes in one transaction and ends them, or returns
	// an error, of which meaningOf says what is known of them.
	send  func(w *writer[T], batch []T) error
	apart bool // writes in doubt may be sent one by one, not only as they were sent

	conn *pgx.Conn // nil: there is none
	is   session
}

// run makes the writes that wait, one transaction after the other, until the server
// is closed.
func (w *writer[T]) run() {
	defer w.drop()
	for {
		select {
		case <-w.queue.arrived:
		case <-w.server.life.Done():
			return
		}
		for batch := w.queue.take(); len(batch) > 0; batch = w.queue.take() {
			if !w.settle(batch) {
				return
			}
			w.queue.gather(len(batch))
		}
	}
}

// settle sends writes until their outcome is known, and reports whether there is to
// be more.
func (w *writer[T]) settle(batch []T) bool {
	for tries := 0; len(batch) > 0; tries++ {
		batch = w.attempt(batch)
		if len(batch) > 0 && !pause(w.server.life, tries) {
			return false
		}
	}
	return w.server.life.Err() == nil
}

// attempt sends writes once, and returns those that have to be sent again.
func (w *writer[T]) attempt(batch []T) []T {
	if batch = leave(batch); len(batch) == 0 {
		return nil
	}
	if err := w.server.Fault(); err != nil {
		return end(batch, err)
	}
	if err := w.connect(); err != nil {
		w.queue.failed(batch, err, false)
		if isFinal(err) {
			return giveUp(batch, err)
		}
		return batch
	}

	over := w.watch()
	delete(w.conn.PgConn().CustomData(), ofNotice)
	err := w.send(w, batch)
	over()
	if err == nil {
		return nil
	}
	return w.failed(batch, err)
}

// certain returns an error if what the backend pid answered is not certain.
func (w *writer[T]) certain(pid uint32) error {
	if pid != w.is.backend {
		return errShared
	}
	if w.conn.PgConn().CustomData()[ofNotice] != nil {
		return errors.New("somebody has cancelled the wait for the synchronous standby")
	}
	return nil
}

// failed makes of an error what it means, and returns the writes that have to be
// sent again.
func (w *writer[T]) failed(batch []T, err error) []T {
	means := meaningOf(err)
	w.queue.failed(batch, err, means == unknown)
	if w.conn.IsClosed() || means == unknown || means == elsewhere {
		w.drop()
	}

	switch means {
	case fault:
		if f, is := errors.AsType[*FaultError](err); is {
			return end(batch, f)
		}
		return end(batch, w.server.broken("%w", err))
	case full:
		return giveUp(batch, fmt.Errorf("%w: %w", eventstore.ErrFull, err))
	case never:
		if len(batch) == 1 || !w.apart && batch[0].waiter().doubt {
			return giveUp(batch, err)
		}
		// One of them is the cause: each is sent by itself.
		for _, a := range batch {
			if !w.settle([]T{a}) {
				return nil
			}
		}
		return nil
	case denied:
		w.drop() // the next connection finds out which right is missing
		return giveUp(batch, err)
	case unknown, elsewhere, later:
	}
	return batch
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
func (w *writer[T]) connect() error {
	s := w.server
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
func (w *writer[T]) drop() {
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
func (w *writer[T]) watch() func() {
	s := w.server
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
