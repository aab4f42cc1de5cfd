package deadline

import (
	"slices"
	"sync"
	"time"

	"consentledger/domain/internal/form"
)

// Workdays is the working days of one jurisdiction, as far as they are known.
// It never changes.
type Workdays struct {
	layers  []layer
	years   map[int]*yearDays // the known ones
	season  []bool            // by month and day: within a week of a day off in some known year
	assumed sync.Map          // *yearDays by assumed: years after a known one that were asked for
}

// An assumed is a year without a calendar, and what is taken for it.
type assumed struct {
	year int
	assumption
}

// A layer is one jurisdiction's newest calendars by their year.
type layer struct{ notices, projected, reported map[int]Calendar }

// A YearState is how much is known of the working days of a year.
type YearState uint8

const (
	YearUnknown   YearState = iota // nobody says anything
	YearReported                   // somebody says which days are off, and no notice was seen
	YearAnnounced                  // a notice says so
)

var yearStates = form.Codes{"unknown", "reported", "announced"}

func (s YearState) String() string { return yearStates.Name(uint8(s)) }

// State returns how much is known of a year.
func (w *Workdays) State(year int) YearState {
	switch {
	case w.Known(year):
		return YearAnnounced
	case w.hears(year):
		return YearReported
	}
	return YearUnknown
}

// hears reports whether somebody says of a year without a calendar which days
// are off.
func (w *Workdays) hears(year int) bool {
	return !w.knows(year) && slices.ContainsFunc(w.layers, func(l layer) bool {
		_, ok := l.reported[year]
		return ok
	})
}

// A yearDays is one year, indexed: days holds its working days in order, and
// rank[i] says how many of them are among its first i days.
type yearDays struct {
	first    Date
	rank     [367]uint16
	days     []Date
	known    bool
	reported bool // by what was reported of it
	versions []CalendarVersion
}

// An assumption is what is taken for a year that has no calendar.
type assumption uint8

const (
	mostWorkingDays   assumption = iota // only Saturdays and Sundays off: forward errs early
	fewestWorkingDays                   // every day off that there may be, none made up: backward errs early
	mostOrReported                      // what is reported; of a year of which nothing is, the most
	fewestOrReported                    // likewise, the fewest
)

// reported reports whether a counts what is reported.
func (a assumption) reported() bool { return a == mostOrReported || a == fewestOrReported }

func newWorkdays(layers []layer) *Workdays {
	w := &Workdays{layers: layers, years: map[int]*yearDays{}}
	if len(layers) == 0 {
		return w
	}

	w.season = season(layers)
	for year := range layers[0].notices {
		if w.knows(year) {
			w.years[year] = w.index(year, mostWorkingDays)
		}
	}
	return w
}

// knows reports whether every layer has the year: a region's calendar without
// the country's, or the other way round, is not the whole of it.
func (w *Workdays) knows(year int) bool {
	for _, l := range w.layers {
		if _, ok := l.notices[year]; !ok {
			return false
		}
	}
	return len(w.layers) > 0
}

// Known reports whether there is a calendar of that year.
func (w *Workdays) Known(year int) bool { return w.years[year] != nil }

// IsWorkingDay reports whether d is worked, and whether that is known. Of a
// year without a calendar what is reported is taken to be so, or else only
// Saturdays and Sundays to be off.
func (w *Workdays) IsWorkingDay(d Date) (working, known bool) {
	y := w.year(d.Year(), mostOrReported)
	return y.works(d), y.known
}

// Versions returns the calendars that decide about a year's days.
func (w *Workdays) Versions(year int) []CalendarVersion {
	return w.year(year, mostWorkingDays).versions
}

func (w *Workdays) year(year int, a assumption) *yearDays {
	if y := w.years[year]; y != nil {
		return y
	}
	if w.years[year-1] == nil {
		return w.index(year, a)
	}

	// The first year without a calendar is reached by many, as the year ends.
	key := assumed{year, a}
	if y, ok := w.assumed.Load(key); ok {
		return y.(*yearDays)
	}
	y, _ := w.assumed.LoadOrStore(key, w.index(year, a))
	return y.(*yearDays)
}

// index builds one year: weekdays, then what is assumed, then what the notices
// of the year and its neighbours say, in the order in which they were issued.
func (w *Workdays) index(year int, a assumption) *yearDays {
	y := &yearDays{
		first: NewDate(year, time.January, 1), known: w.knows(year), reported: a.reported() && w.hears(year),
	}
	works := make([]bool, NewDate(year+1, time.January, 1)-y.first)
	for i := range works {
		works[i] = !(y.first + Date(i)).IsWeekend()
	}

	if !y.known && !y.reported && (a == fewestWorkingDays || a == fewestOrReported) {
		w.assume(year, y.first, works)
	}
	for _, l := range w.layers {
		y.state(l, year, works)
	}

	for i, working := range works {
		y.rank[i+1] = y.rank[i]
		if working {
			y.rank[i+1]++
			y.days = append(y.days, y.first+Date(i))
		}
	}
	return y
}

// state applies what one layer's notices say of a year.
func (y *yearDays) state(l layer, year int, works []bool) {
	var notices []Calendar
	for _, of := range []int{year - 1, year, year + 1} {
		if k, ok := l.notices[of]; ok {
			notices = append(notices, k)
		} else if k, ok := l.reported[of]; ok && y.reported {
			notices = append(notices, k)
		}
	}

	// A notice that was issued later prevails.
	slices.SortStableFunc(notices, func(a, b Calendar) int { return int(a.issued() - b.issued()) })
	for _, k := range notices {
		said := set(works, y.first, k.Off, false)
		if set(works, y.first, k.MakeUp, true) || said || k.Year == year {
			y.versions = append(y.versions, k.ID())
		}
	}
}

// set marks dates as worked or off, and reports whether any is in the year.
func set(works []bool, first Date, dates []Date, working bool) (said bool) {
	for _, d := range dates {
		if i := int(d - first); i >= 0 && i < len(works) {
			works[i], said = working, true
		}
	}
	return said
}

// assume marks what may be off in a year that has no calendar: by its
// projection if it has one, else by the season.
func (w *Workdays) assume(year int, first Date, works []bool) {
	projected := false
	for _, l := range w.layers {
		k, ok := l.projected[year]
		projected = projected || ok
		set(works, first, k.Off, false)
	}

	for i := range works {
		if !projected && w.season != nil && w.season[seasonDay(first+Date(i))] {
			works[i] = false
		}
	}
}

// seasonDay returns a date's place in a leap year, from 0.
func seasonDay(d Date) int {
	_, month, day := d.Split()
	return int(NewDate(2000, month, day) - NewDate(2000, time.January, 1))
}

// season returns the days within a week of one that was off in some year: a
// feast of the moon moves through a season, and a bridge may be built to any.
func season(layers []layer) []bool {
	off := make([]bool, 366)
	for _, l := range layers {
		for _, k := range l.notices {
			for _, d := range k.Off {
				for near := seasonDay(d) - 7; near <= seasonDay(d)+7; near++ {
					off[(near+366)%366] = true
				}
			}
		}
	}
	return off
}

// works reports whether a date of the year is worked.
func (y *yearDays) works(d Date) bool { return y.rank[d-y.first+1] > y.rank[d-y.first] }

// through returns how many days are worked from the year's first to d.
func (y *yearDays) through(d Date) int { return int(y.rank[d-y.first+1]) }
