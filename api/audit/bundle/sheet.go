package bundle

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// A sheet is a report in the making, in one form. It keeps the first error.
type sheet interface {
	begin(title, lang string)
	heading(text string)
	item(text string)
	table(columns []string)
	row(cells []string)
	rowsEnd()
	paragraph(text string)
	verbatim(text string) // a text as it is, line by line
	end() error
}

// forms are the forms that a report is written in.
var forms = []struct {
	file  string
	sheet func(io.Writer) sheet
}{
	{reportFile, func(w io.Writer) sheet { return &markdown{out{w: w}} }},
	{printFile, func(w io.Writer) sheet { return &page{out{w: w}} }},
}

type out struct {
	w   io.Writer
	err error
}

func (o *out) put(text string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, text)
	}
}

type markdown struct{ out }

var inMarkdown = strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "`", "'")

func (m *markdown) begin(title, _ string) { m.put("# " + title + "\n") }
func (m *markdown) heading(text string)   { m.put("\n## " + text + "\n\n") }
func (m *markdown) item(text string)      { m.put("- " + inMarkdown.Replace(text) + "\n") }
func (m *markdown) table(columns []string) {
	m.row(columns)
	m.put(strings.Repeat("|---", len(columns)) + "|\n")
}
func (m *markdown) row(cells []string) {
	for _, c := range cells {
		m.put("| " + inMarkdown.Replace(c) + " ")
	}
	m.put("|\n")
}
func (m *markdown) rowsEnd()              {}
func (m *markdown) paragraph(text string) { m.put(text + "\n\n") }

// verbatim indents, so that no line of the text can end it.
func (m *markdown) verbatim(text string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n"), "\n") {
		m.put("    " + strings.ReplaceAll(line, "\r", " ") + "\n")
	}
	m.put("\n")
}
func (m *markdown) end() error { return m.err }

// A page is for printing: A4, nothing is loaded from anywhere, and Chinese is
// in a font that the system has for it.
type page struct{ out }

const style = `@page{size:A4;margin:18mm}body{font:11pt/1.5 "Noto Sans","Noto Sans CJK SC","Source Han Sans SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:60em;margin:2em auto;color:#111}` +
	`h1{font-size:1.6em}h2{font-size:1.2em;break-after:avoid}table{border-collapse:collapse;width:100%;font-size:.85em}th,td{border:1px solid #999;padding:.3em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}` +
	`thead{display:table-header-group}tr{break-inside:avoid}pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid #999;padding-left:1em;font:.9em/1.5 inherit}@media print{body{margin:0}}`

func (p *page) begin(title, lang string) {
	p.put(`<!doctype html><html lang="` + html.EscapeString(lang) + `"><meta charset="utf-8"><title>` + html.EscapeString(title) + "</title><style>" + style + "</style>\n<h1>" + html.EscapeString(title) + "</h1>\n")
}
func (p *page) heading(text string) { p.put("<h2>" + html.EscapeString(text) + "</h2>\n") }
func (p *page) item(text string)    { p.put("<p>" + html.EscapeString(text) + "</p>\n") }
func (p *page) table(columns []string) {
	p.put("<table><thead><tr>")
	for _, c := range columns {
		p.put("<th>" + html.EscapeString(c) + "</th>")
	}
	p.put("</tr></thead><tbody>\n")
}
func (p *page) row(cells []string) {
	p.put("<tr>")
	for _, c := range cells {
		p.put("<td>" + html.EscapeString(c) + "</td>")
	}
	p.put("</tr>\n")
}
func (p *page) rowsEnd()              { p.put("</tbody></table>\n") }
func (p *page) paragraph(text string) { p.put("<p>" + html.EscapeString(text) + "</p>\n") }
func (p *page) verbatim(text string)  { p.put("<pre>" + html.EscapeString(text) + "</pre>\n") }
func (p *page) end() error {
	p.put("</html>\n")
	if p.err != nil {
		return fmt.Errorf("report: %w", p.err)
	}
	return nil
}
