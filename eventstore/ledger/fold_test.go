package ledger

import (
	"errors"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

func TestAnOlderFoldNeverTakesTheNewersPlace(t *testing.T) {
	c := newFolds(1<<20, nil, 0)
	s := domain.StreamID{Noun: domain.SubjectNoun, App: "demo", ID: "00ff"}
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
	ours := domain.StreamID{Noun: domain.SubjectNoun, App: "demo", ID: "00ff"}
	theirs := domain.StreamID{Noun: domain.SubjectNoun, App: "demo", ID: "00fe"}
	heard := func(bytes int, bad error, streams ...domain.StreamID) (s stretch) {
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
