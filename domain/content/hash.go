package content

import (
	"encoding/hex"
	"strings"

	"consentledger/domain/internal/form"
)

// A Hash is the SHA-256 of a text, a document or a policy version.
type Hash [32]byte

// String returns the form "sha256:<64 hex digits>" that [ParseHash] reads.
func (h Hash) String() string {
	var room [len("sha256:") + 2*len(h)]byte
	return string(h.Append(room[:0]))
}

// Append appends what String returns.
func (h Hash) Append(b []byte) []byte { return hex.AppendEncode(append(b, "sha256:"...), h[:]) }

// ParseHash reads what [Hash.String] writes, and nothing else.
func ParseHash(s string) (Hash, error) {
	var h Hash
	digits, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(digits) != 64 || strings.ToLower(digits) != digits {
		return h, errHash
	}

	if _, err := hex.Decode(h[:], []byte(digits)); err != nil {
		return Hash{}, errHash
	}

	return h, nil
}

// ParseNamedHash reads a hash by which somebody names something. It refuses zeros:
// within the ledger they are the hash of nothing, and whoever sends them would be taken
// to name nothing.
func ParseNamedHash(s string) (Hash, error) {
	h, err := ParseHash(s)
	if err == nil && h == (Hash{}) {
		return h, errZeroHash
	}
	return h, err
}

const (
	errHash     = form.Error(`a hash is written "sha256:" and 64 lower-case hex digits`)
	errZeroHash = form.Error("a hash of zeros is that of nothing; leave it out, or name what was hashed")
)
