// Package law holds what the ledger knows of the law without being told: the
// deadline rules that it ships, and the PRC's working days as announced. Both
// are data; what a policy or a later notice says is recorded as facts.
package law

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"consentledger/domain/deadline"
)

//go:embed deadline-rules.json
var rulesFile []byte

//go:embed cn-workdays.json
var workdaysFile []byte

//go:embed cn-2027-reported.json
var reportedFile []byte

// A ruleFile is the shape of deadline-rules.json.
type ruleFile struct {
	Rules []struct {
		ID, Source, Unit, Direction, Roll, Result, Calendar, Timezone, Pause string

		ClockStart     string `json:"clock_start"`
		YearDay        string `json:"year_day"`
		Length         int
		ExtendedLength int `json:"extended_length"`
		Persons        int
	}
}

// Rules returns the shipped rules in their order.
func Rules() ([]deadline.Rule, error) { return ParseRules(rulesFile) }

// ParseRules reads a file of the shape of deadline-rules.json.
func ParseRules(file []byte) ([]deadline.Rule, error) {
	var f ruleFile
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, fmt.Errorf("deadline rules: %w", err)
	}

	var rules []deadline.Rule
	for i, x := range f.Rules {
		r := deadline.Rule{ID: deadline.RuleID(x.ID), Source: x.Source, Length: x.Length,
			ExtendedLength: x.ExtendedLength,
			Calendar:       x.Calendar, TimeZone: x.Timezone, ClockStart: x.ClockStart, Pause: pauses(x.Pause),
			YearDay: deadline.YearDay(x.YearDay), Persons: x.Persons}
		err := first(
			read(&r.Unit, x.Unit, deadline.ParseUnit), read(&r.Direction, x.Direction, deadline.ParseDirection),
			read(&r.Roll, x.Roll, deadline.ParseRoll), read(&r.Result, x.Result, deadline.ParseResult))
		if err != nil {
			return nil, fmt.Errorf("deadline rule %d, %q: %w", i+1, x.ID, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// read sets to what a text says; an empty one leaves it.
func read[T any](to *T, text string, parse func(string) (T, error)) error {
	if text == "" {
		return nil
	}
	v, err := parse(text)
	if err == nil {
		*to = v
	}
	return err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// pauses reads "a|b"; none, with or without a remark, is nothing.
func pauses(text string) []string {
	if word, _, _ := strings.Cut(text, " "); word == "none" || word == "" {
		return nil
	}
	return strings.Split(text, "|")
}
