package deadline

import (
	"fmt"
	"time"

	"consentledger/domain/internal/form"
)

// A Date is a day of the Gregorian calendar in no particular place: a local
// date. Dates are compared with == and <, and their difference is in days. The
// zero Date means no date; 1 is 0001-01-01.
type Date int32

// maxDate is 9999-12-31, the last date that [Date.String] can write.
const maxDate Date = 3652059

// NewDate returns a day of the years 1 to 9999. A day that the month does not
// have is one of the next month, as for [time.Date].
func NewDate(year int, month time.Month, day int) Date {
	y, m := year, int(month)
	if m <= 2 {
		y, m = y-1, m+12
	}

	// Days are counted from a first of March, so that a leap day comes last.
	return Date(365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + day - 306)
}

// Split returns the year, the month and the day of d.
func (d Date) Split() (year int, month time.Month, day int) {
	n := int(d) + 305 // days since 0000-03-01
	era, doe := n/146097, n%146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)

	// The months of such a year begin in March: 0 is March.
	m := (5*doy + 2) / 153
	year, month, day = 400*era+yoe, time.Month(m+3), doy-(153*m+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// Year returns the year of d.
func (d Date) Year() int {
	year, _, _ := d.Split()
	return year
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(d % 7) }

// IsWeekend reports whether d is a Saturday or a Sunday.
func (d Date) IsWeekend() bool { return d.Weekday() == time.Saturday || d.Weekday() == time.Sunday }

// AddMonths returns the same day n months on, or the last of that month if it
// has no such day (Civil Code 202; Regulation 1182/71, 3(2)(c)). A negative n
// counts back. Zero: the result lies outside the years 1 to 9999.
func (d Date) AddMonths(n int) Date {
	year, month, day := d.Split()
	m := 12*year + int(month) - 1 + n
	if m < 12 || m >= 12*10000 {
		return 0
	}

	year, month = m/12, time.Month(m%12+1)
	return NewDate(year, month, min(day, daysIn(year, month)))
}

// daysIn returns how many days a month has.
func daysIn(year int, month time.Month) int {
	return int(NewDate(year, month+1, 1) - NewDate(year, month, 1))
}

// String returns the form "2006-01-02" that [ParseDate] reads; nothing for the
// zero Date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	year, month, day := d.Split()
	return fmt.Sprintf("%04d-%02d-%02d", year, month, day)
}

// ParseDate reads what [Date.String] writes, and nothing else.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || len(s) != len(time.DateOnly) || t.Year() < 1 {
		return 0, errDate
	}
	return NewDate(t.Date()), nil
}

const errDate = form.Error("a date is written as in 2026-03-02")

// A YearDay is a day of every year, as in "01-31"; 29 February is none. It is
// kept as text.
type YearDay string

// ParseYearDay returns s as a YearDay.
func ParseYearDay(s string) (YearDay, error) {
	if _, err := time.Parse(time.DateOnly, "2001-"+s); err != nil || len(s) != len("01-31") {
		return "", form.Error("a day of the year is written as in 01-31, and is not 02-29")
	}
	return YearDay(s), nil
}

// after returns the n-th such day after d; zero if that is after the year 9999.
func (y YearDay) after(d Date, n int) Date {
	t, _ := time.Parse(time.DateOnly, "2001-"+string(y))

	year := d.Year()
	if NewDate(year, t.Month(), t.Day()) <= d {
		year++
	}

	if n > 10000-year {
		return 0
	}
	return NewDate(year+n-1, t.Month(), t.Day())
}
