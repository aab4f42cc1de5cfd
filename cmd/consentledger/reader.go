package main

import (
	"fmt"

	"consentledger/api/wire"

	"github.com/spf13/cobra"
)

// readerFlags are how somebody says who reads and why. It is recorded before
// anything is shown.
func readerFlags(c *cobra.Command, r *wire.Reader) {
	f := c.Flags()
	f.StringVar(&r.Reason, "reason", "", "a code for why it is read, as in subject-request, dispute, authority or audit; recorded")
	f.StringVar(&r.Why, "why", "", "the same in words; recorded, sealed")
	f.StringVar(&r.By, "by", "", "who reads it; recorded, sealed")
}

// askWhy asks for the reason that somebody did not give to the server. In a
// directory nothing is recorded.
func askWhy(c *cobra.Command, data string, r wire.Reader) {
	if data == "" && r.Reason == "" {
		fmt.Fprintln(c.ErrOrStderr(), "no reason was given, and what is read is recorded without one: say why with --reason, as in --reason audit")
	}
}
