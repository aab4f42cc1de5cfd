package main

import (
	"strings"

	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/calculator"
	"consentledger/cmd/internal/output"
	"consentledger/domain/policy"

	"github.com/spf13/cobra"
)

func newDeadline() *cobra.Command {
	c := &cobra.Command{Use: "deadline", Short: "Compute due dates: a calculator that needs no server"}
	c.AddCommand(newDeadlineCompute(), newDeadlineRules())
	return c
}

func newDeadlineCompute() *cobra.Command {
	var q calculator.Calculation
	c := &cobra.Command{
		Use:   "compute",
		Short: "By when is something owed?",
		Long: `Compute what a deadline rule comes to when its clock starts at a moment. The
start's local date is day 0 and never counts. A pause takes the dates after the one
it began on, up to the one it ended on, out of the count; one without an end
suspends the clock.

The calendars are the PRC's as announced from 2022 to 2026, and those of
--calendar-file: {"off": [...], "makeup": [...], "adds_to": "CN"}, which adds to a
calendar or, without adds_to, takes the place of the rule's; or a file of the
shape of cn-workdays.json. With --app they are those that were published for an
app of --server. A year without a calendar gives a provisional date and a safe
target. The answer names the set of rules that the rule is one of, by a hash of
all that they say.`,
		Example: `  consentledger deadline compute --rule cn.policy.withdrawal_reply --start 2026-02-10T09:00:00+08:00
  consentledger deadline compute --rule cn.policy.request_reply.pausable --start 2026-03-02T10:00:00+08:00 --pause 2026-03-04T10:00:00+08:00/`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := q.Compute(c)
			if err != nil {
				return err
			}
			return output.One(c, answer,
				output.Said(answer, "rule", "state", "due_date", "weekday", "due_instant_utc", "due_local",
					"before_roll", "earliest_effective_date",
					"provisional", "safe_target_date", "safe_notice_date", "tail_exposed", "elapsed_units",
					"remaining_units", "units", "calendars")...)
		},
	}
	f := c.Flags()
	f.StringVar(&q.Rule, "rule", "", "the rule's id; see consentledger deadline list-rules")
	f.StringVar(&q.Start, "start", "", "when its clock starts (RFC 3339); without it the clock has not started")
	f.StringArrayVar(&q.Pauses, "pause", nil, "a time for which the clock stood still: FROM/TO, or FROM/ while it does")
	f.BoolVar(&q.Extended, "extended", false, "count the extended period")
	f.StringArrayVar(&q.Calendars, "calendar-file", nil, "a calendar, or - for standard input")
	f.StringVar(&q.Rules, "rules-file", "", "other rules, of the shape of deadline-rules.json")
	f.StringVar(&q.App, "app", "", "use the calendars of this app, from --server")
	c.MarkFlagRequired("rule")
	output.Flag(c)
	return c
}

func newDeadlineRules() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "list-rules", Aliases: []string{"rules"},
		Short: "List the rules that are shipped, or those of a file", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rules, err := law.Rules()
			if err == nil && file != "" {
				rules, err = calculator.Rules(c, file)
			}
			if err != nil {
				return err
			}
			set := policy.RuleSet(rules).String()
			var rows []map[string]any
			for _, r := range rules {
				rows = append(rows, map[string]any{
					"rule": r.ID, "length": r.Length, "unit": r.Unit.String(), "direction": r.Direction.String(),
					"calendar":    r.Calendar,
					"clock_start": r.ClockStart, "pause": strings.Join(r.Pause, " "), "source": r.Source,
					"rule_set": set,
				})
			}
			return output.Values(c, rows, "rule", "length", "unit", "direction", "calendar", "clock_start", "pause",
				"source")
		}}
	c.Flags().StringVar(&file, "rules-file", "", "other rules, of the shape of deadline-rules.json")
	output.Flag(c)
	return c
}
