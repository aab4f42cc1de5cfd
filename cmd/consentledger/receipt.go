package main

import (
	"fmt"

	"consentledger/api/audit"
	"consentledger/api/audit/receipt"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newReceipt() *cobra.Command {
	var app string
	var ask audit.ReceiptRequest
	c := &cobra.Command{
		Use:   "receipt EVENT",
		Short: "The receipt of a grant, refusal or withdrawal, with its proof, for the person",
		Long: `Print the receipt of what a person said, a grant, a refusal or a withdrawal: a
Consent Receipt 1.1 of the Kantara Initiative, or a consent record of ISO/IEC TS
27560 in JSON-LD. It says what kind of consent was given, what it does not cover and
why, what was refused in the same act, and where the person stands with each purpose
now: after a withdrawal the receipt of the grant says withdrawn. It carries the proof
that the record is in the log and, with --disclose, the person's own words. It is
there a second after the record. Verify it offline with: consentledger verify receipt`,
		Example: "  consentledger receipt --app smartkey 01234567-89ab-cdef-0123-456789abcdef --form iso27560 > " +
			"receipt.json",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ask.Event = args[0]
			text, err := remote.Post(c, remote.App(app)+"/receipts", ask)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
			return err
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&ask.Form, "form", receipt.Kantara, "kantara or iso27560")
	c.Flags().BoolVar(&ask.Disclose, "disclose", false, "with the person's own words; say who reads them and why")
	c.Flags().BoolVar(&ask.Cosigned, "cosigned", false,
		"in the newest tree that a quorum of witnesses signed, with their signatures")
	history.AccessorFlags(c, &ask.Accessor)
	return c
}
