package main

import (
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/serveflags"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/vault"

	"github.com/spf13/cobra"
)

const keysSealHelp = `Seal a file of keys by a command, so that nobody reads it who only has the file.

The command is called with "seal" or "unseal", gets on standard input what to seal or to
unseal, and writes what it made to standard output: a script that asks a KMS. It is asked
once for every start of a server and every change of the file, never for a person. From then
on serve wants the same --kek-command, and every other verb that reads the keys wants
` + server.KEKVariable + `. Keep what the command needs to unseal for as long as the backups.

The file in clear may still be on the disk: give the vault new keys afterwards.`

func newKeysSeal() *cobra.Command {
	var command string
	c := &cobra.Command{
		Use:     "seal FILE",
		Short:   "Seal a file of keys by a command, as of a KMS",
		Long:    keysSealHelp,
		Example: "  consentledger keys seal data/keys --kek-command /etc/consentledger/kek",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			by := server.KEKOf(command)
			if by == nil {
				return exit.Usage(fmt.Errorf("say which command seals it, with --kek-command or %s",
					server.KEKVariable))
			}
			keys, err := vault.OpenSecretKeys(args[0])
			if err == nil {
				err = keys.SealWith(by)
			}
			if err != nil {
				return files.NamedBy("FILE", err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(),
				"%s is sealed. Start the server with the same --kek-command, then give the vault new keys.\n", args[0])
			return err
		},
	}
	serveflags.KEK(c, &command)
	return c
}
