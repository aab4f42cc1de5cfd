// Package verifier is the verb verify: it checks what somebody else gave you, with a key
// that you had before.
package verifier

import (
	"errors"
	"fmt"

	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/terminal"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

func New() *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Check a log, a proof, a bundle or a receipt, with a key that you had before",
		Long: `Check what somebody else gave you, with a key that you had before. It is read from
plain files, or from standard input where "-" is said, and only so much of it as such
a thing can have. What it says is printed so that it does nothing to a terminal:
control characters and those that turn the order of reading are written as escapes.`,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			c.SetOut(&terminal.EscapingWriter{W: c.OutOrStdout()})
			c.SetErr(&terminal.EscapingWriter{W: c.ErrOrStderr()})
			return configfile.Apply(c)
		},
	}
	c.AddCommand(newVerifyLog(), newVerifyProof(), newVerifyBundle(), newVerifyReceipt(), newVerifyTimestamp(),
		newVerifyErasure(), newVerifyKeptProof())
	return c
}

func newVerifyProof() *cobra.Command {
	var t trust
	var record string
	c := &cobra.Command{
		Use:   "proof FILE",
		Short: "Check a proof offline",
		Long: `Check offline that a record was in a log when the log was signed. Key and origin
are what you knew before; what the file says of them counts for nothing. Prints
the record.`,
		Example: `  consentledger verify proof proof --key "$(cat smartkey.vkey)"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return verifyProof(c, args[0], record, t)
		},
	}
	t.flags(c)
	c.Flags().StringVar(&record, "record", "", "the record's bytes, instead of those in the proof")
	return c
}

// verifyProof checks the proof in a file, of the record in another or in
// itself.
func verifyProof(c *cobra.Command, file, record string, t trust) error {
	v, origin, err := t.verifier()
	if err != nil {
		return err
	}

	text, err := files.ReadPlain(c, "FILE", file, merkle.MaxProof)
	if err != nil {
		return err
	}

	p, err := merkle.ParseProof(text)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}

	data := p.Extra
	if record != "" {
		if data, err = files.ReadPlain(c, "--record", record, eventstore.MaxData); err != nil {
			return err
		}
	}

	if data == nil {
		return exit.Usage(errors.New("the proof does not hold the record: name its file with --record"))
	}

	cp, err := p.Verify(data, v, origin)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}
	if err := t.witnessed(origin, p.Checkpoint); err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}

	fmt.Fprintf(c.ErrOrStderr(), "record %d of %d in the log %s, as signed by %s (%08x)%s\n", p.Index, cp.Size,
		cp.Origin, v.Name(), v.KeyHash(), t.beyond())
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", data)
	return err
}
