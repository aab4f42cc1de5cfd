package domain

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// Calendars is every calendar that was published, of every jurisdiction, as far
// as it is known. The zero Calendars knows none. A Calendars never changes:
// Evolve returns another.
type Calendars struct {
	published []publication
	days      map[string]*Workdays // by jurisdiction
}

// A publication is a calendar and when the ledger took it.
type publication struct {
	calendar Calendar
	recorded Instant
}

// Evolve returns c with a fact more.
func (c Calendars) Evolve(f Fact) Calendars {
	e, ok := f.Event.(CalendarPublished)
	if !ok {
		unknownEvent(f.Event, "Calendars")
	}
	return c.with(publication{e.Calendar, f.Recorded})
}

// PublishCalendar asks to publish a year's working days. A calendar without a
// version is the next one of its year; what is published already is no news.
type PublishCalendar struct{ Calendar Calendar }

func (PublishCalendar) isCommand() {}

// Decide answers cmd with the facts it makes true.
func (c Calendars) Decide(cmd Command, by By) ([]Event, error) {
	if err := by.checkDoor(cmd); err != nil {
		return nil, err
	}
	p, ok := cmd.(PublishCalendar)
	if !ok {
		return nil, refuse(WrongStream, "this is not about a calendar")
	}
	k := p.Calendar
	if c.has(k) || c.had(k) {
		return nil, nil
	}
	if err := k.noticed(); err != nil {
		return nil, err
	}
	was, announced := c.Latest(k.Jurisdiction, k.Year)
	switch {
	case k.Reported && announced:
		return nil, refuseAt(CalendarInvalid, "year", was.ID().String()+" is published: what was reported before a notice changes nothing after it")
	case announced && k.announced() && k.Issued != 0 && k.Issued < was.Issued:
		return nil, refuseAt(CalendarInvalid, "issued", was.ID().String()+" was issued on "+was.Issued.String()+", after this one: what an older notice says does not hold any more")
	case k.Projected:
		k.Version = 1
	case k.Version == 0 && !k.Reported:
		k.Version = was.Version + 1
	}
	published, wrong := c.Publish(k)
	if len(wrong) > 0 {
		return nil, refuseAt(CalendarInvalid, wrong[0].Path, wrong[0].Message)
	}
	return []Event{published}, nil
}

// noticed refuses to publish the days of a year on nobody's word: due dates turn
// firm by them. A projection makes no year known, and what adds to another
// calendar rests on that one's notice. What is reported is on somebody's word.
func (k Calendar) noticed() error {
	switch {
	case k.Reported && k.Source == "":
		return refuseAt(CalendarInvalid, "source", "say who reports it, and where: it is no notice")
	case HoldsPersonal(k.Source) || len(k.Source) > 500:
		return refuseAt(CalendarInvalid, "source", "is kept in the clear: at most 500 bytes, without what looks like a phone number, an e-mail address or an identity-card number")
	case k.Reported || k.Projected || k.AddsTo != "":
	case k.Notice == "":
		return refuseAt(CalendarInvalid, "notice", "name the notice that says so, by its number: due dates turn firm by it")
	case k.Issued == 0:
		return refuseAt(CalendarInvalid, "issued", "say when the notice was issued, as in 2026-11-04")
	}
	return nil
}

// has reports whether the newest calendar of a year says the same as k.
func (c Calendars) has(k Calendar) bool {
	for _, p := range slices.Backward(c.published) {
		was := p.calendar
		if was.Jurisdiction != k.Jurisdiction || was.Year != k.Year || was.Projected != k.Projected || was.Reported != k.Reported {
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

// had reports whether a notice was published before, in whatever version: who
// publishes it again does not take back what amended it since.
func (c Calendars) had(k Calendar) bool {
	return k.announced() && k.Notice != "" && slices.ContainsFunc(c.published, func(p publication) bool {
		same := k
		if same.Version == 0 {
			same.Version = p.calendar.Version
		}
		return reflect.DeepEqual(p.calendar, same)
	})
}

func (c Calendars) with(p publication) Calendars {
	c.published = append(c.published[:len(c.published):len(c.published)], p)
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
		if p.calendar.ID() == v && p.calendar.announced() {
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
		if k.Jurisdiction == jurisdiction && k.Year == year && k.announced() && k.Version >= found.Version {
			found, ok = k, true
		}
	}
	return found, ok
}

// announced reports whether a notice says so.
func (k Calendar) announced() bool { return !k.Projected && !k.Reported }

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
		if k := p.calendar; k.AddsTo != "" && k.Jurisdiction == chain[len(chain)-1] && !slices.Contains(chain, k.AddsTo) {
			return append(chain, c.without(k.Jurisdiction).chain(k.AddsTo)...)
		}
	}
	return chain
}

// without returns the publications of the other jurisdictions.
func (c Calendars) without(jurisdiction string) Calendars {
	return Calendars{published: slices.DeleteFunc(slices.Clone(c.published), func(p publication) bool { return p.calendar.Jurisdiction == jurisdiction })}
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

// Publish returns the fact that k was published, or what keeps it from being
// so. A version follows the one before it.
func (c Calendars) Publish(k Calendar) (CalendarPublished, []Problem) {
	p := problems(k.Check())
	if was, ok := c.Latest(k.Jurisdiction, k.Year); k.announced() && k.Version != was.Version+1 {
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
		return CalendarPublished{}, p
	}
	before, after := c.Workdays(k.Jurisdiction), c.with(publication{calendar: k}).Workdays(k.Jurisdiction)
	e := CalendarPublished{Calendar: k}
	for d := NewDate(k.Year-1, time.December, 1); d <= NewDate(k.Year+1, time.January, 31); d++ {
		was, _ := before.IsWorkingDay(d)
		if is, _ := after.IsWorkingDay(d); is != was {
			e.Affects = append(e.Affects, d)
		}
	}
	return e, nil
}

// Touches reports whether a published calendar may change a due date that was
// computed before it: whether it says something new of a day that was counted,
// or knows a year that was assumed. It may say yes of one that stays.
func (c Calendars) Touches(e CalendarPublished, d Due) bool {
	k := e.Calendar
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
	return slices.ContainsFunc(e.Affects, func(a Date) bool { return first <= a && a <= last })
}
