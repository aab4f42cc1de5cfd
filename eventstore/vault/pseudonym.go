package vault

import (
	"encoding/hex"
	"fmt"
)

// A Pseudonym is a person's random name in one app. Zero is none.
type Pseudonym [16]byte

// String returns the 32 lower-case hex digits that [ParsePseudonym] reads.
func (p Pseudonym) String() string { return hex.EncodeToString(p[:]) }

// ParsePseudonym reads what [Pseudonym.String] writes, but for zero, and
// nothing else.
func ParsePseudonym(s string) (Pseudonym, error) {
	var p Pseudonym
	if len(s) == 2*len(p) {
		if _, err := hex.Decode(p[:], []byte(s)); err == nil && p.String() == s && p != (Pseudonym{}) {
			return p, nil
		}
	}
	return Pseudonym{}, fmt.Errorf("pseudonym of %d bytes: want 32 lower-case hex digits, not all zero", len(s))
}
