package deadline

import (
	"strings"
	"time"

	"consentledger/domain/internal/form"
)

// An Instant is a moment, to the millisecond, in milliseconds since 1970 UTC.
// Unlike [time.Time] it means the same to ==, to <, on the wire and on disk.
// The zero Instant means no moment.
type Instant int64

// The bounds of an Instant: what RFC 3339 can write with four digits of year.
const (
	minInstant Instant = -62135596800000
	maxInstant Instant = 253402300799999
)

const instantForm = "2006-01-02T15:04:05.000Z"

// At returns the Instant of t, cut to the millisecond.
func At(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time returns i as a [time.Time] in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// String returns the form "2006-01-02T15:04:05.000Z".
func (i Instant) String() string {
	var room [len(instantForm)]byte
	return string(i.Append(room[:0]))
}

// Append appends what String returns.
func (i Instant) Append(b []byte) []byte {
	if i < minInstant || i > maxInstant { // never read, and its year may have any length
		return i.Time().AppendFormat(b, instantForm)
	}

	days, ms := int64(i-minInstant)/int64(Day), int64(i-minInstant)%int64(Day)
	year, month, day := Date(1 + days).Split()
	second, minute, hour := ms/1000, ms/60_000, ms/3_600_000

	return append(b,
		digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(int(month)/10), digit(int(month)), '-', digit(day/10), digit(day), 'T',
		digit(hour/10), digit(hour), ':', digit(minute%60/10), digit(minute%60), ':',
		digit(second%60/10), digit(second%60), '.', digit(ms/100), digit(ms/10), digit(ms), 'Z')
}

// digit returns the last digit of n.
func digit[T int | int64](n T) byte { return '0' + byte(n%10) }

// ParseInstant reads any RFC 3339 time, whatever its zone, its precision and the
// case of its letters. A leap second, which ends the last minute of a day of
// UTC, is the moment at which the next day begins.
func ParseInstant(s string) (Instant, error) {
	i, err := ParseLooseInstant(s)
	if err != nil || !isRFC3339(s) {
		return 0, errTime
	}
	return i, nil
}

// isRFC3339 reports whether a time that package time reads is one of RFC 3339.
// That package also reads an hour of one digit, a comma before the fraction and
// a zone of a day and more.
func isRFC3339(s string) bool {
	const hour, fraction, zone = len("2006-01-02T"), len("2006-01-02T15:04:05"), len("+08:00")
	if s[hour+1] == ':' || s[fraction] == ',' {
		return false
	}

	if last := s[len(s)-1]; last == 'Z' || last == 'z' {
		return true
	}

	offset := s[len(s)-zone:]
	return offset[1:3] < "24" && offset[4:] < "60"
}

// ParseLooseInstant reads what [ParseInstant] reads, and what differs from it in
// nothing but its form. It is for opt-outs: their times are not refused.
func ParseLooseInstant(s string) (Instant, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = parseRare(s)
	}
	if err != nil {
		return 0, errTime
	}

	i := At(t)
	if i < minInstant || i > maxInstant || i == 0 {
		return 0, errTime
	}
	return i, nil
}

// parseRare reads what RFC 3339 allows and package time does not: lower-case
// letters, and 60 seconds.
func parseRare(s string) (time.Time, error) {
	const upToMinute = len("2006-01-02T15:04:")
	s = strings.ToUpper(s)
	if len(s) < upToMinute+2 || s[upToMinute:upToMinute+2] != "60" {
		return time.Parse(time.RFC3339Nano, s)
	}

	// Read it as the second before. The leap second itself has no number: what
	// was counted within it is dropped.
	t, err := time.Parse(time.RFC3339Nano, s[:upToMinute]+"59"+s[upToMinute+2:])
	if err != nil {
		return t, err
	}
	if utc := t.UTC(); utc.Hour() != 23 || utc.Minute() != 59 {
		return t, errTime
	}
	return t.Truncate(time.Second).Add(time.Second), nil
}

const errTime = form.Error("a time is written as RFC 3339 says, as in 2026-03-02T09:30:00.000Z, " +
	"and is not the epoch itself")

// A Span is a length of time in milliseconds.
type Span int64

const (
	Second Span = 1000
	Minute      = 60 * Second
	Hour        = 60 * Minute
	Day         = 24 * Hour
)

// Add returns i moved by s.
func (i Instant) Add(s Span) Instant { return i + Instant(s) }
