package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"consentledger/cmd/consentledger/smartkey"
	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
)

// A scaleConfig is what the flags of bench scale say.
type scaleConfig struct {
	Config
	against string
	choices []string
	data    string
	keep    string
	output  string
}

func newBenchScale() *cobra.Command {
	var c scaleConfig
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "Measure how a ledger does as persons and history grow, against an earlier build and against peers",
		Long: `Measure how a ledger does as persons and history grow. Every program is run as its users
run it, serve in a process of its own, and loaded over HTTP: at every size of the population events,
questions and batches; at the end what grows with history: starts, and questions about the whole log.

An earlier build (--against), PostgreSQL with a table of events (--postgres) and JetStream that syncs
every message (--jetstream) are measured in turns with it, so that a ratio is of the same minutes.

To load a million persons takes most of an hour. With --keep the directory stays, and the next run,
of a later build too, measures those who are there and loads only whom --population has more.`,
		Example: `  consentledger bench scale --population 10000,100000 --against ./consentledger-before
  consentledger bench scale --population 10000,1000000 --choice uniform --postgres /usr/lib/postgresql/15/bin --jetstream
  consentledger bench scale --population 1000000 --history 10 --whole --choice uniform --keep ./million`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.valid(); err != nil {
				return exit.Usage(err)
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&c.Population, "population", []int{10_000, 100_000},
		"how many persons there are when it measures, rising")
	f.IntVar(&c.History, "history", 13, "how many events each person has")
	f.BoolVar(&c.Whole, "whole", false,
		"load persons with their whole history each, as an import does, instead of events of anybody")
	f.IntVar(&c.Batch, "batch", 1000, "how many events a batch has, at most 1000")
	f.IntVar(&c.Deep, "deep", 6_000, "how many events one person has in the end (zero: nobody has many)")
	f.StringSliceVar(&c.choices, "choice", []string{"uniform", "zipf"},
		"whom a request is about: uniform, everybody equally often; zipf, few often")
	f.IntVar(&c.Clients, "clients", 64, "how many clients record and check at once")
	f.IntVar(&c.Rounds, "rounds", 3, "how many slices a measurement has; the median is reported")
	f.DurationVar(&c.Slice, "for", 3*time.Second, "how long a slice is")
	f.StringVar(&c.against, "against", "", "another build of the ledger, measured in turns with this one")
	f.StringVar(&c.Postgres, "postgres", "", "where PostgreSQL's programs are, to measure a table of events, too")
	f.BoolVar(&c.JetStream, "jetstream", false, "measure a stream that syncs every message, too")
	f.StringVar(&c.data, "data", "",
		"where the data directories are made, and removed again (default: the temporary directory)")
	f.StringVar(&c.keep, "keep", "",
		"a directory that stays: what is loaded into it need not be loaded again by the next run that names it")
	f.StringVarP(&c.output, "output", "o", "table", "how to print: table or json")
	return cmd
}

// valid says what is wrong with the flags.
func (c *scaleConfig) valid() error {
	for _, name := range c.choices {
		choice := Choice(name)
		if choice != Uniform && choice != Zipf {
			return fmt.Errorf("--choice %s: want uniform or zipf", name)
		}
		c.Choices = append(c.Choices, choice)
	}

	if len(c.Population) == 0 || !slices.IsSorted(c.Population) || c.Population[0] < 1 {
		return errors.New("--population: want numbers of persons that rise, as in 10000,100000")
	}
	if c.Whole && c.History > c.Batch {
		return fmt.Errorf("--whole: a batch of %d has no room for %d events of a person", c.Batch, c.History)
	}
	if c.Batch < 1 || c.Batch > 1000 {
		return fmt.Errorf("--batch %d: want 1 to 1000", c.Batch)
	}
	if c.History < 1 || c.Deep < 0 || c.Clients < 1 || c.Rounds < 1 || c.Slice <= 0 {
		return errors.New("--history, --clients, --rounds and --for are greater than zero")
	}
	if c.keep != "" && (c.against != "" || c.data != "") {
		return errors.New("--keep: the directory is of one build and has its own place: without --against and --data")
	}
	if c.output != "table" && c.output != "json" {
		return fmt.Errorf("-o %s: want table or json", c.output)
	}
	return nil
}

func (c *scaleConfig) run(ctx context.Context, out, progress io.Writer) (err error) {
	remove, err := c.makeDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c.Progress = progress

	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Programs = append(c.Programs, &Program{Name: "this build", Path: self, Dir: filepath.Join(c.Dir, "this")})
	if c.against != "" {
		c.Programs = append(c.Programs,
			&Program{Name: "the other build", Path: c.against, Dir: filepath.Join(c.Dir, "other")})
	}

	figures, err := Scale(ctx, c.Config)
	return errors.Join(err, printFigures(out, c.output, figures))
}

// makeDir makes the directory of the run, or opens the one that is kept.
func (c *scaleConfig) makeDir() (remove func() error, err error) {
	if c.keep == "" {
		c.Dir, c.Policy, remove, err = benchDir(c.data, "consentledger-scale-")
		return remove, err
	}

	if c.Policy, c.loaded, err = keptDir(c.keep); err != nil {
		return nil, err
	}
	if c.loaded.Persons > uint64(c.Population[0]) {
		return nil, fmt.Errorf("--population %d: %d persons are in %s already",
			c.Population[0], c.loaded.Persons, c.keep)
	}
	c.Dir, c.Keep = c.keep, true
	return func() error { return nil }, nil
}

// benchDir makes a directory for what is measured, with the sample policy in it.
func benchDir(below, name string) (dir, policy string, remove func() error, err error) {
	if dir, err = os.MkdirTemp(below, name); err != nil {
		return "", "", nil, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	err = os.Chmod(dir, 0o755) // PostgreSQL's user looks into it
	if err == nil {
		err = os.CopyFS(filepath.Join(dir, "policy"), smartkey.Files)
	}
	if err != nil {
		return "", "", nil, errors.Join(err, remove())
	}
	return dir, filepath.Join(dir, "policy", "policy.yaml"), remove, nil
}

// printFigures prints as --output says.
func printFigures(out io.Writer, output string, figures []Figure) error {
	if output != "json" {
		return Print(out, figures)
	}
	lines := json.NewEncoder(out)
	lines.SetIndent("", "  ")
	return lines.Encode(figures)
}
