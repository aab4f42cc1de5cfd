package deadline

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// Calendars is every calendar that was published, of every jurisdiction, as far
// as it is known. The zero Calendars knows none. A Calendars never changes: Add
// returns another.
type Calendars struct {
	published []entry
	days      map[string]*Workdays // by jurisdiction
}

// An entry is a calendar, and when the ledger took it.
type entry struct {
	calendar Calendar
	recorded Instant
}

// A Publication is a calendar and what it changes. Affects are the dates that are
// worked or off now and were not before: by the calendar's earlier version, or
// where no more was off than Saturdays and Sundays.
type Publication struct {
	Calendar Calendar
	Affects  []Date
}

// Add returns c with one calendar more, which the ledger took at a moment. It
// takes whatever it is given; [Calendars.Publish] says whether it may be.
func (c Calendars) Add(k Calendar, recorded Instant) Calendars {
	return c.with(entry{k, recorded})
}

// Knows reports whether k is published already. Either the newest calendar of its
// year says the same, or an earlier notice was k itself: whoever publishes that
// again does not take back what amended it since.
func (c Calendars) Knows(k Calendar) bool { return c.has(k) || c.had(k) }

// has reports whether the newest calendar of a year says the same as k.
func (c Calendars) has(k Calendar) bool {
	for _, p := range slices.Backward(c.published) {
		was := p.calendar
		if was.Jurisdiction != k.Jurisdiction || was.Year != k.Year ||
			was.Projected != k.Projected || was.Reported != k.Reported {
			continue
		}

		same := k
		if same.Version == 0 || same.Projected {
			same.Version = was.Version
		}
		return reflect.DeepEqual(was, same)
	}

	return false
}

// had reports whether a notice was published before, in whatever version.
func (c Calendars) had(k Calendar) bool {
	return k.Announced() && k.Notice != "" && slices.ContainsFunc(c.published, func(p entry) bool {
		same := k
		if same.Version == 0 {
			same.Version = p.calendar.Version
		}
		return reflect.DeepEqual(p.calendar, same)
	})
}

func (c Calendars) with(p entry) Calendars {
	c.published = append(c.published[:len(c.published):len(c.published)], p)

	// The working days change of every jurisdiction that adds to this one.
	days := maps.Clone(c.days)
	if days == nil {
		days = map[string]*Workdays{}
	}
	days[p.calendar.Jurisdiction] = nil
	for jurisdiction := range days {
		if slices.Contains(c.chain(jurisdiction), p.calendar.Jurisdiction) {
			days[jurisdiction] = newWorkdays(c.layers(jurisdiction))
		}
	}
	c.days = days

	return c
}

// KnownAt returns the calendars as they were known at a moment: those that the
// ledger had taken by then.
func (c Calendars) KnownAt(at Instant) Calendars {
	var then Calendars
	for _, p := range c.published {
		if p.recorded <= at {
			then = then.with(p)
		}
	}
	return then
}

// Published returns the calendars in the order of their publication.
func (c Calendars) Published() []Calendar {
	var list []Calendar
	for _, p := range c.published {
		list = append(list, p.calendar)
	}
	return list
}

// Find returns the calendar of that version.
func (c Calendars) Find(v CalendarVersion) (Calendar, bool) {
	for _, p := range c.published {
		if p.calendar.ID() == v && p.calendar.Announced() {
			return p.calendar, true
		}
	}
	return Calendar{}, false
}

// Latest returns the newest version of a year's calendar, and whether there is
// one.
func (c Calendars) Latest(jurisdiction string, year int) (found Calendar, ok bool) {
	for _, p := range c.published {
		k := p.calendar
		if k.Jurisdiction == jurisdiction && k.Year == year && k.Announced() && k.Version >= found.Version {
			found, ok = k, true
		}
	}
	return found, ok
}

// Announced reports whether a notice says so.
func (k Calendar) Announced() bool { return !k.Projected && !k.Reported }

// Reported returns what was reported last of a year, and whether anything was.
// It says nothing any more once there is a notice.
func (c Calendars) Reported(jurisdiction string, year int) (Calendar, bool) {
	for _, p := range slices.Backward(c.published) {
		if k := p.calendar; k.Reported && k.Jurisdiction == jurisdiction && k.Year == year {
			return k, true
		}
	}
	return Calendar{}, false
}

// Workdays returns the working days of a jurisdiction. Of one without a
// calendar no year is known.
func (c Calendars) Workdays(jurisdiction string) *Workdays {
	if w := c.days[jurisdiction]; w != nil {
		return w
	}
	return newWorkdays(nil)
}

// chain returns a jurisdiction and those that it adds to, itself first.
func (c Calendars) chain(jurisdiction string) []string {
	chain := []string{jurisdiction}
	for _, p := range c.published {
		if k := p.calendar; k.AddsTo != "" && k.Jurisdiction == chain[len(chain)-1] &&
			!slices.Contains(chain, k.AddsTo) {
			return append(chain, c.without(k.Jurisdiction).chain(k.AddsTo)...)
		}
	}
	return chain
}

// without returns the publications of the other jurisdictions.
func (c Calendars) without(jurisdiction string) Calendars {
	isOf := func(p entry) bool { return p.calendar.Jurisdiction == jurisdiction }
	return Calendars{published: slices.DeleteFunc(slices.Clone(c.published), isOf)}
}

// layers returns the newest calendars of a jurisdiction by year, under them
// those of the jurisdiction that it adds to: the lowest first.
func (c Calendars) layers(jurisdiction string) []layer {
	var layers []layer
	for _, name := range slices.Backward(c.chain(jurisdiction)) {
		l := layer{notices: map[int]Calendar{}, projected: map[int]Calendar{}, reported: map[int]Calendar{}}
		for _, p := range c.published {
			k := p.calendar

			years := l.notices
			switch {
			case k.Projected:
				years = l.projected
			case k.Reported:
				years = l.reported
			}

			if k.Jurisdiction == name && k.Version >= years[k.Year].Version {
				years[k.Year] = k
			}
		}
		layers = append(layers, l)
	}
	return layers
}

// Publish returns what k changes, or what keeps it from being published. A
// version follows the one before it.
func (c Calendars) Publish(k Calendar) (Publication, []Problem) {
	p := problems(k.Check())
	if was, ok := c.Latest(k.Jurisdiction, k.Year); k.Announced() && k.Version != was.Version+1 {
		if !ok {
			p.add("version", "%d is not 1: %s has no calendar of %d yet", k.Version, k.Jurisdiction, k.Year)
		} else {
			p.add("version", "%d does not follow: %s is published, the next is %d", k.Version, was.ID(), was.Version+1)
		}
	}
	if k.AddsTo != "" && slices.Contains(c.chain(k.AddsTo), k.Jurisdiction) {
		p.add("adds_to", "%s adds to %s already", k.AddsTo, k.Jurisdiction)
	}
	if len(p) > 0 {
		return Publication{}, p
	}

	before, after := c.Workdays(k.Jurisdiction), c.with(entry{calendar: k}).Workdays(k.Jurisdiction)
	news := Publication{Calendar: k}
	for d := NewDate(k.Year-1, time.December, 1); d <= NewDate(k.Year+1, time.January, 31); d++ {
		was, _ := before.IsWorkingDay(d)
		if is, _ := after.IsWorkingDay(d); is != was {
			news.Affects = append(news.Affects, d)
		}
	}
	return news, nil
}

// Touches reports whether a published calendar may change a due date that was
// computed before it: whether it says something new of a day that was counted,
// or knows a year that was assumed. It may say yes of one that stays.
func (c Calendars) Touches(p Publication, d Due) bool {
	k := p.Calendar
	if !slices.Contains(c.chain(d.Calendar), k.Jurisdiction) {
		return false
	}

	first, last := min(d.DayZero, d.Date), max(d.DayZero, d.Date)
	if d.Date == 0 {
		first, last = d.DayZero, maxDate // it goes on some day
	}

	switch {
	case d.Provisional && (d.CountedTo != 0 || d.Earliest != 0):
		return true // it rests on the days off of all years
	case d.Provisional && first.Year() <= k.Year && k.Year <= last.Year() && k.Version <= 1,
		d.TailExposed && k.Year == last.Year()+1 && k.Version == 1:
		return true
	}

	return slices.ContainsFunc(p.Affects, func(a Date) bool { return first <= a && a <= last })
}
