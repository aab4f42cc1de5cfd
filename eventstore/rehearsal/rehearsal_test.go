package rehearsal_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/rehearsal"
	"consentledger/eventstore/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) eventstore.Store { return rehearsal.Over(new(memory.Store)) })
}

func TestRows(t *testing.T) {
	storetest.RunRows(t, func(*testing.T) eventstore.Rows { return rehearsal.OverRows(new(memory.Rows)) })
}

func TestAppending(t *testing.T) {
	storetest.RunAppending(t, func(*testing.T) (eventstore.Store, eventstore.Rows) {
		return rehearsal.Over(new(memory.Store)), rehearsal.OverRows(new(memory.Rows))
	})
}

func record(id byte, text string) eventstore.Record {
	return eventstore.Record{ID: eventstore.EventID{id}, Type: "test.v1", Data: []byte(text)}
}

// texts returns the data of records.
func texts(t *testing.T, records func(func(eventstore.Recorded, error) bool)) (all []string) {
	t.Helper()
	for r, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(r.Data))
	}
	return all
}

func TestARehearsalGoesOnWhereTheStoreIsAndLeavesItAsItWas(t *testing.T) {
	ctx := context.Background()
	under := new(memory.Store)
	for i, stream := range []eventstore.Stream{"a", "b", "a"} {
		expected := eventstore.Revision(i / 2)
		if _, err := under.Append(ctx, stream, expected, record(byte(i+1), string(stream))); err != nil {
			t.Fatal(err)
		}
	}
	head, _ := under.Head(ctx)

	s := rehearsal.Over(under)
	var conflict *eventstore.ConflictError
	if _, err := s.Append(ctx, "a", 1, record(9, "late")); !errors.As(err, &conflict) || conflict.Actual != 2 {
		t.Errorf("behind a revision that is not the last: %v", err)
	}
	at, err := s.Append(ctx, "a", 2, record(4, "own"))
	if err != nil || at <= head {
		t.Fatalf("position %d after %d, %v", at, head, err)
	}

	// What others append to the store meanwhile is not seen on a stream that has an own record.
	if _, err := under.Append(ctx, "a", 2, record(5, "other")); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, s.ReadStream(ctx, "a", 0)); !slices.Equal(got, []string{"a", "a", "own"}) {
		t.Errorf("the stream has %q", got)
	}
	if got := texts(t, s.ReadAll(ctx, 0)); !slices.Equal(got, []string{"a", "b", "a", "own"}) {
		t.Errorf("all has %q", got)
	}
	if got := texts(t, under.ReadAll(ctx, 0)); !slices.Equal(got, []string{"a", "b", "a", "other"}) {
		t.Errorf("the store below has %q", got)
	}
	if own := s.Appended(); len(own) != 1 || string(own[0].Data) != "own" || own[0].Revision != 3 {
		t.Errorf("appended: %v", own)
	}
}

func TestRowsOfARehearsalStandOverTheRows(t *testing.T) {
	ctx := context.Background()
	under := new(memory.Rows)
	put := func(rows eventstore.Rows, c eventstore.Change) {
		t.Helper()
		if err := rows.Write(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	row := func(key, value string) eventstore.Row { return eventstore.Row{Key: []byte(key), Value: []byte(value)} }
	all := func(rows eventstore.Rows) (all []string) {
		t.Helper()
		for r, err := range rows.Scan(ctx, []byte("k")) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(r.Key)+"="+string(r.Value))
		}
		return all
	}
	put(under, eventstore.Change{Put: []eventstore.Row{row("k1", "one"), row("k3", "three"), row("k5", "five"), row("x", "")}})

	r := rehearsal.OverRows(under)
	put(r, eventstore.Change{
		Present: [][]byte{[]byte("k3")}, Absent: [][]byte{[]byte("k2")},
		Put:    []eventstore.Row{row("k2", "two"), row("k3", "changed"), row("k6", ""), row("k0", "")},
		Delete: [][]byte{[]byte("k5")},
	})
	if got, want := all(r), []string{"k0=", "k1=one", "k2=two", "k3=changed", "k6="}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, c := range []eventstore.Change{{Present: [][]byte{[]byte("k5")}}, {Absent: [][]byte{[]byte("k1")}}} {
		if err := r.Write(ctx, c); !errors.Is(err, eventstore.ErrCondition) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if got, want := all(under), []string{"k1=one", "k3=three", "k5=five"}; !slices.Equal(got, want) {
		t.Errorf("below: %q, want %q", got, want)
	}
}
