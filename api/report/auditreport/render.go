package auditreport

import (
	"archive/zip"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"consentledger/api/audit/bundle"
	"consentledger/api/report/sheet"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Form is how a report is written.
type Form string

const (
	JSON     Form = "json"
	CSV      Form = "csv" // a zip with one table for every section
	Markdown Form = "md"
	HTML     Form = "html" // to be printed: nothing is loaded from elsewhere
)

// ParseForm reads the name of a form; empty is JSON.
func ParseForm(s string) (Form, error) {
	switch f := Form(s); f {
	case "":
		return JSON, nil
	case JSON, CSV, Markdown, HTML:
		return f, nil
	}
	return "", fmt.Errorf("a report has the format json, csv, md or html")
}

// ContentType returns the form's media type.
func (f Form) ContentType() string {
	switch f {
	case JSON:
		return "application/json"
	case CSV:
		return "application/zip"
	case Markdown:
		return "text/markdown; charset=utf-8"
	case HTML:
		return "text/html; charset=utf-8"
	}
	return "application/octet-stream"
}

// Ending returns what the name of a file of this form ends with.
func (f Form) Ending() string {
	if f == CSV {
		return "zip"
	}
	return string(f)
}

// A Documenter can be written in every form.
type Documenter interface{ Document(lang string) Document }

// Write writes a document. JSON has codes alone, whatever the language.
func Write(w io.Writer, p Documenter, f Form, lang string) error {
	switch f {
	case JSON:
		err := json.MarshalWrite(w, p, jsontext.WithIndent("  "))
		if err == nil {
			_, err = io.WriteString(w, "\n")
		}
		return err
	case CSV:
		return p.Document(lang).zip(w)
	case Markdown:
		return p.Document(lang).markdown(w)
	case HTML:
		return page.Execute(shownWriter{w}, p.Document(lang))
	}
	return fmt.Errorf("no form %q", f)
}

// A shownWriter writes what may be shown, see [bundle.Shown]. Whoever writes to it
// cuts no character in two.
type shownWriter struct{ io.Writer }

// Write implements [io.Writer].
func (w shownWriter) Write(b []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, bundle.Shown(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// zip writes one CSV for every section.
func (d Document) zip(w io.Writer) error {
	z := zip.NewWriter(w)
	for i, s := range d.Sections {
		f, err := z.Create(fmt.Sprintf("%02d-%s.csv", i+1, s.ID))
		if err != nil {
			return err
		}
		c := sheet.NewCSV(f, s.Columns)
		for _, row := range s.Rows {
			if err := c.Row(row...); err != nil {
				return err
			}
		}
		if len(s.Rows) == 0 {
			if err := c.Row(d.None); err != nil {
				return err
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return z.Close()
}

var inCell = strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", " ", "\r", " ", "<", "&lt;", "&", "&amp;", "`", "\\`", "*",
	`\*`, "_", `\_`, "[", `\[`)

// markdown writes tables as GitHub reads them.
func (d Document) markdown(w io.Writer) error {
	b := shownParts{to: w}
	fmt.Fprintf(&b, "# %s\n\n", inCell.Replace(d.Title))
	for _, a := range d.About {
		fmt.Fprintf(&b, "- %s\n", inCell.Replace(a))
	}

	for _, f := range d.Front {
		fmt.Fprintf(&b, "\n## %s\n\n", inCell.Replace(f.Title))
		for _, t := range f.Text {
			fmt.Fprintf(&b, "- %s\n", inCell.Replace(t))
		}
	}

	if len(d.Sections) > 3 {
		fmt.Fprintf(&b, "\n## %s\n\n", inCell.Replace(d.Contents))
		for i, s := range d.Sections {
			fmt.Fprintf(&b, "%d. %s\n", i+1, inCell.Replace(s.Title))
		}
	}

	for i, s := range d.Sections {
		fmt.Fprintf(&b, "\n## %d. %s\n\n", i+1, inCell.Replace(s.Title))
		if s.Note != "" {
			fmt.Fprintf(&b, "%s\n\n", inCell.Replace(s.Note))
		}
		if len(s.Rows) == 0 {
			fmt.Fprintf(&b, "%s\n", d.None)
		} else {
			fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.Columns, " | "), strings.Repeat("---|", len(s.Columns)))
		}
		for _, row := range s.Rows {
			b.text.WriteString("|")
			for _, cell := range row {
				fmt.Fprintf(&b, " %s |", inCell.Replace(cell))
			}
			b.text.WriteString("\n")
		}
		if s.Text != "" {
			fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimRight(s.Text, "\n"), "```", "` ` `"))
		}
	}

	if d.Signature != nil {
		fmt.Fprintf(&b, "\n## %s\n\n", inCell.Replace(d.Signature.Title))
		for _, t := range d.Signature.Text {
			fmt.Fprintf(&b, "- %s: ____________________\n", inCell.Replace(t))
		}
	}

	return b.Flush()
}

// shownParts writes what may be shown, a part at a time. An error stays until Flush.
type shownParts struct {
	to   io.Writer
	text strings.Builder // whole characters
	err  error
}

// partSize is about how much of a text is held.
const partSize = 32 << 10

// Write implements [io.Writer].
func (p *shownParts) Write(b []byte) (int, error) {
	if p.text.Write(b); p.text.Len() >= partSize {
		return len(b), p.Flush()
	}
	return len(b), p.err
}

// Flush writes what is held.
func (p *shownParts) Flush() error {
	if p.err == nil {
		_, p.err = io.WriteString(p.to, bundle.Shown(p.text.String()))
	}
	p.text.Reset()
	return p.err
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"next":    func(i int) int { return i + 1 },
	"several": func(all []Section) bool { return len(all) > 3 },
	// A wide table has no room for its cells: its rows are blocks.
	"wide": func(s Section) bool { return len(s.Columns) > 6 },
}).Parse(pageText))
