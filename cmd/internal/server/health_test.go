package server

import (
	"context"
	"errors"
	"iter"
	"testing"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A gappyLog has records at the even positions up to its length, one recorded
// every second from the moment zero.
type gappyLog struct {
	last eventstore.Position
	now  deadline.Instant
	err  error // behind the last
}

func (g gappyLog) Now() deadline.Instant { return g.now }

func (g gappyLog) Replay(_ context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		for p := (after/2 + 1) * 2; p <= g.last; p += 2 {
			e := codec.Entry{Position: p}
			e.Recorded = deadline.Instant(p/2) * 1000
			if !yield(e, nil) {
				return
			}
		}
		if g.err != nil {
			yield(codec.Entry{}, g.err)
		}
	}
}

func TestLagIsCountedInRecordsAndSinceTheOldest(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name     string
		log      gappyLog
		at, head eventstore.Position
		want     lag
	}{
		{"what has all is not behind", gappyLog{last: 20, now: 99_000}, 20, 20, lag{}},
		{"what is ahead of the head as it was is not behind", gappyLog{last: 20, now: 99_000}, 20, 10, lag{}},
		{"positions between records do not count", gappyLog{last: 20, now: 99_999}, 10, 20, lag{5, 93, nil}},
		{"what came behind the head does not count", gappyLog{last: 20, now: 99_000}, 10, 14, lag{2, 93, nil}},
		{"a clock that was set back gives no time below zero", gappyLog{last: 20, now: 0}, 10, 20, lag{5, 0, nil}},
		{"nobody counts for ever", gappyLog{last: 40_000, now: 1000}, 0, 40_000, lag{maxLag, 0, nil}},
		{"what cannot be read is told", gappyLog{last: 12, now: 9000, err: broken}, 10, 20, lag{1, 3, broken}},
	} {
		if got := lagBehind(t.Context(), c.log, c.at, c.head); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
