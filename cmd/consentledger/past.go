package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"consentledger/api/lawfulness"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	gojson "github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

func newReplayDiff() *cobra.Command {
	var data, app string
	var r lawfulness.DiffRequest
	c := &cobra.Command{
		Use:   "diff",
		Short: "What changed for a person between two moments, and by which events",
		Long: `What changed for a person between two moments, purpose by purpose, and by which
events. How it stood at a moment is how it was known then: what arrived later does
not count. Exit code 8 says that something changed, 0 that nothing did.`,
		Example: "  consentledger replay diff --app smartkey --subject user-2 --from 2026-03-01T00:00:00Z --to " +
			"2026-04-01T00:00:00Z",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := r.Check(); err != nil {
				return commandline.WrongFlag(err)
			}
			history.AskWhy(c, data, r.Reader)
			var d lawfulness.Diff
			answer, err := history.Ask(c, data, app, "/replay/diff", r,
				func(ctx context.Context, l *ledger.Ledger, name ident.AppName) (any, error) {
					return lawfulness.DiffOf(ctx, l, name, r)
				})
			if err == nil {
				err = json.Unmarshal(answer, &d)
			}
			if err == nil {
				err = printDiff(c, answer, d)
			}
			if err == nil && d.Differs() {
				err = exit.Differs(errors.New("something changed between the two moments"))
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	commandline.AppFlag(c, &app)
	f.StringVar(&r.Subject, "subject", "", "the person, as in user-1")
	f.StringVar(&r.Action, "action", "", "collect, use, provide, publish or export (default: use)")
	f.StringVar(&r.From, "from", "", "the first of the two moments, RFC 3339")
	f.StringVar(&r.To, "to", "", "the second of the two moments, RFC 3339")
	history.ReaderFlags(c, &r.Reader)
	commandline.Require(c, "subject", "from", "to")
	output.Flag(c)
	return c
}

// printDiff prints a row for every purpose for which something changed.
func printDiff(c *cobra.Command, answer json.RawMessage, d lawfulness.Diff) error {
	if output.Form(c) == "json" {
		return output.One(c, answer)
	}

	var rows []json.RawMessage
	for _, x := range d.Purposes {
		var by []string
		if x.ByTime {
			by = append(by, "time")
		}
		for _, e := range x.By {
			by = append(by, e.Type+" "+e.EventID)
		}
		rows = append(rows, output.Object(map[string]any{"purpose": x.Purpose, "was": stood(x.Before),
			"is": stood(x.After), "by": by, "before": x.Before, "after": x.After}))
	}
	return output.Rows(c, rows, "purpose", "was", "is", "by")
}

// stood says in a few words where somebody stood.
func stood(s lawfulness.Stand) string {
	return fmt.Sprintf("%s (%s)", map[bool]string{true: "allowed", false: "not allowed"}[s.Allowed], s.Status)
}

func newLawful() *cobra.Command {
	var data, app string
	var r lawfulness.LawfulRequest
	c := &cobra.Command{
		Use:   "lawful",
		Short: "Was it lawful? Who had agreed, and what was answered, as it was known then",
		Long: `Was a processing lawful, at a moment or in a span? For everybody who said something
about the purpose: where they stood, as it was known then, and on what it rests;
every answer to "may we?" that was recorded; and beside both what arrived later,
which is shown and not counted. Exempt processing has its ground. Rows whose column
after_withdrawal is not empty were answered yes although a no counts from before.`,
		Example: `  consentledger lawful --app smartkey --purpose personalisation --at 2026-03-01T00:00:00Z
  consentledger lawful --app smartkey --purpose personalisation --subject user-2 --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := r.Check(); err != nil {
				return commandline.WrongFlag(err)
			}
			history.AskWhy(c, data, r.Reader)
			return lawful(c, data, app, r)
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	commandline.AppFlag(c, &app)
	f.StringVar(&r.Subject, "subject", "", "only this person, as in user-1")
	f.StringVar(&r.Purpose, "purpose", "", "the purpose")
	f.StringVar(&r.Action, "action", "", "collect, use, provide, publish or export (default: use)")
	f.StringVar(&r.At, "at", "", "a moment, RFC 3339, instead of a span")
	f.StringVar(&r.From, "from", "", "the beginning of a span, included, RFC 3339")
	f.StringVar(&r.To, "to", "", "its end, RFC 3339: here it is included, too")
	history.ReaderFlags(c, &r.Reader)
	commandline.Require(c, "purpose")
	output.Flag(c)
	return c
}

// lawful prints every page. As JSON it is one object: the first page with the
// findings of all.
func lawful(c *cobra.Command, data, app string, r lawfulness.LawfulRequest) error {
	r.Limit = 1000
	form := output.Form(c)
	p := output.NewPrinter(c, "person", "answer", "stood", "basis", "version", "act", "evidence", "events", "later",
		"after_withdrawal")
	var whole *lawfulness.Lawful
	for {
		answer, err := history.Ask(c, data, app, "/lawful", r,
			func(ctx context.Context, l *ledger.Ledger, name ident.AppName) (any, error) {
				return lawfulness.LawfulOf(ctx, l, name, r)
			})
		if err != nil {
			return err
		}
		var page lawfulness.Lawful
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		if form == "json" {
			if whole == nil {
				whole = &page
			} else {
				whole.Findings = append(whole.Findings, page.Findings...)
			}
		} else if err := printFindings(p, form, page.Findings); err != nil {
			return err
		}
		if r.Cursor = page.Next; r.Cursor == "" {
			break
		}
	}

	if whole == nil {
		return p.End()
	}

	whole.Next = ""
	text, err := gojson.Marshal(whole)
	if err != nil {
		return err
	}
	return output.One(c, text)
}

func printFindings(p *output.Printer, form string, findings []lawfulness.Finding) error {
	for _, f := range findings {
		var row any = f
		if form != "jsonl" {
			row = findingCells(f)
		}
		if err := p.Row(output.Object(row)); err != nil {
			return err
		}
	}
	return nil
}

func findingCells(f lawfulness.Finding) map[string]any {
	s := f.Stood
	row := map[string]any{"person": f.Person, "stood": stood(s), "basis": s.Basis, "version": s.Version, "act": s.Act,
		"evidence": s.Evidence, "events": s.Events}
	if s.Ground != nil {
		row["basis"] = "exempt: " + s.Ground.Code + map[bool]string{true: " (doubtful)"}[s.Ground.Doubtful]
	}
	if f.Answer != nil {
		row["answer"] = f.Answer.Recorded + " " + map[bool]string{true: "yes", false: "no"}[f.Answer.Allowed]
	}
	if f.Later != nil {
		row["later"] = stood(f.Later.Stood)
	}
	if f.After != nil {
		row["after_withdrawal"] = f.After.Events
	}
	return row
}
