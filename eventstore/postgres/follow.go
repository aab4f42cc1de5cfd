package postgres

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"consentledger/eventstore"
)

const (
	// look is how often followers look for records of which nobody told them.
	look = time.Second

	// between is the least time between two notifications.
	between = 5 * time.Millisecond

	// answersWithin is what a server has to answer a question that takes no time,
	// before another connection is tried.
	answersWithin = 5 * time.Second
)

// Follow implements [eventstore.Store]. It outlasts servers and connections. On
// each connection to another server, or to one that was started anew, it first
// reads the last record where it was; if it is not the same, it ends with a
// [*FaultError].
func (s *Store) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		s.listens.Do(func() { s.spawn(s.listen) })
		f := &follower{store: s, last: eventstore.Mark{Position: after}}
		for tries := 0; ; {
			news := s.whenNews()
			page, err := f.page(ctx)
			switch {
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case err != nil && (ends(err) || !pause(ctx, tries)):
				yield(nil, err)
				return
			case err != nil:
				tries++
				continue
			}

			tries = 0
			if len(page) > 0 {
				if !yield(page, nil) {
					return
				}
				continue
			}
			s.wait(ctx, news)
		}
	}
}

// ends reports whether an error ends a follower.
func ends(err error) bool {
	return isFinal(err) || !errors.Is(err, context.DeadlineExceeded)
}

// A follower is one call of Follow.
type follower struct {
	store   *Store
	last    eventstore.Mark // the record behind which it goes on; without an id, what is there
	checked identity        // the server on which it was looked at
}

// page returns what comes next, nothing if there is nothing yet.
func (f *follower) page(ctx context.Context) (page []eventstore.Recorded, err error) {
	s := f.store
	if err := s.Fault(); err != nil {
		return nil, err
	}

	if page := s.kept(f.last.Position); len(page) > 0 && f.checked != (identity{}) {
		r := page[len(page)-1]
		f.last = eventstore.Mark{Position: r.Position, ID: r.ID}
		return page, nil
	}

	err = s.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		if now := sessionOf(c.Conn().PgConn()).identity; now != f.checked {
			if err := f.check(ctx, c.Conn()); err != nil {
				return err
			}
			f.checked = now
		}
		page, err = s.pick(ctx, c.Conn(), behind, int64(f.last.Position), pageLength)
		return err
	})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	if _, err := s.follows(f.last.Position, page); err != nil {
		return nil, err
	}

	r := page[len(page)-1]
	f.last = eventstore.Mark{Position: r.Position, ID: r.ID}
	s.see(r.Position, r.ID)
	return page, nil
}

// check looks whether the record behind which the follower goes on is where it was.
func (f *follower) check(ctx context.Context, c *pgx.Conn) error {
	s, at := f.store, f.last.Position
	if at == 0 {
		return nil
	}
	if at > maxRevision {
		return s.broken("it is followed from position %d, and has never had as many", at)
	}

	there, err := s.pick(ctx, c, "WHERE position = $1", int64(at))
	switch {
	case err != nil:
		return err
	case len(there) == 0:
		return s.broken("it is followed from position %d, and there is no record: was an old copy of the database "+
			"put in place?",
			at)
	case f.last.ID == eventstore.EventID{}:
		f.last.ID = there[0].ID
	case there[0].ID != f.last.ID:
		return s.broken("at position %d there is the record %s, and there was %s", at, there[0].ID, f.last.ID)
	}
	return nil
}

// whenNews returns what is closed once there may be records that are not there yet.
func (s *Store) whenNews() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.news
}

// wait returns once there may be records, or a while has passed.
func (s *Store) wait(ctx context.Context, news <-chan struct{}) {
	timer := time.NewTimer(look)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.life.Done():
	}
}

// notify tells other processes that there are records. A notification makes all
// transactions with one wait for each other, of the whole server: so it is in none
// that appends, and there is one for all that was appended meanwhile.
func (s *Store) notify() {
	for {
		select {
		case <-s.notes:
		case <-s.life.Done():
			return
		}
		// Who is not told looks by itself.
		ctx, cancel := context.WithTimeout(s.life, answersWithin)
		_ = s.readOnce(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
			_, err := c.Exec(ctx, "SELECT pg_notify($1, '')", s.name)
			return err
		})
		cancel()
		timer := time.NewTimer(between)
		select {
		case <-timer.C:
		case <-s.life.Done():
			timer.Stop()
			return
		}
	}
}

// listen wakes followers when another process says that there are records.
func (s *Store) listen() {
	for tries := 0; s.life.Err() == nil; tries++ {
		if heard := s.listenOnce(); heard {
			tries = 0
		}
		pause(s.life, tries)
	}
}

// listenOnce listens until its connection ends, or another server is used, and
// reports whether it did listen.
func (s *Store) listenOnce() (heard bool) {
	c, err := pgx.ConnectConfig(s.life, s.pool.Config().ConnConfig)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithCancel(s.life)
	defer func() {
		cancel()
		_ = c.Close(ctx) // nothing was under way
		<-c.PgConn().CleanupDone()
	}()
	known, moved := s.current()
	if known != sessionOf(c.PgConn()).identity {
		return false
	}
	s.spawn(func() {
		select {
		case <-moved:
			cancel()
		case <-ctx.Done():
		}
	})

	if _, err := c.Exec(ctx, s.sql("LISTEN {store}")); err != nil {
		return false
	}
	for {
		s.wake() // also for what was missed before
		if err := c.PgConn().WaitForNotification(ctx); err != nil {
			return true
		}
	}
}
