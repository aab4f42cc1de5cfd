package bench

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/postgres/pgserver"

	"github.com/spf13/cobra"
)

// A manyConfig is what the flags of bench many say.
type manyConfig struct {
	ManyConfig
	data   string
	output string
}

func newBenchMany() *cobra.Command {
	var c manyConfig
	cmd := &cobra.Command{
		Use:   "many",
		Short: "Measure a ledger that one process serves or three, with its records in PostgreSQL or EventStoreDB",
		Long: `Measure a ledger that one process serves, or three, with records, persons and read models
elsewhere: records in PostgreSQL or behind EventStoreDB's protocol (the project's own server, whose
records lie in memory), the rest in PostgreSQL. Beside them: the ledger's own store, and a table of
events in the same PostgreSQL, loaded by pgbench. Everything runs on this machine, so three processes
share its CPUs: what is to be seen is what it costs that they wait for each other.`,
		Example: `  consentledger bench many --clients 64 --rounds 3`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Persons < 1 || c.Clients < 1 || c.Rounds < 1 || c.Slice <= 0 {
				return exit.Usage(errors.New("--persons, --clients, --rounds and --for are greater than zero"))
			}
			if c.output != "table" && c.output != "json" {
				return exit.Usage(errors.New("-o: want table or json"))
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.Only, "only", nil,
		"which ledgers are measured: embedded1, postgres1, postgres3, esdb1, esdb3 (default: all)")
	f.IntVar(&c.Persons, "persons", 10_000, "how many persons there are")
	f.IntVar(&c.Clients, "clients", 64, "how many clients record and check at once")
	f.IntVar(&c.Rounds, "rounds", 3, "how many slices a measurement has; the median is reported")
	f.DurationVar(&c.Slice, "for", 3*time.Second, "how long a slice is")
	f.StringVar(&c.Against, "against", "",
		"another build of this program, which serves the same ledgers beside it in turns")
	f.StringVar(&c.Postgres, "postgres", "", "where PostgreSQL's programs are (default: the newest on this machine)")
	f.StringVar(&c.data, "data", "",
		"where the data directories are made, and removed again (default: the temporary directory)")
	f.StringVarP(&c.output, "output", "o", "table", "how to print: table or json")
	return cmd
}

func (c *manyConfig) run(ctx context.Context, out, progress io.Writer) (err error) {
	if c.Postgres == "" {
		if c.Postgres, err = pgserver.Find(); err != nil {
			return err
		}
	}
	var remove func() error
	if c.Dir, c.Policy, remove, err = benchDir(c.data, "consentledger-many-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c.Progress = progress
	if c.Program, err = os.Executable(); err != nil {
		return err
	}
	c.ESDB = func(ctx context.Context) (string, func() error, error) {
		s, err := startProtocolServer(ctx)
		if err != nil {
			return "", nil, err
		}
		return s.address, s.close, nil
	}

	figures, err := Many(ctx, c.ManyConfig)
	return errors.Join(err, printFigures(out, c.output, figures))
}
