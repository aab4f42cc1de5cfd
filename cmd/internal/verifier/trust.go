package verifier

import (
	"errors"
	"fmt"

	"consentledger/api/audit/witness"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
)

// A trust is what a verifier knew before: the log's key and origin, and which
// witnesses must have signed too.
type trust struct {
	key, origin string
	policyFile  string

	policy *witness.Policy // nil: no witness is asked for
}

func (t *trust) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.key, "key", "",
		"the log's verifier key, or a file that holds it (default: that of the policy's log line)")
	f.StringVar(&t.origin, "origin", "", "the log's origin (default: the key's name)")
	f.StringVar(&t.policyFile, "policy", "",
		"a file that says which witnesses must have signed, as C2SP's tlog-policy has it")
}

// readPolicy reads the policy's file, if one was named, and takes the key from
// it if none was given.
func (t *trust) readPolicy() error {
	if t.policyFile == "" {
		return nil
	}

	p, err := server.PolicyOf(t.policyFile, files.ReadPlainFile)
	if err != nil {
		return exit.Usage(fmt.Errorf("--policy: %w", err))
	}

	t.policy = &p
	if t.key != "" {
		return nil
	}
	if t.key, err = p.LogKey(); err != nil {
		return exit.Usage(fmt.Errorf("--policy: %s: %w", t.policyFile, err))
	}
	return nil
}

// verifier returns the key to verify with, and the origin.
func (t *trust) verifier() (note.Verifier, string, error) {
	if err := t.readPolicy(); err != nil {
		return nil, "", err
	}
	if t.key == "" {
		return nil, "", exit.Usage(errors.New("want --key, the log's verifier key, or --policy, a file with its log " +
			"line"))
	}
	return server.VerifierOf(t.key, t.origin)
}

// witnessed says whether a checkpoint carries the signatures that the policy
// asks for.
func (t *trust) witnessed(origin string, signed []byte) error {
	if t.policy == nil {
		return nil
	}
	if err := t.policy.Check(origin, signed); err != nil {
		return exit.NotAuthentic(err)
	}
	return nil
}

// beyond says what was asked for beside the log's own signature.
func (t *trust) beyond() string {
	if t.policy == nil {
		return ""
	}
	return ", with the signatures that " + t.policyFile + " asks for"
}
