package reports

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// PrintConsents prints how many people stand where with each purpose, what was voided, and
// where a machine's signal says no. As JSON it is one document.
func PrintConsents(c *cobra.Command, app string, query url.Values) error {
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
}

// PrintOpposed prints every page of the people whom a machine's signal opposes.
func PrintOpposed(c *cobra.Command, app string, query url.Values) error {
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
