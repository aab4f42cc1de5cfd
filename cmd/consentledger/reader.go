package main

import (
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
