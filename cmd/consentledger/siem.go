package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/api/siem"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/siemfeed"

	"github.com/spf13/cobra"
)

func newSIEM() *cobra.Command {
	c := &cobra.Command{
		Use:   "siem",
		Short: "Tell a SIEM who did what, as events of OCSF",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newSIEMExport())
	return c
}

func newSIEMExport() *cobra.Command {
	var app string
	var f siemfeed.Feed
	c := &cobra.Command{
		Use:   "export",
		Short: "Print events of OCSF as NDJSON, oldest first",
		Long: `Print who did what as events of the Open Cybersecurity Schema Framework (OCSF
` + siem.SchemaVersion + `), a JSON object a line and the oldest first: reads that leave a record, changes,
keys and roles, sign-ins, and what was refused. No event holds what is known of a
person, nor an id that an app has for them.

With --follow it goes on, also when the server is away for a while. --cursor-file
remembers how far it is, for the next time; after a crash the last events may come
again, with the same metadata.uid. --to-file appends to a file, which may be rotated by
being renamed. What each event says: docs/siem.md.`,
		Example: `  consentledger siem export --app smartkey
  consentledger siem export --follow --cursor-file siem.cursor --to-file /var/log/consentledger/siem.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.After != "" {
				if _, err := siem.ParseCursor(f.After); err != nil {
					return commandline.WrongFlag(err)
				}
			}
			if f.Every < 100*time.Millisecond {
				return exit.Usage(errors.New("--every: is 100ms at least"))
			}

			err := errors.Join(files.CheckOut("--cursor-file", f.Cursor), files.CheckOut("--to-file", f.File))
			if err != nil {
				return err
			}

			f.Out = c.OutOrStdout()
			f.Ask = func(ctx context.Context, after string) ([]byte, string, error) {
				return siemfeed.Ask(ctx, c, app, after)
			}
			f.Away = func(err error) {
				if err == nil {
					fmt.Fprintln(c.ErrOrStderr(), "the server answers again")
					return
				}
				fmt.Fprintln(c.ErrOrStderr(), "it is asked again until it answers:", err)
			}
			return f.Run(c.Context())
		},
	}
	fl := c.Flags()
	fl.StringVar(&app, "app", "", "only this app")
	fl.StringVar(&f.After, "after", "", "only what comes after this cursor, as unmapped.cursor of an event")
	fl.BoolVar(&f.Follow, "follow", false, "go on with what comes")
	fl.DurationVar(&f.Every, "every", time.Second, "how often to ask for more, with --follow")
	fl.StringVar(&f.Cursor, "cursor-file", "", "a file that remembers how far it is; it goes before --after")
	fl.StringVar(&f.File, "to-file", "", "append to this file instead of standard output")
	return c
}
