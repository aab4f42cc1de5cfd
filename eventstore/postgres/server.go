package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"consentledger/eventstore"
)

// A server is what a store of records and one of rows have in common: connections
// to the one primary that knows what was acknowledged, and how its answers are
// waited for.
type server struct {
	name    string // of the schema
	content content
	pool    *pgxpool.Pool
	options Options

	life    context.Context // ends with Close
	endLife context.CancelFunc
	work    sync.WaitGroup
	fault   atomic.Pointer[FaultError]

	mu    sync.Mutex
	known identity        // of the server that is used
	moved chan struct{}   // closed once another server is used
	news  chan struct{}   // closed once there may be something that was not there
	seen  eventstore.Mark // the newest that was acknowledged or read
}

// A content is what a schema holds: records, or rows.
type content struct {
	schema    string // the statements that make it
	relations []relation
	owned     bool // the ledger's user has to own the tables
	settings  string
	newest    string // what was seen last, with a verb for its number

	// holds returns an error unless what was seen last is there still.
	holds func(ctx context.Context, s *server, c *pgconn.PgConn, seen eventstore.Mark) error
}

// A relation is a table, and what the ledger's user has to be granted on it.
type relation struct{ name, rights string }

// Options are what a [Store] may be told. The zero Options are useful.
type Options struct {
	// Name parts stores in one database: it is the schema's. It begins with a
	// letter and is 1 to 32 of a-z, 0-9 and "_"; empty: "consentledger".
	Name string

	// Seen is what this ledger has seen in the store before, the last it knows: it
	// must be there still, else the store is older than the ledger. Zero: nothing.
	Seen eventstore.Mark

	// OnFault is told once that history was changed. Nil: nobody is.
	OnFault func(error)

	// Readers is how many connections reads may have; zero: 8. There are two more,
	// one for appends and one that listens.
	Readers int

	// WholePages says that the server's file system writes pages of 8 KiB whole, so
	// that full_page_writes may be off.
	WholePages bool
}

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("postgres: the store is closed")

var storeName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

func checkName(name string) error {
	if !storeName.MatchString(name) || strings.HasPrefix(name, "pg_") {
		return fmt.Errorf("postgres: store name %q: it is 1 to 32 of a-z, 0-9 and _, and begins with a letter, but "+
			"not with pg_", name)
	}
	return nil
}

// connect makes the connections of s, which are there once they are needed.
func (s *server) connect(a *Address, o Options, name string, content content) error {
	if o.Name == "" {
		o.Name = name
	}
	if err := checkName(o.Name); err != nil {
		return err
	}
	s.name, s.content, s.options, s.seen = o.Name, content, o, o.Seen
	s.moved, s.news = make(chan struct{}), make(chan struct{})

	c := a.config.Copy()
	c.ConnConfig.ValidateConnect = s.admit
	c.ConnConfig.OnNotice = noticed
	c.ConnConfig.DialFunc = dialer(c.ConnConfig.ConnectTimeout)
	c.PrepareConn = s.stillGood
	c.MaxConns = 8
	if o.Readers > 0 {
		c.MaxConns = int32(min(o.Readers, 10_000))
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	s.pool = pool
	s.life, s.endLife = context.WithCancel(context.Background())
	return nil
}

// Ready returns once the primary has answered and may be used.
func (s *server) Ready(ctx context.Context) error {
	return s.read(ctx, s.asksWhether)
}

// Close ends all calls and returns once nothing of the store is left running.
// What became of appends that are on their way is unknown then.
func (s *server) Close() error {
	s.mu.Lock()
	s.endLife()
	s.mu.Unlock()
	s.work.Wait()
	s.pool.Close()
	return nil
}

// spawn runs f beside its callers, and reports whether it does: not once the
// store is closed. Close waits for f.
func (s *server) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return false
	}
	s.work.Go(f)
	return true
}

// patience is what a call has whose context has no deadline.
const patience = 30 * time.Second

func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patience)
}

// pause waits before the next try, longer after each, and reports whether there
// is to be one.
func pause(ctx context.Context, tries int) bool {
	timer := time.NewTimer(min(10*time.Millisecond<<min(tries, 10), 250*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wake has followers look for records.
func (s *server) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

// see remembers a record that is there.
func (s *server) see(at eventstore.Position, id eventstore.EventID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at > s.seen.Position {
		s.seen = eventstore.Mark{Position: at, ID: id}
	}
}

// Seen returns the newest record that was acknowledged or followed: see
// [Options.Seen].
func (s *server) Seen() eventstore.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// sql puts the schema's name where a statement has {store}.
func (s *server) sql(statement string) string {
	return strings.ReplaceAll(statement, "{store}", `"`+s.name+`"`)
}

// read has f read from the server, again if the connection ends or the server is
// away, as long as ctx lets it.
func (s *server) read(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	var last error // why the try before failed
	for tries := 0; ; tries++ {
		err := s.readOnce(ctx, f)
		switch {
		case err == nil:
			return nil
		case s.life.Err() != nil:
			return ErrClosed
		case ctx.Err() != nil && last != nil:
			return fmt.Errorf("postgres: %w", timely(ctx, last))
		case ctx.Err() != nil:
			return fmt.Errorf("postgres: %w", timely(ctx, err))
		}
		last = err

		switch meaningOf(err) {
		case fault:
			if f, is := errors.AsType[*FaultError](err); is {
				return f
			}
			return s.broken("%w", err)
		case denied, never, full:
			return fmt.Errorf("postgres: %w", err)
		case unknown, later, elsewhere:
		}
		if isFinal(err) {
			return fmt.Errorf("postgres: %w", err)
		}
		if !pause(ctx, tries) {
			return fmt.Errorf("postgres: %w", timely(ctx, err))
		}
	}
}

func (s *server) readOnce(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(ctx, c)
}

// isPrimary returns nil once the server has said that it is the primary.
func (s *server) isPrimary() error { return s.askOnce(s.asksWhether) }

// askOnce has f ask the server something that it answers at once. If it does not, no
// connection that there is now is used any more.
func (s *server) askOnce(f func(context.Context, *pgxpool.Conn) error) error {
	ctx, cancel := context.WithTimeout(s.life, answersWithin)
	defer cancel()
	asked := false
	err := s.readOnce(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		asked = true
		return f(ctx, c)
	})
	if err != nil && asked && ctx.Err() != nil {
		s.pool.Reset() // a server that sleeps holds its connections open
	}
	return err
}

// asksWhether asks the server of a connection whether it is the primary, and still
// keeps what it commits.
func (s *server) asksWhether(ctx context.Context, c *pgxpool.Conn) error {
	return s.isUsed(c, c.QueryRow(ctx, primary))
}

// isUsed returns nil if the server of a connection has answered the question primary
// so that it is used.
func (s *server) isUsed(c *pgxpool.Conn, answer pgx.Row) error {
	var standby bool
	var fsync, fullPages string
	if err := answer.Scan(&standby, &fsync, &fullPages); err != nil {
		return err
	}
	if standby {
		return notYet("it is a standby")
	}
	if err := s.durable(fsync, fullPages); err != nil {
		return err
	}
	if known, _ := s.current(); known != sessionOf(c.Conn().PgConn()).identity {
		return notYet("another one took over meanwhile")
	}
	return nil
}

const primary = "SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes')"
