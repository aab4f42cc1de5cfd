package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func newReportConsents() *cobra.Command {
	var app string
	query := url.Values{}
	c := &cobra.Command{
		Use:   "consents",
		Short: "How many people stand where with each purpose, and how many answers were voided",
		Long: "How many people stand where with each purpose. Persons who are marked as tests are left out, and the table ends with how\n" +
			"many they are and how many answers were voided. They stand there now: a consent that ran out or grew stale since the person's\n" +
			"last event counts as expired or stale. Whether somebody may, and what somebody must be asked, check and prompt tell.",
		Example: "  consentledger report consents --app smartkey",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			setIf(query, "min_position", c.Flags().Lookup("min-position").Value.String())
			answer, err := call(c, http.MethodGet, "/v1/apps/"+url.PathEscape(app)+"/consents/counts?"+query.Encode(), "", nil)
			if err != nil {
				return err
			}
			format := c.Flags().Lookup("output").Value.String()
			if format == "json" {
				return printOne(c, answer)
			}
			rows, err := member(answer, "counts")
			if err != nil {
				return err
			}
			if err := printRows(c, rows, "purpose", "status", "people"); err != nil || format != "table" {
				return err
			}
			if len(rows) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "nobody but tests has said anything yet")
			}
			voided, err := member(answer, "voided")
			if err != nil {
				return err
			}
			if len(voided) > 0 {
				fmt.Fprintln(c.OutOrStdout(), "\nAnswers that were recorded by mistake, and voided:")
				if err := printRows(c, voided, "answer", "answers"); err != nil {
					return err
				}
			}
			return printOne(c, answer, "tests", "as_of")
		},
	}
	appFlag(c, &app)
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	outputFlag(c)
	return c
}
