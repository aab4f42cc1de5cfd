package deadline

import (
	"slices"
	"time"
)

// A count counts working days for one due date, and remembers which calendars
// it used and where it had to assume. A year costs it one step.
type count struct {
	days    *Workdays
	assume  assumption
	assumed map[int]*yearDays // years without a calendar
	gap     Date              // the first date, in the order of the count, that no calendar has
	last    Date              // the latest date that was looked at
	used    []CalendarVersion
	heard   bool // a year was counted by what is reported of it
	blind   bool // a year was counted of which nobody says anything
}

func (c *count) year(year int) *yearDays {
	if y := c.days.years[year]; y != nil {
		return y
	}

	y := c.assumed[year]
	if y == nil {
		y = c.days.index(year, c.assume)
		if c.assumed == nil {
			c.assumed = map[int]*yearDays{}
		}
		c.assumed[year] = y
	}
	return y
}

// works reports whether d is taken to be worked.
func (c *count) works(d Date) bool { return c.year(d.Year()).works(d) }

// between returns how many days after a and up to b are worked.
func (c *count) between(a, b Date) (n int) {
	if b <= a {
		return 0
	}

	for year := a.Year(); year < b.Year(); year++ {
		n += len(c.year(year).days)
	}
	return n + c.year(b.Year()).through(b) - c.year(a.Year()).through(a)
}

// next returns the n-th working day after d; zero if that is not before the
// year 9999.
func (c *count) next(d Date, n int) Date {
	n += c.year(d.Year()).through(d)
	for year := d.Year(); year < 9999; year++ {
		y := c.year(year)
		if n <= len(y.days) {
			return y.days[n-1]
		}
		n -= len(y.days)
	}
	return 0
}

// back returns the n-th working day before d; zero if that is not after the
// year 1.
func (c *count) back(d Date, n int) Date {
	y := c.year(d.Year())
	have := y.through(d)
	if y.works(d) {
		have--
	}

	for year := d.Year(); year > 1; {
		if n <= have {
			return y.days[have-n]
		}

		n -= have
		year--
		y = c.year(year)
		have = len(y.days)
	}
	return 0
}

// look notes that every day after a and up to b was looked at, on or back.
func (c *count) look(a, b Date, back bool) {
	if b <= a {
		return
	}
	c.last = max(c.last, b)

	var years []int
	for year := (a + 1).Year(); year <= b.Year(); year++ {
		years = append(years, year)
	}
	if back {
		slices.Reverse(years)
	}

	for _, year := range years {
		y := c.year(year)
		c.heard = c.heard || y.reported
		c.blind = c.blind || !y.known && !y.reported
		if y.known || y.reported {
			c.use(y.versions)
		}

		switch {
		case y.known || c.gap != 0:
		case back:
			c.gap = min(b, NewDate(year, time.December, 31))
		default:
			c.gap = max(a+1, y.first)
		}
	}
}

func (c *count) use(versions []CalendarVersion) {
	for _, v := range versions {
		if !slices.Contains(c.used, v) {
			c.used = append(c.used, v)
		}
	}
}

// exposed reports whether the last day that was looked at may still change:
// the notice for a year may change the end of the December before.
func (c *count) exposed() bool {
	if c.last == 0 {
		return false
	}
	year, month, day := c.last.Split()
	return month == time.December && day >= 25 && c.year(year).known && !c.days.Known(year+1)
}

// Between returns how many days after a and up to b are worked; of a b before
// a, how many after b and up to a, below zero. A year without a calendar is
// taken as [Workdays.IsWorkingDay] takes it.
func (w *Workdays) Between(a, b Date) int {
	c := count{days: w, assume: mostOrReported}
	if b < a {
		return -c.between(b, a)
	}
	return c.between(a, b)
}

// After returns the n-th working day after d, as [Workdays.Between] counts;
// zero if that is not before the year 9999.
func (w *Workdays) After(d Date, n int) Date {
	c := count{days: w, assume: mostOrReported}
	return c.next(d, n)
}
