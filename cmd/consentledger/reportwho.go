package main

import (
	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newReportWho() *cobra.Command {
	var app string
	var q rest.WhoRequest
	c := &cobra.Command{
		Use: "who", Short: "Who agreed to a purpose, or refused it, by the app's own ids", Args: cobra.NoArgs,
		Long: `Who agreed to a purpose, or stands otherwise with it, by the ids that the app has for
them, and the events that prove it. Ids are personal: who reads them and why is
recorded first, page by page, and without --reason, --why and --by nothing is shown.`,
		Example: `  consentledger report who --app smartkey --purpose personalisation --reason audit --why 'yearly sample' --by ann
  consentledger report who --app smartkey --purpose personalisation --status withdrawn --reason audit --why 'yearly sample' --by ann -o csv`,
		RunE: func(c *cobra.Command, _ []string) error {
			q.Limit = "1000"
			_, rows, err := remote.Pages(c, remote.App(app)+"/consents/who", &q.Cursor, func() any { return q },
				"people")
			if err != nil {
				return err
			}
			return output.Rows(c, rows, "subject", "purpose", "status", "since", "policy", "version", "because",
				"person")
		},
	}
	commandline.AppFlag(c, &app)
	f := c.Flags()
	f.StringVar(&q.Purpose, "purpose", "", "the purpose")
	f.StringVar(&q.Status, "status", "", "given (the default), refused, withdrawn, expired, stale or ask-again")
	history.AccessorFlags(c, &q.Accessor)
	commandline.Require(c, "purpose", "reason", "why", "by")
	output.Flag(c)
	return c
}
