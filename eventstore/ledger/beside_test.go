package ledger_test

import (
	"context"
	"iter"
	"reflect"
	"testing"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A besideStore counts appends, and the records that are read from streams, of a store that
// is joint with its rows, and may say that no record stands where a snapshot has it.
type besideStore struct {
	eventstore.Joint
	records   int
	elsewhere bool
	appends   int
	before    func() error // each append; nil: nothing is
	tick      func()       // when somebody looks at the clock; nil: nothing
}

func (s *besideStore) AppendWith(ctx context.Context, c eventstore.Change, stream eventstore.Stream,
	expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return 0, err
		}
	}
	s.appends++
	return s.Joint.AppendWith(ctx, c, stream, expected, records...)
}

func (s *besideStore) counting(seq iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range seq {
			if err == nil {
				s.records++
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s *besideStore) ReadStream(ctx context.Context, stream eventstore.Stream, after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return s.counting(s.Joint.ReadStream(ctx, stream, after))
}

func (s *besideStore) ReadBehind(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) (eventstore.Position, iter.Seq2[eventstore.Recorded, error], error) {
	at, rest, err := s.Joint.ReadBehind(ctx, stream, after)
	if s.elsewhere {
		at++
	}
	return at, s.counting(rest), err
}

// besideWorld returns a world whose vault lies beside its log, and how a ledger is opened
// on it that has nobody in memory.
func besideWorld(t *testing.T) (*world, *besideStore, func() *ledger.Ledger) {
	t.Helper()
	db, err := embedded.Open("db", embedded.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys, w := vault.NewMemoryKeys(), newWorld()
	store := &besideStore{Joint: db.Store()}
	return w, store, func() *ledger.Ledger {
		v, err := vault.Open(t.Context(), db.Rows(), keys)
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), ledger.Config{Store: store, Vault: v, Now: func() deadline.Instant {
			if tick := store.tick; tick != nil {
				tick()
			}
			return w.now
		}})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

// TestWhoWasNotInMemoryIsKeptWithTheirRecord: somebody who was read from the store to
// record costs only what came after that the next time, though nobody writes snapshots
// meanwhile.
func TestWhoWasNotInMemoryIsKeptWithTheirRecord(t *testing.T) {
	w, store, open := besideWorld(t)
	first := open()
	begin(t, first)
	w.live(t, first, 0, 3)

	for round, read := range []int{3, 1, 1} { // what came after the newest snapshot
		l := open()
		if _, err := l.State(t.Context(), "demo", account("nobody"), ledger.AsOf{}); err != nil { // reads the app's own streams
			t.Fatal(err)
		}
		store.records = 0
		w.live(t, l, 100+10*round, 2) // the second finds in memory what the first read
		if store.records != read {
			t.Errorf("round %d: %d records were read to record, want %d", round, store.records, read)
		}
		// Of the two, the first went with a snapshot.
		cold := open()
		if _, err := cold.State(t.Context(), "demo", account("nobody"), ledger.AsOf{}); err != nil {
			t.Fatal(err)
		}
		store.records = 0
		got, want := w.state(t, cold), w.state(t, l)
		if store.records != 1 {
			t.Errorf("round %d: %d records were read to ask, want the one that came after the snapshot", round, store.records)
		}
		if got.Position != want.Position || !reflect.DeepEqual(got.Subject.Standing("ads", w.now, got.Reference), want.Subject.Standing("ads", w.now, want.Reference)) {
			t.Errorf("round %d: it answers as of %d otherwise than from memory as of %d", round, got.Position, want.Position)
		}
	}
}

// TestASnapshotBesideItsRecordsIsEnough: where both lie in one database, a person who is
// not in memory costs no record but those that came after the snapshot; and all of
// them, if the snapshot is of another history.
func TestASnapshotBesideItsRecordsIsEnough(t *testing.T) {
	const recorded = 16 // two intervals
	w, store, open := besideWorld(t)
	l := open()
	begin(t, l)
	keeping(t, l, func() { w.live(t, l, 0, recorded) })
	for _, tt := range []struct {
		name      string
		more      int // records that come after the snapshot
		elsewhere bool
		want      int // records that are read
	}{
		{"as it is", 0, false, 0},
		{"with three more", 3, false, 3},
		{"of another history", 0, true, recorded + 3},
	} {
		w.live(t, l, 100, tt.more)
		store.elsewhere = tt.elsewhere
		cold := open()
		if _, err := cold.State(t.Context(), "demo", account("nobody"), ledger.AsOf{}); err != nil { // reads the app's own streams
			t.Fatal(err)
		}
		store.records = 0
		got, want := w.state(t, cold), w.state(t, l)
		if store.records != tt.want {
			t.Errorf("%s: %d records were read, want %d", tt.name, store.records, tt.want)
		}
		if got.Position != want.Position || !reflect.DeepEqual(got.Subject.Standing("ads", w.now, got.Reference), want.Subject.Standing("ads", w.now, want.Reference)) {
			t.Errorf("%s: it answers as of %d otherwise than from memory as of %d", tt.name, got.Position, want.Position)
		}
	}
}
