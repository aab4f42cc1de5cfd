package main

import (
	"errors"
	"fmt"
	"os"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/verifier"
	"consentledger/projections/transparency/publish"

	"github.com/spf13/cobra"
)

func newLogPublish() *cobra.Command {
	var app, data, out string
	c := &cobra.Command{
		Use:   "publish",
		Short: "Keep a copy of an app's log as files, for any web server",
		Long: `Write an app's log into a directory as the files that C2SP tlog-tiles names, or
bring the copy there up to date: the checkpoint, the tiles of hashes, and the entry
bundles, which hold the records. Any web server can serve it, and whoever has it
needs no ledger to verify it: consentledger verify log DIR.

The ledger itself keeps the records once, in its store, and makes entry bundles
when they are asked for; so nothing needs such a copy. A copy is as large as all
records of the app. Run it again, from cron say, and it reads what came since.

The records must give the root of the checkpoint, or nothing is published. A copy
that has more records than the log, or others, is left as it is: it is evidence.`,
		Example: `  consentledger log publish --app smartkey --out /srv/www/log/smartkey
  consentledger log publish --data data --app smartkey --out copy    # of a stopped server`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if info, err := os.Stat(out); err == nil && !info.IsDir() {
				return exit.Usage(fmt.Errorf("--out: %s is no directory: name the directory of the copy", out))
			}
			v := verifier.LogToVerify{App: app}
			source, at, err := v.Source(c, data)
			defer func() { err = errors.Join(err, v.Close()) }()
			if err != nil {
				return err
			}
			cp, err := publish.Write(c.Context(), source, out)
			if err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "published: %d records, root %s, of the log %s, in %s\n", cp.Size,
				cp.Root, cp.Origin, out)
			return err
		},
	}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.StringVar(&data, "data", "", "the data directory of a stopped server (default: ask the running one)")
	f.StringVar(&out, "out", "", "the directory of the copy; it is made if it is not there")
	c.MarkFlagRequired("out")
	return c
}
