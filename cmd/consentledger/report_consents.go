package main

import (
	"net/url"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/reports"

	"github.com/spf13/cobra"
)

func newReportConsents() *cobra.Command {
	var app string
	var opposed bool
	query := url.Values{}
	c := &cobra.Command{
		Use:   "consents",
		Short: "How many people stand where with each purpose, and how many answers were voided",
		Long: "How many people stand where with each purpose. Persons who are marked as tests are left out, and the " +
			"table ends with how\nmany they are and how many answers were voided. They stand there now: a consent " +
			"that ran out or grew stale since the person's\nlast event counts as expired or stale. Whether somebody " +
			"may, and what somebody must be asked, check and prompt tell.\nBelow it stands how many people said yes " +
			"themselves where a machine's signal, such as gpc, says no; --opposed lists who they are.",
		Example: "  consentledger report consents --app smartkey\n" +
			"  consentledger report consents --app smartkey --opposed -o csv",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			commandline.SetIf(query, "min_position", c.Flags().Lookup("min-position").Value.String())
			if opposed {
				return reports.PrintOpposed(c, app, query)
			}
			return reports.PrintConsents(c, app, query)
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().BoolVar(&opposed, "opposed", false, "list the people who said yes where a machine's signal says no")
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}
