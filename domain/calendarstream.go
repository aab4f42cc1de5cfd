package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

// CalendarPublished records a notice, whole. Affects are the dates that it
// changed, see [deadline.Publication].
type CalendarPublished struct {
	Calendar deadline.Calendar
	Affects  []deadline.Date
}

func (CalendarPublished) isEvent() {}

// PublishCalendar asks to publish a year's working days. A calendar without a
// version is the next one of its year; what is published already is no news.
type PublishCalendar struct{ Calendar deadline.Calendar }

func (PublishCalendar) isCommand() {}

// EvolveCalendars returns c as it is after f.
func EvolveCalendars(c deadline.Calendars, f Fact) deadline.Calendars {
	e, ok := f.Event.(CalendarPublished)
	if !ok {
		MustBeIdle(f.Event, ident.CalendarNoun)
	}
	return c.Add(e.Calendar, f.Recorded)
}

// DecideCalendars answers cmd with the facts it makes true, where c is what was
// published before.
func DecideCalendars(c deadline.Calendars, cmd Command, by ident.By) ([]Event, error) {
	if err := CheckSender(by, cmd); err != nil {
		return nil, err
	}
	p, ok := cmd.(PublishCalendar)
	if !ok {
		return nil, NotTaken(cmd, ident.CalendarNoun, "this is not about a calendar")
	}
	k := p.Calendar
	if c.Knows(k) {
		return nil, nil
	}
	if err := checkNotice(k); err != nil {
		return nil, err
	}

	was, announced := c.Latest(k.Jurisdiction, k.Year)
	if announced {
		if err := checkAfter(k, was); err != nil {
			return nil, err
		}
	}
	switch {
	case k.Projected:
		k.Version = 1
	case k.Version == 0 && !k.Reported:
		k.Version = was.Version + 1
	}

	published, wrong := c.Publish(k)
	if len(wrong) > 0 {
		return nil, refusal.At(refusal.CalendarInvalid, wrong[0].Path, wrong[0].Message)
	}
	return []Event{CalendarPublished(published)}, nil
}

// checkNotice refuses to publish the days of a year on nobody's word: due dates turn
// firm by them. A projection makes no year known, and what adds to another
// calendar rests on that one's notice. What is reported is on somebody's word.
func checkNotice(k deadline.Calendar) error {
	switch {
	case k.Reported && k.Source == "":
		return refusal.At(refusal.CalendarInvalid, "source", "say who reports it, and where: it is no notice")
	case ident.HoldsPersonal(k.Source) || len(k.Source) > 500:
		return refusal.At(refusal.CalendarInvalid, "source",
			"is kept in the clear: at most 500 bytes, without what looks like a phone number, an e-mail address or "+
				"an identity-card number")
	case k.Reported || k.Projected || k.AddsTo != "":
	case k.Notice == "":
		return refusal.At(refusal.CalendarInvalid, "notice",
			"name the notice that says so, by its number: due dates turn firm by it")
	case k.Issued == 0:
		return refusal.At(refusal.CalendarInvalid, "issued", "say when the notice was issued, as in 2026-11-04")
	}
	return nil
}

// checkAfter refuses a calendar that says nothing any more beside the one that its
// year has.
func checkAfter(k, was deadline.Calendar) error {
	switch {
	case k.Reported:
		return refusal.At(refusal.CalendarInvalid, "year",
			was.ID().String()+" is published: what was reported before a notice changes nothing after it")
	case k.Announced() && k.Issued != 0 && k.Issued < was.Issued:
		return refusal.At(refusal.CalendarInvalid, "issued",
			was.ID().String()+" was issued on "+was.Issued.String()+", after this one: what an older notice says "+
				"does not hold any more")
	}
	return nil
}
