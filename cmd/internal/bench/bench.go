package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/tune"

	"github.com/spf13/cobra"
)

// A benchConfig is what bench's flags say.
type benchConfig struct {
	data       string
	only       []string
	clients    []int
	without    []string
	slice      time.Duration
	rounds     int
	population int
	events     int
	persons    int
	rate       int
	lagFor     time.Duration
	demoFor    time.Duration
	quick      bool
	output     string
	profile    profileConfig
}

// A part is one thing that bench measures, each with a data directory of its
// own, so that no figure depends on which other parts were chosen.
type part struct {
	name string
	run  func(*bench, context.Context) error
}

func parts() []part {
	return []part{
		{"record", func(b *bench, ctx context.Context) error {
			return b.record(ctx, "record", plainLoad, 1, 16, 64, 256)
		}},
		{"personal", func(b *bench, ctx context.Context) error {
			return b.record(ctx, "personal", personalLoad, 1, 16, 64, 256)
		}},
		{"withdrawals", func(b *bench, ctx context.Context) error {
			return b.record(ctx, "withdrawals", withdrawalLoad, 256)
		}},
		{"append", (*bench).appendAlone},
		{"check", (*bench).check},
		{"replay", (*bench).replay},
		{"rebuild", (*bench).rebuild},
		{"lag", (*bench).lag},
		{"seal", (*bench).checkpoints},
		{"verify", (*bench).verify},
		{"disk", (*bench).disk},
		{"memory", (*bench).memory},
		{"demo", (*bench).demo},
	}
}

func New() *cobra.Command {
	var c benchConfig
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a whole ledger on this machine, against a plain NATS echo",
		Long: `Measure a whole ledger on this machine: one is started as serve does, in a
temporary directory, and loaded over NATS by a process of its own. Rates stand
beside those of a NATS echo that was measured in turns with them, since machines
differ, and the same machine differs from minute to minute.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.quick {
				c.hurry(cmd)
			}
			if err := c.valid(); err != nil {
				return exit.Usage(err)
			}
			return runBench(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.flags(cmd)
	cmd.AddCommand(newBenchScale(), newBenchMany(), newBenchEsdb(), newBenchOverload(), newBenchPages())
	return cmd
}

func (c *benchConfig) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.data, "data", "",
		"where the data directories are made, and removed again (default: the temporary directory)")
	f.StringSliceVar(&c.only, "only", nil, "only these parts: "+strings.Join(partNames(), ", "))
	f.IntSliceVar(&c.clients, "clients", nil,
		"how many clients, or writers, at once (default: 1,16,64,256; append 1,256; check 1,64)")
	f.StringSliceVar(&c.without, "without", nil,
		"record, personal and withdrawals without some of what follows the log, to see what that costs: "+
			strings.Join(Followers, ", "))
	f.DurationVar(&c.slice, "for", 2*time.Second, "how long a slice of a measurement is")
	f.IntVar(&c.rounds, "rounds", 5, "how many slices a measurement has; the median is reported")
	f.IntVar(&c.population, "population", 10_000,
		"how many persons are recorded before record, personal, check and lag measure")
	f.IntVar(&c.events, "events", 50_000, "how many events replay, rebuild and disk record first")
	f.IntVar(&c.persons, "persons", 100_000, "how many persons memory records")
	f.IntVar(&c.rate, "rate", 10_000, "how many events a second lag sends")
	f.DurationVar(&c.lagFor, "lag-for", time.Minute, "how long lag sends them")
	f.DurationVar(&c.demoFor, "demo-for", 0, "run serve --demo for so long and report its memory (default: do not)")
	f.BoolVar(&c.quick, "quick", false, "a run of some seconds, whose figures mean little")
	f.StringVarP(&c.output, "output", "o", "table", "how to print: table or json")
	f.StringVar(&c.profile.cpu, "cpuprofile", "",
		"write a CPU profile of the ledger's process (one part, one number of clients)")
	f.StringVar(&c.profile.memory, "memprofile", "", "write a heap and allocation profile, likewise")
	f.StringVar(&c.profile.block, "blockprofile", "", "write a profile of where goroutines wait, likewise")
	f.StringVar(&c.profile.mutex, "mutexprofile", "", "write a profile of contended mutexes, likewise")
}

// loads are the parts that load a server and measure its receipts.
var loads = []string{"record", "personal", "withdrawals"}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// hurry shortens what the caller did not set.
func (c *benchConfig) hurry(cmd *cobra.Command) {
	unset := func(name string) bool { return !cmd.Flags().Changed(name) }
	if unset("for") {
		c.slice = 50 * time.Millisecond
	}
	if unset("rounds") {
		c.rounds = 2
	}
	if unset("population") {
		c.population = 100
	}
	if unset("events") {
		c.events = 300
	}
	if unset("persons") {
		c.persons = 100
	}
	if unset("rate") {
		c.rate = 200
	}
	if unset("lag-for") {
		c.lagFor = 500 * time.Millisecond
	}
}

// valid says what is wrong with the flags.
func (c *benchConfig) valid() error {
	for _, name := range c.only {
		if !slices.Contains(partNames(), name) {
			return fmt.Errorf("--only %s: want %s", name, strings.Join(partNames(), ", "))
		}
	}

	for _, name := range c.without {
		if !slices.Contains(Followers, name) {
			return fmt.Errorf("--without %s: want %s", name, strings.Join(Followers, ", "))
		}
	}

	if len(c.without) > 0 && (len(c.only) == 0 ||
		slices.ContainsFunc(c.only, func(part string) bool { return !slices.Contains(loads, part) })) {
		return fmt.Errorf("--without wants --only with some of %s: the other parts measure what follows",
			strings.Join(loads, ", "))
	}

	for _, n := range c.clients {
		if n < 1 {
			return fmt.Errorf("--clients %d: want at least 1", n)
		}
	}

	switch {
	case c.rounds < 1 || c.population < 1 || c.events < 1 || c.persons < 1 || c.rate < 1 || c.slice <= 0 ||
		c.lagFor <= 0 || c.demoFor < 0:
		return errors.New("--for, --rounds, --population, --events, --persons, --rate and --lag-for are greater than " +
			"zero")
	case c.output != "table" && c.output != "json":
		return fmt.Errorf("-o %s: want table or json", c.output)
	}

	if c.profile == (profileConfig{}) {
		return nil
	}
	return c.profile.valid(c.only, c.clients)
}

// A bench is a run of the verb.
type bench struct {
	benchConfig
	dir      string // where the data directories are made
	report   Report
	progress io.Writer
}

func runBench(ctx context.Context, c benchConfig, out, progress io.Writer) (err error) {
	tune.AddProc() // as serve does
	b := &bench{benchConfig: c, report: Report{Machine: thisMachine(), Without: c.without}, progress: progress}
	if b.dir, err = os.MkdirTemp(c.data, "consentledger-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	for _, p := range parts() {
		if !b.wants(p.name) {
			continue
		}
		fmt.Fprintf(progress, "measuring %s\n", p.name)
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("bench %s: %w", p.name, err)
		}
	}
	return b.report.print(out, c.output)
}

func (b *bench) wants(name string) bool {
	if name == "demo" && b.demoFor == 0 {
		return false
	}
	return len(b.only) == 0 || slices.Contains(b.only, name)
}

// counts returns the numbers of clients to measure with.
func (b *bench) counts(otherwise ...int) []int {
	if len(b.clients) > 0 {
		return b.clients
	}
	return otherwise
}

func (b *bench) dataDir(part string) string { return filepath.Join(b.dir, part) }
