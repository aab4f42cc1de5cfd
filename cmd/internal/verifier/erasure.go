package verifier

import (
	"fmt"
	"strings"

	"consentledger/api/audit/erasure"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"
	"consentledger/domain/refusal"

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

	if err := t.witnessedAll(origin, cert); err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}

	fmt.Fprintf(c.ErrOrStderr(), "signed by %s (%08x)%s\n", v.Name(), v.KeyHash(), t.beyond())
	_, err = fmt.Fprintf(c.OutOrStdout(),
		"person   %s of %s\nordered  %s by %s (%s), event %s\nerased   %s\n%slog      %s, %d records\n\n%s\n",
		s.Person, s.App, s.Ordered, strings.Join(s.By[:], " and "), s.Reason, s.Order, s.Erased, proofLines(s),
		s.Log.Origin, s.Log.Size, cert.Says)
	return err
}

// proofLines says what is kept of a person, and what became of it; nothing if nothing is.
func proofLines(s erasure.Statement) string {
	if s.Kept == (domain.KeptProof{}) {
		return ""
	}
	lines := fmt.Sprintf("proof    kept up to %s for the duty %s (%s; %s)\n", s.Kept.Until, refusal.Quote(s.Kept.Duty),
		s.Kept.Reason, s.Kept.Law)
	if s.Destroyed == 0 {
		return lines
	}
	why := "its last day was over"
	if s.DestroyedBy != [2]string{} {
		why = "ordered by " + strings.Join(s.DestroyedBy[:], " and ")
	}
	return lines + fmt.Sprintf("gone     the proof is destroyed, %s: %s, event %s\n", s.Destroyed, why, s.Destruction)
}
