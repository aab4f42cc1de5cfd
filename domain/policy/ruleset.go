package policy

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
)

// RuleSet returns what names a set of deadline rules for ever: the SHA-256 of
// all that the rules say, in the order of their ids. Rules that say something
// else, or one more or less of them, are another set; the order in which they
// are written is nothing that they say. The zero Hash is of no rules.
//
// What is hashed is a line "rule" for every rule and a line "name value" for
// every field of it that says something, so that a field that is added later
// changes no name of a set that does not use it.
func RuleSet(rules []deadline.Rule) content.Hash {
	if len(rules) == 0 {
		return content.Hash{}
	}

	byID := func(a, b deadline.Rule) int { return cmp.Compare(a.ID, b.ID) }
	sorted := slices.SortedStableFunc(slices.Values(rules), byID)
	var text strings.Builder
	text.WriteString("consentledger deadline rules 1\n")
	for _, r := range sorted {
		writeRule(&text, r)
	}

	return sha256.Sum256([]byte(text.String()))
}

// writeRule writes the lines of a rule.
func writeRule(text *strings.Builder, r deadline.Rule) {
	say := func(name, value string, said bool) {
		if said {
			fmt.Fprintf(text, "%s %q\n", name, value)
		}
	}

	say("rule", string(r.ID), true)
	say("source", r.Source, r.Source != "")
	say("unit", r.Unit.String(), true)
	say("length", strconv.Itoa(r.Length), r.Length != 0)
	say("extended_length", strconv.Itoa(r.ExtendedLength), r.ExtendedLength != 0)
	say("direction", r.Direction.String(), r.Direction != 0)
	say("calendar", r.Calendar, r.Calendar != "")
	say("timezone", r.TimeZone, r.TimeZone != "")
	say("clock_start", r.ClockStart, r.ClockStart != "")
	for _, reason := range r.Pause {
		say("pause", reason, true)
	}

	say("roll", r.Roll.String(), r.Roll != 0)
	say("result", r.Result.String(), r.Result != 0)
	say("year_day", string(r.YearDay), r.YearDay != "")
	say("law", "yes", r.Law)
	say("persons", strconv.Itoa(r.Persons), r.Persons != 0)
}
