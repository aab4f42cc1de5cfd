package ledger

import (
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

func TestAnOlderFoldNeverTakesTheNewersPlace(t *testing.T) {
	c := newFolds(1 << 20)
	s := domain.StreamID{Noun: domain.SubjectNoun, App: "demo", ID: "00ff"}
	newer := newFold()
	newer.position = 10
	c.put(s, newer)
	older := newFold()
	older.position = 5
	c.put(s, older) // read before the tenth was written, and put down after
	if f, ok := c.get(s); !ok || f != newer {
		t.Errorf("%+v, %v", f, ok)
	}
}

// TestWhatAnotherWroteIsHeardOnce: whoever follows first says it for all, but
// nothing that lies beyond what was heard is taken for heard.
func TestWhatAnotherWroteIsHeardOnce(t *testing.T) {
	s := domain.StreamID{Noun: domain.SubjectNoun, App: "demo", ID: "00ff"}
	about := func(from, to int) (list []codec.Entry) {
		for p := from; p <= to; p++ {
			list = append(list, codec.Entry{Envelope: codec.Envelope{Stream: s}, Position: eventstore.Position(p)})
		}
		return list
	}
	type slice struct {
		from, to int
		heard    bool // it drops a fold from before it
	}
	for name, slices := range map[string][]slice{
		"twice":                     {{1, 5, true}, {1, 5, false}, {2, 4, false}},
		"one after the other":       {{1, 5, true}, {6, 9, true}, {1, 9, false}},
		"overlapping":               {{1, 5, true}, {4, 9, true}, {6, 9, false}},
		"with a gap":                {{1, 5, true}, {8, 9, true}, {6, 7, true}, {8, 9, false}},
		"from the middle":           {{5, 7, true}, {1, 4, true}, {5, 7, false}, {8, 8, true}, {5, 8, false}},
		"more than was known":       {{5, 7, true}, {1, 9, true}, {2, 8, false}},
		"nothing":                   {{1, 0, false}, {1, 1, true}},
		"behind, and not all heard": {{5, 7, true}, {3, 6, true}},
	} {
		c := newFolds(1 << 20)
		for i, x := range slices {
			c.forget(s)
			c.put(s, newFold())
			c.hear(about(x.from, x.to))
			if _, kept := c.get(s); kept == x.heard {
				t.Errorf("%s: slice %d, %d to %d: heard %v, want %v", name, i, x.from, x.to, !kept, x.heard)
			}
		}
	}
}
