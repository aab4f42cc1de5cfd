package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"consentledger/cmd/internal/terminal"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// A screen is the terminal that a table is read on: its width, and the zone of whoever
// sits there. The zero screen is none: what goes into a file or a pipe is neither
// wrapped nor told in local time.
type screen struct {
	width int
	zone  *time.Location
}

// screenOf returns the terminal that out is, or writes to, if it is one.
func screenOf(out io.Writer) screen {
	f, is := terminal.Beneath(out).(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return screen{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		return screen{}
	}
	return screen{width, time.Local}
}

var instants = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// local tells the instants in a text in the screen's zone, to the second.
func (s screen) local(cell string) string {
	if s.zone == nil {
		return cell
	}
	return instants.ReplaceAllStringFunc(cell, func(is string) string {
		at, err := time.Parse(time.RFC3339Nano, is)
		if err != nil {
			return is
		}
		return at.In(s.zone).Format("2006-01-02 15:04:05 MST")
	})
}

// narrowest is how narrow a column may become. Below that rows are printed as lines.
const narrowest = 8

// fit returns how wide each column may be so that the table is as wide as the screen;
// not ok: the columns are too many for a table.
func (s screen) fit(widths []int) (fitting []int, ok bool) {
	room := s.width - 3*len(widths) - 1 // the frame
	total := 0
	for _, w := range widths {
		total += w
	}

	fitting = append(fitting, widths...)
	for total > room {
		widest := 0
		for i, w := range fitting {
			if w > fitting[widest] {
				widest = i
			}
		}
		if fitting[widest] <= narrowest {
			return nil, false
		}
		fitting[widest]--
		total--
	}
	return fitting, true
}

// render writes rows as wide as the screen: as a table without the columns that are
// empty, or where that has too many columns each row as lines, without what is empty.
func (s screen) render(out io.Writer, t table.Writer, columns []string, rows [][]string) error {
	configs := make([]table.ColumnConfig, len(columns))
	var widths []int
	for i, name := range columns {
		width := 0
		for _, r := range rows {
			width = max(width, text.StringWidth(r[i]))
		}
		hidden := width == 0 && len(rows) > 0
		configs[i] = table.ColumnConfig{Number: i + 1, Hidden: hidden, WidthMaxEnforcer: wrap}
		if !hidden {
			widths = append(widths, max(width, text.StringWidth(name)))
		}
	}

	fitting, ok := s.fit(widths)
	if !ok {
		return s.lines(out, columns, rows)
	}
	for i := range configs {
		if !configs[i].Hidden {
			configs[i].WidthMax, fitting = fitting[0], fitting[1:]
		}
	}

	t.SetColumnConfigs(configs)
	_, err := fmt.Fprintln(out, t.Render())
	return err
}

// wrap breaks a cell into lines of a width. A character that takes two columns may begin in the
// last one: then the lines are narrower by that.
func wrap(cell string, width int) string {
	wrapped := text.WrapSoft(cell, width)
	for line := range strings.Lines(wrapped) {
		if text.StringWidth(strings.TrimRight(line, "\n")) > width {
			return text.WrapSoft(cell, width-1)
		}
	}
	return wrapped
}

func (s screen) lines(out io.Writer, columns []string, rows [][]string) error {
	name := 0
	for _, c := range columns {
		name = max(name, text.StringWidth(c))
	}

	var b strings.Builder
	for i, r := range rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, c := range columns {
			if r[j] == "" {
				continue
			}
			wrapped := wrap(r[j], max(narrowest, s.width-name-2))
			fmt.Fprintf(&b, "%s  %s\n", text.Pad(c, name, ' '),
				strings.ReplaceAll(wrapped, "\n", "\n"+strings.Repeat(" ", name+2)))
		}
	}

	_, err := io.WriteString(out, b.String())
	return err
}

// Lines prints one object in lines, without what it does not have.
func (p *Printer) Lines(object []byte) error {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return err
	}

	row := make([]string, len(p.columns))
	for i, name := range p.columns {
		row[i] = p.screen.local(visible(cell(members[name])))
	}

	s := p.screen
	if s.width == 0 {
		s.width = 1 << 10 // a pipe: nothing is wrapped
	}
	return s.lines(p.out, p.columns, [][]string{row})
}
