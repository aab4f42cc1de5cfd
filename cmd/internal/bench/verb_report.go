package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"consentledger/cmd/internal/buildinfo"
	"consentledger/cmd/internal/exit"

	"github.com/jedib0t/go-pretty/v6/table"
)

// A Report is what bench found.
type Report struct {
	Machine machine  `json:"machine"`
	Without []string `json:"without,omitempty"` // what did nothing that follows the log
	Figures []figure `json:"figures"`
}

// A machine is where figures come from.
type machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	CPUs       int    `json:"cpus"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Go         string `json:"go"`
	Version    string `json:"version"`
	Commit     string `json:"commit"`
}

func thisMachine() machine {
	m := machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		Go: runtime.Version(), Version: buildinfo.Version, Commit: buildinfo.Commit,
	}
	if buildinfo.Commit != "" {
		return m
	}

	m.Commit = "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}

	changed := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			m.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}

	m.Commit += changed
	return m
}

// A figure is one number, with the least and the greatest of the samples that
// it is the median of.
type figure struct {
	Part    string  `json:"part"`
	Clients int     `json:"clients,omitempty"`
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Unit    string  `json:"unit"`
	How     string  `json:"how"`
}

// A sample is measurements of one thing.
type sample []float64

func (s *sample) add(v float64) { *s = append(*s, v) }

func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (r *Report) add(part string, clients int, name, unit, how string, s ...float64) {
	r.Figures = append(r.Figures, figure{
		Part: part, Clients: clients, Name: name, Unit: unit, How: how,
		Value: sample(s).median(), Min: slices.Min(s), Max: slices.Max(s),
	})
}

// row adds the figures of one measurement against the echo.
func (r *Report) row(part string, o order, b benchRow) {
	how := fmt.Sprintf("NATS request/reply, %d connections, requests of %.0f bytes, from a process of its own",
		min(o.Clients, maxConns), b.bytes.median())
	r.add(part, o.Clients, "rate", "1/s", how, b.rate...)
	r.add(part, o.Clients, "echo", "1/s",
		"the same requests to an echo in the ledger's process; mean of the slices before and after", b.echo...)
	r.add(part, o.Clients, "ratio", "of the echo", "rate / echo, round by round", b.ratio...)
	r.add(part, o.Clients, "p50", "ms", "from request to answer, median of the rounds", b.p50...)
	r.add(part, o.Clients, "p95", "ms", "from request to answer, median of the rounds", b.p95...)
	r.add(part, o.Clients, "p99", "ms", "from request to answer, median of the rounds", b.p99...)
	r.add(part, o.Clients, "settle", "s",
		"from the last answer of a slice until every projection has applied everything", b.settle...)
	r.add(part, o.Clients, "CPU", "µs each",
		"CPU time of the ledger's process (NATS server, ledger, store, projections) / requests; other programs "+
			"hardly change it", b.work...)
	r.add(part, o.Clients, "CPU of the echo", "µs each", "the same of the echo", b.echoWork...)
}

func (r *Report) print(out io.Writer, form string) error {
	if form == "json" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, string(text))
		return err
	}

	m := r.Machine
	fmt.Fprintf(out, "%s/%s, %d CPUs, GOMAXPROCS %d, %s, consentledger %s, commit %s\n", m.OS, m.Arch, m.CPUs,
		m.GOMAXPROCS, m.Go, m.Version, m.Commit)
	if len(r.Without) > 0 {
		fmt.Fprintln(out, "without "+strings.Join(r.Without, ", "))
	}

	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"part", "clients", "figure", "value", "least", "greatest", "unit"})
	last := ""
	for _, f := range r.Figures {
		if group := fmt.Sprint(f.Part, f.Clients); group != last && last != "" {
			t.AppendSeparator()
			last = group
		} else {
			last = group
		}
		t.AppendRow(table.Row{f.Part, clientsText(f.Clients), f.Name, Number(f.Value), Number(f.Min), Number(f.Max),
			f.Unit})
	}

	_, err := fmt.Fprintln(out, t.Render())
	return err
}

func clientsText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// checkOutput refuses a way to print that there is not.
func checkOutput(output string) error {
	if output != "table" && output != "json" {
		return exit.Usage(fmt.Errorf("-o %s: want table or json", output))
	}
	return nil
}
