package server

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
)

// KEKVariable names the command that seals the file of the keys, where no flag does.
const KEKVariable = "CONSENTLEDGER_KEK_COMMAND"

// kekTime is how long the command may take.
const kekTime = 30 * time.Second

// A kekCommand is a program that seals the file of the keys with a key of a KMS: it is
// called with "seal" or "unseal", reads what to seal or unseal, and writes what it made.
type kekCommand string

// KEKOf returns what seals the file of the keys; nil: nothing does.
func KEKOf(flag string) vault.Sealer {
	if name := cmp.Or(flag, os.Getenv(KEKVariable)); name != "" {
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
		return nil, fmt.Errorf("--kek-command: %s %s: %w: %.300s", string(k), what, err,
			strings.TrimSpace(said.String()))
	case out.Len() == 0:
		return nil, fmt.Errorf("--kek-command: %s %s wrote nothing to standard output", string(k), what)
	}
	return out.Bytes(), nil
}
