package main

import (
	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

func newState() *cobra.Command {
	var data, app string
	var r wire.StateRequest
	c := &cobra.Command{
		Use:   "state",
		Short: "Fold one person's history: where they stand with every purpose, and why",
		Long: "Fold one person's history: where they stand with every purpose, why, and the events that prove " +
			"it;\nfrom the running server, or with --data from the directory of a stopped one. Both give the same " +
			"bytes.",
		Example: "  consentledger state --app smartkey --subject user-2 --known-at 2026-03-01T00:00:00Z",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := history.State(c, data, app, r)
			if err != nil {
				return err
			}
			return output.List(c, answer, "purposes", "purpose", "allowed", "status", "why", "since", "until", "events",
				"sequences")
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	commandline.AppFlag(c, &app)
	f.StringVar(&r.Subject, "subject", "", "the person, as in user-1 or device:abc")
	f.StringVar(&r.Action, "action", "", "collect, use, provide, publish or export (default: use)")
	f.StringVar(&r.ValidAt, "valid-at", "", "where they stood then, RFC 3339 (default: --known-at, or else now)")
	f.StringVar(&r.KnownAt, "known-at", "", "as far as was known then, RFC 3339 (default: now)")
	commandline.Require(c, "subject")
	output.Flag(c)
	return c
}
