// Package reports fetches and prints reports of a running server, for verbs that have their flags.
package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"consentledger/api/report"
	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// DeadlineFlags gives a verb the flags that say which obligations it is about.
func DeadlineFlags(c *cobra.Command, app *string, q *rest.DeadlineQuery) {
	f := c.Flags()
	f.StringVar(app, "app", "", "the app")
	f.StringVar(&q.State, "state", "",
		"only these: overdue, at-risk, open, paused, held, not-started, met-late, met, void; several with commas")
	f.StringVar(&q.Group, "group", "",
		"only this group: requests, which persons made by their rights, or other, which is all else")
	f.StringVar(&q.Kind, "kind", "", "only of this kind: reply, stop, delete or what the policy says")
	f.StringVar(&q.Type, "type", "", "only what answers this type of request, as in access")
	f.StringVar(&q.Rule, "rule", "", "only of this rule")
	f.StringVar(&q.Subject, "subject", "", "only what is owed to this person, as in user-1")
	f.StringVar(&q.Person, "person", "", "only what is owed to this pseudonym, as the report has it")
	f.StringVar(&q.Provisional, "provisional", "", "true or false: only provisional due dates, or only firm ones")
	f.StringVar(&q.DueBefore, "due-before", "", "only due before that day, as in 2026-03-02")
	f.StringVar(&q.DueAfter, "due-after", "", "only due after that day")
	f.StringVar(&q.Binding, "binding", "", "true: only those that bind")
	f.StringVar(&q.Sort, "sort", "", "due (the default), opened or state")
	f.StringVar(&q.AsOf, "as-of", "", "how it stands at that moment, RFC 3339 (default: --known-at, or else now)")
	f.StringVar(&q.KnownAt, "known-at", "", "as far as was known then, RFC 3339 (default: now)")
	f.StringVar(&q.Min, "min-position", "", "wait until the answer holds at least this position")
	c.MarkFlagRequired("app")
}

// ObligationColumns are what a table shows of an obligation.
var ObligationColumns = []string{"group", "stream", "id", "person", "kind", "target", "state", "due_date", "due",
	"working_days_left", "provisional", "binding", "rule", "types", "no_date", "keeps", "paused_since"}

// DeadlinePath returns the path of an app's deadline report.
func DeadlinePath(app string) string { return remote.App(app) + "/reports/deadlines" }

// PrintDeadlines prints every page of the report. As JSON it is one object: the
// first page with the obligations of all.
func PrintDeadlines(c *cobra.Command, app string, q rest.DeadlineQuery) error {
	q.Format, q.Limit = "json", "1000"
	first, rows, err := remote.Pages(c, DeadlinePath(app), &q.Cursor, func() any { return q }, "obligations")
	if err != nil {
		return err
	}

	switch output.Form(c) {
	case "table":
		if err := output.Rows(c, rows, ObligationColumns...); err != nil {
			return err
		}
		if len(rows) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), "no obligation is what was asked for")
		}
		return printLate(c, first)
	case "jsonl":
		return output.Rows(c, rows, ObligationColumns...)
	}

	whole := struct {
		App         json.RawMessage   `json:"app"`
		At          json.RawMessage   `json:"at"`
		KnownAt     json.RawMessage   `json:"known_at,omitempty"`
		AsOf        json.RawMessage   `json:"as_of"`
		Summary     json.RawMessage   `json:"summary"`
		Answered    json.RawMessage   `json:"answered_after_withdrawal"`
		Obligations []json.RawMessage `json:"obligations"`
	}{}
	if err := json.Unmarshal(first, &whole); err != nil {
		return err
	}

	whole.Obligations = append([]json.RawMessage{}, rows...) // an empty list is written as one
	return output.One(c, output.Object(whole))
}

// printLate prints the grants of late withdrawals below a report, if there are
// any.
func printLate(c *cobra.Command, first []byte) error {
	late, err := output.Member(first, "answered_after_withdrawal")
	if err != nil || len(late) == 0 {
		return err
	}
	fmt.Fprintln(c.OutOrStdout(), "\nYeses answered between the two times of a late withdrawal:")
	return output.Rows(c, late, report.LateColumns...)
}

// EndBefore sets --until to the day before the one that --to names: the server is asked
// for the last day.
func EndBefore(c *cobra.Command) error {
	to := c.Flags().Lookup("to").Value.String()
	if to == "" {
		return nil
	}
	day, err := time.Parse(time.DateOnly, to)
	if err != nil {
		return exit.Usage(errors.New("--to: a day is written as in 2026-03-02"))
	}
	if from := c.Flags().Lookup("from").Value.String(); to <= from {
		return exit.Usage(errors.New("--to: is not after --from; it is the day after the last one"))
	}
	return c.Flags().Lookup("until").Value.Set(day.AddDate(0, 0, -1).Format(time.DateOnly))
}

// DocumentFlags gives a verb the flags of documents. It returns a function that
// fetches the document and writes it.
func DocumentFlags(c *cobra.Command, app *string, query url.Values) func(path string, headers ...[2]string) error {
	var file, lang string
	f := c.Flags()
	f.StringVar(app, "app", "", "the app")
	output.FlagOf(c, "md", "how to write it: json, csv (a zip with a table for every section), md or html (to be "+
		"printed)", "json", "csv", "md", "html")
	f.StringVar(&lang, "lang", "en", "the language: en or zh")
	f.StringVar(&file, "out", "", "write to this file instead of standard output")
	c.MarkFlagRequired("app")
	return func(path string, headers ...[2]string) error {
		if err := files.CheckOut("--out", file); err != nil {
			return err
		}
		query.Set("format", output.Form(c))
		query.Set("lang", lang)
		text, err := remote.Get(c, remote.App(*app)+path+"?"+query.Encode(), headers...)
		if err != nil {
			return err
		}
		if file != "" {
			return files.WriteOut("--out", file, text)
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}
}

// PrintCase prints a request or an incident: as a table itself, then its steps and what is owed.
func PrintCase(c *cobra.Command, answer []byte) error {
	columns := []string{"id", "state", "types", "person", "channel", "at", "recorded", "closed", "marks", "done",
		"unpromised", "no_date"}
	if output.Form(c) != "table" {
		return output.One(c, answer, columns...)
	}
	if err := output.NewPrinter(c, columns...).Lines(answer); err != nil {
		return err
	}

	for _, part := range []struct {
		member  string
		columns []string
	}{
		{"steps", []string{"recorded", "kind", "actor", "recorded_by", "fields"}},
		{"obligations", []string{"state", "due_date", "working_days_left", "provisional", "kind", "rule"}},
	} {
		rows, err := output.Member(answer, part.member)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "\n"+part.member+":")
		if err := output.Rows(c, rows, part.columns...); err != nil {
			return err
		}
	}
	return nil
}

// ObligationPath returns the path where an app's obligations are asked for.
func ObligationPath(app string) string {
	return remote.App(app) + "/obligations/query"
}

// ErrNoObligation says that nothing is owed by that name.
var ErrNoObligation = errors.New("there is no obligation of that id in that stream")
