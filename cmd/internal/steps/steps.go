// Package steps makes a verb of every step of a request or an incident, as the catalog of steps
// says what each takes. A new step has a row there, and a word in [Words].
package steps

import (
	"strings"

	"consentledger/cmd/internal/recording"
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

// Verbs returns a verb for every step of requests or of incidents.
func Verbs(of catalog.Case) []*cobra.Command {
	var verbs []*cobra.Command
	for _, rule := range catalog.StepRules {
		if rule.Of == of && !rule.Found {
			verbs = append(verbs, newStep(rule))
		}
	}
	return verbs
}

func newStep(rule catalog.StepRule) *cobra.Command {
	var t recording.Event
	noun := string(rule.Of)
	verb, before := Words[rule.Kind], strings.ReplaceAll(strings.TrimPrefix(string(rule.Kind), noun+"."), ".", "-")
	c := &cobra.Command{
		Use: verb + " ID", Aliases: []string{before}, Short: upper(rule.Says), Args: cobra.ExactArgs(1),
		Long: upper(rule.Says) + " (" + rule.Source.String() + ").\n\nRecords " + string(rule.Kind) + ".",
	}
	if rule.Opens() {
		c.Use, c.Args = verb+" [ID]", cobra.MaximumNArgs(1)
		c.Long += " Without an ID it opens an incident, whose id the receipt says."
	}

	t.Flags(c)
	for _, f := range rule.Fields {
		c.Flags().String(strings.ReplaceAll(f.Name, "_", "-"), "", f.String())
		if f.Required && f.Name != "approved_by" { // where principals are authenticated, nobody is named
			c.MarkFlagRequired(strings.ReplaceAll(f.Name, "_", "-"))
		}
	}

	c.Flags().String("evidence", "", "a document that shows it: its file, or its hash")
	if rule.Of == catalog.Request {
		c.Flags().String("details", "", "more in words: sealed for the person; - reads them from standard input")
	}

	c.RunE = func(c *cobra.Command, args []string) error {
		data, err := stepData(c, rule)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			data[noun] = args[0]
		}
		return t.Record(c, string(rule.Kind), "", data, noun)
	}
	return c
}

// stepData collects what a step says from its flags.
func stepData(c *cobra.Command, rule catalog.StepRule) (map[string]any, error) {
	data := map[string]any{}
	for _, f := range rule.Fields {
		if v, _ := c.Flags().GetString(strings.ReplaceAll(f.Name, "_", "-")); v != "" {
			data[f.Name] = v
		}
	}

	evidence, _ := c.Flags().GetString("evidence")
	if err := recording.Evidence(data, evidence); err != nil {
		return nil, err
	}
	if rule.Of != catalog.Request {
		return data, nil
	}

	words, err := recording.Words(c, "details")
	if words != "" {
		data["details"] = map[string]string{"text": words}
	}
	return data, err
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
