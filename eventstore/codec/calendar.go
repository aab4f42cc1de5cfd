package codec

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
)

// The shape of a published calendar.
type calendarPublishedV1 struct {
	AddsTo       string   `json:"adds_to,omitzero"`
	Affects      []string `json:"affects,omitempty"`
	Issued       string   `json:"issued,omitzero"`
	Jurisdiction string   `json:"jurisdiction"`
	MakeUp       []string `json:"makeup,omitempty"`
	Notice       string   `json:"notice,omitzero"`
	Off          []string `json:"off,omitempty"`
	Partial      bool     `json:"partial,omitzero"`
	Projected    bool     `json:"projected,omitzero"`
	Reported     bool     `json:"reported,omitzero"`
	Source       string   `json:"source,omitzero"`
	Version      int      `json:"version"`
	WorkingDays  int      `json:"working_days,omitzero"`
	Year         int      `json:"year"`
}

func calendarShape(e domain.CalendarPublished) calendarPublishedV1 {
	k := e.Calendar
	return calendarPublishedV1{
		AddsTo:       k.AddsTo,
		Affects:      names(e.Affects),
		Issued:       date(k.Issued),
		Jurisdiction: k.Jurisdiction,
		MakeUp:       names(k.MakeUp),
		Notice:       k.Notice,
		Off:          names(k.Off),
		Partial:      k.Partial,
		Projected:    k.Projected,
		Reported:     k.Reported,
		Source:       k.Source,
		Version:      k.Version,
		WorkingDays:  k.WorkingDays,
		Year:         k.Year,
	}
}

func (s calendarPublishedV1) event() (domain.Event, error) {
	var r reader
	return domain.CalendarPublished{
		Calendar: deadline.Calendar{
			Jurisdiction: s.Jurisdiction, AddsTo: s.AddsTo, Year: s.Year, Version: s.Version, Notice: s.Notice,
			Issued: parse(&r, s.Issued, deadline.ParseDate),
			Off:    parseAll(&r, s.Off, deadline.ParseDate), MakeUp: parseAll(&r, s.MakeUp, deadline.ParseDate),
			WorkingDays: s.WorkingDays,
			Partial:     s.Partial, Projected: s.Projected, Reported: s.Reported, Source: s.Source,
		},
		Affects: parseAll(&r, s.Affects, deadline.ParseDate),
	}, r.err
}
