package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"consentledger/eventstore/vault"

	"github.com/spf13/cobra"
)

// kekVariable names the command that seals the file of the keys, where no flag does.
const kekVariable = "CONSENTLEDGER_KEK_COMMAND"

// kekTime is how long the command may take.
const kekTime = 30 * time.Second

// A kekCommand is a program that seals the file of the keys with a key of a KMS: it is
// called with "seal" or "unseal", reads what to seal or unseal, and writes what it made.
type kekCommand string

// kekOf returns what seals the file of the keys; nil: nothing does.
func kekOf(flag string) vault.Sealer {
	if name := cmp.Or(flag, os.Getenv(kekVariable)); name != "" {
		return kekCommand(name)
	}
	return nil
}

// Seal implements [vault.Sealer].
func (k kekCommand) Seal(plain []byte) ([]byte, error) { return k.run("seal", plain) }

// Unseal implements [vault.Sealer].
func (k kekCommand) Unseal(sealed []byte) ([]byte, error) { return k.run("unseal", sealed) }

// run calls the program. Of what it says on standard error the beginning is told: it is
// the operator's, and so is what it says.
func (k kekCommand) run(what string, in []byte) ([]byte, error) {
	ctx, stop := context.WithTimeout(context.Background(), kekTime)
	defer stop()
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, string(k), what)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &out, &said
	c.WaitDelay = time.Second
	err := c.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("--kek-command: %s %s took longer than %s", string(k), what, kekTime)
	case err != nil:
		return nil, fmt.Errorf("--kek-command: %s %s: %w: %.300s", string(k), what, err, strings.TrimSpace(said.String()))
	case out.Len() == 0:
		return nil, fmt.Errorf("--kek-command: %s %s wrote nothing to standard output", string(k), what)
	}
	return out.Bytes(), nil
}

const keysSealHelp = `Seal a file of keys by a command, so that nobody reads it who only has the file.

The command is called with "seal" or "unseal", gets on standard input what to seal or to
unseal, and writes what it made to standard output: a script that asks a KMS. It is asked
once for every start of a server and every change of the file, never for a person. From then
on serve wants the same --kek-command, and every other verb that reads the keys wants
` + kekVariable + `. Keep what the command needs to unseal for as long as the backups.

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
			by := kekOf(command)
			if by == nil {
				return usageError{fmt.Errorf("say which command seals it, with --kek-command or %s", kekVariable)}
			}
			keys, err := vault.OpenSecretKeys(args[0])
			if err == nil {
				err = keys.SealWith(by)
			}
			if err != nil {
				return namedBy("FILE", err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is sealed. Start the server with the same --kek-command, then give the vault new keys.\n", args[0])
			return err
		},
	}
	kekFlag(c, &command)
	return c
}

func kekFlag(c *cobra.Command, command *string) {
	c.Flags().StringVar(command, "kek-command", "", "a program that seals and unseals the file of the keys, as by a KMS; also by "+kekVariable+" (default: the file is open)")
}
