package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/esdb"

	"github.com/spf13/cobra"
)

// An esdbBench is a run of bench esdb.
type esdbBench struct {
	clients []int
	rounds  int
	slice   time.Duration
	records int
	every   time.Duration
	data    string
	output  string

	dir      string
	report   Report
	progress io.Writer
}

func newBenchEsdb() *cobra.Command {
	var b esdbBench
	cmd := &cobra.Command{
		Use:   "esdb",
		Short: "Measure the store on EventStoreDB's protocol, against the embedded store",
		Long: `Measure the store on EventStoreDB's protocol: appends by a call each (unary) and by one call that
stays open (batch), barriers, checks behind barriers and without, what a lone reader waits, and how fast
the whole history is followed. The server is this program's own, in a process of its own; it keeps its
records in memory, so nothing here says what a disk costs. What is compared is measured in turns.`,
		Example: `  consentledger bench esdb
  consentledger bench esdb --clients 64 --rounds 5 --for 1s -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.valid(); err != nil {
				return exit.Usage(err)
			}
			b.progress = cmd.ErrOrStderr()
			return b.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&b.clients, "clients", []int{1, 64, 256}, "how many clients append, or ask, at once")
	f.IntVar(&b.rounds, "rounds", 15, "how many slices a measurement has; the median is reported")
	f.DurationVar(&b.slice, "for", 300*time.Millisecond, "how long a slice is")
	f.IntVar(&b.records, "records", 200_000, "how many records there are to follow")
	f.DurationVar(&b.every, "barrier-every", 10*time.Millisecond,
		"the least time between two barriers that the server is asked for")
	f.StringVar(&b.data, "data", "",
		"where the embedded store's directory is made, and removed again (default: the temporary directory)")
	f.StringVarP(&b.output, "output", "o", "table", "how to print: table or json")
	return cmd
}

// valid says what is wrong with the flags.
func (b *esdbBench) valid() error {
	for _, n := range b.clients {
		if n < 1 {
			return fmt.Errorf("--clients %d: want at least 1", n)
		}
	}
	if b.rounds < 1 || b.records < 1 || b.slice <= 0 || b.every <= 0 {
		return errors.New("--rounds, --records, --for and --barrier-every are greater than zero")
	}
	if b.output != "table" && b.output != "json" {
		return fmt.Errorf("-o %s: want table or json", b.output)
	}
	return nil
}

func (b *esdbBench) run(ctx context.Context, out io.Writer) (err error) {
	b.report.Machine = thisMachine()
	if b.dir, err = os.MkdirTemp(b.data, "consentledger-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	for _, n := range b.clients {
		if err := b.appends(ctx, n); err != nil {
			return err
		}
	}

	for _, n := range b.clients {
		if err := b.checks(ctx, n); err != nil {
			return err
		}
	}
	if err := errors.Join(b.lone(ctx), b.follow(ctx)); err != nil {
		return err
	}
	return b.report.print(out, b.output)
}

// A way is one of those in which something is done that are compared.
type way struct {
	name   string
	server *protocolServer // whose CPU time is counted, too; nil: it has none
	do     func(context.Context) (stint, error)
}

// A ratio is one way's rate to another's.
type ratio struct{ of, to string }

// turns measures the ways in turns, each time another one first, and reports rates,
// CPU times and ratios.
func (b *esdbBench) turns(
	ctx context.Context, part string, clients int, how string, ways []way, ratios ...ratio,
) error {
	rates, work, theirs := map[string]sample{}, map[string]sample{}, map[string]sample{}
	for round := range b.rounds {
		fmt.Fprintf(b.progress, "%s, %d clients, round %d of %d\n", part, clients, round+1, b.rounds)
		for i := range ways {
			w := ways[(round+i)%len(ways)]
			s, mine, served, err := w.take(ctx)
			if err != nil {
				return fmt.Errorf("bench esdb: %s: %s: %w", part, w.name, err)
			}
			rates[w.name] = append(rates[w.name], s.rate())
			work[w.name] = append(work[w.name], mine)
			theirs[w.name] = append(theirs[w.name], served)
		}
	}

	for _, w := range ways {
		b.report.add(part, clients, w.name, "1/s", how, rates[w.name]...)
		b.report.add(part, clients, w.name+", CPU", "µs each", "CPU time of the process with the store",
			work[w.name]...)
		if w.server != nil {
			b.report.add(part, clients, w.name+", CPU of the server", "µs each",
				"CPU time of the protocol server's process", theirs[w.name]...)
		}
	}
	for _, r := range ratios {
		var byClock, byCPU sample
		for i := range b.rounds {
			byClock.add(rates[r.of][i] / rates[r.to][i])
			byCPU.add((work[r.to][i] + theirs[r.to][i]) / (work[r.of][i] + theirs[r.of][i]))
		}
		b.report.add(part, clients, r.of+" to "+r.to, "ratio", "of the rates, round by round", byClock...)
		b.report.add(part, clients, r.of+" to "+r.to+", by CPU", "ratio",
			"of what a second of CPU time does, here and at the server: other programs hardly change it", byCPU...)
	}
	return nil
}

// take does it once, and returns what CPU time each took here and at the server, in
// microseconds.
func (w way) take(ctx context.Context) (s stint, mine, theirs float64, err error) {
	before, err := cpuTime()
	if err != nil {
		return s, 0, 0, err
	}
	var served time.Duration
	if w.server != nil {
		if served, err = w.server.cpuTime(); err != nil {
			return s, 0, 0, err
		}
	}
	if s, err = w.do(ctx); err == nil && s.done == 0 {
		err = errors.New("nothing was done in the time of a slice: use a longer --for")
	}
	if err != nil {
		return s, 0, 0, err
	}

	after, err := cpuTime()
	if err != nil {
		return s, 0, 0, err
	}
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(s.done) }
	if w.server == nil {
		return s, each(after - before), 0, nil
	}
	until, err := w.server.cpuTime()
	return s, each(after - before), each(until - served), err
}

// onServer runs f with a store on a new server for each of the options.
func (b *esdbBench) onServer(
	ctx context.Context, f func(*protocolServer, []*esdb.Store) error, options ...esdb.Options,
) (err error) {
	server, err := startProtocolServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close()) }()

	address, err := esdb.ParseAddress(server.address)
	if err != nil {
		return err
	}
	var stores []*esdb.Store
	for _, o := range options {
		if o.BarrierEvery == 0 {
			o.BarrierEvery = b.every
		}
		s, err := esdb.Open(address, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		if err := s.Ready(ctx); err != nil {
			return err
		}
		stores = append(stores, s)
	}
	return f(server, stores)
}

// onDisk runs f with an embedded store in a new directory.
func (b *esdbBench) onDisk(name string, f func(eventstore.Store) error) (err error) {
	dir := filepath.Join(b.dir, name)
	db, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), os.RemoveAll(dir)) }()
	return f(db.Store())
}
