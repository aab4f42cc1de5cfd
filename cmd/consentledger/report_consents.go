package main

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

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
				return printOpposed(c, app, query)
			}
			answer, err := remote.Get(c, remote.App(app)+"/consents/counts?"+query.Encode())
			if err != nil {
				return err
			}
			format := output.Form(c)
			if format == "json" {
				return output.One(c, answer)
			}
			rows, err := output.Member(answer, "counts")
			if err != nil {
				return err
			}
			if err := output.Rows(c, rows, "purpose", "status", "people"); err != nil || format != "table" {
				return err
			}
			if len(rows) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "nobody but tests has said anything yet")
			}
			voided, err := output.Member(answer, "voided")
			if err != nil {
				return err
			}
			if len(voided) > 0 {
				fmt.Fprintln(c.OutOrStdout(), "\nAnswers that were recorded by mistake, and voided:")
				if err := output.Rows(c, voided, "answer", "answers"); err != nil {
					return err
				}
			}
			signals, err := output.Member(answer, "opposed")
			if err != nil {
				return err
			}
			if len(signals) > 0 {
				fmt.Fprintln(c.OutOrStdout(), "\nPeople who said yes where a machine's signal says no:")
				if err := output.Rows(c, signals, "purpose", "status", "opposed_by", "people"); err != nil {
					return err
				}
			}
			return output.One(c, answer, "tests", "as_of")
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().BoolVar(&opposed, "opposed", false, "list the people who said yes where a machine's signal says no")
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}

// printOpposed prints every page of the people whom a machine's signal opposes.
func printOpposed(c *cobra.Command, app string, query url.Values) error {
	query.Set("limit", "1000")
	var rows []json.RawMessage
	for {
		answer, err := remote.Get(c, remote.App(app)+"/consents/opposed?"+query.Encode())
		if err != nil {
			return err
		}
		part, err := output.Member(answer, "opposed")
		if err != nil {
			return err
		}
		rows = append(rows, part...)
		var next struct{ Next string }
		if err := json.Unmarshal(answer, &next); err != nil {
			return err
		}
		if next.Next == "" {
			return output.Rows(c, rows, "person", "purpose", "status", "since", "opposed_by", "opposed_event")
		}
		query.Set("cursor", next.Next)
	}
}
