package rest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

// CalendarDays is what one notice says about the working days of one year.
type CalendarDays struct {
	Jurisdiction string   `json:"jurisdiction" doc:"as in CN, or CN-GX for a region"`
	Year         int      `json:"year"`
	Version      int      `json:"version" doc:"1 is the first; an amendment is one more; leave it out for the next"`
	AddsTo       string   `json:"adds_to,omitempty" doc:"the jurisdiction on whose calendars this one lies"`
	Notice       string   `json:"notice,omitempty" doc:"the notice's number"`
	Issued       string   `json:"issued,omitempty"`
	Off          []string `json:"off" doc:"days off, weekends in them included"`
	MakeUp       []string `json:"makeup" doc:"Saturdays and Sundays that are worked"`
	WorkingDays  int      `json:"working_days,omitempty" doc:"of the year, as the publisher counts them: checked"`
	Partial      bool     `json:"partial,omitempty" doc:"it has not every day of the year: nothing is counted"`
	Projected    bool     `json:"projected,omitempty" doc:"a guess at the most days off; never makes a year known"`
	Reported     bool     `json:"reported,omitempty" doc:"somebody says that it will be so, and no notice was seen; never makes a year known"`
	Source       string   `json:"source,omitempty" doc:"of what is reported: who says it, and where"`
}

// CalendarAnswer is a published calendar.
type CalendarAnswer struct {
	CalendarDays
	Receipt *wire.Receipt `json:"receipt,omitempty" doc:"absent: it was published before"`
	Notes   []string      `json:"notes,omitempty" doc:"what publishing it did not do"`
}

// Calendars is every calendar of an app, in order of publication.
type Calendars struct {
	App       string           `json:"app"`
	KnownAt   string           `json:"known_at,omitzero" format:"date-time" doc:"only what was known then is there"`
	Calendars []CalendarAnswer `json:"calendars"`
	AsOf      string           `json:"as_of"`
}

type calendarsIn struct {
	App     string `path:"app"`
	KnownAt string `query:"known_at" doc:"RFC 3339; only what was known then counts (default: now)"`
}

func (s *server) calendarRoutes(api huma.API) {
	const path = "/v1/apps/{app}/calendars"
	route(s, api, "list-calendars", http.MethodGet, path,
		"The working days that were published for an app, by year and version", s.listCalendars)
	bodied[CalendarDays](s, api, "publish-calendar", http.MethodPost, path,
		"Publish a year's working days, or an amendment of them", maxBody, s.publishCalendar)
}

func calendarOf(k deadline.Calendar) CalendarAnswer {
	a := CalendarDays{
		Jurisdiction: k.Jurisdiction,
		Year:         k.Year,
		Version:      k.Version,
		AddsTo:       k.AddsTo,
		Notice:       k.Notice,
		Off:          dates(k.Off),
		MakeUp:       dates(k.MakeUp),
		WorkingDays:  k.WorkingDays,
		Partial:      k.Partial,
		Projected:    k.Projected,
		Reported:     k.Reported,
		Source:       k.Source,
	}
	if k.Issued != 0 {
		a.Issued = k.Issued.String()
	}
	return CalendarAnswer{CalendarDays: a}
}

func dates(list []deadline.Date) []string {
	texts := make([]string, len(list))
	for i, d := range list {
		texts[i] = d.String()
	}
	return texts
}

func (s *server) listCalendars(ctx context.Context, in *calendarsIn) (*out[Calendars], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}

	calendars := ref.Calendars
	if in.KnownAt != "" {
		var at deadline.Instant
		if at, head, err = s.knownAt(ctx, in.KnownAt); err != nil {
			return nil, err
		}
		calendars = calendars.KnownAt(at)
	}

	a := Calendars{App: in.App, KnownAt: in.KnownAt, Calendars: []CalendarAnswer{}, AsOf: wire.FormatPosition(head)}
	for _, k := range calendars.Published() {
		a.Calendars = append(a.Calendars, calendarOf(k))
	}
	return ok(a)
}

func (s *server) publishCalendar(ctx context.Context, in *appBody) (*out[CalendarAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	body := bytes.Clone(in.RawBody)
	k, err := parseCalendar(body)
	if err != nil {
		return nil, err
	}

	r, err := s.executeKeyed(ctx, in.Key, ledger.Request{
		App: name, Body: body, Actor: string(ident.Operator), Command: domain.PublishCalendar{Calendar: k},
	})
	if err != nil {
		return nil, err
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}
	if now, found := ref.Calendars.Latest(k.Jurisdiction, k.Year); found && !k.Projected && !k.Reported {
		k = now
	}

	a := calendarOf(k)
	if r.Event == (eventstore.EventID{}) {
		a.Notes = []string{"this calendar was published before: " + nothingRecorded}
		return ok(a)
	}

	got := wire.ReceiptOf(r)
	a.Receipt = &got
	return ok(a)
}

// parseCalendar reads a calendar. Whether its days make a year is the domain's
// to say.
func parseCalendar(b []byte) (deadline.Calendar, error) {
	var a CalendarDays
	if err := json.Unmarshal(b, &a, json.RejectUnknownMembers(true)); err != nil {
		return deadline.Calendar{},
			bad(`want an object such as {"jurisdiction": "CN", "year": 2027, "off": ["2027-01-01"], "makeup": []}`)
	}

	k := deadline.Calendar{
		Jurisdiction: a.Jurisdiction,
		Year:         a.Year,
		Version:      a.Version,
		AddsTo:       a.AddsTo,
		Notice:       a.Notice,
		WorkingDays:  a.WorkingDays,
		Partial:      a.Partial,
		Projected:    a.Projected,
		Reported:     a.Reported,
		Source:       a.Source,
	}
	var err error
	if a.Issued != "" {
		if k.Issued, err = deadline.ParseDate(a.Issued); err != nil {
			return k, bad("issued: " + err.Error())
		}
	}

	if k.Off, err = parseDates("off", a.Off); err == nil {
		k.MakeUp, err = parseDates("makeup", a.MakeUp)
	}
	return k, err
}

func parseDates(member string, texts []string) ([]deadline.Date, error) {
	var list []deadline.Date
	for i, text := range texts {
		d, err := deadline.ParseDate(text)
		if err != nil {
			return nil, bad(fmt.Sprintf("%s[%d]: %s", member, i, err))
		}
		list = append(list, d)
	}
	return list, nil
}
