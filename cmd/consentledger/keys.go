package main

import (
	"errors"
	"fmt"
	"io/fs"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/vaultkeys"
	"consentledger/eventstore/vault"

	"github.com/spf13/cobra"
)

func newKeys() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "The keys of the vault, and their epochs",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newKeysNew(), newKeysAdvance(), newKeysRetire(), newKeysRotate(), newKeysStatus(), newKeysSeal())
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
			_, err := vault.CreateSealedKeys(args[0], server.KEKOf(""))
			if errors.Is(err, fs.ErrExist) {
				return exit.Usage(fmt.Errorf("FILE: %s is there already: a vault whose keys are overwritten is lost; "+
					"name a new file", args[0]))
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "The keys are in %s, for their owner alone. "+
				"Keep a copy where the vault's backups are not.\n", args[0])
			return err
		},
	}
}

const keysAdvanceHelp = `Begin a new epoch of keys in a file that several processes have copies of.

Give the file to every process that serves the ledger; they read it again by themselves, and
keys show says which of them have it. The new key wraps once all of them do, by keys rotate.
Then keys retire makes what was erased unreadable for good, in logs, standbys and backups as
well.`

func newKeysAdvance() *cobra.Command {
	return &cobra.Command{
		Use:     "advance FILE",
		Aliases: []string{"next"},
		Short:   "Begin a new epoch of keys",
		Long:    keysAdvanceHelp,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			keys, err := vault.OpenSealedKeys(args[0], false, server.KEKOf(""))
			if err != nil {
				return fmt.Errorf("FILE: %w", err)
			}
			if err := keys.Advance(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s has a new epoch. "+
				"Give it to every process, then run keys rotate.\n", args[0])
			return err
		},
	}
}

const keysRetireHelp = `Wrap the keys of all living persons under the newest epoch, and destroy the older ones.

What is left of erased persons, in the server's log, on standbys and in backups, is
readable for nobody after that, and so is every backup of the vault from before: make a
new one afterwards, and destroy the copies of the old file. It is refused while a process
that serves the ledger does not have the newest epoch.`

func newKeysRetire() *cobra.Command {
	var at server.DirOptions
	c := &cobra.Command{
		Use:   "retire FILE",
		Short: "Destroy the older epochs of keys",
		Long:  keysRetireHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := server.VaultPlace.Address(at.Vault)
			if err == nil && address == "" {
				err = exit.Usage(fmt.Errorf("say where the vault is, with %s, %s or %s",
					server.VaultPlace.Flag, server.VaultVariable, server.VaultFileVariable))
			}
			if err != nil {
				return err
			}
			n, err := vaultkeys.Retire(c.Context(), address, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d keys were wrapped anew, and the older epochs are gone from %s. "+
				"Give it to every process, and back up the vault.\n", n, args[0])
			return err
		},
	}
	c.Flags().StringVar(&at.Vault, "vault", "",
		"where the vault is, as serve has it; also by "+server.VaultVariable+" or "+server.VaultFileVariable)
	return c
}
