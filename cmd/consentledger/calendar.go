package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/deadline"

	"github.com/spf13/cobra"
)

// A publishedCalendar is a calendar as HTTP has it.
type publishedCalendar struct {
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

func publishedCalendarOf(k deadline.Calendar) publishedCalendar {
	p := publishedCalendar{
		Jurisdiction: k.Jurisdiction, Year: k.Year, Version: k.Version, AddsTo: k.AddsTo, Notice: k.Notice, Off: []string{}, MakeUp: []string{},
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

func (p publishedCalendar) calendar() (deadline.Calendar, error) {
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

func newCalendar() *cobra.Command {
	c := &cobra.Command{Use: "calendar", Short: "The working days that an app's due dates are counted by"}
	c.AddCommand(newCalendarPublish(), newCalendarList(), newCalendarShow())
	return c
}

var calendarColumns = []string{"jurisdiction", "year", "version", "notice", "issued", "working_days", "projected", "reported", "partial"}

func newCalendarPublish() *cobra.Command {
	var app, jurisdiction, notice, issued string
	c := &cobra.Command{
		Use:   "publish FILE|cn-2026",
		Short: "Publish a year's holiday notice, or an amendment of it",
		Long: `Publish what a notice says about the working days of a year. FILE has the shape of
cn-workdays.json, or is a list of days: {"off": [...], "makeup": [...], "adds_to":
"CN"}. cn-2022 to cn-2026 are shipped, and every app of the jurisdiction CN has
them already. A list of days says neither the notice's number nor when it was
issued: give --notice and --issued.

A year that somebody reports and no notice has announced is a state of its own:
give it as {"jurisdiction": "CN", "year": 2027, "status": "reported", "source":
"who says so, and where", "off": [...], "makeup": [...]}. Dates that rest on it
are counted by it and stay provisional, and are safe by the earlier of that and
what holds without it; the notice makes them firm. What is reported of 2027 for
CN is built in.

What is published again changes nothing; another notice for the same year is its
next version. Open due dates that it may change are computed again and recorded
with what they were. A file that cannot be right is refused: a make-up day that is
no weekend, a day both off and worked, a sum that is not the notice's own.`,
		Example: "  consentledger calendar publish --app smartkey cn-2027.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			known, err := calendarsOf(c, app)
			if err != nil {
				return err
			}
			if jurisdiction, err = whoseDays(c, app, jurisdiction); err != nil {
				return err
			}

			add, err := calendarsToPublish(c, known, args[0], jurisdiction)
			if err != nil {
				return err
			}
			var answers []json.RawMessage
			for _, k := range add {
				if err := fromFlags(&k, notice, issued); err != nil {
					return err
				}
				answer, err := remote.Post(c, remote.App(app)+"/calendars", publishedCalendarOf(k))
				if err != nil {
					return err
				}
				if err := output.Notes(c, answer); err != nil {
					return err
				}
				answers = append(answers, answer)
			}
			return output.Rows(c, answers, calendarColumns...)
		},
	}
	appFlag(c, &app)
	c.Flags().StringVar(&jurisdiction, "jurisdiction", "", "whose days they are, if the file does not say (default: the app's)")
	c.Flags().StringVar(&notice, "notice", "", "the number of the notice, if the file does not say")
	c.Flags().StringVar(&issued, "issued", "", "the day on which it was issued, as in 2026-11-04, if the file does not say")
	output.Flag(c)
	return c
}

// whoseDays returns the jurisdiction that a flag names, or else the app's.
func whoseDays(c *cobra.Command, app, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	answer, err := remote.Get(c, remote.App(app))
	if err != nil {
		return "", err
	}
	var known struct{ Jurisdiction string }
	err = json.Unmarshal(answer, &known)
	return known.Jurisdiction, err
}

// fromFlags adds what a file does not say of a notice.
func fromFlags(k *deadline.Calendar, notice, issued string) error {
	if k.Notice == "" {
		k.Notice = notice
	}
	if k.Issued != 0 || issued == "" {
		return nil
	}
	var err error
	if k.Issued, err = deadline.ParseDate(issued); err != nil {
		return exit.Usage(fmt.Errorf("--issued: %w", err))
	}
	return nil
}

// calendarsToPublish returns what a file, or a shipped notice, adds to the
// calendars that are known.
func calendarsToPublish(c *cobra.Command, known deadline.Calendars, name, jurisdiction string) ([]deadline.Calendar, error) {
	if text, ok := strings.CutPrefix(name, "cn-"); ok {
		if year, ok := wire.ParseCount(text); ok && year <= 9999 {
			return shippedCalendar(int(year))
		}
	}
	file, err := files.ReadInput(c, "FILE", name, files.MaxPolicyFile)
	if err != nil {
		return nil, err
	}
	after, err := law.Publish(known, file, jurisdiction)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("%s: %w", name, err))
	}
	before := known.Published()
	all := after.Published()
	if place, replaced := replacedBy(before, all); replaced && saysTheSame(known, after, place) {
		fmt.Fprintf(c.ErrOrStderr(), "note: these days of %s were published before: nothing was recorded\n", place)
		return nil, nil
	} else if replaced {
		return nil, exit.Usage(fmt.Errorf(`%s: without "adds_to" it would take the place of every calendar of %s; say "adds_to": %q`, name, place, place))
	}

	added := all[len(before):]
	for i := range added {
		if !added[i].Projected && !added[i].Reported {
			added[i].Version = 0 // the next, or none if it says the same
		}
	}
	return added, nil
}

// saysTheSame reports whether what a file says of a jurisdiction's days is what its
// newest calendars of these years say.
func saysTheSame(known, file deadline.Calendars, jurisdiction string) bool {
	for _, k := range file.Published() {
		if k.Jurisdiction != jurisdiction {
			continue
		}
		was, ok := known.Latest(jurisdiction, k.Year)
		if !ok || !sameDays(k.Off, was.Off) || !sameDays(k.MakeUp, was.MakeUp) {
			return false
		}
	}
	return true
}

func sameDays(a, b []deadline.Date) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// replacedBy returns the jurisdiction whose calendars a file took the place of,
// however many it has of its own: what is published only gains calendars.
func replacedBy(before, after []deadline.Calendar) (jurisdiction string, replaced bool) {
	for i, k := range before {
		if i >= len(after) || !reflect.DeepEqual(after[i], k) {
			return k.Jurisdiction, true
		}
	}
	return "", false
}

func shippedCalendar(year int) ([]deadline.Calendar, error) {
	shipped, err := law.Calendars()
	if err != nil {
		return nil, err
	}
	k, ok := shipped.Latest("CN", year)
	if !ok {
		return nil, exit.NotFound(fmt.Errorf("the notice of %d is not shipped: publish it from a file", year))
	}
	k.Version = 0
	return []deadline.Calendar{k}, nil
}

func newCalendarList() *cobra.Command {
	var app string
	c := &cobra.Command{Use: "list", Short: "List the calendars that were published for an app", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		answer, err := remote.Get(c, remote.App(app)+"/calendars")
		if err != nil {
			return err
		}
		return output.List(c, answer, "calendars", calendarColumns...)
	}}
	appFlag(c, &app)
	output.Flag(c)
	return c
}

func newCalendarShow() *cobra.Command {
	var app, jurisdiction string
	var version int
	c := &cobra.Command{Use: "show YEAR", Short: "Show a year's days off and make-up days", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		said, ok := wire.ParseCount(args[0])
		if !ok || said > 9999 {
			return exit.Usage(errors.New("want a year, as in 2026"))
		}
		year := int(said)
		known, err := calendarsOf(c, app)
		if err != nil {
			return err
		}
		if jurisdiction, err = whoseDays(c, app, jurisdiction); err != nil {
			return err
		}

		k, ok := known.Latest(jurisdiction, year)
		if !ok {
			k, ok = known.Reported(jurisdiction, year)
		}
		if version != 0 {
			k, ok = known.Find(deadline.CalendarVersion{Jurisdiction: jurisdiction, Year: year, Version: version})
		}
		if !ok {
			return exit.NotFound(fmt.Errorf("the app %s has no calendar of %s for %d, or not in that version", app, jurisdiction, year))
		}
		text, err := json.Marshal(publishedCalendarOf(k))
		if err != nil {
			return err
		}
		return output.One(c, text, calendarColumns...)
	}}
	appFlag(c, &app)
	c.Flags().StringVar(&jurisdiction, "jurisdiction", "", "whose days they are (default: the app's)")
	c.Flags().IntVar(&version, "version", 0, "an older version (default: the newest)")
	output.FlagOr(c, "json")
	return c
}
