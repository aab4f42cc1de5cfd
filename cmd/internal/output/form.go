// Package output prints the answer of a verb as its flag -o says: JSON objects as a table,
// as JSON, as a line each or as CSV. A table fits the terminal that it is read on.
package output

import (
	"errors"

	"github.com/spf13/cobra"
)

// A form is how rows are printed: the value of -o. It is checked before
// anything is done.
type form string

func (f *form) String() string { return string(*f) }
func (f *form) Type() string   { return "form" }

func (f *form) Set(s string) error {
	switch s {
	case "table", "json", "jsonl", "csv":
		*f = form(s)
		return nil
	}
	return errors.New("want table, json, jsonl or csv")
}

// Flag gives a verb the flag -o.
func Flag(c *cobra.Command) { FlagOr(c, "table") }

func FlagOr(c *cobra.Command, otherwise form) {
	c.Flags().VarP(&otherwise, "output", "o", "how to print: table, json, jsonl or csv")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "jsonl", "csv"}, cobra.ShellCompDirectiveNoFileComp))
}

// A reportForm is how a report is printed: a form, or a file of its own.
type reportForm string

func (f *reportForm) String() string { return string(*f) }
func (f *reportForm) Type() string   { return "form" }

func (f *reportForm) Set(s string) error {
	switch s {
	case "table", "json", "jsonl", "csv", "xlsx", "ics":
		*f = reportForm(s)
		return nil
	}
	return errors.New("want table, json, jsonl, csv, xlsx or ics")
}

// ReportFlag gives a verb the flag -o of reports.
func ReportFlag(c *cobra.Command) {
	form := reportForm("table")
	c.Flags().VarP(&form, "output", "o", "how to print: table, json, jsonl, csv, xlsx or ics")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "jsonl", "csv", "xlsx", "ics"}, cobra.ShellCompDirectiveNoFileComp))
}

// Form returns what -o says.
func Form(c *cobra.Command) string { return c.Flags().Lookup("output").Value.String() }
