package recording

import (
	"encoding/json"
	"errors"
	"fmt"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// DryRun lets a verb that records be asked what it would record. It is called last, when the
// verb knows what it does.
func DryRun(c *cobra.Command) {
	dryRunFlag(c)
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error { return foretell(c, run(c, args)) }
}

// DryRunOf is [DryRun] of a verb that changes what is no record, as a webhook: it prints what
// the answer would be, with these columns.
func DryRunOf(c *cobra.Command, columns ...string) {
	c.Flags().Bool(remote.DryRunFlag, false, "print what would be answered, or why it would be refused, and do nothing")
	remote.AsksFirst(c)
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		err := run(c, args)
		told, is := errors.AsType[*remote.Foretold](err)
		if !is {
			return err
		}

		fmt.Fprintln(c.ErrOrStderr(), "Nothing was done. This is what would be answered:")
		if form := output.Form(c); form == "json" || form == "jsonl" {
			return output.One(c, json.RawMessage(told.Answer))
		}
		var dry struct{ Answer json.RawMessage }
		if err := json.Unmarshal(told.Answer, &dry); err != nil {
			return err
		}
		return output.One(c, dry.Answer, columns...)
	}
}

func dryRunFlag(c *cobra.Command) {
	c.Flags().Bool(remote.DryRunFlag, false, "print what would be recorded, or why it would be refused, and "+
		"record nothing")
	remote.AsksFirst(c)
}

// foretell prints what a command would record, if it was asked for no more than that.
func foretell(c *cobra.Command, err error) error {
	told, is := errors.AsType[*remote.Foretold](err)
	if !is {
		return err
	}

	records, err := output.Member(told.Answer, "records")
	if err != nil {
		return err
	}
	if len(records) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "Nothing would be recorded: it is known already.")
	}
	if c.Flags().Lookup("output") == nil {
		_, err = fmt.Fprintln(c.OutOrStdout(), string(told.Answer))
		return err
	}
	if form := output.Form(c); form == "json" || form == "jsonl" {
		return output.One(c, json.RawMessage(told.Answer))
	}
	return output.Rows(c, records, "type", "app", "of", "at", "owed")
}
