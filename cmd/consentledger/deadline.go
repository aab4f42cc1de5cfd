package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"

	"github.com/spf13/cobra"
)

func newDeadline() *cobra.Command {
	c := &cobra.Command{Use: "deadline", Short: "Compute due dates: a calculator that needs no server"}
	c.AddCommand(newDeadlineCompute(), newDeadlineRules())
	return c
}

// A deadline is what compute's flags say.
type computeFlags struct {
	rule, start, app, rules string
	pauses, calendars       []string
	extended                bool
}

func newDeadlineCompute() *cobra.Command {
	var d computeFlags
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
		RunE: func(c *cobra.Command, _ []string) error { return d.compute(c) },
	}
	f := c.Flags()
	f.StringVar(&d.rule, "rule", "", "the rule's id; see consentledger deadline list-rules")
	f.StringVar(&d.start, "start", "", "when its clock starts (RFC 3339); without it the clock has not started")
	f.StringArrayVar(&d.pauses, "pause", nil, "a time for which the clock stood still: FROM/TO, or FROM/ while it does")
	f.BoolVar(&d.extended, "extended", false, "count the extended period")
	f.StringArrayVar(&d.calendars, "calendar-file", nil, "a calendar, or - for standard input")
	f.StringVar(&d.rules, "rules-file", "", "other rules, of the shape of deadline-rules.json")
	f.StringVar(&d.app, "app", "", "use the calendars of this app, from --server")
	c.MarkFlagRequired("rule")
	output.Flag(c)
	return c
}

func (d computeFlags) compute(c *cobra.Command) error {
	rule, set, err := d.find(c)
	if err != nil {
		return err
	}
	calendars, err := d.known(c, rule)
	if err != nil {
		return err
	}
	start, err := optionalInstant("--start", d.start)
	if err != nil {
		return err
	}
	var pauses []deadline.Pause
	for _, text := range d.pauses {
		p, err := parsePause(text)
		if err != nil {
			return err
		}
		pauses = append(pauses, p)
	}
	due, err := deadline.Compute(rule, start, pauses, d.extended, calendars)
	if err != nil {
		return exit.Usage(err)
	}
	zone, err := deadline.ParseZone(rule.TimeZone)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(wire.DueOf(due, zone, set))
	if err != nil {
		return err
	}
	return output.One(c, answer, output.Said(answer, "rule", "state", "due_date", "weekday", "due_instant_utc", "due_local", "before_roll", "earliest_effective_date",
		"provisional", "safe_target_date", "safe_notice_date", "tail_exposed", "elapsed_units", "remaining_units", "units", "calendars")...)
}

func optionalInstant(name, text string) (deadline.Instant, error) {
	if text == "" {
		return 0, nil
	}
	i, err := deadline.ParseInstant(text)
	if err != nil {
		return 0, exit.Usage(fmt.Errorf("%s: %w", name, err))
	}
	return i, nil
}

func parsePause(text string) (p deadline.Pause, err error) {
	from, to, ok := strings.Cut(text, "/")
	if !ok || from == "" {
		return p, exit.Usage(fmt.Errorf("--pause: want FROM/TO, or FROM/ for one that has not ended"))
	}
	if p.From, err = optionalInstant("--pause", from); err != nil {
		return p, err
	}
	p.To, err = optionalInstant("--pause", to)
	return p, err
}

// find returns the rule that is meant, and the set that it is one of.
func (d computeFlags) find(c *cobra.Command) (deadline.Rule, content.Hash, error) {
	rules, err := law.Rules()
	if err == nil && d.rules != "" {
		rules, err = readRules(c, d.rules)
	}
	if err != nil {
		return deadline.Rule{}, content.Hash{}, err
	}
	i := slices.IndexFunc(rules, func(r deadline.Rule) bool { return string(r.ID) == d.rule })
	if i < 0 {
		return deadline.Rule{}, content.Hash{}, exit.Usage(fmt.Errorf("--rule: there is no such rule; see consentledger deadline list-rules"))
	}
	return rules[i], policy.RuleSet(rules), nil
}

func readRules(c *cobra.Command, name string) ([]deadline.Rule, error) {
	text, err := files.ReadInput(c, "--rules-file", name, files.MaxPolicyFile)
	if err != nil {
		return nil, err
	}
	rules, err := law.ParseRules(text)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("%s: %w", name, err))
	}
	return rules, nil
}

// known returns the calendars to count by.
func (d computeFlags) known(c *cobra.Command, rule deadline.Rule) (deadline.Calendars, error) {
	calendars, err := law.Known()
	if err == nil && d.app != "" {
		calendars, err = calendarsOf(c, d.app)
	}
	if err != nil {
		return calendars, err
	}
	for _, name := range d.calendars {
		text, err := files.ReadInput(c, "--calendar-file", name, files.MaxPolicyFile)
		if err != nil {
			return calendars, err
		}
		if calendars, err = law.Publish(calendars, text, rule.Calendar); err != nil {
			return calendars, exit.Usage(fmt.Errorf("%s: %w", name, err))
		}
	}
	return calendars, nil
}

// calendarsOf returns the calendars that were published for an app.
func calendarsOf(c *cobra.Command, app string) (deadline.Calendars, error) {
	var calendars deadline.Calendars
	answer, err := remote.Get(c, remote.App(app)+"/calendars")
	if err != nil {
		return calendars, err
	}
	var list struct{ Calendars []publishedCalendar }
	if err := json.Unmarshal(answer, &list); err != nil {
		return calendars, err
	}
	for _, p := range list.Calendars {
		k, err := p.calendar()
		if err != nil {
			return calendars, err
		}
		calendars = calendars.Add(k, 0)
	}
	return calendars, nil
}

func newDeadlineRules() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "list-rules", Aliases: []string{"rules"}, Short: "List the rules that are shipped, or those of a file", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		rules, err := law.Rules()
		if err == nil && file != "" {
			rules, err = readRules(c, file)
		}
		if err != nil {
			return err
		}
		set := policy.RuleSet(rules).String()
		rows := make([]json.RawMessage, len(rules))
		for i, r := range rules {
			if rows[i], err = json.Marshal(map[string]any{
				"rule": r.ID, "length": r.Length, "unit": r.Unit.String(), "direction": r.Direction.String(), "calendar": r.Calendar,
				"clock_start": r.ClockStart, "pause": strings.Join(r.Pause, " "), "source": r.Source, "rule_set": set,
			}); err != nil {
				return err
			}
		}
		return output.Rows(c, rows, "rule", "length", "unit", "direction", "calendar", "clock_start", "pause", "source")
	}}
	c.Flags().StringVar(&file, "rules-file", "", "other rules, of the shape of deadline-rules.json")
	output.Flag(c)
	return c
}
