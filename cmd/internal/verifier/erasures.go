package verifier

import (
	"bufio"
	"bytes"
	"fmt"

	"consentledger/api/audit/erasure"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

// isBatch reports whether a file calls itself a certificate of many.
func isBatch(file string) (bool, error) {
	f, _, err := files.OpenPlain(file)
	if err != nil {
		return false, exit.Usage(fmt.Errorf("FILE: %w", err))
	}
	defer f.Close()
	head, _ := bufio.NewReader(f).Peek(512) // what is shorter is whole
	return bytes.Contains(head, []byte(`"`+erasure.BatchName+`"`)) ||
		bytes.Contains(head, []byte(`"`+erasure.BatchNameKept+`"`)), nil
}

// verifyBatch checks a certificate of many, a person at a time: it may be of millions.
func verifyBatch(c *cobra.Command, file string, t trust) error {
	v, origin, err := t.verifier()
	if err != nil {
		return err
	}
	f, _, err := files.OpenPlain(file)
	if err != nil {
		return exit.Usage(fmt.Errorf("FILE: %w", err))
	}
	defer f.Close()

	n, kept, size, app, says := 0, 0, int64(0), "", erasure.Says
	for p, err := range erasure.VerifyBatch(f, v, origin) {
		if err == nil {
			err = t.witnessedAll(origin, p.Certificate)
		}
		if err != nil {
			return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
		}
		n, size, app = n+1, max(size, p.Log.Size), string(p.App)
		if p.Kept != (domain.KeptProof{}) {
			kept, says = kept+1, erasure.SaysEach
		}
	}
	fmt.Fprintf(c.ErrOrStderr(), "signed by %s (%08x)%s\n", v.Name(), v.KeyHash(), t.beyond())
	_, err = fmt.Fprintf(c.OutOrStdout(), "persons  %d of %s, each ordered and erased\n%slog      %s, %d "+
		"records\n\n%s\n",
		n, app, keptLine(kept), origin, size, says)
	return err
}

// keptLine says of how many a proof was kept.
func keptLine(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("proofs   kept of %d of them, see their lines\n", n)
}

// witnessedAll checks what witnesses said of every proof.
func (t *trust) witnessedAll(origin string, c erasure.Certificate) error {
	for _, proof := range c.Proofs() {
		p, err := merkle.ParseProof([]byte(proof))
		if err != nil {
			return err
		}
		if err := t.witnessed(origin, p.Checkpoint); err != nil {
			return err
		}
	}
	return nil
}
