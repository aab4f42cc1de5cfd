package main

import (
	"errors"
	"fmt"
	"io/fs"

	"consentledger/eventstore/vault"

	"github.com/spf13/cobra"
)

func newKeys() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "The keys of a vault that several processes share",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newKeysNew())
	return c
}

const keysNewHelp = `Make a file with the keys of a new vault, which serve --vault-keys reads.

All keys of persons in the vault are wrapped with the one in this file. Every process
that serves the ledger needs the same file, as a secret: who has it and the vault reads
every person's data. Who loses it has lost all of that for good: keep a copy apart from
the backups of the vault.`

func newKeysNew() *cobra.Command {
	return &cobra.Command{
		Use:   "new FILE",
		Short: "Make a file with the keys of a new vault",
		Long:  keysNewHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := vault.CreateFileKeys(args[0])
			if errors.Is(err, fs.ErrExist) {
				return usageError{fmt.Errorf("FILE: %s is there already: a vault whose keys are overwritten is lost; name a new file", args[0])}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "The keys are in %s, for their owner alone. Keep a copy where the vault's backups are not.\n", args[0])
			return err
		},
	}
}
