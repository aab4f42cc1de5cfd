package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/vault"
)

// KeysVariable names the file with the keys of the vault, where no flag does.
const KeysVariable = "CONSENTLEDGER_VAULT_KEYS_FILE"

// KeysTextVariable holds the keys of the vault themselves: the text of such a file, as it is or
// in base64.
const KeysTextVariable = "CONSENTLEDGER_VAULT_KEYS"

// keysText is what the environment said when it was read.
var keysText struct {
	sync.Mutex
	text string
}

// takeKeysText returns the keys that the environment holds, and takes them out of it: no
// program that this one starts has them. Whoever may read this process's memory, and its
// first environment below /proc, still does.
func takeKeysText() string {
	keysText.Lock()
	defer keysText.Unlock()
	if text := os.Getenv(KeysTextVariable); text != "" {
		keysText.text = text
		os.Unsetenv(KeysTextVariable)
	}
	return keysText.text
}

// wholeEnviron is the environment for this same program, started anew.
func wholeEnviron() []string {
	if text := takeKeysText(); text != "" {
		return append(os.Environ(), KeysTextVariable+"="+text)
	}
	return os.Environ()
}

// Addresses are where the parts of a ledger are that are not in its data directory.
type Addresses struct {
	Store string // empty: the records are in it
	Vault string // empty: the persons are in it
	Keys  string // the file with the vault's keys; empty: it is in it
	kek   string // the command that seals that file; empty: that of the environment, or none

	text string // the keys themselves, instead of a file; empty: they are in a file
}

// addressesOf reads them from flags and the environment.
func addressesOf(with DirOptions) (a Addresses, err error) {
	if a.Store, err = RecordsPlace.Address(with.Store); err != nil {
		return a, err
	}
	if a.Vault, err = VaultPlace.Address(with.Vault); err != nil {
		return a, err
	}

	a.kek = with.KEK
	if a.Keys = with.VaultKeys; a.Keys == "" {
		a.Keys = os.Getenv(KeysVariable)
	}
	a.text = takeKeysText()

	switch {
	case a.text != "" && a.Keys != "":
		return a, exit.Usage(fmt.Errorf("%s has the keys of the vault, and --vault-keys or %s names a file with them: "+
			"give one of the two", KeysTextVariable, KeysVariable))
	case a.Vault == "":
		return a, nil
	case a.Store == "":
		return a, exit.Usage(fmt.Errorf("%s shares persons with other processes, and the records are in this one's "+
			"data directory: "+
			"name the event store that all of them use, with %s, %s or %s",
			VaultPlace.Flag, RecordsPlace.Flag, StoreVariable, StoreFileVariable))
	case a.Keys == "" && a.text == "":
		return a, exit.Usage(fmt.Errorf("%s shares persons with other processes, and all of them need the same keys: "+
			"name the file with --vault-keys or %s; consentledger keys new makes one", VaultPlace.Flag, KeysVariable))
	}
	return a, nil
}

// check holds what a data directory says against them.
func (a Addresses) check(path string, fresh bool) error {
	if err := RecordsPlace.Check(path, a.Store, fresh); err != nil {
		return err
	}
	return VaultPlace.Check(path, a.Vault, fresh)
}

// openKeys opens the keys of the vault. Those of a fresh directory are made, those of a
// file that somebody named never are.
func (a Addresses) openKeys(path string, fresh bool) (*vault.FileKeys, error) {
	if a.text != "" {
		return a.givenKeys(path)
	}
	if a.Keys == "" {
		return openKeys(filepath.Join(path, "keys"), fresh, KEKOf(a.kek))
	}

	keys, err := vault.OpenSealedKeys(a.Keys, true, KEKOf(a.kek))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Usage(fmt.Errorf("--vault-keys, %s: there is no file %s: it holds the keys that the vault "+
			"was made with, "+
			"and without them nobody reads what is in it; for a new vault make it with consentledger keys new",
			KeysVariable, a.Keys))
	}
	if err != nil {
		return nil, fmt.Errorf("--vault-keys, %s: %w", KeysVariable, err)
	}
	return keys, nil
}

// keysPlace says where the keys are.
func (a Addresses) keysPlace(path string) string {
	if a.text != "" {
		return KeysTextVariable
	}
	return cmp.Or(a.Keys, filepath.Join(path, "keys"))
}

// CheckKeysText returns whether the environment holds the keys, and what is wrong with them.
func CheckKeysText(kek string) (given bool, err error) {
	a := Addresses{text: takeKeysText(), kek: kek}
	if a.text == "" {
		return false, nil
	}
	_, err = a.givenKeys("")
	return true, err
}

// givenKeys returns the keys that the environment holds. A directory that has others is not
// opened with them.
func (a Addresses) givenKeys(path string) (*vault.FileKeys, error) {
	own := filepath.Join(path, "keys")
	if _, err := os.Stat(own); path != "" && err == nil {
		return nil, exit.Usage(fmt.Errorf("%s has the keys of the vault, and there is the file %s: unset it, or, if "+
			"it holds the same keys, keep the file elsewhere", KeysTextVariable, own))
	}
	keys, err := vault.GivenKeys(a.text, KEKOf(a.kek))
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("%s, which holds the text of a file of keys as consentledger keys new makes "+
			"one: %w", KeysTextVariable, err))
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

// ChangeKey is where the newest change of the vault that was seen is remembered.
var ChangeKey = []byte("elsewhere/1/vault")

// vaultAt returns where an address leads, and what the directory remembers of it.
func vaultAt(ctx context.Context, address string, rows eventstore.Rows) (*postgres.Address, *memory, error) {
	at, err := postgres.ParseAddress(address)
	if err != nil {
		return nil, nil, exit.Usage(fmt.Errorf("%s: %w", VaultPlace.Flag, err))
	}
	m, err := Recollect(ctx, rows, ChangeKey)
	return at, m, err
}

// openShared opens the rows at an address, and waits until they can be had.
func openShared(ctx context.Context, address string, rows eventstore.Rows) (*sharedRows, error) {
	at, m, err := vaultAt(ctx, address, rows)
	if err != nil {
		return nil, err
	}

	r, err := postgres.OpenRows(at, postgres.Options{Seen: m.Saved, OnFault: func(err error) {
		slog.Error("the vault is not what it was; nothing is written any more", "error", err)
	}})
	if err != nil {
		return nil, err
	}
	if err = r.Ready(ctx); err == nil {
		err = CheckMoved(ctx, r)
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
func (d *DataDir) memories() (all []*memory) {
	if d.away != nil {
		all = append(all, d.away.memory)
	}
	if d.shared != nil {
		all = append(all, d.shared.memory)
	}
	return all
}
