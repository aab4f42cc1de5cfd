package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/reports"
	"consentledger/cmd/internal/steps"
	"consentledger/cmd/internal/worklist"
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

func requestListCommand() *cobra.Command {
	c := caseList("requests", "id", "state", "due_date", "due_state", "paused_since", "working_days_left", "types", "recorded",
		"closed", "person")
	c.Short = "List requests: what is overdue first, then what is due next, then what is closed"
	c.Example = "  consentledger request list --app smartkey --state open"
	return c
}

func requestShowCommand() *cobra.Command {
	c := caseShow("requests", "Show a request with its steps and what is owed")
	c.Long = c.Short + `.

Who the person is, by the app's own id, and what they wrote is sealed. Read both with:
consentledger request reveal ID`
	return c
}

// requestRevealCommand shows who asks in a request, and what they wrote.
func requestRevealCommand() *cobra.Command {
	var app string
	var q rest.RevealQuery
	c := &cobra.Command{
		Use: "reveal ID", Short: "Read who asks, by the app's own id, and what they wrote", Args: cobra.ExactArgs(1),
		Long: `Read who asks, by the id that the app has for them, and what was written in the records of a
request. Both are sealed: who reads them and why is recorded first, and without --reason,
--why and --by nothing is shown. Whoever may take evidence away may do it. Of who is erased
there is nothing.`,
		Example: `  consentledger request reveal 0123456789abcdef0123 --app smartkey --reason subject-request \
    --why 'to answer it' --by ann`,
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := remote.Post(c, remote.App(app)+"/requests/"+url.PathEscape(args[0])+"/reveal", q)
			if err != nil {
				return err
			}
			columns := []string{"id", "subject", "person"}
			if output.Form(c) != "table" {
				return output.One(c, answer, columns...)
			}
			if err := output.NewPrinter(c, columns...).Lines(answer); err != nil {
				return err
			}
			texts, err := output.Member(answer, "texts")
			if err != nil || len(texts) == 0 {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "\ntexts:")
			return output.Rows(c, texts, "recorded", "type", "role", "text", "event")
		},
	}
	commandline.AppFlag(c, &app)
	history.AccessorFlags(c, &q.Accessor)
	commandline.Require(c, "reason", "why", "by")
	c.Flags().StringVar(&q.KnownAt, "known-at", "", "what was written by then, RFC 3339 (default: now)")
	output.ShowFlag(c)
	return c
}

func incidentListCommand() *cobra.Command {
	return caseList("incidents", "id", "state", "recorded", "closed", "marks")
}

func incidentShowCommand() *cobra.Command {
	return caseShow("incidents", "Show an incident with its steps and what is owed")
}

// caseList lists requests or incidents.
func caseList(many string, columns ...string) *cobra.Command {
	var app string
	var q rest.CaseQuery
	c := &cobra.Command{Use: "list", Short: "List " + many + ", oldest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, rows, err := remote.Pages(c, remote.App(app)+"/"+many+"/query", &q.Cursor, func() any { return q },
				"cases")
			if err != nil {
				return err
			}
			if many == "requests" {
				if rows, err = worklist.WithDueDates(c, app, q.KnownAt, rows); err != nil {
					return err
				}
			}
			return output.Rows(c, rows, columns...)
		}}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.StringVar(&q.State, "state", "", "only those in this state, as in open or over")
	f.StringVar(&q.KnownAt, "known-at", "", "as far as was known then, RFC 3339 (default: now)")
	f.StringVar(&q.Min, "min-position", "", "wait until the answer holds at least this position")
	if many == "requests" {
		f.StringVar(&q.Type, "type", "", "only of this type, as in access")
		f.StringVar(&q.Subject, "subject", "", "only of this person, as in user-1")
		f.StringVar(&q.Person, "person", "", "only of this pseudonym, as the list has it")
	}

	output.Flag(c)
	return c
}

// caseShow shows one request or incident: as a table on one screen, itself in lines,
// then its steps, what is owed, and which steps are possible now, unless a moment that is past is shown.
func caseShow(many, short string) *cobra.Command {
	var app string
	times := url.Values{}
	c := &cobra.Command{Use: "show ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for flag, member := range map[string]string{"known-at": "known_at", "as-of": "as_of",
				"min-position": "min_position"} {
				if v := c.Flags().Lookup(flag).Value.String(); v != "" {
					times.Set(member, v)
				}
			}
			answer, err := remote.Get(c, remote.App(app)+"/"+many+"/"+url.PathEscape(args[0])+"?"+times.Encode())
			if err != nil {
				return err
			}
			past := times.Has("known_at") // on which nothing can be done
			if err := reports.PrintCase(c, answer); err != nil || output.Form(c) != "table" || past {
				return err
			}
			return printNext(c, app, catalog.Case(strings.TrimSuffix(many, "s")), args[0])
		}}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.String("known-at", "", "as far as was known then, RFC 3339 (default: now)")
	f.String("as-of", "", "how it stands at that moment, RFC 3339 (default: --known-at, or else now)")
	f.String("min-position", "", "wait until the answer holds at least this position")
	output.ShowFlag(c)
	return c
}

// printNext prints which steps are possible now, and what each may say. Whoever may take
// none sees none.
func printNext(c *cobra.Command, app string, of catalog.Case, id string) error {
	next, err := steps.Next(c, app, of, id)
	if p, is := errors.AsType[*exit.ProblemError](err); is && p.Status == http.StatusForbidden {
		return nil
	}
	if err != nil || len(next) == 0 {
		return err
	}

	calls := make([]steps.Call, len(next))
	for i, step := range next {
		calls[i] = steps.CallOf(step)
	}
	fmt.Fprintln(c.OutOrStdout(), "\nnext:")
	return output.Values(c, calls, "verb", "flags", "says")
}

func obligationListCommand() *cobra.Command {
	var app string
	var q rest.DeadlineQuery
	c := &cobra.Command{Use: "list", Short: "List what is owed by when", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q.Limit = "1000"
			_, rows, err := remote.Pages(c, reports.ObligationPath(app), &q.Cursor, func() any { return q },
				"obligations")
			if err != nil {
				return err
			}
			return output.Rows(c, rows, reports.ObligationColumns...)
		}}
	reports.DeadlineFlags(c, &app, &q)
	output.Flag(c)
	return c
}

// obligationShowCommand shows one obligation, whole.
func obligationShowCommand() *cobra.Command {
	var app string
	var q rest.DeadlineQuery
	c := &cobra.Command{Use: "show STREAM ID", Short: "Show one obligation, whole", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			q.Stream, q.ID = args[0], args[1]
			answer, err := remote.Post(c, reports.ObligationPath(app), q)
			if err != nil {
				return err
			}
			rows, err := output.Member(answer, "obligations")
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return exit.NotFound(reports.ErrNoObligation)
			}
			return output.One(c, json.RawMessage(rows[0]), reports.ObligationColumns...)
		}}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.StringVar(&q.AsOf, "as-of", "", "how it stands at that moment, RFC 3339 (default: --known-at, or else now)")
	f.StringVar(&q.KnownAt, "known-at", "", "as far as was known then, RFC 3339 (default: now)")
	f.StringVar(&q.Min, "min-position", "", "wait until the answer holds at least this position")
	output.FlagOr(c, "json")
	return c
}
