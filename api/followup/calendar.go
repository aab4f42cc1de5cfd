package followup

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/eventstore/codec"
)

// learnCalendar takes note of a calendar.
func (a *app) learnCalendar(e codec.Entry) {
	a.calendars, a.newest = domain.EvolveCalendars(a.calendars, e.Fact()), ident.EventID(e.ID)
}

// moveTouched lets the due dates be computed again that a calendar may change, once for
// every stream.
func (r *Process) moveTouched(
	ctx context.Context, name ident.AppName, x domain.CalendarPublished,
) error {
	a := r.app(name)
	if err := r.shelve(ctx); err != nil {
		return err
	}

	for row, err := range r.shelf.open(ctx, name) {
		if err != nil {
			return err
		}
		b, err := readBundle(row)
		if err != nil {
			return fmt.Errorf("%w: what is owed in app %s: %w", errRow, name, err)
		}
		if slices.ContainsFunc(b.open,
			func(o *openDuty) bool { return a.calendars.Touches(deadline.Publication(x), o.due) }) {
			stream := b.open[0].stream
			r.move(a, stream, calendarKey(stream, a.newest), "")
		}
	}
	return nil
}

// move computes the due dates of a stream again, by the calendar that was
// published last.
func (r *Process) move(a *app, stream ident.StreamID, key, why string) {
	r.follow(key, 0, stream, "calendar "+hex.EncodeToString(a.newest[:])+why, 0,
		domain.MoveObligations{Calendar: a.newest})
}

func calendarKey(stream ident.StreamID, calendar ident.EventID) string {
	return "calendar " + stream.String() + " " + hex.EncodeToString(calendar[:])
}

func outdatedKey(stream ident.StreamID) string { return "outdated " + stream.String() }

// checkCalendar finds a due date that was computed on older calendars than the
// log has before it, as by a process that had not heard of them.
func (r *Process) checkCalendar(a *app, o *openDuty, e codec.Entry) {
	if a.newest != (ident.EventID{}) && outdated(o.due, a.calendars) {
		r.move(a, o.stream, outdatedKey(o.stream), " after "+e.ID.String())
	}
}

// forgetCalendar forgets what was to be moved and is.
func (r *Process) forgetCalendar(stream ident.StreamID, x domain.ObligationMoved) {
	if x.Why == obligation.MovedCalendar {
		r.waiting.remove(calendarKey(stream, x.By))
		r.waiting.remove(outdatedKey(stream))
	}
}

// outdated reports whether a due date rests on a calendar that was amended, or
// on the lack of one, or of a report, that there is.
func outdated(d deadline.Due, k deadline.Calendars) bool {
	amended := func(v deadline.CalendarVersion) bool {
		now, ok := k.Latest(v.Jurisdiction, v.Year)
		return ok && now.Version > v.Version
	}
	known := func(day deadline.Date) bool {
		_, known := k.Workdays(d.Calendar).IsWorkingDay(day)
		return known
	}
	reported := d.Provisional && !d.Reported && k.Workdays(d.Calendar).State(d.Gap.Year()) == deadline.YearReported
	return d.Calendar != "" && (slices.ContainsFunc(d.Versions, amended) || reported ||
		d.Gap != 0 && known(d.Gap) || d.TailExposed && known(deadline.NewDate(d.Date.Year()+1, time.January, 1)))
}

// ship publishes the calendars that the program comes with for an app.
func (r *Process) ship(stream ident.StreamID, app domain.App) {
	for _, k := range r.Shipped {
		if k.Jurisdiction != app.Jurisdiction {
			continue
		}
		stream.Noun = ident.CalendarNoun
		id := "shipped " + k.ID().String()
		if k.Projected {
			id += " projected"
		}
		r.waiting.add(shippedKey(app.Name, k), 0, stream, func(ctx context.Context) error {
			_, err := r.Ledger.Execute(ctx, requestFor(app.Name, id, 0, domain.PublishCalendar{Calendar: k}))
			return err
		})
	}
}

// learnShipped forgets what was to be shipped and is published: once there is a
// notice, what is reported of its year is no news.
func (r *Process) learnShipped(app ident.AppName, k deadline.Calendar) {
	r.waiting.remove(shippedKey(app, k))
	if !k.Projected {
		k.Reported = true
		r.waiting.remove(shippedKey(app, k))
	}
}

// shippedKey is the same for all calendars of a year: one that was published
// takes the place of the one that was shipped.
func shippedKey(app ident.AppName, k deadline.Calendar) string {
	key := fmt.Sprintf("shipped %s %s %d %t", app, k.Jurisdiction, k.Year, k.Projected)
	if k.Reported {
		key += " reported"
	}
	return key
}
