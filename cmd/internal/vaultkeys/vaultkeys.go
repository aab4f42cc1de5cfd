// Package vaultkeys works on the file with the keys of a vault: it destroys the older epochs of
// a vault that no ledger has in its directory, and reads the sum of a copy.
package vaultkeys

import (
	"context"
	"errors"
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/vault"
)

// Retire wraps what lives in the vault at an address under the newest epoch of a
// file, destroys the older ones, and returns how many keys were wrapped. It is refused while
// a process that serves the ledger lacks that epoch.
func Retire(ctx context.Context, address, file string) (n int, err error) {
	keys, err := vault.OpenSealedKeys(file, false, server.KEKOf(""))
	if err != nil {
		return 0, fmt.Errorf("FILE: %w", err)
	}

	at, err := postgres.ParseAddress(address)
	if err != nil {
		return 0, exit.Usage(fmt.Errorf("%s: %w", server.VaultPlace.Flag, err))
	}

	rows, err := postgres.OpenRows(at, postgres.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	// An empty vault would be bound to any keys: then those of the right one were lost.
	if err := server.CheckMoved(ctx, rows); err != nil {
		return 0, fmt.Errorf("the vault at %s: %w", at, err)
	}

	used, err := vault.Used(ctx, rows)
	if err == nil && !used {
		err = exit.Usage(fmt.Errorf("%s: there is no vault at %s", server.VaultPlace.Flag, at))
	}
	if err != nil {
		return 0, err
	}

	v, err := vault.Open(ctx, rows, keys)
	if err != nil {
		return 0, fmt.Errorf("the vault at %s, with the keys of %s: %w", at, file, err)
	}
	if err := wrapUnderNewest(ctx, v, keys, rows); err != nil {
		return 0, err
	}
	if n, err = v.Rewrap(ctx); err != nil {
		return n, err
	}
	return n, keys.Retire()
}

// wrapUnderNewest has the newest epoch of a file wrap, if it does not: nobody rotated the keys
// while processes served, or none of them does.
func wrapUnderNewest(ctx context.Context, v *vault.Vault, keys *vault.FileKeys, rows eventstore.Rows) error {
	epochs := keys.Epochs()
	if len(epochs) < 2 {
		return exit.Conflict(errors.New("FILE has one epoch: there is none to destroy"))
	}
	wraps, err := v.Wraps(ctx)
	if err != nil || wraps == 0 || wraps == epochs[len(epochs)-1] {
		return err
	}
	return server.WrapUnderNewest(ctx, v, keys, rows)
}

// SumOfCopy returns the line that a file of keys ends with. The file is read to it: of a copy
// that is damaged above, the keys could not be had.
func SumOfCopy(name string) (string, error) {
	text, err := files.ReadOwnFile(name, files.MaxKeyFile)
	if err != nil {
		return "", files.Unread("--retire", err)
	}
	sum, err := vault.SumOfCopy(text)
	if err != nil {
		return "", exit.Usage(fmt.Errorf("--retire: %s is no whole copy of a file of keys: %w", name, err))
	}
	return sum, nil
}
