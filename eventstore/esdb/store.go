package esdb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"consentledger/eventstore"
)

var _ eventstore.Store = (*Store)(nil)

// A Store is an [eventstore.Store] on EventStoreDB or KurrentDB. Its calls end no
// later than their contexts; one whose context has no deadline ends after half a
// minute without a server, but for Follow, which goes on.
type Store struct {
	address     *Address
	prefix      string        // of the names of our streams
	neverStream string        // it has no events, for it is ours and we write none
	neverLength atomic.Uint64 // how many it has all the same
	every       time.Duration
	onFault     func(error)
	noBatches   bool

	life    context.Context // ends with Close
	endLife context.CancelFunc
	work    sync.WaitGroup

	asks     questions
	highest  atomic.Uint64 // the last position that was acknowledged or seen
	doubtful atomic.Int64  // appends of which nobody knows yet what became of them
	slots    chan struct{} // taken by appends
	fault    atomic.Pointer[FaultError]
	imported importing

	mu      sync.Mutex
	current *link           // nil: nobody is known to lead
	finding chan struct{}   // closed once somebody is found; nil: nobody looks
	hint    string          // where the leader is said to be
	members []string        // whom the nodes know
	refused error           // why nobody was found in the last round
	shutOut error           // why the server does not let us in,
	shutAt  time.Time       // since when
	seen    eventstore.Mark // the newest record that was acknowledged or followed
	parked  []*tail         // subscriptions that go on where a follower stopped
}

// Options are what a [Store] may be told. The zero Options are useful.
type Options struct {
	// Name parts the ledger's streams from others in the same database: they are
	// called "<Name>.<stream>". It is 1 to 32 of a-z, 0-9 and "-"; empty: "ledger".
	Name string

	// BarrierEvery is the least time between two barriers that the server is asked
	// for; zero: 10 ms. Each costs some 110 bytes of its log for good.
	BarrierEvery time.Duration

	// Seen is what this ledger has seen in the store before, the last it knows: it
	// must be there still, else the store is older than the ledger. Zero: nothing.
	Seen eventstore.Mark

	// OnFault is told once that history was changed. Nil: nobody is.
	OnFault func(error)

	// NoBatchAppend makes each append a call of its own.
	NoBatchAppend bool
}

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("esdb: the store is closed")

// maxAppends is how many appends may be on their way.
const maxAppends = 4096

var storeName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Open returns the store at an address, without waiting for it: calls wait until
// a leader is found. See [Store.Ready].
func Open(a *Address, o Options) (*Store, error) {
	if o.Name == "" {
		o.Name = "ledger"
	}
	if !storeName.MatchString(o.Name) {
		return nil, fmt.Errorf("esdb: store name %q: it is 1 to 32 of a-z, 0-9 and -", o.Name)
	}
	if o.BarrierEvery == 0 {
		o.BarrierEvery = 10 * time.Millisecond
	}

	s := &Store{
		address:     a,
		prefix:      o.Name + ".",
		neverStream: o.Name + "~",
		every:       o.BarrierEvery,
		onFault:     o.OnFault,
		noBatches:   o.NoBatchAppend,
		slots:       make(chan struct{}, maxAppends),
		seen:        o.Seen,
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	return s, nil
}

// Ready returns once a leader is found that has a quorum.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.link(ctx)
	return err
}

// Close ends all calls and returns once nothing of the store is left running.
// What became of appends that are on their way is unknown then.
func (s *Store) Close() error {
	s.mu.Lock()
	s.endLife()
	current, parked := s.current, s.parked
	s.current, s.parked = nil, nil
	s.mu.Unlock()
	for _, t := range parked {
		t.close()
	}
	if current != nil {
		current.close()
	}
	s.work.Wait()
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
