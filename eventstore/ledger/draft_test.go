package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// A countedStore counts the appends to a store that is joint with its rows.
type countedStore struct {
	eventstore.Joint
	appends atomic.Int64
}

func (c *countedStore) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	return c.AppendWith(ctx, eventstore.Change{}, stream, expected, records...)
}

func (c *countedStore) AppendWith(ctx context.Context, change eventstore.Change, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	c.appends.Add(1)
	return c.Joint.AppendWith(ctx, change, stream, expected, records...)
}

func (c *countedStore) Beside(rows eventstore.Rows) bool {
	counted, ok := rows.(*talliedRows)
	return ok && c.Joint.Beside(counted.Rows)
}

// joined returns a ledger on an embedded store whose writes are counted, and its
// vault.
func joined(t *testing.T) (*ledger.Ledger, *vault.Vault, *countedStore, *talliedRows) {
	t.Helper()
	db, err := embedded.Open("db", embedded.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	store, rows := &countedStore{Joint: db.Store()}, &talliedRows{Rows: db.Rows()}
	v, err := vault.Open(t.Context(), rows, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Store: store, Vault: v, Now: func() deadline.Instant { return start }})
	if err != nil {
		t.Fatal(err)
	}
	begin(t, l)
	return l, v, store, rows
}

// personal is a request with a personal part, of somebody.
func personal(who string, n int) ledger.Request {
	r := requestOf(fmt.Sprint(who, n), domain.WithdrawConsent{Scope: policy.Scope{All: true}, Details: domain.Personal("words of " + who)})
	r.Person.ID = who
	return r
}

// TestWhatIsRecordedOfAPersonIsOneWrite: the record and its part, and of who is
// new their entry too.
func TestWhatIsRecordedOfAPersonIsOneWrite(t *testing.T) {
	l, v, store, rows := joined(t)
	for n, what := range []string{"the first record", "the next record"} {
		store.appends.Store(0)
		rows.writes.Store(0)
		must(t, l, personal("ada", n))
		if appends, writes := store.appends.Load(), rows.writes.Load(); appends != 1 || writes != 0 {
			t.Errorf("%s took %d appends and %d changes of rows, want one append", what, appends, writes)
		}
	}
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := openable(t.Context(), v, e); err != nil {
			t.Errorf("record %d: %v", e.Position, err)
		}
	}
}

// TestWhoeverIsRefusedIsNotRemembered, not even by an entry that nothing leads to.
func TestWhoeverIsRefusedIsNotRemembered(t *testing.T) {
	l, v, _, rows := joined(t)
	r := personal("ada", 0)
	r.Command = domain.GiveConsent{Act: "no such act"}
	rows.writes.Store(0)
	if _, err := l.Execute(t.Context(), r); err == nil {
		t.Fatal("it was taken")
	}
	if _, found, err := v.Find(t.Context(), vault.Lookup{App: "demo", Kind: "account", ID: "ada"}); err != nil || found || rows.writes.Load() != 0 {
		t.Errorf("somebody was found: %v, %v; %d changes of rows", found, err, rows.writes.Load())
	}
}

// TestManyFirstContactsAtOnceAreOnePerson: all of them are recorded, in one
// stream.
func TestManyFirstContactsAtOnceAreOnePerson(t *testing.T) {
	l, v, _, _ := joined(t)
	const many = 4 // each loses no more than the others win
	var wg sync.WaitGroup
	for n := range many {
		wg.Go(func() {
			if _, err := l.Execute(t.Context(), personal("ada", n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	streams := map[ident.StreamID]int{}
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream.Noun != ident.SubjectNoun {
			continue
		}
		streams[e.Stream]++
		if err := openable(t.Context(), v, e); err != nil {
			t.Errorf("record %d: %v", e.Position, err)
		}
	}
	for _, n := range streams {
		if len(streams) != 1 || n != many {
			t.Errorf("the records are in the streams %v, want %d in one", streams, many)
		}
	}
}

// TestWhoeverIsErasedHasNoPartsLeft, however many are being recorded meanwhile.
func TestWhoeverIsErasedHasNoPartsLeft(t *testing.T) {
	l, _, _, rows := joined(t)
	must(t, l, personal("ada", 0))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 10 {
				_, _ = l.Execute(t.Context(), personal("ada", 1+10*w+n)) // which may be too late, and then of somebody new
			}
		})
	}
	if _, err := l.Erase(t.Context(), order("erase")); err != nil {
		t.Error(err)
	}
	wg.Wait()

	entries := map[string]bool{}
	for row, err := range rows.Scan(t.Context(), []byte("v/e")) {
		if err != nil {
			t.Fatal(err)
		}
		entries[string(row.Key[len("v/e"):])] = true
	}
	for row, err := range rows.Scan(t.Context(), []byte("v/p")) {
		if err != nil {
			t.Fatal(err)
		}
		if of := row.Key[len("v/p"):][:1+len("demo")+16]; !entries[string(of)] {
			t.Errorf("there is a part of somebody who has no entry")
		}
	}
}
