package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"consentledger/cmd/internal/reports"
	"consentledger/cmd/internal/steps"
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

// Every step that somebody records has a verb of its own, and the word for it from
// before leads to the same one.
func TestEveryStepHasAVerbAndKeepsItsOlderWord(t *testing.T) {
	kinds := map[catalog.Step]bool{}
	root := newRoot()
	for _, rule := range catalog.StepRules {
		if rule.Found {
			continue
		}
		kinds[rule.Kind] = true
		noun, verb := string(rule.Of), steps.Words[rule.Kind]
		if verb == "" {
			t.Errorf("steps.Words has no verb of %s: say what one tells the program to do", rule.Kind)
			continue
		}

		older := strings.ReplaceAll(strings.TrimPrefix(string(rule.Kind), noun+"."), ".", "-")
		for _, word := range []string{verb, older} {
			c, _, err := root.Find([]string{noun, word})
			if err != nil || c.Name() != verb || !strings.Contains(c.Long, "Records "+string(rule.Kind)+".") {
				t.Errorf("%s %s leads to %s: %v", noun, word, c.CommandPath(), err)
			}
		}
	}
	for kind := range steps.Words {
		if !kinds[kind] {
			t.Errorf("steps.Words has %s: there is no such step", kind)
		}
	}
}

// Older words do the same, are in no help, and never stand for two verbs.
func TestOlderWordsAreHiddenAndOfOneVerb(t *testing.T) {
	aliases := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		words := map[string]bool{}
		for _, sub := range c.Commands() {
			for _, word := range append([]string{sub.Name()}, sub.Aliases...) {
				if words[word] {
					t.Errorf("%s %s stands for two verbs", c.CommandPath(), word)
				}
				words[word] = true
			}
			walk(sub)
		}
		aliases += len(c.Aliases)
		before := slices.Clone(c.Aliases)
		if strings.Contains(c.UsageString(), "Aliases") || !slices.Equal(c.Aliases, before) {
			t.Errorf("the help of %s shows its older words, or loses them", c.CommandPath())
		}
	}
	walk(newRoot())
	if aliases < 40 {
		t.Errorf("%d older words", aliases)
	}
}

// The program's help has every verb in the group of those who use it most, and fits on a
// page.
func TestTheHelpIsGroupedAndShort(t *testing.T) {
	root := newRoot()
	for _, verb := range root.Commands() {
		if verb.GroupID == "" && verb.IsAvailableCommand() && verb.Name() != "version" {
			t.Errorf("%s is in no group of the help (main.go, addGrouped)", verb.Name())
		}
	}
	help, _, _ := strings.Cut(root.UsageString(), "\nFlags:")
	if lines := strings.Count(help, "\n"); lines > 60 {
		t.Errorf("the help has %d lines", lines)
	}
	for line := range strings.Lines(help) {
		if utf8.RuneCountInString(line) > 100 {
			t.Errorf("a line of the help is longer than 100 columns: %s", line)
		}
	}
}

// A span of days is asked for by its first day and the day after its last.
func TestActivityEndsBeforeTheDayThatToNames(t *testing.T) {
	for _, c := range []struct{ from, to, until, wrong string }{
		{"2026-03-01", "2026-04-01", "2026-03-31", ""},
		{"2026-03-01", "2026-03-02", "2026-03-01", ""},
		{"", "2026-03-01", "2026-02-28", ""},
		{"2026-03-01", "2026-03-01", "", "--to: is not after --from"},
		{"", "soon", "", "--to: a day is written as"},
	} {
		verb := newReportActivity()
		if err := verb.ParseFlags([]string{"--from", c.from, "--to", c.to}); err != nil {
			t.Fatal(err)
		}
		err := reports.EndBefore(verb)
		if until := verb.Flags().Lookup("until").Value.String(); until != c.until {
			t.Errorf("%+v: asks until %q", c, until)
		}
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
