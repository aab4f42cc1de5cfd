package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"consentledger/eventstore"
)

var _ eventstore.Store = (*Store)(nil)

// A Store is an [eventstore.Store] on PostgreSQL. Its calls end no later than their
// contexts; one whose context has no deadline ends after half a minute without a
// server, but for Follow, which goes on.
type Store struct {
	name    string // of the schema
	pool    *pgxpool.Pool
	options Options

	life    context.Context // ends with Close
	endLife context.CancelFunc
	work    sync.WaitGroup

	queue   queue // appends that wait for their turn
	asks    questions
	listens sync.Once
	notes   chan struct{} // holds one if other processes are to be told of records
	fault   atomic.Pointer[FaultError]

	mu    sync.Mutex
	known identity        // of the server that is used
	moved chan struct{}   // closed once another server is used
	news  chan struct{}   // closed once there may be records that were not there
	seen  eventstore.Mark // the newest record that was acknowledged or followed
}

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
		return fmt.Errorf("postgres: store name %q: it is 1 to 32 of a-z, 0-9 and _, and begins with a letter, but not with pg_", name)
	}
	return nil
}

// Open returns the store at an address, without waiting for it: calls wait until
// the server can be had. See [Store.Ready].
func Open(a *Address, o Options) (*Store, error) {
	if o.Name == "" {
		o.Name = "consentledger"
	}
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	s := &Store{
		name:    o.Name,
		options: o,
		notes:   make(chan struct{}, 1),
		moved:   make(chan struct{}),
		news:    make(chan struct{}),
		seen:    o.Seen,
	}
	s.queue.arrived = make(chan struct{}, 1)

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
		return nil, fmt.Errorf("postgres: %w", err)
	}
	s.pool = pool
	s.life, s.endLife = context.WithCancel(context.Background())
	s.spawn(s.appendAll)
	s.spawn(s.notify)
	return s, nil
}

// Ready returns once the primary has answered and may be used.
func (s *Store) Ready(ctx context.Context) error {
	return s.read(ctx, s.asksWhether)
}

// Close ends all calls and returns once nothing of the store is left running.
// What became of appends that are on their way is unknown then.
func (s *Store) Close() error {
	s.mu.Lock()
	s.endLife()
	s.mu.Unlock()
	s.work.Wait()
	s.pool.Close()
	return nil
}

// spawn runs f beside its callers, and reports whether it does: not once the
// store is closed. Close waits for f.
func (s *Store) spawn(f func()) bool {
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
func (s *Store) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

// see remembers a record that is there.
func (s *Store) see(at eventstore.Position, id eventstore.EventID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at > s.seen.Position {
		s.seen = eventstore.Mark{Position: at, ID: id}
	}
}

// Seen returns the newest record that was acknowledged or followed: see
// [Options.Seen].
func (s *Store) Seen() eventstore.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

//go:embed schema.sql
var schema string

// Schema returns the statements that make a store of a name, for an administrator
// who does not let the ledger's user create schemas. What has to be granted then is
// what the store says is missing.
func Schema(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return (&Store{name: name}).sql(schema), nil
}

// sql puts the schema's name where a statement has {store}.
func (s *Store) sql(statement string) string {
	return strings.ReplaceAll(statement, "{store}", `"`+s.name+`"`)
}
