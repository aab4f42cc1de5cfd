// Package sheet writes rows for spreadsheets, as CSV and as a workbook. It is the
// only writer of either: what a spreadsheet would do to a cell is known here.
//
// Opening a CSV file, a spreadsheet takes some texts for something else: a
// formula, a number (whose digits it then rounds, or whose leading zeros it
// drops), a day. Such a text gets an apostrophe in front. The mark is visible, and
// nothing is lost; programs that read the file take it off. A workbook says the
// kind of each cell itself and needs no mark.
package sheet

import (
	"encoding/csv"
	"io"
	"regexp"
	"strings"
)

// A Kind says what the text of a cell is.
type Kind uint8

const (
	Text    Kind = iota // read as it stands, whatever it looks like
	Number              // an integer of at most 15 digits
	Date                // a day, as in 2026-10-15
	Instant             // a moment in UTC, as in 2026-10-15T16:00:00.000Z
)

// byteOrderMark tells spreadsheets that a file is UTF-8. Without it they take
// Chinese for something else.
const byteOrderMark = "\ufeff"

// CSV writes rows as RFC 4180 says, after a byte order mark. An error stays until
// Close.
type CSV struct {
	out   io.Writer
	rows  *csv.Writer
	kinds []Kind
	err   error
}

// NewCSV returns a writer of rows whose first one names the columns. Kinds are
// those of the columns; where there are fewer kinds than columns, the others are
// texts.
func NewCSV(w io.Writer, columns []string, kinds ...Kind) *CSV {
	c := &CSV{out: w, rows: csv.NewWriter(w), kinds: kinds}
	_, c.err = io.WriteString(w, byteOrderMark)
	if c.err == nil {
		c.err = c.rows.Write(columns)
	}
	return c
}

// Row writes a row of the columns' kinds.
func (c *CSV) Row(cells ...string) error { return c.RowOf(c.kinds, cells) }

// RowOf writes a row whose cells have kinds of their own.
func (c *CSV) RowOf(kinds []Kind, cells []string) error {
	if c.err != nil {
		return c.err
	}
	safe := make([]string, len(cells))
	for i, text := range cells {
		safe[i] = text
		if kindAt(kinds, i) == Text || !isOfKind(kindAt(kinds, i), text) {
			safe[i] = Protect(text)
		}
	}
	c.err = c.rows.Write(safe)
	return c.err
}

// Close writes what is left. It does not close the writer below.
func (c *CSV) Close() error {
	c.rows.Flush()
	if c.err != nil {
		return c.err
	}
	return c.rows.Error()
}

func kindAt(kinds []Kind, i int) Kind {
	if i < len(kinds) {
		return kinds[i]
	}
	return Text
}

var (
	integer  = regexp.MustCompile(`^-?[0-9]{1,15}$`)
	day      = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	instant  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$`)
	numeric  = regexp.MustCompile(`^([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eEdD][+-]?[0-9]+)?%?$`)
	plain    = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?%?$`)
	partial  = regexp.MustCompile(`^[0-9]{1,4}([-/][0-9]{1,4}|[-/.][0-9]{1,4}[-/.][0-9]{1,4})$`)
	clock    = regexp.MustCompile(`^[0-9]+:[0-9]+(:[0-9.]+)?$`)
	months   = `(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december)`
	money    = regexp.MustCompile(`^([$€£¥￥] ?[0-9][0-9.,]*|[0-9][0-9.,]* ?[$€£¥￥]|\([$€£¥￥]?[0-9][0-9.,]*%?\))$`)
	spaced   = regexp.MustCompile(`^[0-9]+( [0-9]{3})+$|^[0-9]+ [0-9]+/[0-9]+$|^[0-9.,]+ [eE][+-]?[0-9]+$`)
	halfDay  = regexp.MustCompile(`^(?i)[0-9]+(:[0-9]+){0,2}( [ap]m?|[ap]m)$`)
	moment   = regexp.MustCompile(`^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}[ T][0-9]+:[0-9:.]+$`)
	monthDay = regexp.MustCompile(`^(?i)(` + months + `[-/. ]?[0-9]{1,4}|[0-9]{1,4}[-/. ]?` + months +
		`([-/. ]?[0-9]{2,4})?)$`)
)

// isOfKind reports whether a text is one of the kind that it should be. What is
// not is treated as a text: a column of numbers may have an empty cell or a word.
func isOfKind(k Kind, text string) bool {
	switch k {
	case Text:
		return false
	case Number:
		return integer.MatchString(text)
	case Date:
		return day.MatchString(text)
	case Instant:
		return instant.MatchString(text)
	}
	return false
}

// Protect returns text with an apostrophe before it, if a spreadsheet that opens
// a CSV file would take it for something else.
func Protect(text string) string {
	if text == "" || !(startsFormula(text) || looksChanged(text)) {
		return text
	}
	return "'" + text
}

// startsFormula reports whether a spreadsheet may run text. Some take full-width
// signs, too, and look past white space.
func startsFormula(text string) bool {
	if strings.ContainsRune("\t\r\n", rune(text[0])) {
		return true
	}
	rest := strings.TrimLeft(text, " \t\r\n\u00a0\u3000")
	return strings.HasPrefix(text, "'") || strings.IndexAny(rest, "=+-@＝＋－＠﹢﹣") == 0
}

// looksChanged reports whether a spreadsheet would show other characters than
// text has: it rounds to 15 digits, drops zeros, reads days, times, powers and
// money. It looks past white space at the ends, which it drops, and some read
// full-width digits.
func looksChanged(text string) bool {
	const exact = 15 // digits
	if plain.MatchString(text) && len(text) <= exact || day.MatchString(text) {
		return false
	}

	bare := strings.TrimSpace(strings.Map(halfWidth, text))
	if bare != text && (plain.MatchString(bare) || day.MatchString(bare)) {
		return true
	}
	for _, form := range []*regexp.Regexp{numeric, partial, clock, monthDay, money, spaced, halfDay, moment} {
		if form.MatchString(bare) {
			return true
		}
	}
	return false
}

// halfWidth returns the ASCII digit of a full-width one.
func halfWidth(r rune) rune {
	if '０' <= r && r <= '９' {
		return r - '０' + '0'
	}
	return r
}
