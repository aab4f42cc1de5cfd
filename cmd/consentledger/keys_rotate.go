package main

import (
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/vaultkeys"

	"github.com/spf13/cobra"
)

const keysRotateHelp = `Give the vault of a running server new keys: first a new epoch, which wraps from then on.
What the older ones wrap is wrapped anew in the background, also over restarts; see keys
status. Then copy the file of the keys to where the backups are not, make a new backup, and
destroy the older epochs with --retire and that copy: a server destroys nothing unless
somebody else has the new keys.

Once they are destroyed nobody reads what is left of erased persons, on old disks and in old
backups of the vault, nor anything else in those backups.

Where several processes share the vault each has a copy of the file. There begin an epoch
with keys advance, give the file to all of them, and then rotate, at any of them: it has the
newest epoch wrap, and is refused while one of them does not have it; keys show says which.
In the end keys retire destroys the older epochs.`

func newKeysRotate() *cobra.Command {
	var cp string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give the vault of a running server new keys",
		Long:  keysRotateHelp,
		Example: `  consentledger keys rotate
  consentledger keys show
  consentledger keys rotate --retire /mnt/safe/keys`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, in := "/v1/vault/keys/rotate", any(nil)
			if cp != "" {
				sum, err := vaultkeys.SumOfCopy(cp)
				if err != nil {
					return err
				}
				path, in = "/v1/vault/keys/retire", server.RetireRequest{Sum: sum}
			}
			answer, err := remote.Post(c, path, in)
			if err != nil {
				return err
			}
			return vaultkeys.Print(c, answer)
		},
	}
	c.Flags().StringVar(&cp, "retire", "",
		"destroy the older epochs: a copy of the file of the keys as it is now, which shows that there is one")
	output.Flag(c)
	return c
}

func newKeysStatus() *cobra.Command {
	c := &cobra.Command{
		Use:     "show",
		Aliases: []string{"status"},
		Short:   "Show which epochs of keys wrap how much in the vault of a running server, and how far a rotation is",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Get(c, "/v1/vault/keys")
			if err != nil {
				return err
			}
			return vaultkeys.Print(c, answer)
		},
	}
	output.Flag(c)
	return c
}
