package consents

import (
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore/codec"
)

// begin settles what was said on a day before the next begins, so that it counts on its own. A day begins
// with the first record of it, and none goes back: records are stamped before they are appended, so that
// one of just before midnight may follow one of just after it, and was not known when that day ended.
func (b *batch) begin(e *codec.Entry) error {
	day := dayOf(e.Recorded)
	if day <= b.day {
		return nil
	}
	if b.day != 0 {
		b.at = e.Position - 1 // the ledger may know of the entry already
		if err := b.settle(); err != nil {
			return err
		}
		b.at = e.Position
	}
	b.day = day
	_, err := b.tx.Exec("INSERT INTO days VALUES (?)", int64(day))
	return err
}

// A shift changes how many people are in a group, from a moment on.
type shift struct {
	group
	at   deadline.Instant
	over bool // of those who are past their end
}

// move counts people who come into a group today, or leave it. Who comes is past their end on the day of
// it, and not before today; who leaves is not past it any more from then on.
func (b *batch) move(g group, until deadline.Instant, n int64) {
	b.moves[shift{g, b.day, false}] += n
	if until != 0 {
		b.moves[shift{g, max(b.day, dayOf(until)), true}] += n
	}
}

// A period is how much time a row of a table is about.
type period string

const (
	byMoment period = "moment"
	byDay    period = "day" // in UTC, as the next
	byMonth  period = "month"
)

// of returns when the period begins that a moment is in.
func (p period) of(at deadline.Instant) deadline.Instant {
	switch p {
	case byMoment:
		return at
	case byDay:
		return dayOf(at)
	case byMonth:
		return monthOf(at)
	}
	panic("consents: no period is called " + string(p))
}

// dayOf returns when the UTC day of a moment begins.
func dayOf(at deadline.Instant) deadline.Instant { return at - at%deadline.Instant(deadline.Day) }

// monthOf returns when the month begins that a moment is in, in UTC.
func monthOf(at deadline.Instant) deadline.Instant {
	t := time.UnixMilli(int64(at)).UTC()
	return deadline.At(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
}

// sums adds up shifts by the periods that they are in.
func (p period) sums(shifts map[shift]int64) map[shift]int64 {
	all := make(map[shift]int64, len(shifts))
	for s, n := range shifts {
		s.at = p.of(s.at)
		all[s] += n
	}
	return all
}
