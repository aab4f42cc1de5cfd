package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A behindStore is as far behind the other processes as the contract permits: it
// shows what they recorded only behind a barrier.
type behindStore struct {
	eventstore.Store

	barriers atomic.Int64
	broken   atomic.Pointer[error] // what Barrier returns; nil: nothing is wrong

	mu    sync.Mutex
	seen  eventstore.Position          // all up to here is shown,
	own   map[eventstore.Position]bool // and what was appended through this
	moved chan struct{}
}

func newBehind(t *testing.T, s eventstore.Store) *behindStore {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &behindStore{Store: s, seen: head, own: map[eventstore.Position]bool{}, moved: make(chan struct{})}
}

func (s *behindStore) Barrier(ctx context.Context) error {
	s.barriers.Add(1)
	if err := s.broken.Load(); err != nil {
		return *err
	}
	if err := s.Store.Barrier(ctx); err != nil {
		return err
	}
	head, err := s.Store.Head(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = max(s.seen, head)
	close(s.moved)
	s.moved = make(chan struct{})
	return err
}

func (s *behindStore) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	last, err := s.Store.Append(ctx, stream, expected, records...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range records {
		s.own[last-eventstore.Position(i)] = err == nil
	}
	return last, err
}

func (s *behindStore) shown(r eventstore.Recorded) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.Position <= s.seen || s.own[r.Position]
}

// until yields records as far as they are shown.
func (s *behindStore) until(records iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range records {
			if err == nil && !s.shown(r) || !yield(r, err) {
				return
			}
		}
	}
}

func (s *behindStore) ReadStream(ctx context.Context, stream eventstore.Stream, after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return s.until(s.Store.ReadStream(ctx, stream, after))
}

func (s *behindStore) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return s.until(s.Store.ReadAll(ctx, after))
}

func (s *behindStore) Head(ctx context.Context) (eventstore.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, ctx.Err()
}

func (s *behindStore) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for {
			s.mu.Lock()
			moved := s.moved
			s.mu.Unlock()
			for r, err := range s.ReadAll(ctx, after) {
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield([]eventstore.Recorded{r}, nil) {
					return
				}
				after = r.Position
			}
			select {
			case <-moved:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// behind opens the ledger as a process would that is behind the others.
func (w *world) behind(t *testing.T) (*ledger.Ledger, *behindStore) {
	t.Helper()
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	s := newBehind(t, w.store)
	l, err := ledger.Open(t.Context(), ledger.Config{Store: s, Vault: v, Now: func() deadline.Instant { return w.now }, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	return l, s
}

func stand(t *testing.T, l *ledger.Ledger, w *world, who ident.PersonKey, asOf ledger.AsOf) domain.Status {
	t.Helper()
	s, err := l.State(t.Context(), "demo", who, asOf)
	if err != nil {
		t.Fatal(err)
	}
	return s.Subject.Standing("ads", w.now+1000, s.Reference).Status
}

// Once any process has given a receipt for an opt-out, no process answers "allowed"
// against it.
func TestNoProcessIsBehindAnOptOut(t *testing.T) {
	w := newWorld()
	var process []*ledger.Ledger
	for range 3 {
		l, _ := w.behind(t)
		process = append(process, l)
	}
	begin(t, process[0])
	stale := 0
	for i := range 60 {
		w.now += 5000
		must(t, process[i%3], requestOf(fmt.Sprint("yes", i), yes))
		for _, l := range process {
			if got := stand(t, l, w, ada, ledger.AsOf{}); got != domain.Given {
				t.Fatalf("after yes %d: %v", i, got)
			}
		}

		w.now += 5000
		must(t, process[(i+1)%3], requestOf(fmt.Sprint("no", i), no))
		for _, l := range process {
			if stand(t, l, w, ada, ledger.AsOf{Cached: true}) == domain.Given {
				stale++
			}
			if got := stand(t, l, w, ada, ledger.AsOf{}); got != domain.Withdrawn {
				t.Fatalf("after no %d: %v", i, got)
			}
			if got := stand(t, l, w, ada, ledger.AsOf{KnownAt: w.now}); got != domain.Withdrawn {
				t.Fatalf("after no %d, as known now: %v", i, got)
			}
		}
	}
	if stale == 0 {
		t.Error("no process was ever behind in its memory: this shows nothing")
	}
}

// TestWhatOthersRecordIsNotRead: of whom a process knows, and another one records, the
// stream is not read anew, nor the snapshot.
func TestWhatOthersRecordIsNotRead(t *testing.T) {
	w := newWorld()
	there := w.open(t)
	begin(t, there)
	must(t, there, requestOf("first", yes))

	store := &tallied{Store: w.store}
	w.store = store
	here := w.open(t)
	status(t, here, w)
	if store.read() == 0 {
		t.Fatal("a process that has just begun read nothing: this shows nothing")
	}
	for i := range 50 {
		w.now += 5000
		must(t, there, requestOf(fmt.Sprint("yes", i), yes))
		w.now += 5000
		must(t, there, requestOf(fmt.Sprint("no", i), no))
		if got := status(t, here, w); got != domain.Withdrawn {
			t.Fatalf("after no %d: %v", i, got)
		}
	}
	if n := store.read(); n != 0 {
		t.Errorf("%d records of a person were read again", n)
	}
	must(t, here, requestOf("here", yes)) // and loses no race
	if n := store.read(); n != 0 || store.appends != 1 {
		t.Errorf("%d records were read, and %d appends made, want none and 1", n, store.appends)
	}
	if err := here.CheckSnapshots(t.Context(), stream(t, here)); err != nil {
		t.Error(err)
	}
}

// What an app has published stands behind the same barrier.
func TestNoProcessIsBehindWhatIsPublished(t *testing.T) {
	w := newWorld()
	here, _ := w.behind(t)
	there, _ := w.behind(t)
	if _, err := there.App(t.Context(), "demo"); code(err) != refusal.UnknownApp {
		t.Fatalf("before it is registered: %v", err)
	}
	begin(t, here)
	must(t, there, requestOf("yes", yes))

	more := document
	more.Purposes = append(more.Purposes[:1:1], document.Purposes[0])
	more.Purposes[1].ID = "maps"
	version, err := policydoc.Hash(more)
	if err != nil {
		t.Fatal(err)
	}
	w.now += 5000
	must(t, here, requestOf("p2", domain.PublishPolicy{Version: version, Document: more, Material: []string{"MAT-1"}}))
	ref, err := there.App(t.Context(), "demo")
	if err != nil || len(ref.Policies.Versions()) != 2 {
		t.Errorf("the other process knows %d versions, %v", len(ref.Policies.Versions()), err)
	}
	w.now += 5000
	must(t, there, requestOf("maps", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"maps"}}}))
}

// An outside id leads to the next person, whom another process has met.
func TestNoProcessIsBehindWhoHasAnID(t *testing.T) {
	w := newWorld()
	here, _ := w.behind(t)
	there, _ := w.behind(t)
	begin(t, here)
	must(t, here, requestOf("yes", yes))
	if got := stand(t, there, w, ada, ledger.AsOf{}); got != domain.Given {
		t.Fatalf("before: %v", got)
	}
	w.now += 5000
	must(t, here, requestOf("closed", domain.Say{Event: domain.SubjectClosed{Reason: "closed"}}))
	w.now += 5000
	must(t, here, requestOf("next", yes))
	if got := stand(t, there, w, ada, ledger.AsOf{}); got != domain.Given {
		t.Errorf("the next person said yes: %v", got)
	}
	w.now += 5000
	must(t, here, requestOf("no", no))
	if got := stand(t, there, w, ada, ledger.AsOf{}); got != domain.Withdrawn {
		t.Errorf("the next person said no: %v", got)
	}
	erase := requestOf("erase", domain.OrderErasure{Reason: "asked", By: [2]string{"eve", "bob"}})
	if _, err := there.Erase(t.Context(), erase); err != nil {
		t.Fatal(err)
	}
	if got := stand(t, here, w, ada, ledger.AsOf{}); got == domain.Given {
		t.Errorf("of nobody: %v", got)
	}
}

// If a process cannot know what the others have recorded it says so, also to whoever
// does not wait until the end; and what it knows answers no.
func TestWithoutABarrierNothingIsAllowed(t *testing.T) {
	w := newWorld()
	here, store := w.behind(t)
	there, _ := w.behind(t)
	begin(t, here)
	must(t, here, requestOf("yes", yes))
	must(t, there, requestOf("no", no))

	away := errors.New("the leader is away")
	store.broken.Store(&away)
	if _, err := here.State(t.Context(), "demo", ada, ledger.AsOf{}); !errors.Is(err, away) {
		t.Errorf("state: %v", err)
	}
	if _, err := here.Execute(t.Context(), requestOf("again", yes)); !errors.Is(err, away) {
		t.Errorf("execute: %v", err)
	}
	s, err := here.State(t.Context(), "demo", ada, ledger.AsOf{Cached: true})
	if err != nil || !s.Cached {
		t.Errorf("from memory: %+v, %v", s, err)
	}
	store.broken.Store(nil)
	if got := stand(t, here, w, ada, ledger.AsOf{}); got != domain.Withdrawn {
		t.Errorf("once the leader is back: %v", got)
	}
}

// Many who ask at once share a barrier, and whoever gives up takes nobody along.
func TestABarrierIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.store = new(memory.Store)
		l := w.open(t)
		begin(t, l)
		must(t, l, requestOf("yes", yes))
		slow := &slowBarrier{Store: w.store, gate: make(chan struct{})}
		w.store = slow
		l = w.open(t)

		var crowd sync.WaitGroup
		for range 500 {
			crowd.Go(func() {
				if got := stand(t, l, w, ada, ledger.AsOf{}); got != domain.Given {
					t.Errorf("%v", got)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.State(ctx, "demo", ada, ledger.AsOf{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		synctest.Wait()
		close(slow.gate)
		crowd.Wait()
		if n := slow.barriers.Load(); n != 2 {
			t.Errorf("%d barriers: want one for whoever came first, and one for all others", n)
		}
	})
}

// Who names no deadline is answered all the same: nobody knows.
func TestNobodyWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.store = new(memory.Store)
		begin(t, w.open(t))
		w.store = &slowBarrier{Store: w.store, gate: make(chan struct{})}
		_, err := w.open(t).State(t.Context(), "demo", ada, ledger.AsOf{})
		if err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%v", err)
		}
	})
}

// Requests of one person take turns, and each waits for the others no longer than its
// caller does: while the store is away they do not add up.
func TestNobodyWaitsForAllOthersOfAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.store = new(memory.Store)
		begin(t, w.open(t))
		w.store = &slowAppend{Store: w.store}
		l := w.open(t)

		var crowd sync.WaitGroup
		for i := range 20 {
			ctx, patience := t.Context(), 2*30*time.Second // for its turn, and for the store
			if i%2 > 0 {
				var cancel context.CancelFunc
				patience = time.Duration(i) * time.Second
				ctx, cancel = context.WithTimeout(ctx, patience)
				defer cancel()
			}
			crowd.Go(func() {
				began := time.Now()
				_, err := l.Execute(ctx, requestOf(fmt.Sprint("away-", i), domain.WithdrawConsent{Scope: policy.Scope{All: true}}))
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errAway) &&
					!strings.Contains(err.Error(), "does not answer") || took > patience {
					t.Errorf("request %d: %v after %s, want an error within %s", i, err, took, patience)
				}
			})
		}
		crowd.Wait()
	})
}

// A slowAppend is a store that is away, and waits as long as its caller does, or 30 s.
type slowAppend struct{ eventstore.Store }

var errAway = errors.New("the store is away")

func (s *slowAppend) Append(ctx context.Context, _ eventstore.Stream, _ eventstore.Revision, _ ...eventstore.Record) (eventstore.Position, error) {
	select {
	case <-time.After(30 * time.Second):
		return 0, errAway
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// A slowBarrier waits until the gate opens.
type slowBarrier struct {
	eventstore.Store
	gate     chan struct{}
	barriers atomic.Int64
}

func (s *slowBarrier) Barrier(ctx context.Context) error {
	s.barriers.Add(1)
	select {
	case <-s.gate:
		return s.Store.Barrier(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A process that keeps up hears the others while nobody asks, and what it records
// comes after what they have, whatever its clock says.
func TestWhoKeepsUpHears(t *testing.T) {
	w := newWorld()
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	slow := ledger.Config{Store: w.store, Vault: v, Now: func() deadline.Instant { return start - 60000 }, Shared: true}
	there, err := ledger.Open(t.Context(), slow)
	if err != nil {
		t.Fatal(err)
	}
	here := w.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- there.KeepUp(ctx) }()
	begin(t, here)
	for there.Now() < start && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}

	must(t, there, requestOf("yes", yes))
	if got := status(t, there, w); got != domain.Given {
		t.Errorf("%v", got)
	}
}
