package bench

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Print writes figures as a table.
func Print(out io.Writer, figures []Figure) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"work", "persons", "choice", "program", "value", "least", "greatest", "unit"})
	for _, f := range figures {
		row := table.Row{f.Work, Number(float64(f.Persons)), f.Choice, f.Program, Number(f.Value), Number(f.Least),
			Number(f.Greatest), f.Unit}
		if f.Error != "" {
			row[4], row[5], row[6] = "none: "+f.Error, "", ""
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintln(out, t.Render())
	return err
}

// Number writes a figure with the digits that mean something.
func Number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}
