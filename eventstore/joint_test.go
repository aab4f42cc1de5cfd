package eventstore_test

import (
	"context"
	"slices"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

// A journal writes down what is done to rows and a store that lie apart.
type journal struct {
	eventstore.Store
	eventstore.Rows
	done []string
}

func (j *journal) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	j.done = append(j.done, "append")
	return j.Store.Append(ctx, stream, expected, records...)
}

func (j *journal) Write(ctx context.Context, c eventstore.Change) error {
	j.done = append(j.done, "write")
	return j.Rows.Write(ctx, c)
}

func (j *journal) Sync(ctx context.Context) error {
	j.done = append(j.done, "sync")
	return j.Rows.Sync(ctx)
}

// Rows that lie apart from the store survive a crash before a record that needs them
// is there, also those that were changed before and by nobody's append.
func TestRowsApartAreDurableBeforeTheAppend(t *testing.T) {
	j := &journal{Store: new(memory.Store), Rows: new(memory.Rows)}
	appending := eventstore.Appending(j, j)
	record := eventstore.Record{ID: eventstore.EventID{1}, Type: "test.v1", Data: []byte("x")}
	put := eventstore.Change{Put: []eventstore.Row{{Key: []byte("k"), Value: []byte("v")}}}
	if _, err := appending(t.Context(), put, "s", 0, record); err != nil {
		t.Fatal(err)
	}
	record.ID[0]++
	if _, err := appending(t.Context(), eventstore.Change{}, "s", 1, record); err != nil {
		t.Fatal(err)
	}
	if want := []string{"write", "sync", "append", "sync", "append"}; !slices.Equal(j.done, want) {
		t.Errorf("%v, want %v", j.done, want)
	}
}
