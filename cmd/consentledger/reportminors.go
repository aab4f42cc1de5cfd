package main

import (
	"encoding/json"

	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newReportMinors() *cobra.Command {
	var app string
	var q rest.MinorsRequest
	c := &cobra.Command{
		Use: "minors", Short: "Who is a minor, with how many guardians and consents of theirs", Args: cobra.NoArgs,
		Long: `Who is a minor, by the newest record of their age: with how many guardians, for how many
purposes a guardian's consent holds, and when they are of the next age, at the latest.
With --day it is who was one at the end of a day, by what was known then; who was erased
since is left out. Persons are named by their pseudonyms. Who reads them and why is
recorded first, page by page.`,
		Example: `  consentledger report minors --app smartkey --reason audit --why 'yearly audit' --by ann
  consentledger report minors --app smartkey --day 2026-03-01 --reason audit --by ann -o csv`,
		RunE: func(c *cobra.Command, _ []string) error {
			q.Limit = "1000"
			first, rows, err := remote.Pages(c, remote.App(app)+"/minors", &q.Cursor, func() any { return q }, "minors")
			if err != nil {
				return err
			}
			if err := output.Rows(c, rows, "person", "band", "basis", "since", "next", "guardians",
				"guardian_consents"); err != nil || output.Form(c) != "table" {
				return err
			}

			var answer struct {
				Erased int64 `json:"erased_since"`
			}
			if err := json.Unmarshal(first, &answer); err != nil {
				return err
			}
			if answer.Erased > 0 {
				return output.One(c, first, "erased_since", "as_of")
			}
			return output.One(c, first, "as_of")
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&q.Day, "day", "", "who was one at the end of this day in UTC, as in 2026-03-02, by what was "+
		"known then (default: who is one now)")
	history.AccessorFlags(c, &q.Accessor)
	commandline.Require(c, "reason", "by")
	output.Flag(c)
	return c
}
