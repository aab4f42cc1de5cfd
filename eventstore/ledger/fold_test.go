package ledger

import (
	"errors"
	"fmt"
	"testing"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

func TestAnOlderFoldNeverTakesTheNewersPlace(t *testing.T) {
	c := newFolds(1<<20, nil, 0)
	s := ident.StreamID{Noun: ident.SubjectNoun, App: "demo", ID: "00ff"}
	newer := newFold()
	newer.position = 10
	c.put(s, newer, 0)
	older := newFold()
	older.position = 5
	c.put(s, older, 0) // read before the tenth was written, and put down after
	if f, ok := c.get(s); !ok || f != newer {
		t.Errorf("%+v, %v", f, ok)
	}
}

// TestTheCacheHoldsAllThatWasHeard puts down the fold of a stream after some
// of the log was heard: what was read before it, or while it was, is not in it.
func TestTheCacheHoldsAllThatWasHeard(t *testing.T) {
	ours := ident.StreamID{Noun: ident.SubjectNoun, App: "demo", ID: "00ff"}
	theirs := ident.StreamID{Noun: ident.SubjectNoun, App: "demo", ID: "00fe"}
	heard := func(bytes int, bad error, streams ...ident.StreamID) (s stretch) {
		for i, id := range streams {
			at := eventstore.Position(11 + i)
			s.records = append(s.records, eventstore.Recorded{Stream: eventstore.Stream(id.String()), Position: at})
			s.entries = append(s.entries, codec.Entry{Envelope: codec.Envelope{Stream: id}, Position: at})
		}
		if s.bytes, s.bad = bytes, bad; bad != nil {
			s.entries = s.entries[:len(streams)-1]
		}
		return s
	}
	more := stretch{
		records: []eventstore.Recorded{{Stream: "subject-demo-00fd", Position: 20}},
		entries: []codec.Entry{{Position: 20}}, bytes: feedBytes,
	}
	broken := errors.New("unreadable")
	for _, tt := range []struct {
		name  string
		heard []stretch
		fold  eventstore.Position // the last record in it
		since eventstore.Position // what was heard when it was read
		late  bool                // it is kept if it is put down afterwards
		early bool                // it is kept if it was put down before
	}{
		{"nothing was heard", nil, 5, 10, true, true},
		{"others wrote", []stretch{heard(0, nil, theirs, theirs)}, 5, 10, true, true},
		{"its stream was written to meanwhile", []stretch{heard(0, nil, theirs, ours)}, 5, 10, false, false},
		{"by a record that cannot be read", []stretch{heard(0, broken, theirs, ours)}, 5, 10, false, false},
		{"it was written to before", []stretch{heard(0, nil, ours, theirs)}, 5, 11, true, false},
		{"it holds what was written", []stretch{heard(0, nil, theirs, ours)}, 12, 10, true, true},
		{"more was heard than is kept", []stretch{heard(feedBytes, nil, theirs, theirs), more}, 5, 10, false, true},
		{"as much was heard as is kept", []stretch{heard(feedBytes, nil, theirs, theirs), more}, 5, 12, true, true},
	} {
		f := newFold()
		f.position = tt.fold

		late := newFolds(1<<20, nil, 10)
		for _, s := range tt.heard {
			late.hear(s, late.feed.keep)
		}
		late.put(ours, f, tt.since)
		if _, kept := late.get(ours); kept != tt.late {
			t.Errorf("%s: a fold that is put down afterwards is kept: %v, want %v", tt.name, kept, tt.late)
		}

		early := newFolds(1<<20, nil, 10)
		early.put(ours, f, 10)
		for _, s := range tt.heard {
			early.hear(s, early.feed.keep)
		}
		if _, kept := early.get(ours); kept != tt.early {
			t.Errorf("%s: a fold that was put down before is kept: %v, want %v", tt.name, kept, tt.early)
		}
	}
}

// TestWhoIsAMomentBehindIsToldWhatWasKnownThen asks the cache for what the fold of a
// stream was some records ago.
func TestWhoIsAMomentBehindIsToldWhatWasKnownThen(t *testing.T) {
	c := newFolds(1<<24, nil, 0)
	stream := func(i int) ident.StreamID {
		return ident.SubjectStream("demo", fmt.Sprintf("%032x", i))
	}
	put := func(s ident.StreamID, r eventstore.Revision, at eventstore.Position) *fold {
		f := newFold()
		f.revision, f.position = r, at
		c.put(s, f, at)
		return f
	}
	ours := stream(0)
	folds := map[eventstore.Position]*fold{}
	for r, at := range []eventstore.Position{0, 1, 5, 6, 20} {
		if at != 0 {
			folds[at] = put(ours, eventstore.Revision(r), at)
		}
	}
	for at, want := range map[eventstore.Position]*fold{1: folds[1], 4: folds[1], 5: folds[5], 19: folds[6], 20: folds[20], 99: folds[20]} {
		if f, ok := c.until(ours, at); !ok || f != want {
			t.Errorf("at %d: %+v, %v, want %+v", at, f, ok, want)
		}
	}

	// Between two folds of which the later has more than one record more, nobody knows.
	put(ours, 7, 30)
	if f, ok := c.until(ours, 25); ok {
		t.Errorf("between two records that nobody saw: %+v", f)
	}

	// What is long ago is forgotten.
	put(ours, 8, 31)
	for i := range mostBefore {
		put(stream(1), eventstore.Revision(i+1), eventstore.Position(100+i))
	}
	if _, ok := c.until(ours, 30); !ok {
		t.Error("a fold was forgotten too early")
	}
	put(stream(1), mostBefore+1, 100+mostBefore)
	if f, ok := c.until(ours, 30); ok {
		t.Errorf("it is kept for ever: %+v", f)
	}
}
