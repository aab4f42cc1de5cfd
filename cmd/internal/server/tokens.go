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

// tokenKeyRow is where it is, sealed, where several processes serve one ledger: one
// takes what another has minted.
var tokenKeyRow = []byte("access-tokens/1")

// openTokenKey reads the key of subject tokens from where it is, and makes one if there
// is none.
func (h *Server) openTokenKey(ctx context.Context) (key []byte, err error) {
	if h.Dir.shared != nil {
		key, err = sharedTokenKey(ctx, h.Dir.Vault, h.Dir.shared)
	} else {
		key, err = ownTokenKey(h.Config.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of subject tokens: %w", err)
	}
	return key, nil
}

func ownTokenKey(dir string) ([]byte, error) {
	return ownKey(filepath.Join(dir, TokenKeyFile), "tokens that were minted end")
}

// sharedTokenKey reads the key from the rows. Of processes that begin at once one makes
// it.
func sharedTokenKey(ctx context.Context, v *vault.Vault, rows eventstore.Rows) ([]byte, error) {
	const purpose = "token key"
	sealed, err := sealAs(ctx, v, feedKeyApp, purpose, newKey())
	if err != nil {
		return nil, err
	}
	row := eventstore.Row{Key: tokenKeyRow, Value: append([]byte{1}, sealed...)}
	err = rows.Write(ctx, eventstore.Change{Absent: [][]byte{tokenKeyRow}, Put: []eventstore.Row{row}})
	if err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return nil, err
	}

	value, _, err := rows.Get(ctx, tokenKeyRow)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 || value[0] != 1 {
		return nil, errors.New("it is of a version that this program does not know: use the version that wrote it, or a newer one")
	}
	return unsealAs(ctx, v, feedKeyApp, purpose, value[1:])
}
