// Package calculator computes due dates without a server: by which day something is owed when
// a rule's clock starts at a moment.
package calculator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/calendars"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"

	"github.com/spf13/cobra"
)

// A Calculation is a question: when is something due?
type Calculation struct {
	Rule      string   // the rule's id
	Rules     string   // a file with other rules than those that are shipped
	Start     string   // when the clock starts; empty: it has not
	Pauses    []string // FROM/TO, or FROM/ while it stands still
	Extended  bool     // count the extended period
	App       string   // count by the calendars of this app, which the server has
	Calendars []string // files of calendars that come to the known ones
}

// Compute returns the answer as JSON.
func (q Calculation) Compute(c *cobra.Command) (json.RawMessage, error) {
	rule, set, err := q.find(c)
	if err != nil {
		return nil, err
	}

	known, err := q.known(c, rule)
	if err != nil {
		return nil, err
	}

	start, err := optionalInstant("--start", q.Start)
	if err != nil {
		return nil, err
	}

	var pauses []deadline.Pause
	for _, text := range q.Pauses {
		p, err := parsePause(text)
		if err != nil {
			return nil, err
		}
		pauses = append(pauses, p)
	}

	due, err := deadline.Compute(rule, start, pauses, q.Extended, known)
	if err != nil {
		return nil, exit.Usage(err)
	}

	zone, err := deadline.ParseZone(rule.TimeZone)
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire.DueOf(due, zone, set))
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
func (q Calculation) find(c *cobra.Command) (deadline.Rule, content.Hash, error) {
	rules, err := law.Rules()
	if err == nil && q.Rules != "" {
		rules, err = Rules(c, q.Rules)
	}
	if err != nil {
		return deadline.Rule{}, content.Hash{}, err
	}
	i := slices.IndexFunc(rules, func(r deadline.Rule) bool { return string(r.ID) == q.Rule })
	if i < 0 {
		return deadline.Rule{}, content.Hash{},
			exit.Usage(fmt.Errorf("--rule: there is no such rule; see consentledger deadline list-rules"))
	}
	return rules[i], policy.RuleSet(rules), nil
}

// Rules reads rules from a file of the shape of deadline-rules.json.
func Rules(c *cobra.Command, name string) ([]deadline.Rule, error) {
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
func (q Calculation) known(c *cobra.Command, rule deadline.Rule) (deadline.Calendars, error) {
	known, err := law.Known()
	if err == nil && q.App != "" {
		known, err = calendars.Known(c, q.App)
	}
	if err != nil {
		return known, err
	}

	for _, name := range q.Calendars {
		text, err := files.ReadInput(c, "--calendar-file", name, files.MaxPolicyFile)
		if err != nil {
			return known, err
		}
		if known, err = law.Publish(known, text, rule.Calendar); err != nil {
			return known, exit.Usage(fmt.Errorf("%s: %w", name, err))
		}
	}
	return known, nil
}
