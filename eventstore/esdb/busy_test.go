package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
)

// A network makes connections that can be taken away, as a cable or a firewall does.
type network struct {
	dial func(ctx context.Context, host string) (net.Conn, error)

	mu     sync.Mutex
	cut    bool
	silent chan struct{} // closed when it is not silent any more; nil: it is not
	cables map[*cable]bool
}

func newNetwork(dial func(context.Context, string) (net.Conn, error)) *network {
	return &network{dial: dial, cables: map[*cable]bool{}}
}

func tcp(ctx context.Context, host string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", host)
}

// connect connects, once the network is not silent.
func (n *network) connect(ctx context.Context, host string) (net.Conn, error) {
	n.mu.Lock()
	cut, silent := n.cut, n.silent
	n.mu.Unlock()
	if silent != nil {
		select {
		case <-silent:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if cut {
		return nil, errors.New("connection refused")
	}
	conn, err := n.dial(ctx, host)
	if err != nil {
		return nil, err
	}
	c := &cable{Conn: conn, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	n.cables[c] = true
	n.mu.Unlock()
	return c, nil
}

// refuse breaks every connection, and refuses new ones.
func (n *network) refuse() {
	n.mu.Lock()
	n.cut = true
	var open []*cable
	for c := range n.cables {
		open = append(open, c)
	}
	n.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

// hush lets nothing through; what is sent arrives later.
func (n *network) hush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.silent == nil {
		n.silent = make(chan struct{})
	}
}

// mend ends what refuse or hush began.
func (n *network) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = false
	if n.silent != nil {
		close(n.silent)
		n.silent = nil
	}
}

// A cable is a connection by a network.
type cable struct {
	net.Conn
	network *network
	once    sync.Once
	closed  chan struct{}
}

// pass returns once the network is not silent, and reports whether the connection
// is still there.
func (c *cable) pass() bool {
	c.network.mu.Lock()
	silent := c.network.silent
	c.network.mu.Unlock()
	if silent == nil {
		return true
	}
	select {
	case <-silent:
		return true
	case <-c.closed:
		return false
	}
}

func (c *cable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *cable) Write(b []byte) (int, error) {
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

func (c *cable) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.network.mu.Lock()
		delete(c.network.cables, c)
		c.network.mu.Unlock()
	})
	return c.Conn.Close()
}

// A busy client appends, asks, reads and follows all the time, each call with a
// deadline, and remembers what it was told.
type busy struct {
	t        testing.TB
	store    *esdb.Store
	stream   eventstore.Stream
	deadline time.Duration // of each call
	slack    time.Duration // that a call may take beyond it
	every    time.Duration // between two calls of a kind
	stop     context.CancelFunc
	work     sync.WaitGroup

	mu     sync.Mutex
	calls  int
	late   int            // calls that had no answer in time
	other  map[string]int // what else calls were told, and how often
	length eventstore.Revision
	told   []eventstore.Recorded
	longer time.Duration // the most that a call took beyond its deadline
	red    error         // why it ended
}

// keepBusy starts a client that is busy until it is settled.
func keepBusy(t testing.TB, s *esdb.Store, stream eventstore.Stream, deadline, slack time.Duration) *busy {
	t.Helper()
	b := &busy{t: t, store: s, stream: stream, deadline: deadline, slack: slack, every: 20 * time.Millisecond, other: map[string]int{}}
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	b.work.Go(func() { b.write(ctx) })
	b.work.Go(func() { b.ask(ctx) })
	b.work.Go(func() { b.follow(ctx) })
	t.Cleanup(func() { stop(); b.work.Wait() })
	return b
}

// call makes a call with a deadline, and holds it to that. An error is returned; if
// it is one of history, the client ends.
func (b *busy) call(what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.deadline)
	defer cancel()
	began := time.Now()
	err := f(ctx)
	beyond := time.Since(began) - b.deadline

	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.longer = max(b.longer, beyond)
	if beyond > b.slack {
		b.t.Errorf("%s came back %v after its deadline of %v, with %v", what, beyond, b.deadline, err)
	}
	_, fault := errors.AsType[*esdb.FaultError](err)
	_, conflict := errors.AsType[*eventstore.ConflictError](err)
	switch {
	case fault && b.red == nil:
		b.red = err
	case errors.Is(err, context.DeadlineExceeded):
		b.late++
	case err != nil && !fault && !conflict:
		b.other[what+": "+digits.ReplaceAllString(err.Error(), "N")]++
	}
	return err
}

var digits = regexp.MustCompile(`[0-9]+`)

// over reports whether the client has to end.
func (b *busy) over(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ctx.Err() != nil || b.red != nil
}

func (b *busy) rest() { time.Sleep(b.every) }

// write appends one record after the other, each until it is there.
func (b *busy) write(ctx context.Context) {
	for n := eventstore.Revision(0); ; {
		if b.over(ctx) {
			return
		}
		r := numbered(uint64(n)+1, fmt.Appendf(nil, `{"n":%d}`, n))
		for !b.written(n, r) {
			if b.isRed() {
				return
			}
			b.rest()
		}
		n++
		b.mu.Lock()
		b.length = n
		b.mu.Unlock()
		b.rest()
	}
}

func (b *busy) isRed() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.red != nil }

// written appends r at a revision, and reports whether it is there.
func (b *busy) written(n eventstore.Revision, r eventstore.Record) bool {
	err := b.call("append", func(ctx context.Context) error {
		_, err := b.store.Append(ctx, b.stream, n, r)
		return err
	})
	if _, lost := errors.AsType[*eventstore.ConflictError](err); !lost {
		return err == nil
	}
	there := false
	_ = b.call("read", func(ctx context.Context) error {
		for old, err := range b.store.ReadStream(ctx, b.stream, n) {
			if err != nil {
				return err
			}
			if old.ID != r.ID {
				b.t.Errorf("an append on revision %d is a conflict with one that nobody made", n)
			}
			there = true
			break
		}
		return nil
	})
	return there
}

// ask looks behind barriers for what was acknowledged before them.
func (b *busy) ask(ctx context.Context) {
	for !b.over(ctx) {
		b.mu.Lock()
		want := b.length
		b.mu.Unlock()
		err := b.call("barrier", b.store.Barrier)
		if err == nil && want > 0 {
			got := want - 1
			err = b.call("read behind a barrier", func(ctx context.Context) error {
				for r, err := range b.store.ReadStream(ctx, b.stream, got) {
					if err != nil {
						return err
					}
					got = r.Revision
				}
				return nil
			})
			if err == nil && got < want && !b.turnsRed() {
				b.t.Errorf("behind a barrier there are %d records, and %d were acknowledged", got, want)
			}
		}
		_ = b.call("head", func(ctx context.Context) error { _, err := b.store.Head(ctx); return err })
		b.rest()
	}
}

// turnsRed reports whether the store finds out, in a while, that history was changed:
// a stream that was deleted reads as one that never was.
func (b *busy) turnsRed() bool {
	for range 100 {
		if b.store.Fault() != nil {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// follow remembers what it is told until the client ends.
func (b *busy) follow(ctx context.Context) {
	for batch, err := range b.store.Follow(ctx, 0) {
		b.mu.Lock()
		for _, r := range batch {
			if r.Stream == b.stream {
				b.told = append(b.told, r)
			}
		}
		if _, fault := errors.AsType[*esdb.FaultError](err); fault && b.red == nil {
			b.red = err
		} else if err != nil && ctx.Err() == nil && !fault {
			b.t.Errorf("whoever follows was told %v", err)
		}
		b.mu.Unlock()
	}
}

// reached is how many records were acknowledged and how many followed.
func (b *busy) reached() (acknowledged, followed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(b.length), len(b.told)
}

// recovers waits until an append that began now is acknowledged and followed, and
// returns how long it took.
func (b *busy) recovers(long time.Duration) time.Duration {
	b.t.Helper()
	before, _ := b.reached()
	began := time.Now()
	for time.Since(began) < long {
		if now, followed := b.reached(); now >= before+2 && followed >= before+2 {
			return time.Since(began)
		}
		if b.isRed() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	now, followed := b.reached()
	b.t.Errorf("%v after all was well again %d records more are acknowledged, and %d of %d followed: %v, %s",
		time.Since(began), now-before, followed, now, b.red, b.summary())
	return long
}

// settle ends the client, and holds what it was told against what is stored.
func (b *busy) settle() string {
	b.t.Helper()
	b.stop()
	b.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := b.store.Barrier(ctx); err != nil {
		b.t.Error(err)
	}
	var all []eventstore.Recorded
	for r, err := range b.store.ReadStream(ctx, b.stream, 0) {
		if err != nil {
			b.t.Error(err)
			break
		}
		all = append(all, r)
	}
	if len(all) != int(b.length) {
		b.t.Errorf("%d records were acknowledged, and %d are stored", b.length, len(all))
	}
	for i, r := range all {
		if want := numbered(uint64(i)+1, nil); r.ID != want.ID || r.Revision != eventstore.Revision(i)+1 {
			b.t.Errorf("record %d of %s is %s", i+1, b.stream, r.ID)
		}
	}
	if n := min(len(b.told), len(all)); n > 0 {
		if at, same := alike(b.told[:n], all[:n]); !same {
			b.t.Errorf("whoever followed was told of others than are stored, from record %d on", at+1)
		}
	}
	if err := b.store.Fault(); err != nil {
		b.t.Errorf("the store is red: %v", err)
	}
	return b.summary()
}

// summary says how much the client did.
func (b *busy) summary() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := fmt.Sprintf("%d appends acknowledged, %d calls, %d of them without an answer in time", b.length, b.calls, b.late)
	if b.longer > 0 {
		line += fmt.Sprintf(", at most %v late", b.longer.Round(time.Millisecond))
	}
	var others []string
	for what, n := range b.other {
		others = append(others, fmt.Sprintf("%d times %s", n, what))
	}
	if len(others) > 0 {
		line += "; " + strings.Join(others, "; ")
	}
	return line
}
