package verifier

import (
	"fmt"
	"strings"

	"consentledger/api/audit/erasure"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

func newVerifyErasure() *cobra.Command {
	var t trust
	c := &cobra.Command{
		Use:   "erasure FILE",
		Short: "Check a certificate of erasure offline",
		Long: `Check offline a certificate that a person was erased: both of its records were in the log
when the log was signed, and are of one erasure. Key and origin are what you knew before.
That the ledger did what it recorded is the word of who keeps it; that it said so, and when,
cannot be taken back. A certificate of many, of erasure certify, is checked a person a line.`,
		Example: `  consentledger verify erasure erased.json --key "$(cat smartkey.vkey)"`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return verifyErasure(c, args[0], t) },
	}
	t.flags(c)
	return c
}

func verifyErasure(c *cobra.Command, file string, t trust) error {
	v, origin, err := t.verifier()
	if err != nil {
		return err
	}

	if many, err := isBatch(file); err != nil || many {
		if err != nil {
			return err
		}
		return verifyBatch(c, file, t)
	}

	text, err := files.ReadPlain(c, "FILE", file, erasure.Max)
	if err != nil {
		return err
	}

	cert, err := erasure.Parse(text)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}

	s, err := cert.Verify(v, origin)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}

	for _, proof := range []string{cert.Ordered, cert.Erased} {
		p, err := merkle.ParseProof([]byte(proof))
		if err == nil {
			err = t.witnessed(origin, p.Checkpoint)
		}
		if err != nil {
			return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
		}
	}

	fmt.Fprintf(c.ErrOrStderr(), "signed by %s (%08x)%s\n", v.Name(), v.KeyHash(), t.beyond())
	_, err = fmt.Fprintf(c.OutOrStdout(),
		"person   %s of %s\nordered  %s by %s (%s), event %s\nerased   %s\nlog      %s, %d records\n\n%s\n",
		s.Person, s.App, s.Ordered, strings.Join(s.By[:],
			" and "), s.Reason, s.Order, s.Erased, s.Log.Origin, s.Log.Size, cert.Says)
	return err
}
