package bundle

import (
	"fmt"
	"html"
	"io"
	"strings"

	"consentledger/api/picture"
)

// A sheet is a report in the making, in one form. It keeps the first error.
type sheet interface {
	begin(title, lang string)
	heading(text string)
	item(text string)
	table(columns []string, title int) // title: the column that a row is called by
	row(cells []string)
	rowsEnd()
	paragraph(text string)
	image(file, alt string, is picture.Picture) // one of the bundle's files
	verbatim(text, lang string)                 // a text as it is, line by line; lang empty: the report's
	end() error
}

// forms are the forms that a report is written in.
var forms = []struct {
	file  string
	sheet func(io.Writer) sheet
}{
	{reportFile, func(w io.Writer) sheet { return &markdown{out{w: w}} }},
	{printFile, func(w io.Writer) sheet { return &page{out: out{w: w}} }},
}

type out struct {
	w   io.Writer
	err error
}

// put writes what may be shown: whoever reads a report in a terminal, too, sees what
// it says and nothing else.
func (o *out) put(text string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, Shown(text))
	}
}

type markdown struct{ out }

var inMarkdown = strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "`", "'")

func (m *markdown) begin(title, _ string) { m.put("# " + title + "\n") }
func (m *markdown) heading(text string)   { m.put("\n## " + text + "\n\n") }
func (m *markdown) item(text string)      { m.put("- " + inMarkdown.Replace(text) + "\n") }
func (m *markdown) table(columns []string, _ int) {
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
func (m *markdown) paragraph(text string) { m.put(strings.ReplaceAll(text, "<", "&lt;") + "\n\n") }

// verbatim indents, so that no line of the text can end it.
func (m *markdown) verbatim(text, _ string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n"), "\n") {
		m.put("    " + strings.ReplaceAll(line, "\r", " ") + "\n")
	}
	m.put("\n")
}

// image is said by the item before it: a reader of Markdown knows no picture without an
// ending to its name.
func (m *markdown) image(string, string, picture.Picture) {}
func (m *markdown) end() error                            { return m.err }

// A page is for printing and for small screens: nothing is loaded from anywhere, and
// Chinese is in a font that the system has for it. A row is a block of its own, with
// the name of each cell before it: five columns of which one is an id leave no room
// for what happened, neither on A4 nor on a telephone.
type page struct {
	out
	columns []string
	title   int
}

const style = `@page{size:A4;margin:18mm}body{font:11pt/1.5 "Noto Sans","Noto Sans CJK SC","Source Han Sans SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#111;overflow-wrap:anywhere}` +
	`h1{font-size:1.6em}h2{font-size:1.2em;break-after:avoid}h3{font-size:1em;margin:0;break-after:avoid}` +
	`article{border-top:1px solid #999;padding:.5em 0;break-inside:avoid}dl{margin:0;font-size:.9em}dl div{display:flex;gap:.6em}dt{color:#444;flex:0 0 6.5em}dd{margin:0;flex:1;min-width:0;white-space:pre-line}` +
	`pre{white-space:pre-wrap;border-left:3px solid #999;padding-left:1em;font-family:inherit;font-size:.9em}@media print{body{margin:0;max-width:none;padding:0}}`

func (p *page) begin(title, lang string) {
	p.put(`<!doctype html><html lang="` + html.EscapeString(lang) + `"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
		`<title>` + html.EscapeString(title) + "</title><style>" + style + "</style></head>\n<body><main>\n<h1>" + html.EscapeString(title) + "</h1>\n")
}
func (p *page) heading(text string)               { p.put("<h2>" + html.EscapeString(text) + "</h2>\n") }
func (p *page) item(text string)                  { p.put("<p>" + html.EscapeString(text) + "</p>\n") }
func (p *page) table(columns []string, title int) { p.columns, p.title = columns, title }

func (p *page) row(cells []string) {
	p.put("<article><h3>" + html.EscapeString(cells[p.title]) + "</h3><dl>")
	for i, c := range cells {
		if i != p.title && c != "" {
			p.put("<div><dt>" + html.EscapeString(p.columns[i]) + "</dt><dd>" + html.EscapeString(c) + "</dd></div>")
		}
	}
	p.put("</dl></article>\n")
}

func (p *page) rowsEnd()              {}
func (p *page) paragraph(text string) { p.put("<p>" + html.EscapeString(text) + "</p>\n") }

// image names the file in the bundle: it is seen once the bundle is unpacked, and its
// alternative text where only the report is looked at.
func (p *page) image(file, alt string, is picture.Picture) {
	p.put(fmt.Sprintf(`<p><img src="%s" alt="%s" width="%d" height="%d" style="max-width:100%%;height:auto"></p>`+"\n",
		html.EscapeString(file), html.EscapeString(alt), is.Width, is.Height))
}

func (p *page) verbatim(text, lang string) {
	tag := "<pre>"
	if lang != "" {
		tag = `<pre lang="` + html.EscapeString(lang) + `">`
	}
	p.put(tag + html.EscapeString(text) + "</pre>\n")
}

func (p *page) end() error {
	p.put("</main></body></html>\n")
	if p.err != nil {
		return fmt.Errorf("report: %w", p.err)
	}
	return nil
}
