// Package turn has one process at a time do a piece of work, of all that use one
// database of a PostgreSQL server.
//
// # What it does
//
// Whoever has the turn holds an advisory lock of PostgreSQL, on a connection that is
// used for nothing else. The work's context ends as soon as the connection is lost, the
// server is not the primary any more, or does not answer a question that it is asked
// every second. Those that wait ask for the lock every second: to wait inside the server
// would keep a snapshot open, and VACUUM from removing anything, for days.
//
// The server ends a session that has asked nothing for fifteen seconds, so a process
// that is paused, or cut off without a word, loses its turn as well. A process that runs
// gives up earlier, after five seconds without an answer. Who had to wait for the turn
// lets two more seconds go by before it works, so that the one before has noticed.
//
// # What it does not
//
// The lock is an economy: it spares several processes the same work. Correctness must
// not rest on it, since two may work at once:
//
//   - A process that is paused (SIGSTOP, a suspended machine, a long collection of
//     garbage) after it was told to go on does what it was about to do when it wakes up,
//     however late, and only then looks at the time. One statement that it had prepared
//     reaches its server, on another connection than the turn's.
//   - A process that is cut off from the server may work for ten seconds, while an
//     administrator, or a restart of the server, gives the turn to another.
//   - A primary that was replaced and not fenced gives the turn as the new one does. Who
//     has it looks every ten seconds what server the address leads to by now, which
//     finds this out unless the address still leads to the old one.
//   - Work that does not heed its context goes on.
//
// So what is written must be refused by itself if somebody else has written meanwhile,
// as by a compare-and-set in the transaction that writes.
package turn

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"consentledger/eventstore/postgres"
)

// A Turn is what one process at a time has. Fill in At and Name.
type Turn struct {
	At   *postgres.Address
	Name string // of the work: turns of one name in one database are one

	// Tell is told why the turn cannot be had, or was lost, and why work failed; the
	// same once. Nil: nobody is.
	Tell func(error)

	second time.Duration // tests shorten it
}

// ErrLost is the cause of the end of the context that work gets, if the turn was lost.
var ErrLost = errors.New("the turn was lost")

// Run waits for the turn, and runs work until it returns or the turn is lost, when its
// context ends. If the turn is lost, or work fails, Run gives the turn away and tries
// again a little later. It returns nil once work does, ctx's error once ctx is done,
// and what is wrong if the server cannot be used until somebody changes it. Work is
// never left running.
func (t Turn) Run(ctx context.Context, work func(ctx context.Context) error) error {
	if t.second == 0 {
		t.second = time.Second
	}
	h := holder{Turn: t}
	for tries := 0; ; tries++ {
		began := time.Now()
		err := h.once(ctx, work)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil || postgres.NeedsOperator(err):
			return err
		}

		h.tell(err)
		if time.Since(began) > time.Minute {
			tries = 0 // it went well for long
		}
		if !sleep(ctx, jitter(min(t.second<<min(tries, 8), 8*t.second)/4)) {
			return ctx.Err()
		}
	}
}

// jitter is a time between half of d and one and a half.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A holder is one call of Run. Only its goroutine uses it, and while work runs the one
// that watches the turn.
type holder struct {
	Turn
	conn   *pgx.Conn
	server postgres.Server // the newest that was met
	told   string          // what was told last
	waited bool            // another had the turn when it was asked for
}

func (h *holder) tell(err error) {
	if text := err.Error(); text != h.told && h.Tell != nil {
		h.told = text
		h.Tell(err)
	}
}

// once waits for the turn on one connection, and runs work.
func (h *holder) once(ctx context.Context, work func(ctx context.Context) error) error {
	if err := h.connect(ctx); err != nil {
		return fmt.Errorf("turn %s: %w", h.Name, err)
	}
	defer h.leave()
	if err := h.take(ctx); err != nil {
		return fmt.Errorf("turn %s: %w", h.Name, err)
	}
	h.told, h.waited = "", false

	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()

	// The answer of work counts, unless the turn was lost meanwhile.
	lost := h.watch(ctx, done)
	if lost == nil {
		cancel(nil)
		return <-done
	}
	lost = fmt.Errorf("turn %s: %w: %w", h.Name, ErrLost, lost)
	cancel(lost)
	return errors.Join(lost, unlessEnded(<-done))
}

func unlessEnded(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// connect makes the connection. What it sets goes with it.
func (h *holder) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*h.second)
	defer cancel()
	conn, err := dial(ctx, h.At)
	if err != nil {
		return err
	}

	h.conn = conn
	if now := postgres.ServerOf(conn.PgConn()); older(now, h.server) {
		h.leave()
		return fmt.Errorf("the server is on timeline %d, and was replaced by one on %d", now.Timeline,
			h.server.Timeline)
	}

	h.server = postgres.ServerOf(conn.PgConn())
	_, err = conn.Exec(ctx, fmt.Sprintf("SET idle_session_timeout = %d", (15*h.second).Milliseconds()))
	if err != nil {
		h.leave()
	}
	return err
}

// older reports whether a server was replaced by another.
func older(s, by postgres.Server) bool { return s.System == by.System && s.Timeline < by.Timeline }

func dial(ctx context.Context, at *postgres.Address) (*pgx.Conn, error) {
	config := at.Config().ConnConfig
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return pgx.ConnectConfig(ctx, config)
}

// leave ends the connection, and with it the turn.
func (h *holder) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*h.second)
	defer cancel()
	_ = h.conn.Close(ctx) // the server frees the lock, by itself if it must
	<-h.conn.PgConn().CleanupDone()
}

// Key is the number of the advisory lock of a name, for whoever looks whether anybody
// has a turn, or has another use for a lock: no other program comes to the same one.
func Key(name string) int64 {
	sum := sha256.Sum256([]byte("consentledger turn 1 " + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// take asks for the turn until it is had.
func (h *holder) take(ctx context.Context) error {
	for {
		var had bool
		if err := h.ask(ctx, &had, "SELECT pg_try_advisory_lock($1)", Key(h.Name)); err != nil {
			return err
		}
		switch {
		case had && h.waited:
			return h.let(ctx, 2*h.second) // the one before notices that it is over
		case had:
			return nil
		}
		h.waited = true
		if err := h.let(ctx, jitter(h.second)); err != nil {
			return err
		}
	}
}

// ask asks the server a question that it answers at once.
func (h *holder) ask(ctx context.Context, into *bool, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*h.second)
	defer cancel()
	return h.conn.QueryRow(ctx, query, args...).Scan(into)
}

// let lets a time go by. It returns at once with an error if the connection ends.
func (h *holder) let(ctx context.Context, d time.Duration) error {
	inside, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for inside.Err() == nil {
		_, err := h.conn.WaitForNotification(inside)
		if err != nil && (inside.Err() == nil || h.conn.IsClosed()) {
			return err
		}
	}
	return ctx.Err()
}

// watch returns nil once work is done, or ctx, and an error once the turn is lost. A
// question that is not answered in time is the last, and its time begins before it
// is sent.
func (h *holder) watch(ctx context.Context, done chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan error, 1)
	go func() { lost <- h.ping(ctx) }()
	select {
	case err := <-done:
		done <- err
		cancel()
		<-lost // nobody uses the connection any more
		return nil
	case err := <-lost:
		return err
	}
}

// ping asks the server again and again whether the turn is still had, until ctx is
// done, when it returns nil, or it is not.
func (h *holder) ping(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		err := h.let(ctx, h.second)
		if err == nil {
			err = h.check(ctx)
		}
		if err == nil && n%10 == 0 {
			err = h.lookAgain(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// held is whether the server is the primary and this session has the lock. Those of
// PostgreSQL have two numbers of 32 bits.
const held = `SELECT NOT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
	AND pid = pg_backend_pid() AND classid::bigint << 32 | objid::bigint = $1 AND objsubid = 1)`

func (h *holder) check(ctx context.Context) error {
	var still bool
	if err := h.ask(ctx, &still, held, Key(h.Name)); err != nil {
		return err
	}
	if !still {
		return errors.New("the session does not have the lock any more")
	}
	return nil
}

// lookAgain looks what server the address leads to by now. One that cannot be reached
// says nothing.
func (h *holder) lookAgain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*h.second)
	defer cancel()
	conn, err := dial(ctx, h.At)
	if err != nil {
		return nil
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if now := postgres.ServerOf(conn.PgConn()); now != h.server && !older(now, h.server) {
		return fmt.Errorf("the address leads to another server: system %s, timeline %d; it was %s, %d",
			now.System, now.Timeline, h.server.System, h.server.Timeline)
	}
	return nil
}
