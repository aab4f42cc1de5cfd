package law

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
)

// Calendars returns the PRC's working days of 2022 to 2026 as announced, and
// the projection of 2027, which makes no year known.
func Calendars() (deadline.Calendars, error) {
	return Publish(deadline.Calendars{}, workdaysFile, "CN")
}

// Known returns all that the program comes with: [Calendars], and what is
// reported of years of which no notice was seen.
func Known() (deadline.Calendars, error) {
	c, err := Calendars()
	if err != nil {
		return c, err
	}
	return Publish(c, reportedFile, "CN")
}

// A reportedShape is the shape of cn-2027-reported.json: days of a year that
// somebody reports, and no notice has announced.
type reportedShape struct {
	Jurisdiction, Status, Source string
	Year                         int
	Off, Makeup                  []string
}

// A workdaysShape is the shape of cn-workdays.json. Beside "years" a member
// named by a year may hold a projection.
type workdaysShape struct {
	Jurisdiction string
	Years        map[string]struct {
		NoticeNo    string   `json:"notice_no"`
		IssuedOn    string   `json:"issued_on"`
		WorkingDays int      `json:"working_days_in_year"`
		OffDays     []string `json:"off_days"`
		Makeup      []string `json:"makeup_workdays"`
	}
}

type projectionShape struct {
	Blocks [][2]string `json:"projection_blocks_only_for_the_fewest_working_days_bound"`
}

// A daysShape is a list of days alone, of whatever years.
type daysShape struct {
	Off, Makeup  []string
	AddsTo       string `json:"adds_to"`
	Jurisdiction string
}

// Publish returns the calendars with those of a file. A file of the shape of
// cn-workdays.json adds years, or new versions of years. A file of days alone
// that adds to a jurisdiction is a further notice for it; one that does not
// takes the place of all calendars of its jurisdiction, or else of otherwise.
func Publish(c deadline.Calendars, file []byte, otherwise string) (deadline.Calendars, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(file, &members); err != nil {
		return c, fmt.Errorf(`is not a JSON object: want {"off": ["2027-01-01"], "makeup": [], "adds_to": "CN"}, or "years" as in cn-workdays.json: %w`, err)
	}
	if members["status"] != nil {
		return publishReported(c, file, otherwise)
	}
	if members["years"] == nil {
		return publishDays(c, file, otherwise)
	}

	var f workdaysShape
	if err := json.Unmarshal(file, &f); err != nil {
		return c, fmt.Errorf("is not of the shape of cn-workdays.json: %w", err)
	}

	for _, key := range slices.Sorted(maps.Keys(f.Years)) {
		y := f.Years[key]
		k := deadline.Calendar{Jurisdiction: f.Jurisdiction, Notice: y.NoticeNo, WorkingDays: y.WorkingDays}
		err := first(year(&k, key), read(&k.Issued, y.IssuedOn, deadline.ParseDate),
			dates(&k.Off, "off_days", y.OffDays), dates(&k.MakeUp, "makeup_workdays", y.Makeup))
		if err == nil {
			c, err = publish(c, k)
		}
		if err != nil {
			return c, fmt.Errorf("years.%s: %w", key, err)
		}
	}
	return projections(c, f.Jurisdiction, members)
}

// projections publishes what is projected for years that have no notice.
func projections(
	c deadline.Calendars, jurisdiction string, members map[string]json.RawMessage,
) (deadline.Calendars, error) {
	for _, key := range slices.Sorted(maps.Keys(members)) {
		k := deadline.Calendar{Jurisdiction: jurisdiction, Projected: true}
		var p projectionShape
		if year(&k, key) != nil || json.Unmarshal(members[key], &p) != nil || len(p.Blocks) == 0 {
			continue
		}
		for _, block := range p.Blocks {
			var ends []deadline.Date
			if err := dates(&ends, "projection", block[:]); err != nil {
				return c, fmt.Errorf("%s: %w", key, err)
			}
			if ends[1]-ends[0] > 366 {
				return c, fmt.Errorf("%s: projection: %s to %s is more than a year", key, block[0], block[1])
			}
			for d := ends[0]; d <= ends[1]; d++ {
				k.Off = append(k.Off, d)
			}
		}
		var err error
		if c, err = publish(c, k); err != nil {
			return c, fmt.Errorf("%s: %w", key, err)
		}
	}
	return c, nil
}

func year(k *deadline.Calendar, text string) error {
	n, ok := parse.Count(text)
	if !ok || n > 9999 {
		return fmt.Errorf("%q is no year", text)
	}
	k.Year = int(n)
	return nil
}

func dates(to *[]deadline.Date, member string, texts []string) error {
	for i, text := range texts {
		d, err := deadline.ParseDate(text)
		if err != nil {
			return fmt.Errorf("%s[%d]: %q: %w", member, i, text, err)
		}
		*to = append(*to, d)
	}
	return nil
}

// publishReported publishes what is reported of a year.
func publishReported(c deadline.Calendars, file []byte, otherwise string) (deadline.Calendars, error) {
	var f reportedShape
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return c, fmt.Errorf("is not of the shape of cn-2027-reported.json: %w", err)
	}

	if f.Status != "reported" && !strings.HasPrefix(f.Status, "reported,") {
		return c, fmt.Errorf(`status: %q: a year's days are "reported", or else leave status out and name the notice`,
			f.Status)
	}

	k := deadline.Calendar{Jurisdiction: f.Jurisdiction, Year: f.Year, Reported: true, Source: f.Source}
	if k.Jurisdiction == "" {
		k.Jurisdiction = otherwise
	}
	if err := first(dates(&k.Off, "off", f.Off), dates(&k.MakeUp, "makeup", f.Makeup)); err != nil {
		return c, err
	}
	return publish(c, k)
}

// publish adds a calendar as the version that is next.
func publish(c deadline.Calendars, k deadline.Calendar) (deadline.Calendars, error) {
	switch {
	case k.Reported:
		k.Version = 0
	case k.Projected:
		k.Version = 1
	default:
		was, _ := c.Latest(k.Jurisdiction, k.Year)
		k.Version = was.Version + 1
	}

	published, wrong := c.Publish(k)
	if len(wrong) > 0 {
		var lines []string
		for _, p := range wrong {
			member, _, _ := strings.Cut(p.Path, "[") // a place in the year's list is not one in the file
			lines = append(lines, member+": "+p.Message)
		}
		return c, errors.New(strings.Join(lines, "\n"))
	}
	return c.Add(published.Calendar, 0), nil
}

// publishDays publishes a file of days alone.
func publishDays(c deadline.Calendars, file []byte, otherwise string) (deadline.Calendars, error) {
	var f daysShape
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return c, fmt.Errorf(`wants off, makeup, adds_to and jurisdiction, or "years" as in cn-workdays.json: %w`, err)
	}

	var off, makeup []deadline.Date
	if err := first(dates(&off, "off", f.Off), dates(&makeup, "makeup", f.Makeup)); err != nil {
		return c, err
	}
	if len(off)+len(makeup) == 0 {
		return c, errors.New("names no day: want off or makeup with dates, as in 2027-01-01")
	}

	if f.AddsTo == "" {
		if f.Jurisdiction != "" {
			otherwise = f.Jurisdiction
		}
		return publishYears(without(c, otherwise), otherwise, off, makeup)
	}

	if len(knownYears(c, f.AddsTo)) == 0 {
		return c, fmt.Errorf("adds_to: there is no calendar of %q to add to", f.AddsTo)
	}
	if f.Jurisdiction != "" && f.Jurisdiction != f.AddsTo {
		return overlay(c, f, off, makeup)
	}
	return publishYears(c, f.AddsTo, off, makeup)
}

// overlay publishes a region's own days over those of its country, for every
// year that the country has: a region adds none in the years that it leaves out.
func overlay(c deadline.Calendars, f daysShape, off, makeup []deadline.Date) (deadline.Calendars, error) {
	var err error
	for _, y := range knownYears(c, f.AddsTo) {
		k := deadline.Calendar{Jurisdiction: f.Jurisdiction, AddsTo: f.AddsTo, Year: y, Partial: true}
		k.Off, k.MakeUp = ofYear(off, y), ofYear(makeup, y)
		if c, err = publish(c, k); err != nil {
			return c, err
		}
	}
	return c, nil
}

// publishYears publishes days by their years: as the calendar of a year that
// was not known, with what it says of the months beside it; else as a version
// that adds to what the year had.
func publishYears(c deadline.Calendars, jurisdiction string, off, makeup []deadline.Date) (deadline.Calendars, error) {
	known := knownYears(c, jurisdiction)
	years := map[int]*deadline.Calendar{}
	place := func(list []deadline.Date, to func(*deadline.Calendar) *[]deadline.Date) {
		for _, d := range list {
			y := noticeOf(d, append(slices.Clone(off), makeup...), known)
			if years[y] == nil {
				years[y] = &deadline.Calendar{Jurisdiction: jurisdiction, Year: y, Partial: true}
			}
			days := to(years[y])
			*days = append(*days, d)
		}
	}

	place(off, func(k *deadline.Calendar) *[]deadline.Date { return &k.Off })
	place(makeup, func(k *deadline.Calendar) *[]deadline.Date { return &k.MakeUp })
	var err error
	for _, y := range slices.Sorted(maps.Keys(years)) {
		k := *years[y]
		if was, ok := c.Latest(jurisdiction, y); ok {
			k.Off, k.MakeUp = added(k.Off, was.Off, k.MakeUp), added(k.MakeUp, was.MakeUp, k.Off)
			k.AddsTo = was.AddsTo
		}
		if c, err = publish(c, k); err != nil {
			return c, err
		}
	}
	return c, nil
}

// noticeOf returns the year whose notice says something of d: its own, unless
// that is known already and the file has the year beside it, which is not.
func noticeOf(d deadline.Date, file []deadline.Date, known []int) int {
	year, month, _ := d.Split()
	if !slices.Contains(known, year) {
		return year
	}
	beside := map[int]int{12: year + 1, 1: year - 1}[int(month)]
	for _, other := range file {
		if beside != 0 && other.Year() == beside && !slices.Contains(known, beside) {
			return beside
		}
	}
	return year
}

// added returns days with those of before that neither they nor others name.
func added(days, before, others []deadline.Date) []deadline.Date {
	days = slices.Clone(days)
	for _, d := range before {
		if !slices.Contains(days, d) && !slices.Contains(others, d) {
			days = append(days, d)
		}
	}
	return days
}

func ofYear(list []deadline.Date, year int) []deadline.Date {
	return slices.DeleteFunc(slices.Clone(list), func(d deadline.Date) bool { return d.Year() != year })
}

func knownYears(c deadline.Calendars, jurisdiction string) []int {
	var years []int
	for _, k := range c.Published() {
		if k.Jurisdiction == jurisdiction && !k.Projected && !k.Reported && !slices.Contains(years, k.Year) {
			years = append(years, k.Year)
		}
	}
	slices.Sort(years)
	return years
}

// without returns the calendars of the other jurisdictions.
func without(c deadline.Calendars, jurisdiction string) deadline.Calendars {
	var others deadline.Calendars
	for _, k := range c.Published() {
		if k.Jurisdiction != jurisdiction {
			others = others.Add(k, 0)
		}
	}
	return others
}
