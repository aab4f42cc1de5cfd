package verifier

import (
	"bufio"
	"bytes"
	"fmt"

	"consentledger/api/audit/erasure"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
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
	return bytes.Contains(head, []byte(`"`+erasure.BatchName+`"`)), nil
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

	n, size, app := 0, int64(0), ""
	for p, err := range erasure.VerifyBatch(f, v, origin) {
		if err == nil {
			err = t.witnessedBoth(origin, p.Certificate)
		}
		if err != nil {
			return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
		}
		n, size, app = n+1, max(size, p.Log.Size), string(p.App)
	}
	fmt.Fprintf(c.ErrOrStderr(), "signed by %s (%08x)%s\n", v.Name(), v.KeyHash(), t.beyond())
	_, err = fmt.Fprintf(c.OutOrStdout(), "persons  %d of %s, each ordered and erased\nlog      %s, %d records\n\n%s\n",
		n, app, origin, size, erasure.Says)
	return err
}

// witnessedBoth checks what witnesses said of both proofs.
func (t *trust) witnessedBoth(origin string, c erasure.Certificate) error {
	for _, proof := range []string{c.Ordered, c.Erased} {
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
