package main

import (
	"fmt"

	"consentledger/cmd/internal/signing"

	"github.com/spf13/cobra"
)

func newSigner() *cobra.Command {
	c := &cobra.Command{
		Use: "signer", Short: "Make keys by which a back end or a device signs what it sends",
	}
	c.AddCommand(&cobra.Command{
		Use: "new KEYFILE", Short: "Make an Ed25519 key (PEM, PKCS #8, mode 0600) and print its public half",
		Long: "Make an Ed25519 key (PEM, PKCS #8, mode 0600) and print its public half. Register it by an operator's " +
			"event:\n" +
			`  consentledger record --operator --app smartkey --type signer.registered --data '{"name":"backend","key":"<what is printed>"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			public, err := signing.NewKey("KEYFILE", args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), public)
			return err
		},
	})
	return c
}
