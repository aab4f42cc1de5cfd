package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"

	ics "github.com/arran4/golang-ical"
)

// A calendar is a report as iCalendar (RFC 5545): an event for every obligation
// that has a due date, under one UID for ever. It says what is owed and by which
// rule, and of nobody to whom; and nothing that time alone changes, so that what
// is new has a new SEQUENCE, and the same deadlines are the same bytes.
//
// Programs read calendars differently, so it has only what all of them read
// alike: whole days or moments in UTC, no time zone of its own, reminders in
// whole days or as moments. What is done or void is CANCELLED, has no reminder
// and says so in its title, since some list it as any other.
//
// Events go on as they come: the library, which writes a calendar as a whole, is given each alone.
type calendar struct {
	out   io.Writer
	cal   *ics.Calendar // with no event
	words words
	part  bytes.Buffer // what is written next
	begun bool         // what stands before the events was written
}

// NewCalendar returns a Writer of a calendar onto w, of an app's deadlines, in a
// language: zh, or else English.
func NewCalendar(w io.Writer, app ident.AppName, lang string) Writer {
	c := &calendar{out: w, cal: ics.NewCalendarFor("consentledger"), words: wordsOf(lang)}
	c.cal.SetMethod(ics.MethodPublish)
	c.cal.SetXWRCalName(strings.TrimSpace(c.words["deadlines"] + " " + string(app)))
	c.cal.SetRefreshInterval("PT1H") // the library says itself that this is a DURATION
	c.cal.SetXPublishedTTL("PT1H")
	return c
}

func (c *calendar) Write(o Obligation) error {
	e, err := c.event(o)
	if e == nil || err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}

	c.part.Reset()
	if err := e.SerializeTo(&c.part, lines); err != nil {
		return err
	}
	_, err = c.out.Write(c.part.Bytes())
	return err
}

// lines are those of RFC 5545.
var lines = &ics.SerializationConfiguration{MaxLength: 75, PropertyMaxLength: 75, NewLine: "\r\n"}

// endOfCalendar is the last line.
const endOfCalendar = "END:VCALENDAR\r\n"

// begin writes what stands before the events, once.
func (c *calendar) begin() error {
	if c.begun {
		return nil
	}
	c.begun = true

	c.part.Reset()
	if err := c.cal.SerializeTo(&c.part, lines); err != nil {
		return err
	}
	_, err := c.out.Write(bytes.TrimSuffix(c.part.Bytes(), []byte(endOfCalendar)))
	return err
}

// event returns the event of an obligation; nil: it has no date.
func (c *calendar) event(o Obligation) (*ics.VEvent, error) {
	end := o.Due
	if o.DueDate != "" {
		end = o.DueDate
	}
	if end == "" && len(o.Moves) > 0 { // a clock that stands still: the date that it had is none any more
		end = o.Moves[len(o.Moves)-1].Was
	}
	if end == "" {
		return nil, nil
	}
	changed, err := deadline.ParseInstant(o.Changed)
	if err != nil {
		return nil, err
	}

	e := ics.NewEvent(o.ID + "." + o.Stream + "@consentledger")
	e.SetSequence(o.Revision)
	e.SetDtStampTime(changed.Time())
	e.SetLastModifiedAt(changed.Time())
	e.SetSummary(c.words.title(o))
	e.SetDescription(c.words.description(o))
	e.SetStatus(statusOf(o))
	e.SetTimeTransparency(ics.TransparencyTransparent)
	if len(end) == len(time.DateOnly) {
		return e, c.day(e, o, end)
	}
	return e, c.hour(e, o, end)
}

// day lets an event be the whole of the last day: its end is the day after.
func (c *calendar) day(e *ics.VEvent, o Obligation, text string) error {
	last, err := deadline.ParseDate(text)
	if err != nil {
		return err
	}
	e.SetProperty(ics.ComponentPropertyDtStart, compact(last), ics.WithValue("DATE"))
	e.SetProperty(ics.ComponentPropertyDtEnd, compact(last+1), ics.WithValue("DATE"))

	before := deadline.Date(3)
	if safe, err := deadline.ParseDate(o.SafeTarget); err == nil && o.SafeTarget != "" {
		before = max(before, last-safe)
	}
	c.remind(e, o, fmt.Sprintf("-P%dD", before))
	return nil
}

// hour lets an event end at the limit, and begin an hour before it, or when the
// clock began if that was later: an event that ends where it begins is none, and
// one that begins at the limit shows the hour in which it is too late.
func (c *calendar) hour(e *ics.VEvent, o Obligation, text string) error {
	due, err := deadline.ParseInstant(text)
	if err != nil {
		return err
	}
	begins, reminded := due.Add(-deadline.Hour), due.Add(-deadline.Hour)
	if start, err := deadline.ParseInstant(o.Start); err == nil && start < due {
		begins, reminded = max(begins, start), start+(due-start)*3/4
	}
	e.SetStartAt(begins.Time())
	e.SetEndAt(due.Time())
	c.remind(e, o, reminded.Time().UTC().Format("20060102T150405Z"), ics.WithValue("DATE-TIME"))
	return nil
}

// remind adds a reminder to what is owed and binds.
func (c *calendar) remind(e *ics.VEvent, o Obligation, when string, params ...ics.PropertyParameter) {
	if statusOf(o) == ics.ObjectStatusCancelled || !o.Binding {
		return
	}
	a := e.AddAlarm()
	a.SetAction(ics.ActionDisplay)
	a.SetProperty(ics.ComponentPropertyDescription, c.words.title(o))
	a.SetTrigger(when, params...)
}

func compact(d deadline.Date) string { return strings.ReplaceAll(d.String(), "-", "") }

// ended reports how an obligation ended, as the words have it; empty: it has not.
func ended(o Obligation) string {
	switch o.State {
	case "met", "met-late":
		return "done"
	case "void":
		return "void"
	case "paused", "held":
		return "paused"
	}
	return ""
}

func statusOf(o Obligation) ics.ObjectStatus {
	switch {
	case ended(o) != "":
		return ics.ObjectStatusCancelled // nothing is owed any more, or by no date
	case o.Provisional:
		return ics.ObjectStatusTentative
	}
	return ics.ObjectStatusConfirmed
}

func (c *calendar) Close() error {
	if err := c.begin(); err != nil {
		return err
	}
	_, err := io.WriteString(c.out, endOfCalendar)
	return err
}
