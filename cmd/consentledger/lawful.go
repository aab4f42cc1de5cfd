package main

import (
	"context"
	"encoding/json"
	"errors"

	"consentledger/api/lawfulness"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/lawfulnessview"
	"consentledger/cmd/internal/output"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

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
			history.AskWhy(c, data, r.Accessor)
			var d lawfulness.Diff
			answer, err := history.Ask(c, data, app, "/replay/diff", r,
				func(ctx context.Context, l *ledger.Ledger, name ident.AppName) (any, error) {
					return lawfulness.DiffOf(ctx, l, name, r)
				})
			if err == nil {
				err = json.Unmarshal(answer, &d)
			}
			if err == nil {
				err = lawfulnessview.PrintDiff(c, answer, d)
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
	history.AccessorFlags(c, &r.Accessor)
	commandline.Require(c, "subject", "from", "to")
	output.Flag(c)
	return c
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
after_withdrawal is not empty were answered "allowed" although an opt-out counts from before.`,
		Example: `  consentledger lawful --app smartkey --purpose personalisation --at 2026-03-01T00:00:00Z
  consentledger lawful --app smartkey --purpose personalisation --subject user-2 --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := r.Check(); err != nil {
				return commandline.WrongFlag(err)
			}
			history.AskWhy(c, data, r.Accessor)
			return lawfulnessview.Lawful(c, data, app, r)
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
	history.AccessorFlags(c, &r.Accessor)
	commandline.Require(c, "purpose")
	output.Flag(c)
	return c
}
