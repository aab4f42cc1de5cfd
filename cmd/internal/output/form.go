// Package output prints the answer of a verb as its flag -o says: JSON objects as a table,
// as JSON, as a line each or as CSV. A table fits the terminal that it is read on.
package output

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A form is what -o says: one of some. It is checked before anything is done.
type form struct {
	is    string
	among []string
}

func (f *form) String() string { return f.is }
func (f *form) Type() string   { return "form" }

func (f *form) Set(s string) error {
	if !slices.Contains(f.among, s) {
		return errors.New("want " + listed(f.among))
	}
	f.is = s
	return nil
}

// listed writes words as in "a, b or c".
func listed(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// rowForms are how rows are printed.
var rowForms = []string{"table", "json", "jsonl", "csv"}

// Flag gives a verb the flag -o, which is table unless somebody says otherwise.
func Flag(c *cobra.Command) { FlagOr(c, "table") }

// FlagOr is [Flag] with another default.
func FlagOr(c *cobra.Command, otherwise string) {
	FlagOf(c, otherwise, "how to print: "+listed(rowForms), rowForms...)
}

// ReportFlag gives a verb the flag -o of reports, some of which are files of their own.
func ReportFlag(c *cobra.Command) {
	forms := slices.Concat(rowForms, []string{"xlsx", "ics"})
	FlagOf(c, "table", "how to print: "+listed(forms), forms...)
}

// ShowFlag gives a verb that shows one thing the flag -o: whoever sits at a terminal sees
// a table, and a pipe has JSON.
func ShowFlag(c *cobra.Command) {
	FlagOf(c, "json", "how to print: "+listed(rowForms)+" (default: a table on a terminal, else json)", rowForms...)
	f := c.Flags().Lookup("output")
	f.DefValue = "" // its usage says which
	f.Annotations = map[string][]string{tableOnTerminal: nil}
}

// tableOnTerminal marks a flag -o that nobody has to say on a terminal.
const tableOnTerminal = "table-on-terminal"

// FlagOf gives a verb a flag -o of forms that it prints itself.
func FlagOf(c *cobra.Command, otherwise, usage string, forms ...string) {
	c.Flags().VarP(&form{otherwise, forms}, "output", "o", usage)
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
}

// Form returns what -o says.
func Form(c *cobra.Command) string {
	f := c.Flags().Lookup("output")
	if _, is := f.Annotations[tableOnTerminal]; is && !f.Changed && screenOf(c.OutOrStdout()).width > 0 {
		return "table"
	}
	return f.Value.String()
}
