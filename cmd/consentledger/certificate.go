package main

import (
	"encoding/json"
	"fmt"

	"consentledger/cmd/internal/certificate"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
)

const certificateHelp = `Write a certificate that a person was erased, from the receipt's event id.

It holds the two records of the log that say so, that it was ordered and that it was done,
and the proofs that both were in the log when the log was signed. If a proof of consent is
kept of the person, it says so, why, and up to which day; from the event id of the order to
destroy that, it says that it is destroyed, too. It names the person by the
pseudonym of their history, which their own receipts carry, too, and no outside id. Whoever
has the log's key verifies it offline: consentledger verify erasure FILE --key KEY`

func newSubjectCertificate() *cobra.Command {
	var app, event, file string
	c := &cobra.Command{
		Use:     "certify",
		Aliases: []string{"certificate"},
		Short:   "Write a certificate that a person was erased, which verifies offline",
		Long:    certificateHelp,
		Example: "  consentledger subject certify --app smartkey --event 01234567-89ab-cdef-0123-456789abcdef --file " +
			"erased.json",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := files.CheckOut("--file", file); err != nil {
				return err
			}
			made, err := certificate.Of(c, app, event)
			if err != nil {
				return err
			}
			text, err := json.MarshalIndent(made, "", "  ")
			if err != nil {
				return err
			}
			if file != "" {
				return files.WriteOut("--file", file, append(text, '\n'))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
			return err
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&event, "event", "", "the event id that subject erase printed, or kept-proof destroy")
	c.Flags().StringVar(&file, "file", "", "write the certificate to this file")
	c.MarkFlagRequired("event")
	return c
}
