package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/vault"
)

// keysVariable names the file with the keys of the vault, where no flag does.
const keysVariable = "CONSENTLEDGER_VAULT_KEYS_FILE"

// addresses are where the parts of a ledger are that are not in its data directory.
type addresses struct {
	store string // empty: the records are in it
	vault string // empty: the persons are in it
	keys  string // the file with the vault's keys; empty: it is in it
	kek   string // the command that seals that file; empty: that of the environment, or none
}

// addressesOf reads them from flags and the environment.
func addressesOf(with dirOptions) (a addresses, err error) {
	if a.store, err = recordsPlace.address(with.store); err != nil {
		return a, err
	}
	if a.vault, err = vaultPlace.address(with.vault); err != nil {
		return a, err
	}
	a.kek = with.kek
	if a.keys = with.vaultKeys; a.keys == "" {
		a.keys = os.Getenv(keysVariable)
	}
	switch {
	case a.vault == "":
		return a, nil
	case a.store == "":
		return a, usageError{fmt.Errorf("%s shares persons with other processes, and the records are in this one's data directory: "+
			"name the event store that all of them use, with %s, %s or %s",
			vaultPlace.flag, recordsPlace.flag, storeVariable, storeFileVariable)}
	case a.keys == "":
		return a, usageError{fmt.Errorf("%s shares persons with other processes, and all of them need the same keys: "+
			"name the file with --vault-keys or %s; consentledger keys new makes one", vaultPlace.flag, keysVariable)}
	}
	return a, nil
}

// check holds what a data directory says against them.
func (a addresses) check(path string, fresh bool) error {
	if err := recordsPlace.check(path, a.store, fresh); err != nil {
		return err
	}
	return vaultPlace.check(path, a.vault, fresh)
}

// openKeys opens the keys of the vault. Those of a fresh directory are made, those of a
// file that somebody named never are.
func (a addresses) openKeys(path string, fresh bool) (*vault.FileKeys, error) {
	if a.keys == "" {
		return openKeys(filepath.Join(path, "keys"), fresh, kekOf(a.kek))
	}
	keys, err := vault.OpenSealedKeys(a.keys, true, kekOf(a.kek))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("--vault-keys, %s: there is no file %s: it holds the keys that the vault was made with, "+
			"and without them nobody reads what is in it; for a new vault make it with consentledger keys new",
			keysVariable, a.keys)}
	}
	if err != nil {
		return nil, fmt.Errorf("--vault-keys, %s: %w", keysVariable, err)
	}
	return keys, nil
}

// sharedRows are the rows of a vault in PostgreSQL. The data directory remembers the
// newest change that was there.
type sharedRows struct {
	*postgres.Rows
	*memory
	at *postgres.Address
}

// changeKey is where the newest change of the vault that was seen is remembered.
var changeKey = []byte("elsewhere/1/vault")

// openShared opens the rows at an address, and waits until they can be had.
func openShared(ctx context.Context, address string, rows eventstore.Rows) (*sharedRows, error) {
	at, err := postgres.ParseAddress(address)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", vaultPlace.flag, err)}
	}
	m, err := recollect(ctx, rows, changeKey)
	if err != nil {
		return nil, err
	}
	r, err := postgres.OpenRows(at, postgres.Options{Seen: m.saved, OnFault: func(err error) {
		slog.Error("the vault is not what it was; nothing is written any more", "error", err)
	}})
	if err != nil {
		return nil, err
	}
	if err = r.Ready(ctx); err == nil {
		err = checkMoved(ctx, r)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the vault at %s: %w", at, err), r.Close())
	}
	m.of = r
	return &sharedRows{Rows: r, memory: m, at: at}, nil
}

// answers returns why the vault cannot be read or written; nil: it can.
func (r *sharedRows) answers(ctx context.Context) error {
	return errors.Join(r.Ready(ctx), r.Fault())
}

// Close closes the rows.
func (r *sharedRows) Close() error {
	return errors.Join(r.remember(context.Background()), r.Rows.Close())
}

// memories are what the directory remembers of servers.
func (d *dataDir) memories() (all []*memory) {
	if d.away != nil {
		all = append(all, d.away.memory)
	}
	if d.shared != nil {
		all = append(all, d.shared.memory)
	}
	return all
}
