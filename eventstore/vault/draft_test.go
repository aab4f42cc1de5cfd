package vault

import (
	"errors"
	"net"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/memory"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// onBoth runs a test over rows that lie in the store's database and over rows
// that do not: beside a store in memory, and beside EventStoreDB.
func onBoth(t *testing.T, test func(*testing.T, eventstore.Store, eventstore.Rows)) {
	t.Run("apart", func(t *testing.T) { test(t, new(memory.Store), newRows()) })
	t.Run("on EventStoreDB", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ok(t, err)
		server := esdbserver.New(esdbserver.Options{})
		done := make(chan error, 1)
		go func() { done <- server.Serve(l) }()
		t.Cleanup(func() { server.Close(); ok(t, <-done) })
		address, err := esdb.ParseAddress("esdb://" + server.Addr() + "?tls=false")
		ok(t, err)
		store, err := esdb.Open(address, esdb.Options{})
		ok(t, err)
		t.Cleanup(func() { ok(t, store.Close()) })
		test(t, store, newRows())
	})
	t.Run("together", func(t *testing.T) {
		db, err := embedded.Open("db", embedded.Options{FS: vfs.NewMem()})
		ok(t, err)
		t.Cleanup(func() { ok(t, db.Close()) })
		test(t, db.Store(), db.Rows())
	})
}

func drafted(t *testing.T, p *Person, parts ...Part) (d Draft) {
	t.Helper()
	ok(t, d.Add(p, parts...))
	return d
}

func length(t *testing.T, s eventstore.Store) (n int) {
	t.Helper()
	for _, err := range s.ReadAll(t.Context(), 0) {
		ok(t, err)
		n++
	}
	return n
}

func TestWhoeverIsNewIsEnrolledWithTheirFirstRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, store eventstore.Store, rows eventstore.Rows) {
		v := open(t, rows, NewMemoryKeys())
		appending := v.Appending(store)
		record := eventstore.Record{ID: event1, Type: "test.v1"}
		part := Part{event1, "s", "subject", []byte("Erika")}

		first, fresh, err := v.Meet(t.Context(), phone)
		ok(t, err)
		second, _, err := v.Meet(t.Context(), phone)
		ok(t, err)
		if _, found, err := v.Find(t.Context(), phone); err != nil || found || !fresh || !first.IsNew() {
			t.Errorf("who was only met is found: %v, %v; fresh: %v", found, err, fresh)
		}

		_, err = appending(t.Context(), drafted(t, first, part), "s", 0, record)
		ok(t, err)
		_, err = appending(t.Context(), drafted(t, second, part), "other", 0, record)
		want(t, err, ErrTaken)
		if n := length(t, store); n != 1 {
			t.Errorf("there are %d records, want 1", n)
		}
		if n := count(t, rows, entryRows); n != 1 {
			t.Errorf("there are %d entries, want 1", n)
		}

		p, fresh, err := open(t, rows, v.keys).Meet(t.Context(), phone)
		ok(t, err)
		if fresh || p.IsNew() || p.Pseudonym != first.Pseudonym {
			t.Errorf("met %v, fresh %v, want %v", p, fresh, first)
		}
		if plain, there, err := v.Part(t.Context(), p, event1, "s", "subject"); err != nil || !there || string(plain) != "Erika" {
			t.Errorf("the part is %q, %v, %v", plain, there, err)
		}
		ok(t, v.Erase(t.Context(), p, noon, later))
		for _, kind := range []string{entryRows, lookupRows, partRows, nearsRows, ownRows} {
			if n := count(t, rows, kind); n != 0 {
				t.Errorf("%d rows of %s are left of who was erased", n, kind)
			}
		}
	})
}

func TestNothingIsAppendedForWhomTheVaultHasNoEntryAnyMore(t *testing.T) {
	onBoth(t, func(t *testing.T, store eventstore.Store, rows eventstore.Rows) {
		keys := NewMemoryKeys()
		v, other := open(t, rows, keys), open(t, rows, keys)
		p := enrol(t, v, phone)
		guardian := enrol(t, v, login)
		ok(t, other.Erase(t.Context(), enrol(t, other, login), noon, later)) // v remembers them

		d := drafted(t, p, Part{event1, "s", "subject", []byte("Erika")})
		ok(t, d.Add(guardian, Part{event1, "s", "guardian", []byte("Max")}))
		_, err := v.Appending(store)(t.Context(), d, "s", 0, eventstore.Record{ID: event1, Type: "test.v1"})
		want(t, err, ErrErased)
		if n := length(t, store) + count(t, rows, partRows); n != 0 {
			t.Errorf("there are %d records and parts, want none", n)
		}
		if _, found, err := v.Find(t.Context(), login); err != nil || found {
			t.Errorf("who was erased is still remembered: %v, %v", found, err)
		}
	})
}

// TestAConflictLeavesNoPartBehind, or where the part comes first one that the
// same append, made again, takes over.
func TestAConflictLeavesNoPartBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, store eventstore.Store, rows eventstore.Rows) {
		v := open(t, rows, NewMemoryKeys())
		p := enrol(t, v, phone)
		record := eventstore.Record{ID: event1, Type: "test.v1"}
		_, err := v.Appending(store)(t.Context(), drafted(t, p, Part{event1, "s", "subject", []byte("Erika")}), "s", 7, record)
		if _, lost := errors.AsType[*eventstore.ConflictError](err); !lost {
			t.Errorf("got %v, want a conflict", err)
		}
		if j, joint := store.(eventstore.Joint); joint && j.Beside(rows) && count(t, rows, partRows) != 0 {
			t.Error("the part was left behind")
		}
		_, err = v.Appending(store)(t.Context(), drafted(t, p, Part{event1, "s", "subject", []byte("Max")}), "s", 0, record)
		ok(t, err)
		if plain, there, err := v.Part(t.Context(), p, event1, "s", "subject"); err != nil || !there || string(plain) != "Max" {
			t.Errorf("the part is %q, %v, %v", plain, there, err)
		}
		if n := count(t, rows, partRows); n != 1 {
			t.Errorf("there are %d parts, want 1", n)
		}
	})
}
