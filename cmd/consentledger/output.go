package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"consentledger/api/report/sheet"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
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

// outputFlag gives a verb the flag -o.
func outputFlag(c *cobra.Command) { outputFlagOr(c, "table") }

func outputFlagOr(c *cobra.Command, otherwise form) {
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

// reportFlag gives a verb the flag -o of reports.
func reportFlag(c *cobra.Command) {
	form := reportForm("table")
	c.Flags().VarP(&form, "output", "o", "how to print: table, json, jsonl, csv, xlsx or ics")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "jsonl", "csv", "xlsx", "ics"}, cobra.ShellCompDirectiveNoFileComp))
}

// A printer prints JSON objects as -o says, each as it comes; a table waits
// for the last. Columns are the members that a table and CSV show.
type printer struct {
	form    string
	out     io.Writer
	columns []string
	table   table.Writer
	csv     *sheet.CSV
	rows    int
	screen  screen     // that a table is for
	cellsOf [][]string // of a table for a screen
}

func newPrinter(c *cobra.Command, columns ...string) *printer {
	p := &printer{form: c.Flags().Lookup("output").Value.String(), out: c.OutOrStdout(), columns: columns}
	switch p.form {
	case "table":
		p.screen = screenOf(p.out)
		p.table = table.NewWriter()
		style := table.StyleLight
		style.Format.Header = text.FormatDefault // a column is written as its member
		p.table.SetStyle(style)
		head := table.Row{}
		for _, name := range columns {
			head = append(head, name)
		}
		p.table.AppendHeader(head)
	case "csv":
		p.csv = sheet.NewCSV(p.out, columns)
	}
	return p
}

// row prints one object.
func (p *printer) row(object json.RawMessage) error {
	p.rows++
	var b bytes.Buffer
	switch p.form {
	case "jsonl":
		if err := json.Compact(&b, object); err != nil {
			return err
		}
		b.WriteByte('\n')
	case "json":
		b.WriteString(map[bool]string{true: "[\n  ", false: ",\n  "}[p.rows == 1])
		if err := json.Indent(&b, object, "  ", "  "); err != nil {
			return err
		}
	default:
		return p.cells(object)
	}
	_, err := p.out.Write(b.Bytes())
	return err
}

// line is row for an object that is written as a line already, its end included.
func (p *printer) line(object json.RawMessage) error {
	if p.form != "jsonl" {
		return p.row(object)
	}
	p.rows++
	_, err := p.out.Write(object)
	return err
}

// cells prints one object as a row of cells.
func (p *printer) cells(object json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber() // 1000000 is not 1e+06
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		return err
	}
	var row []string
	for _, name := range p.columns {
		row = append(row, cell(members[name]))
	}
	if p.csv != nil {
		return p.csv.RowOf(kindsOf(members, p.columns), row)
	}
	shown := table.Row{}
	for i, text := range row {
		row[i] = p.screen.local(visible(text))
		shown = append(shown, row[i])
	}
	p.table.AppendRow(shown)
	if p.screen.width > 0 {
		p.cellsOf = append(p.cellsOf, row)
	}
	return nil
}

// kindsOf returns what the cells of an object are for a spreadsheet: its numbers
// are numbers, and texts are days and times where they look like ours.
func kindsOf(members map[string]any, columns []string) []sheet.Kind {
	kinds := make([]sheet.Kind, len(columns))
	for i, name := range columns {
		switch members[name].(type) {
		case json.Number:
			kinds[i] = sheet.Number
		case string:
			kinds[i] = sheet.Instant
		}
	}
	return kinds
}

// end prints what comes after the last row.
func (p *printer) end() (err error) {
	switch {
	case p.form == "table" && p.screen.width > 0:
		err = p.screen.render(p.out, p.table, p.columns, p.cellsOf)
	case p.form == "table":
		_, err = fmt.Fprintln(p.out, p.table.Render())
	case p.form == "csv":
		err = p.csv.Close()
	case p.form == "json" && p.rows == 0:
		_, err = fmt.Fprintln(p.out, "[]")
	case p.form == "json":
		_, err = fmt.Fprint(p.out, "\n]\n")
	}
	return err
}

// printRows prints a list.
func printRows(c *cobra.Command, rows []json.RawMessage, columns ...string) error {
	p := newPrinter(c, columns...)
	for _, r := range rows {
		if err := p.row(r); err != nil {
			return err
		}
	}
	return p.end()
}

// printOne prints a single object: as JSON it is an object, not a list.
func printOne(c *cobra.Command, object json.RawMessage, columns ...string) error {
	if c.Flags().Lookup("output").Value.String() != "json" {
		return printRows(c, []json.RawMessage{object}, columns...)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, bytes.TrimSpace(object), "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), text.String())
	return err
}

// cell returns the text of a member: a list with spaces between, members that
// are texts as in name=value, what else has members as JSON.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	case []any:
		var words []string
		for _, w := range v {
			words = append(words, cell(w))
		}
		return strings.Join(words, " ")
	case map[string]any:
		if text, plain := pairs(v); plain {
			return text
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// pairs writes members as name=value, if all are texts.
func pairs(members map[string]any) (string, bool) {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, text := members[name].(string)
		if !text {
			return "", false
		}
		words = append(words, name+"="+value)
	}
	return strings.Join(words, " "), true
}

// visible keeps a cell from steering the terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// member returns one member of a JSON object as rows: an array as it is, a
// missing one as none.
func member(object []byte, name string) ([]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	var rows []json.RawMessage
	if members[name] == nil {
		return nil, nil
	}
	err := json.Unmarshal(members[name], &rows)
	return rows, err
}

// rowOf writes a value of our own as a row.
func rowOf(v any) json.RawMessage {
	row, err := json.Marshal(v)
	if err != nil {
		panic("consentledger: a row does not make JSON: " + err.Error())
	}
	return row
}
