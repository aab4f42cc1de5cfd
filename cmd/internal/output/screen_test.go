package output

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// On a terminal a table is as wide as that, or its rows are lines; times are local.
func TestATableFitsTheTerminal(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	row := `{"id":"R1","hash":"sha256:` + strings.Repeat("ab", 32) + `","at":"2026-03-01T23:30:00.000Z","说明":"` + strings.Repeat("撤回同意", 20) + `","none":""}`
	columns := []string{"id", "hash", "at", "说明", "none"}
	for _, width := range []int{30, 80, 120, 300} {
		var out bytes.Buffer
		c := &cobra.Command{}
		c.SetOut(&out)
		Flag(c)
		p := NewPrinter(c, columns...)
		p.screen = screen{width, zone}
		if err := p.Row([]byte(row)); err != nil {
			t.Fatal(err)
		}
		if err := p.End(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := text.StringWidth(strings.TrimRight(line, "\n")); w > width {
				t.Errorf("a line is %d wide on a screen of %d: %s", w, width, line)
			}
		}
		flat := strings.Join(strings.Fields(strings.NewReplacer("│", "", "\n", " ").Replace(out.String())), "")
		for _, want := range []string{"2026-03-02", "07:30:00"} {
			if !strings.Contains(flat, strings.ReplaceAll(want, " ", "")) {
				t.Errorf("at %d: no %s in\n%s", width, want, &out)
			}
		}
		if strings.Contains(out.String(), "┌") == (width == 30) || strings.Contains(out.String(), "none") {
			t.Errorf("at %d:\n%s", width, &out)
		}
	}

	// What is no terminal is left as it is.
	var out bytes.Buffer
	c := &cobra.Command{}
	c.SetOut(&out)
	Flag(c)
	p := NewPrinter(c, columns...)
	if err := p.Row([]byte(row)); err != nil {
		t.Fatal(err)
	}
	if err := p.End(); err != nil || !strings.Contains(out.String(), "2026-03-01T23:30:00.000Z") {
		t.Errorf("%v\n%s", err, &out)
	}
}
