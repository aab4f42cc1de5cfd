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
