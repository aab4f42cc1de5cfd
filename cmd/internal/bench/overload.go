package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
)

// An overloadConfig is what the flags of bench overload say.
type overloadConfig struct {
	clients, times, population, rounds, erase int
	slice                                     time.Duration
	data, output                              string
}

const overloadHelp = `Measure how a server does that is asked for more than it can do. It is run as its users run
it, serve in a process of its own, and loaded over HTTP: first by so many clients (calm), then
by ten times as many (overload), in turns. Three of four clients record, one asks "may we?";
under overload some read lists and reports besides. A client that is refused waits as long as it is
told. Reported is how long what was accepted took, how much was refused, and the memory; and how
long the clients' own process waited for a processor, which is part of every time that they
measure: they share the machine with the server.`

func newBenchOverload() *cobra.Command {
	var c overloadConfig
	cmd := &cobra.Command{
		Use: "overload", Short: "Measure a server that is asked for ten times what it can do", Long: overloadHelp,
		Example: "  consentledger bench overload --clients 32 --rounds 3", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.clients < 4 || c.times < 2 || c.population < 1 || c.rounds < 1 || c.slice <= 0 {
				return exit.Usage(errors.New("--clients is 4 at least, --times 2, and --population, --rounds and " +
					"--for are greater than zero"))
			}
			if err := checkOutput(c.output); err != nil {
				return err
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.clients, "clients", 32, "how many clients a calm load has")
	f.IntVar(&c.times, "times", 10, "how many times as many an overload has")
	f.IntVar(&c.population, "population", 10_000, "how many persons there are")
	f.IntVar(&c.rounds, "rounds", 3, "how many slices each load has, in turns; the median is reported")
	f.IntVar(&c.erase, "erase", 0,
		"in the end erase so many persons in the background while a calm load goes on (default: nobody)")
	f.DurationVar(&c.slice, "for", 5*time.Second, "how long a slice is")
	f.StringVar(&c.data, "data", "",
		"where the data directory is made, and removed again (default: the temporary directory)")
	f.StringVarP(&c.output, "output", "o", "table", "how to print: table or json")
	return cmd
}

// An OverloadFigure is what one load measured.
type OverloadFigure struct {
	Load     string  `json:"load"`
	Work     string  `json:"work"`
	Clients  int     `json:"clients"`
	Rate     float64 `json:"accepted_per_second"`
	P50      float64 `json:"p50_ms"` // of what was accepted
	P99      float64 `json:"p99_ms"`
	Refused  int     `json:"refused"`
	Accepted int     `json:"accepted"`
	Memory   int64   `json:"resident_bytes"`    // of the server, at the end of the slice
	Waits    float64 `json:"load_waits_p99_ms"` // of the clients' process, for a processor
}

func (c *overloadConfig) run(ctx context.Context, out, progress io.Writer) (err error) {
	dir, policy, remove, err := benchDir(c.data, "consentledger-overload-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := &Program{Name: "this build", Path: self, Dir: filepath.Join(dir, "this")}
	if err := p.Prepare(ctx, policy); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()

	crowd := NewCrowd(Uniform)
	for n := 0; n < c.population; n += 500 {
		if err := p.batch(func() []byte { return crowd.Arrivals(500) })(ctx); err != nil {
			return err
		}
	}
	var all []OverloadFigure
	for n := range c.rounds {
		for _, load := range []struct {
			name    string
			clients int
			heavy   bool
		}{{"calm", c.clients, false}, {"overload", c.clients * c.times, true}} {
			fmt.Fprintf(progress, "round %d: %s, %d clients\n", n+1, load.name, load.clients)
			figures, err := c.load(ctx, p, crowd, load.name, load.clients, load.heavy)
			if err != nil {
				return err
			}
			all = append(all, figures...)
		}
	}
	if c.erase > 0 {
		figures, err := c.erasing(ctx, p, crowd, dir, progress)
		if err != nil {
			return err
		}
		all = append(all, figures...)
	}
	return printOverload(out, c.output, all)
}

// erasing measures a calm load while a job erases persons whom nobody asks for.
func (c *overloadConfig) erasing(
	ctx context.Context, p *Program, crowd *Crowd, dir string, progress io.Writer,
) (all []OverloadFigure, err error) {
	const first = 1_000_000_000 // far from those of the load
	gone := NewCrowd(Uniform)
	gone.Size.Store(first)
	var ids bytes.Buffer
	for n := 0; n < c.erase; n += 500 {
		some := min(500, c.erase-n)
		if err := p.batch(func() []byte { return gone.Arrivals(some) })(ctx); err != nil {
			return nil, err
		}
		for i := range some {
			fmt.Fprintf(&ids, "bench-%d\n", first+n+i+1)
		}
	}
	file := filepath.Join(dir, "ids.txt")
	if err := os.WriteFile(file, ids.Bytes(), 0o600); err != nil {
		return nil, err
	}

	type end struct {
		took time.Duration
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		took, err := p.Verb(ctx, "erasure", "begin", "--app", App, "--file", file, "--reason", "bench", "--by",
			"officer", "--by", "second", "--wait")
		ended <- end{took, err}
	}()
	for {
		figures, err := c.load(ctx, p, crowd, "erasing", c.clients, false)
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
		select {
		case e := <-ended:
			fmt.Fprintf(progress, "%d persons were erased in %.1f s\n", c.erase, e.took.Seconds())
			return all, e.err
		default:
		}
	}
}

// A worker is what one kind of clients does.
type worker struct {
	name    string
	clients int
	send    func(context.Context) (refused time.Duration, err error)

	mu      sync.Mutex
	times   []time.Duration
	refused int
}

// load runs one slice.
func (c *overloadConfig) load(
	ctx context.Context, p *Program, crowd *Crowd, name string, clients int, heavy bool,
) ([]OverloadFigure, error) {
	try := func(route, kind string, body func() []byte) func(context.Context) (time.Duration, error) {
		return func(ctx context.Context) (time.Duration, error) {
			return p.try(ctx, http.MethodPost, route, kind, body())
		}
	}
	workers := []*worker{
		{name: "record", clients: clients - clients/4, send: try("events", "application/cloudevents+json",
			crowd.Event)},
		{name: "check", clients: clients / 4, send: try("check", "application/json", crowd.Question)},
	}
	if heavy {
		workers = append(workers, &worker{name: "report", clients: clients / 10,
			send: func(ctx context.Context) (time.Duration, error) {
				return p.try(ctx, http.MethodGet, "consents/opposed?limit=1000", "", nil)
			}})
	}

	until, cancel := context.WithTimeout(ctx, c.slice)
	defer cancel()
	waited := schedulerWaits()
	began := time.Now()
	var all sync.WaitGroup
	failed := make(chan error, 1)
	for _, w := range workers {
		for range w.clients {
			all.Go(func() {
				if err := w.run(until); err != nil && until.Err() == nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
	}
	all.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	took := time.Since(began)
	waits := quantileSince(waited, schedulerWaits(), 0.99) * 1e3
	memory, err := p.Resident()
	if err != nil {
		return nil, err
	}

	var figures []OverloadFigure
	for _, w := range workers {
		slices.Sort(w.times)
		at := func(q float64) float64 {
			if len(w.times) == 0 {
				return 0
			}
			return float64(w.times[int(q*float64(len(w.times)-1))]) / 1e6
		}
		figures = append(figures, OverloadFigure{
			Load: name, Work: w.name, Clients: w.clients, Rate: float64(len(w.times)) / took.Seconds(), P50: at(0.50),
			P99:     at(0.99),
			Refused: w.refused, Accepted: len(w.times), Memory: memory, Waits: waits,
		})
	}
	return figures, nil
}

// run sends one request after the other, and waits when it is told to.
func (w *worker) run(ctx context.Context) error {
	for ctx.Err() == nil {
		sent := time.Now()
		wait, err := w.send(ctx)
		if err != nil {
			return err
		}
		took := time.Since(sent)
		w.mu.Lock()
		if wait > 0 {
			w.refused++
		} else {
			w.times = append(w.times, took)
		}
		w.mu.Unlock()
		if wait == 0 {
			continue
		}
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
		}
	}
	return nil
}

// flooding keeps as many connections as an overload has clients.
var flooding = &http.Client{
	Timeout:   2 * time.Minute,
	Transport: &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096},
}

// try sends a request once. Refused is for how long the server says to wait; zero: it was
// answered.
func (p *Program) try(ctx context.Context, method, route, kind string, body []byte) (refused time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+"/v1/apps/"+App+"/"+route, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}

	answer, err := flooding.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	if answer.StatusCode < 300 {
		return 0, nil
	}

	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	if seconds < 1 || answer.StatusCode != http.StatusServiceUnavailable &&
		answer.StatusCode != http.StatusTooManyRequests {
		return 0, fmt.Errorf("%s %s: %s: %.300s", method, route, answer.Status, text)
	}
	return time.Duration(seconds) * time.Second, nil
}

// printOverload prints the median round of each load and work, by its p99.
func printOverload(out io.Writer, form string, all []OverloadFigure) error {
	var rows []OverloadFigure
	for _, f := range all {
		if slices.ContainsFunc(rows, func(r OverloadFigure) bool { return r.Load == f.Load && r.Work == f.Work }) {
			continue
		}
		var same []OverloadFigure
		for _, g := range all {
			if g.Load == f.Load && g.Work == f.Work {
				same = append(same, g)
			}
		}
		slices.SortFunc(same, func(a, b OverloadFigure) int { return int(1e3 * (a.P99 - b.P99)) })
		rows = append(rows, same[len(same)/2])
	}
	if form == "json" {
		text, err := json.MarshalIndent(map[string]any{"machine": thisMachine(), "median": rows, "rounds": all}, "",
			"  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", text)
		return err
	}

	calm := map[string]float64{}
	fmt.Fprintf(out, "%-9s %-7s %8s %12s %9s %9s %8s %9s %11s %21s\n", "load", "work", "clients", "accepted/s",
		"p50, ms", "p99, ms", "p99", "refused", "memory, MiB", "clients' waits p99, ms")
	for _, r := range rows {
		ratio := ""
		if was, has := calm[r.Work]; has && was > 0 {
			ratio = fmt.Sprintf("x%.1f", r.P99/was)
		} else if !has && r.Load == "calm" {
			calm[r.Work] = r.P99
		}
		fmt.Fprintf(out, "%-9s %-7s %8d %12.0f %9.1f %9.1f %8s %9d %11d %21.1f\n", r.Load, r.Work, r.Clients, r.Rate,
			r.P50, r.P99, ratio, r.Refused, r.Memory>>20, r.Waits)
	}
	return nil
}
