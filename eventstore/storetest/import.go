package storetest

import (
	"errors"
	"fmt"
	"testing"

	"consentledger/eventstore"
)

// history returns n records of some streams that take turns, as they would be read.
func history(from, n int) (records []eventstore.Recorded) {
	lengths := map[eventstore.Stream]eventstore.Revision{}
	for i := range from + n {
		name := eventstore.Stream(fmt.Sprintf("s%d", i*i%7))
		lengths[name]++
		if i >= from {
			records = append(records, eventstore.Recorded{Record: rec(i), Stream: name, Revision: lengths[name]})
		}
	}
	return records
}

func imports(t *testing.T, s eventstore.Store) {
	const n = 2500 // more than any store writes at once
	var last eventstore.Position
	for from := 0; from < n; from += 1250 {
		var err error
		if last, err = eventstore.Import(t.Context(), s, history(from, 1250)...); err != nil {
			t.Fatal(err)
		}
	}
	want, got := history(0, n), all(t, s, 0)
	if len(got) != n || got[n-1].Position != last {
		t.Fatalf("%d records, want %d, the last at %d", len(got), n, last)
	}
	for i, r := range got {
		checkRecorded(t, r, want[i].Stream, want[i].Revision, want[i].Record)
	}
	checkOrder(t, got)

	// The streams go on as if they had been written here.
	add(t, s, want[n-1].Stream, want[n-1].Revision, rec(n))
}

func importsElsewhere(t *testing.T, s eventstore.Store) {
	add(t, s, "s0", 0, rec(9000), rec(9001))
	_, err := eventstore.Import(t.Context(), s, history(0, 20)...)
	if _, conflict := errors.AsType[*eventstore.ConflictError](err); !conflict {
		t.Fatalf("an import into a stream of another length: %v", err)
	}

	want := history(0, 20)
	for i, r := range all(t, s, 0)[2:] { // what is there is a beginning
		checkRecorded(t, r, want[i].Stream, want[i].Revision, want[i].Record)
	}
	if _, err := eventstore.Import(t.Context(), s); err == nil {
		t.Error("an import of nothing succeeded")
	}
	if _, err := eventstore.Import(t.Context(), s, eventstore.Recorded{Record: rec(1), Stream: "new"}); err == nil {
		t.Error("an import of a record without a revision succeeded")
	}
}
