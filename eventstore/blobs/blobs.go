// Package blobs keeps public texts under the hash of their bytes.
//
// A blob is never changed and never deleted: nothing personal belongs here. Its
// key is "b/" and the 32 bytes of its SHA-256; its value is a version byte, now
// 1, and the text.
package blobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"consentledger/eventstore"
)

// MaxSize is the largest blob, in bytes.
const MaxSize = 8 << 20

const (
	prefix  = "b/"
	version = 1
)

// A Hash is the SHA-256 of a blob. Zero names none.
type Hash [32]byte

const scheme = "sha256:"

// String returns the form "sha256:<64 lower-case hex digits>" that [ParseHash]
// reads.
func (h Hash) String() string { return scheme + hex.EncodeToString(h[:]) }

// ParseHash reads what [Hash.String] writes, and nothing else.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) == len(scheme)+2*len(h) {
		if _, err := hex.Decode(h[:], []byte(s[len(scheme):])); err == nil && h.String() == s {
			return h, nil
		}
	}
	return Hash{}, fmt.Errorf("hash %.80q: want sha256: and 64 lower-case hex digits", s)
}

// Blobs keeps blobs in rows. Its methods may be called concurrently.
type Blobs struct{ rows eventstore.Rows }

// New returns the blobs in rows.
func New(rows eventstore.Rows) *Blobs { return &Blobs{rows: rows} }

// Over returns blobs whose rows are what over makes of these.
func (s *Blobs) Over(over func(eventstore.Rows) eventstore.Rows) *Blobs { return New(over(s.rows)) }

func key(h Hash) []byte { return append([]byte(prefix), h[:]...) }

// Put keeps b, durably on return, and returns its hash. Putting it again
// changes nothing.
func (s *Blobs) Put(ctx context.Context, b []byte) (Hash, error) {
	if len(b) > MaxSize {
		return Hash{}, fmt.Errorf("blob of %d bytes: at most %d", len(b), MaxSize)
	}

	h := Hash(sha256.Sum256(b))
	value := append(make([]byte, 0, 1+len(b)), version)
	row := eventstore.Row{Key: key(h), Value: append(value, b...)}
	// A blob that is there is written again: it may be a damaged one.
	if err := eventstore.WriteDurably(ctx, s.rows, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
		return Hash{}, fmt.Errorf("blob %s: %w", h, err)
	}
	return h, nil
}

// Get returns the blob that h names, and whether there is one. A blob that does
// not hash to h is an error. The bytes are the caller's to read, not to change.
func (s *Blobs) Get(ctx context.Context, h Hash) ([]byte, bool, error) {
	value, ok, err := s.rows.Get(ctx, key(h))
	if err != nil {
		return nil, false, fmt.Errorf("blob %s: %w", h, err)
	}
	if !ok {
		return nil, false, nil
	}
	if len(value) == 0 || value[0] != version {
		return nil, false, fmt.Errorf("blob %s: its version is not %d", h, version)
	}

	b := value[1:]
	if got := Hash(sha256.Sum256(b)); got != h {
		return nil, false, fmt.Errorf("blob %s: its %d bytes hash to %s", h, len(b), got)
	}
	return b, true, nil
}
