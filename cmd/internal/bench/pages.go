package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// A pagesConfig is what the flags of bench pages say.
type pagesConfig struct {
	persons, history, times int
	data, keep, output      string
}

const pagesHelp = `Measure what each page of the dashboard costs, with every filter that its forms offer. The ledger is
run as its users run it, serve in a process of its own, and is loaded with so many persons first, of
whom some are minors, have guardians, or sent requests. Which pages there are is found as a visitor
finds it: by the menu, by links and by forms. Reported is the CPU time of the server for one visit,
what follows it in the background included, and the time by the clock; the worst stands first.
Documents and files, which have everything in them however much that is, are left out.`

func newBenchPages() *cobra.Command {
	var c pagesConfig
	cmd := &cobra.Command{
		Use: "pages", Short: "Measure every page of the dashboard with every filter", Long: pagesHelp,
		Example: "  consentledger bench pages --persons 100000 --history 10 --keep /srv/pages", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.persons < 1 || c.history < 1 || c.times < 1 {
				return exit.Usage(errors.New("--persons, --history and --times are greater than zero"))
			}
			if err := checkOutput(c.output); err != nil {
				return err
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.persons, "persons", 10_000, "how many persons there are")
	f.IntVar(&c.history, "history", 10, "how many events each person has, about")
	f.IntVar(&c.times, "times", 10, "how often each page is visited; ten seconds at most")
	f.StringVar(&c.data, "data", "",
		"where the data directory is made, and removed again (default: the temporary directory)")
	f.StringVar(&c.keep, "keep", "",
		"a data directory that is kept: made by the first run, and used as it is by the next")
	f.StringVarP(&c.output, "output", "o", "table", "how to print: table or json")
	return cmd
}

// A PageFigure is what one page cost, with one choice of its filters.
type PageFigure struct {
	Page   string  `json:"page"`
	CPU    float64 `json:"cpu_ms"`   // of the server, a visit
	Wall   float64 `json:"wall_ms"`  // the median of the visits
	First  float64 `json:"first_ms"` // the first visit, by the clock
	Bytes  int     `json:"bytes"`    // of the page
	Visits int     `json:"visits"`
	Status int     `json:"status"`
}

func (c *pagesConfig) run(ctx context.Context, out, progress io.Writer) (err error) {
	dir, policy, remove, err := benchDir(c.data, "consentledger-pages-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := &Program{Name: "this build", Path: self, Dir: cmp.Or(c.keep, filepath.Join(dir, "this"))}
	defer func() { err = errors.Join(err, p.Stop()) }()

	if _, there := os.Stat(p.Dir); there == nil {
		if err := p.Start(ctx); err != nil {
			return err
		}
	} else if err := c.load(ctx, p, policy, progress); err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}

	v := &visitor{p: p, times: c.times, progress: progress}
	if err := v.everything(ctx); err != nil {
		return err
	}
	return printPages(out, c.output, v.figures)
}

// load fills a new data directory.
func (c *pagesConfig) load(ctx context.Context, p *Program, policy string, progress io.Writer) error {
	if err := p.Prepare(ctx, policy); err != nil {
		return err
	}
	crowd := NewCrowd(Uniform)
	size := min(1000, c.persons)
	batches := (c.persons + size - 1) / size
	fmt.Fprintf(progress, "%d persons come, with %d events each\n", batches*size, c.history)
	if _, err := drive(ctx, batchers, 0, batches, p.batch(func() []byte { return crowd.Arrivals(size) })); err != nil {
		return err
	}
	if c.history > 1 {
		_, err := drive(ctx, batchers, 0, batches*(c.history-1), p.batch(func() []byte { return crowd.Events(size) }))
		if err != nil {
			return err
		}
	}

	fmt.Fprintln(progress, "minors, guardians, requests, incidents and accesses")
	if _, err := drive(ctx, 1, 0, 1, p.each("events", crowd.lives(batches*size))); err != nil {
		return err
	}
	if _, err := drive(ctx, 1, 0, 1, p.each("operator/events", crowd.affairs())); err != nil {
		return err
	}
	_, err := drive(ctx, 4, 0, max(20, c.persons/100), func(ctx context.Context) error { return p.look(ctx, crowd) })
	return err
}

// each sends events in batches, in their order.
func (p *Program) each(route string, events [][]byte) func(context.Context) error {
	return func(ctx context.Context) error {
		for some := range slices.Chunk(events, 1000) {
			text := slices.Concat([]byte("["), joinEvents(some), []byte("]"))
			if err := p.post(ctx, route, "application/cloudevents-batch+json", text); err != nil {
				return err
			}
		}
		return nil
	}
}

// look reads somebody's history, which is recorded.
func (p *Program) look(ctx context.Context, c *Crowd) error {
	body := fmt.Appendf(nil, `{"app":%q,"subject":"bench-%d","reason":"audit","by":"bench"}`, App, c.somebody())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/replay", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("replay: %s: %.300s", answer.Status, text)
	}
	return err
}

// A visitor looks at the pages, each once for every choice that a form offers.
type visitor struct {
	p        *Program
	times    int
	progress io.Writer
	browser  *http.Client
	seen     map[string]bool // addresses without the ids in them
	left     []visit
	figures  []PageFigure
	recorded bool // by the page before that somebody looked
}

// A visit is a page to be looked at; one that has a form is posted.
type visit struct {
	to   string
	form url.Values
}

// records reports whether it is recorded that somebody looked: at a person, or at a command that waits.
func (v visit) records() bool { return v.form != nil || strings.Contains(v.to, "show=") }

// everything visits all pages.
func (v *visitor) everything(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	v.browser = &http.Client{Jar: jar, Timeout: 5 * time.Minute}
	v.seen = map[string]bool{}
	v.find(visit{to: "/ui/?app=" + App})
	for len(v.left) > 0 {
		next := v.left[0]
		v.left = v.left[1:]
		if err := v.visit(ctx, next); err != nil {
			return fmt.Errorf("%s: %w", next, err)
		}
	}
	return nil
}

// find notes a page that was found, unless one like it was visited.
func (v *visitor) find(one visit) {
	if name := one.String(); !v.seen[name] {
		v.seen[name] = true
		v.left = append(v.left, one)
	}
}

// visit looks at a page again and again, and finds others on it.
func (v *visitor) visit(ctx context.Context, one visit) error {
	f := PageFigure{Page: one.String()}
	begun := time.Now()
	body, status, err := v.get(ctx, one)
	if err != nil {
		return err
	}
	f.First, f.Bytes, f.Status = ms(time.Since(begun)), len(body), status
	if status == http.StatusOK {
		for _, other := range onPage(one.to, body) {
			v.find(other)
		}
	}

	// What a page records, as who looked at whom, is followed by others of the program for a while.
	if v.recorded = v.recorded || one.records(); v.recorded {
		if err := v.p.settle(ctx); err != nil {
			return err
		}
	}
	before, err := v.p.CPU()
	if err != nil {
		return err
	}
	var took []time.Duration
	for begun := time.Now(); len(took) < v.times && (len(took) == 0 || time.Since(begun) < 10*time.Second); {
		sent := time.Now()
		if _, _, err := v.get(ctx, one); err != nil {
			return err
		}
		took = append(took, time.Since(sent))
	}
	after, err := v.p.CPU()
	if err != nil {
		return err
	}

	v.recorded = one.records()
	slices.Sort(took)
	f.Visits, f.CPU, f.Wall = len(took), ms(after-before)/float64(len(took)), ms(took[len(took)/2])
	v.figures = append(v.figures, f)
	fmt.Fprintf(v.progress, "%8.1f ms  %s\n", f.CPU, f.Page)
	return nil
}

// get reads a page whole.
func (v *visitor) get(ctx context.Context, one visit) (body []byte, status int, err error) {
	method, form := http.MethodGet, io.Reader(nil)
	if one.form != nil {
		method, form = http.MethodPost, strings.NewReader(one.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, v.p.url+one.to, form)
	if err != nil {
		return nil, 0, err
	}
	if one.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", v.p.url)
	}

	answer, err := v.browser.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return body, answer.StatusCode, err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// printPages prints the figures, the worst first.
func printPages(out io.Writer, form string, figures []PageFigure) error {
	slices.SortStableFunc(figures, func(x, y PageFigure) int { return cmp.Compare(y.CPU, x.CPU) })
	if form == "json" {
		text, err := json.MarshalIndent(map[string]any{"machine": thisMachine(), "pages": figures}, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", text)
		return err
	}

	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"page", "CPU, ms", "wall, ms", "first, ms", "bytes", "status"})
	for _, f := range figures {
		t.AppendRow(table.Row{f.Page, Number(f.CPU), Number(f.Wall), Number(f.First), f.Bytes, f.Status})
	}
	_, err := fmt.Fprintln(out, t.Render())
	return err
}
