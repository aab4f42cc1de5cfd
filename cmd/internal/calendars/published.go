package calendars

import (
	"errors"

	"consentledger/domain/deadline"
)

// A Published calendar is a calendar as HTTP has it.
type Published struct {
	Jurisdiction string   `json:"jurisdiction"`
	Year         int      `json:"year"`
	Version      int      `json:"version,omitempty"`
	AddsTo       string   `json:"adds_to,omitempty"`
	Notice       string   `json:"notice,omitempty"`
	Issued       string   `json:"issued,omitempty"`
	Off          []string `json:"off"`
	MakeUp       []string `json:"makeup"`
	WorkingDays  int      `json:"working_days,omitempty"`
	Partial      bool     `json:"partial,omitempty"`
	Projected    bool     `json:"projected,omitempty"`
	Reported     bool     `json:"reported,omitempty"`
	Source       string   `json:"source,omitempty"`
}

// Of returns a calendar as HTTP has it.
func Of(k deadline.Calendar) Published {
	p := Published{
		Jurisdiction: k.Jurisdiction, Year: k.Year, Version: k.Version, AddsTo: k.AddsTo, Notice: k.Notice,
		Off: []string{}, MakeUp: []string{},
		WorkingDays: k.WorkingDays, Partial: k.Partial, Projected: k.Projected, Reported: k.Reported, Source: k.Source,
	}
	if k.Issued != 0 {
		p.Issued = k.Issued.String()
	}

	for _, d := range k.Off {
		p.Off = append(p.Off, d.String())
	}

	for _, d := range k.MakeUp {
		p.MakeUp = append(p.MakeUp, d.String())
	}
	return p
}

func (p Published) calendar() (deadline.Calendar, error) {
	k := deadline.Calendar{
		Jurisdiction: p.Jurisdiction, Year: p.Year, Version: p.Version, AddsTo: p.AddsTo, Notice: p.Notice,
		WorkingDays: p.WorkingDays, Partial: p.Partial, Projected: p.Projected, Reported: p.Reported, Source: p.Source,
	}
	var errs []error
	read := func(text string) deadline.Date {
		d, err := deadline.ParseDate(text)
		errs = append(errs, err)
		return d
	}

	if p.Issued != "" {
		k.Issued = read(p.Issued)
	}

	for _, d := range p.Off {
		k.Off = append(k.Off, read(d))
	}

	for _, d := range p.MakeUp {
		k.MakeUp = append(k.MakeUp, read(d))
	}
	return k, errors.Join(errs...)
}
