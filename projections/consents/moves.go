package consents

import (
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore/codec"
)

// A move is that people came into a group on a day.
type move struct {
	group
	whole bool // on any day of a month
	day   deadline.Instant
	over  bool // they are past their end since
}

// begin settles what was said on a day before the next begins, so that it counts on its own.
func (b *batch) begin(e *codec.Entry) error {
	day := dayOf(e.Recorded)
	if day != b.day && b.day != 0 {
		b.at = e.Position - 1 // the ledger may know of the entry already
		if err := b.settle(); err != nil {
			return err
		}
		b.at = e.Position
	}
	b.day = day
	return nil
}

// move counts people who come into a group today, or leave it. Who comes is past their end on the day of
// it, and not before today; who leaves is not past it any more from then on.
func (b *batch) move(g group, until deadline.Instant, n int64) {
	b.moves[move{group: g, day: b.day}] += n
	if until != 0 {
		b.moves[move{group: g, day: max(b.day, dayOf(until)), over: true}] += n
	}
}

// monthOf returns when the month begins that a moment is in, in UTC.
func monthOf(at deadline.Instant) deadline.Instant {
	t := time.UnixMilli(int64(at)).UTC()
	return deadline.At(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
}

// byMonth adds the moves of months to those of their days.
func byMonth(days map[move]int64) map[move]int64 {
	all := make(map[move]int64, 2*len(days))
	for m, n := range days {
		all[m] += n
		m.whole, m.day = true, monthOf(m.day)
		all[m] += n
	}
	return all
}
