package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"consentledger/eventstore"
)

// pseudonymRow holds the secret of [Pseudonyms], beside the rows of the keys.
const pseudonymRow = "access-pseudonyms/1"

// Pseudonyms name principals whom somebody else knows, as an identity provider does. The
// same one has the same pseudonym for ever, in every process, and who reads a log cannot
// try names to find whose it is: that takes the secret.
type Pseudonyms struct{ secret []byte }

// OpenPseudonyms reads the secret from the rows, and makes one if there is none.
func OpenPseudonyms(ctx context.Context, rows eventstore.Rows) (Pseudonyms, error) {
	secret := make([]byte, sha256.Size)
	rand.Read(secret)
	key := []byte(pseudonymRow)
	err := rows.Write(ctx, eventstore.Change{Absent: [][]byte{key}, Put: []eventstore.Row{{Key: key, Value: secret}}})
	if err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return Pseudonyms{}, fmt.Errorf("the secret of pseudonyms: %w", err)
	}
	if err := rows.Sync(ctx); err != nil {
		return Pseudonyms{}, fmt.Errorf("the secret of pseudonyms: %w", err)
	}

	// What lies there counts, whoever wrote it.
	secret, _, err = rows.Get(ctx, key)
	if err != nil {
		return Pseudonyms{}, fmt.Errorf("the secret of pseudonyms: %w", err)
	}
	if len(secret) != sha256.Size {
		return Pseudonyms{}, fmt.Errorf("the secret of pseudonyms: %w", errRow)
	}
	return Pseudonyms{secret}, nil
}

// Of returns the pseudonym of who has the given names, as an issuer and a subject.
func (p Pseudonyms) Of(names ...string) string {
	mac := hmac.New(sha256.New, p.secret)
	for _, name := range names { // each with its size, so that two never read as one
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name))))
		mac.Write([]byte(name))
	}
	return "p-" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:24])
}
