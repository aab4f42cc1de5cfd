package eventstore

import (
	"context"
	"errors"
	"fmt"
)

// An Importer store takes many records of many streams at once, and keeps their
// order: it is how a history is copied from one store to another.
type Importer interface {
	Store

	// Import appends each record to the end of its stream, in the order given, so
	// that their positions grow in that order. A record's Revision says how long
	// its stream is with it, and its Position is not looked at. A record whose
	// stream has another length is a [*ConflictError]. The last position is that
	// of the last record, and when Import returns nil all of them survive a crash.
	// After an error as many of the first as it wants may be there: the caller
	// reads what is there. Nobody else may write meanwhile.
	Import(ctx context.Context, records ...Recorded) (Position, error)
}

// Import appends records as [Importer] says, by the store's own way if it has one.
// Else it appends them one run after the other, where a run is what follows each
// other on one stream: appends that are under way at once may overtake each other.
func Import(ctx context.Context, store Store, records ...Recorded) (at Position, err error) {
	if s, ok := store.(Importer); ok {
		return s.Import(ctx, records...)
	}
	runs, err := Runs(records)
	if err != nil {
		return 0, err
	}
	for _, r := range runs {
		if at, err = store.Append(ctx, r.Stream, r.Expected, r.Records...); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// A Run is an append of records that follow each other in a history.
type Run struct {
	Stream   Stream
	Expected Revision
	Records  []Record
}

// runBytes is how much data a run has at most, so that it fits into any store's
// append.
const runBytes = 256 << 10

// Runs returns records as the runs that they are made of, and checks the bounds of
// each.
func Runs(records []Recorded) (runs []Run, err error) {
	var r *Run
	size := 0
	for i, next := range records {
		if next.Revision == 0 {
			return nil, fmt.Errorf("stream %s: record %d to import has no revision", next.Stream, i)
		}
		goesOn := r != nil && r.Stream == next.Stream && r.Expected+Revision(len(r.Records)) == next.Revision-1
		if !goesOn || len(r.Records) == MaxBatch || size+len(next.Data) > runBytes {
			runs = append(runs, Run{Stream: next.Stream, Expected: next.Revision - 1})
			r, size = &runs[len(runs)-1], 0
		}
		r.Records = append(r.Records, next.Record)
		size += len(next.Data)
	}

	for _, r := range runs {
		if err := CheckBounds(r.Stream, r.Records); err != nil {
			return nil, err
		}
	}

	if len(runs) == 0 {
		return nil, errors.New("an import takes one record at least")
	}
	return runs, nil
}
