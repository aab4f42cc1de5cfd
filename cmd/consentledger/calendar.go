package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"consentledger/api/wire/parse"
	"consentledger/cmd/internal/calendars"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/deadline"

	"github.com/spf13/cobra"
)

func newCalendar() *cobra.Command {
	c := &cobra.Command{Use: "calendar", Short: "The working days that an app's due dates are counted by"}
	c.AddCommand(newCalendarPublish(), newCalendarList(), newCalendarShow())
	return c
}

var calendarColumns = []string{"jurisdiction", "year", "version", "notice", "issued", "working_days", "projected",
	"reported", "partial"}

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
			known, err := calendars.Known(c, app)
			if err != nil {
				return err
			}
			if jurisdiction, err = calendars.Jurisdiction(c, app, jurisdiction); err != nil {
				return err
			}

			add, err := calendars.Adding(c, known, args[0], jurisdiction)
			if err != nil {
				return err
			}
			var answers []json.RawMessage
			for _, k := range add {
				if err := calendars.Complete(&k, notice, issued); err != nil {
					return err
				}
				answer, err := remote.Post(c, remote.App(app)+"/calendars", calendars.Of(k))
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
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&jurisdiction, "jurisdiction", "",
		"whose days they are, if the file does not say (default: the app's)")
	c.Flags().StringVar(&notice, "notice", "", "the number of the notice, if the file does not say")
	c.Flags().StringVar(&issued, "issued", "",
		"the day on which it was issued, as in 2026-11-04, if the file does not say")
	output.Flag(c)
	return c
}

func newCalendarList() *cobra.Command {
	var app string
	var known string
	c := &cobra.Command{Use: "list", Short: "List the calendars that were published for an app", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			commandline.SetIf(query, "known_at", known)
			return remote.ShowList(c, remote.App(app)+"/calendars?"+query.Encode(), "calendars", calendarColumns...)
		}}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&known, "known-at", "", "only what was known at this moment (RFC 3339)")
	output.Flag(c)
	return c
}

func newCalendarShow() *cobra.Command {
	var app, jurisdiction string
	var version int
	c := &cobra.Command{Use: "show YEAR", Short: "Show a year's days off and make-up days", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			said, ok := parse.Count(args[0])
			if !ok || said > 9999 {
				return exit.Usage(errors.New("want a year, as in 2026"))
			}
			year := int(said)
			known, err := calendars.Known(c, app)
			if err != nil {
				return err
			}
			if jurisdiction, err = calendars.Jurisdiction(c, app, jurisdiction); err != nil {
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
				return exit.NotFound(fmt.Errorf("the app %s has no calendar of %s for %d, or not in that version", app,
					jurisdiction, year))
			}
			text, err := json.Marshal(calendars.Of(k))
			if err != nil {
				return err
			}
			return output.One(c, text, calendarColumns...)
		}}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&jurisdiction, "jurisdiction", "", "whose days they are (default: the app's)")
	c.Flags().IntVar(&version, "version", 0, "an older version (default: the newest)")
	output.FlagOr(c, "json")
	return c
}
