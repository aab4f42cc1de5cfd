package projections_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
)

// A clocked log has a record at every position, recorded a second after the one
// before.
type clocked struct {
	head eventstore.Position
	now  deadline.Instant
}

func (c clocked) Head(context.Context) (eventstore.Position, error) { return c.head, nil }
func (c clocked) Now() deadline.Instant                             { return c.now }

func (c clocked) Replay(_ context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		for p := after + 1; p <= c.head; p++ {
			e := codec.Entry{Position: p}
			e.Recorded = deadline.Instant(p) * 1000
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestWhatHasNotReadEnoughIsNotAsked(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, c := range []struct {
		name      string
		start     eventstore.Position
		head, at  eventstore.Position
		now       deadline.Instant
		stopped   error
		want, not string // of the error; want is empty: it may be asked
	}{
		{"an empty log is read", 0, 0, 0, 0, nil, "", ""},
		{"all is read", 20, 20, 20, 20_000, nil, "", ""},
		{"what was there at the start is not read yet, however young it is", 20, 20, 5, 6_000, nil, "is being built: it has read the log up to position 5 of 20 (25 %)", "stopped"},
		{"nothing is read yet", 20, 20, 0, 20_000, nil, "up to position 0 of 20 (0 %)", ""},
		{"what came since is a moment behind", 20, 22, 21, 23_000, nil, "", ""},
		{"what came since is long behind", 20, 100, 21, 100_000, nil, "is 1m18s behind: it has read the log up to position 21 of 100 (21 %)", ""},
		{"it stopped where nothing came after", 20, 20, 20, 99_000, broken, "", ""},
		{"it stopped before the end", 20, 22, 21, 22_000, broken, "stopped: it has read the log up to position 21 of 22 (95 %): the disk is full", ""},
		{"the store holds less than there was at the start", 20, 10, 12, 22_000, nil, "up to position 12 of 10", ""},
	} {
		r := projections.Reach{Log: clocked{c.head, c.now}, Start: c.start, Most: 30 * time.Second}
		err := r.Check(t.Context(), "projection x", c.at, c.stopped)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || c.not != "" && strings.Contains(err.Error(), c.not) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if behind, is := errors.AsType[*projections.BehindError](err); !is || strings.Contains(behind.Progress(), broken.Error()) {
			t.Errorf("%s: what is told outside: %v", c.name, err)
		}
	}
}
