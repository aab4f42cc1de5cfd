package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"consentledger/eventstore"
	"consentledger/eventstore/vault"
)

// TokenKeyFile holds the key of subject tokens in the data directory, for its owner
// alone. Whoever removes it ends every token that was minted: the next start makes
// another.
const TokenKeyFile = "token.key"

// TokenKeyRow is where it is, sealed, where several processes serve one ledger: one
// takes what another has minted.
var TokenKeyRow = []byte("access-tokens/1")

// openTokenKey reads the key of subject tokens from where it is, and makes one if there
// is none.
func (h *Server) openTokenKey(ctx context.Context) (key []byte, err error) {
	if h.Dir.shared != nil {
		key, err = sharedTokenKey(ctx, h.Dir.Vault, h.Dir.shared)
	} else {
		key, err = OwnTokenKey(h.Config.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of subject tokens: %w", err)
	}
	return key, nil
}

// OwnTokenKey reads the key from a data directory, and makes one if there is none.
func OwnTokenKey(dir string) ([]byte, error) {
	return ownKey(filepath.Join(dir, TokenKeyFile), "tokens that were minted end")
}

// sharedTokenKey reads the key from the rows. Of processes that begin at once one makes
// it.
func sharedTokenKey(ctx context.Context, v *vault.Vault, rows eventstore.Rows) ([]byte, error) {
	if err := WriteTokenKey(ctx, v, rows, newKey()); err != nil {
		return nil, err
	}
	value, _, err := rows.Get(ctx, TokenKeyRow)
	if err != nil {
		return nil, err
	}
	return UnsealTokenKey(ctx, v, value)
}

// tokenKeyPurpose is what the key of subject tokens is sealed for.
const tokenKeyPurpose = "token key"

// WriteTokenKey writes a key of subject tokens, unless there is one.
func WriteTokenKey(ctx context.Context, v *vault.Vault, rows eventstore.Rows, key []byte) error {
	sealed, err := sealAs(ctx, v, feedKeyApp, tokenKeyPurpose, key)
	if err != nil {
		return err
	}
	row := eventstore.Row{Key: TokenKeyRow, Value: append([]byte{1}, sealed...)}
	err = rows.Write(ctx, eventstore.Change{Absent: [][]byte{TokenKeyRow}, Put: []eventstore.Row{row}})
	if errors.Is(err, eventstore.ErrCondition) {
		return nil
	}
	return err
}

// UnsealTokenKey returns the key that a row holds.
func UnsealTokenKey(ctx context.Context, v *vault.Vault, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != 1 {
		return nil, errors.New("it is of a version that this program does not know: use the version that wrote it, " +
			"or a newer one")
	}
	return unsealAs(ctx, v, feedKeyApp, tokenKeyPurpose, value[1:])
}
