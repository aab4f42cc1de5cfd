package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"consentledger/api/report/sheet"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// A Printer prints JSON objects as -o says, each as it comes; a table waits
// for the last. Columns are the members that a table and CSV show.
type Printer struct {
	form    string
	out     io.Writer
	columns []string
	table   table.Writer
	csv     *sheet.CSV
	rows    int
	screen  screen     // that a table is for
	cellsOf [][]string // of a table for a screen
}

// NewPrinter returns a printer for a verb that has the flag -o.
func NewPrinter(c *cobra.Command, columns ...string) *Printer {
	p := &Printer{form: Form(c), out: c.OutOrStdout(), columns: columns}
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

// Row prints one object.
func (p *Printer) Row(object json.RawMessage) error {
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

// Line is row for an object that is written as a line already, its end included.
func (p *Printer) Line(object json.RawMessage) error {
	if p.form != "jsonl" {
		return p.Row(object)
	}
	p.rows++
	_, err := p.out.Write(object)
	return err
}

// cells prints one object as a row of cells.
func (p *Printer) cells(object json.RawMessage) error {
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

// End prints what comes after the last row.
func (p *Printer) End() (err error) {
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
