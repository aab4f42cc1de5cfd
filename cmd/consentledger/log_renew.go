package main

import (
	"errors"
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/projections/transparency"

	"github.com/spf13/cobra"
)

func newLogRenew() *cobra.Command {
	var data, origin, why string
	var recordsLost bool
	c := &cobra.Command{
		Use:     "renew",
		Aliases: []string{"anew"},
		Short:   "Begin the logs anew under a new origin, because their signing keys are lost or stolen, or records are lost",
		Long: `Begin the logs of a stopped server's data directory anew under a new origin,
because what they are signed with is lost for good. First look for the backup of
data/log: with it the logs go on, and this is not needed.

If somebody else has a signing key: move data/log out of the data directory first, and
keep it as evidence. While it is there nothing is lost, and this is refused.

The old logs end as they are: what is left of them, signed checkpoints and tiles,
is moved to data/log.lost-1 and still verifies as far as it was signed. The new
ones cover every record from the first. Whoever verifies needs the new keys, and
is owed the reason. It is kept: no personal data.

With --records-lost the reason is another: the newer store is lost for good, and an
older one was brought back, which ends before what was signed. What was recorded
behind its end is lost; the old checkpoints, which are kept, prove that there was
something. Apps that still have it send it again, withdrawals first: what they
know better than the ledger is theirs to say.`,
		Example: `  consentledger log renew --data data --origin logs.example.com/consent-2 --why "the disk with the keys died, and its backup with it"`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if why == "" || len(why) > 500 {
				return exit.Usage(errors.New("--why: say in 1 to 500 bytes why the logs cannot go on"))
			}
			d, err := server.OpenDataDir(c.Context(), data, "", false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			config, err := d.LogConfig(c.Context(), "")
			if err != nil {
				return err
			}
			kept, err := transparency.Renew(c.Context(), config, origin, why, recordsLost)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(),
				"begun anew; what is left of the old logs is in %s\nstart the server, then give the new key to those "+
					"who verify: consentledger log show-key --data %s --app APP\n", kept, data)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "data", "the data directory of a stopped server")
	f.StringVar(&origin, "origin", "",
		"the name that the new logs stand under, never used before (default: a random one)")
	f.BoolVar(&recordsLost, "records-lost", false,
		"the store is older than what was signed, and no newer one can be brought back")
	f.StringVar(&why, "why", "", "why the logs cannot go on")
	c.MarkFlagRequired("why")
	return c
}
