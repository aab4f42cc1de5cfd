package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/turn"
	"consentledger/eventstore/vault"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Where the parts of the target are, if they are not in its directory.
const (
	toStoreVariable     = "CONSENTLEDGER_TO_STORE"
	toStoreFileVariable = "CONSENTLEDGER_TO_STORE_FILE"
	toVaultVariable     = "CONSENTLEDGER_TO_VAULT"
	toVaultFileVariable = "CONSENTLEDGER_TO_VAULT_FILE"
	toKeysVariable      = "CONSENTLEDGER_TO_VAULT_KEYS_FILE"
)

// called returns a location by the flag and variables of a side of a migration.
func (p location) called(flag, variable, fileVariable string) location {
	p.flag, p.variable, p.fileVariable = flag, variable, fileVariable
	return p
}

var (
	fromRecordsPlace = recordsPlace.called("--from-store", storeVariable, storeFileVariable)
	fromVaultPlace   = vaultPlace.called("--from-vault", vaultVariable, vaultFileVariable)
	toRecordsPlace   = recordsPlace.called("--to-store", toStoreVariable, toStoreFileVariable)
	toVaultPlace     = vaultPlace.called("--to-vault", toVaultVariable, toVaultFileVariable)
)

// A side is a data directory that a migration has open and locked, and the servers that
// hold parts of its ledger.
type side struct {
	path string
	at   addresses

	lock   *os.File
	db     *embedded.DB
	remote remote         // nil: the records are in the directory
	shared *postgres.Rows // nil: the persons are in the directory
	turns  *postgres.Address
	vault  *vault.Vault // nil: nobody is in it yet

	store eventstore.Store
	rows  eventstore.Rows // of the persons, and of what goes with them
}

func (s *side) close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.remote != nil {
		err = s.remote.Close()
	}
	if s.shared != nil {
		err = errors.Join(err, s.shared.Close())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// open opens what a locked directory holds, and the servers. Seen is what has to be
// there, by the keys that a directory remembers it under.
func (s *side) open(ctx context.Context, seen func(key []byte) (eventstore.Mark, error)) (err error) {
	if s.db, err = embedded.Open(filepath.Join(s.path, "store"), embedded.Options{}); err != nil {
		return err
	}
	s.store, s.rows = s.db.Store(), s.db.Rows()
	if s.at.vault != "" {
		mark, err := seen(changeKey)
		if err == nil {
			err = s.openPersons(ctx, mark)
		}
		if err != nil {
			return err
		}
	}
	if s.at.store == "" {
		return nil
	}
	mark, err := seen(seenKey)
	if err != nil {
		return err
	}
	return s.openRecords(ctx, mark)
}

// openRecords opens the event store.
func (s *side) openRecords(ctx context.Context, mark eventstore.Mark) (err error) {
	if s.remote, err = engineOf(s.at.store).open(ctx, s.at.store, mark); err != nil {
		return err
	}
	s.store = s.remote
	if err := errors.Join(s.remote.Barrier(ctx), s.remote.Fault()); err != nil {
		return fmt.Errorf("the event store: %w", err)
	}
	return nil
}

// openPersons opens the rows that processes share.
func (s *side) openPersons(ctx context.Context, seen eventstore.Mark) (err error) {
	if s.turns, err = postgres.ParseAddress(s.at.vault); err != nil {
		return usageError{fmt.Errorf("%s: %w", vaultPlace.flag, err)}
	}
	rows, err := postgres.OpenRows(s.turns, postgres.Options{Seen: seen, OnFault: tellFault})
	if err != nil {
		return err
	}
	if err := errors.Join(rows.Ready(ctx), rows.Fault()); err != nil {
		return errors.Join(fmt.Errorf("the vault at %s: %w", s.turns, err), rows.Close())
	}
	s.shared, s.rows = rows, rows
	return nil
}

// nothingSeen is what a new directory remembers.
func nothingSeen([]byte) (eventstore.Mark, error) { return eventstore.Mark{}, nil }

// seen returns what reads what the directory remembers of servers.
func (s *side) seen(ctx context.Context) func(key []byte) (eventstore.Mark, error) {
	return func(key []byte) (eventstore.Mark, error) {
		m, err := recollect(ctx, s.db.Rows(), key)
		if err != nil {
			return eventstore.Mark{}, err
		}
		return m.saved, nil
	}
}

// keysFile is where the keys of the persons are.
func (s *side) keysFile() string {
	if s.at.vault == "" {
		return filepath.Join(s.path, "keys")
	}
	return s.at.keys
}

// openVault opens the vault, if there is one: an empty one is not made.
func (s *side) openVault(ctx context.Context) error {
	used, err := vault.Used(ctx, s.rows)
	if err != nil || !used {
		return err
	}
	keys, err := vault.OpenSealedKeys(s.keysFile(), true, kekOf(""))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %s: it holds the keys of all persons, "+
			"and without them nobody reads what is moved", s.keysFile())
	}
	if err != nil {
		return err
	}
	s.vault, err = vault.Open(ctx, s.rows, keys)
	return err
}

// idle returns an error if a process serves the vault that this side shares.
func (s *side) idle(ctx context.Context) error {
	if s.shared == nil {
		return nil
	}
	var names []string
	for _, w := range works {
		names = append(names, string(w))
	}
	busy, err := turn.Taken(ctx, s.turns, names...)
	if err == nil && len(busy) > 0 {
		err = inService{s.turns.String(), busy}
	}
	return err
}

// An inService is a vault that processes serve.
type inService struct {
	at   string
	busy []string
}

func (e inService) Error() string {
	return fmt.Sprintf("processes serve the ledger whose vault is at %s: one has the turn of %s; stop all of them",
		e.at, strings.Join(e.busy, ", "))
}

// shift lets the source's positions be those that everybody knows: see
// [eventstore.Moved].
func (s *side) shift(ctx context.Context) error {
	before, err := readBefore(ctx, s.rows)
	s.store = eventstore.Moved(s.store, before)
	return err
}

// openSource opens the source. One that was moved is opened by the migration that moved
// it, whose id is expected.
func (m *migration) openSource(ctx context.Context, id string) (err error) {
	s := &side{path: m.from, at: m.fromAt}
	m.source = s
	if s.lock, err = lockDir(m.from); err != nil {
		return err
	}
	use, away, err := readFormat(m.from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = checkFormat(m.from, "", false) // in its words
		return err
	case err != nil:
		return err
	case away.id != "" && away.id != id:
		_, err = checkFormat(m.from, "", false)
		return err
	}
	m.use = use
	if err := recordsPlace.check(m.from, s.at.store, false); err != nil {
		return fmt.Errorf("--from-store: %w", err)
	}
	if err := vaultPlace.check(m.from, s.at.vault, false); err != nil {
		return fmt.Errorf("--from-vault: %w", err)
	}
	if s.at.vault != "" && s.at.keys == "" {
		return usageError{fmt.Errorf("the persons of %s are in PostgreSQL: "+
			"name the file with their keys with --from-vault-keys or %s", m.from, keysVariable)}
	}
	if err := s.open(ctx, s.seen(ctx)); err != nil {
		return err
	}
	if s.shared != nil {
		mark, is, err := readMoveMark(ctx, s.shared)
		if err == nil && is && mark.id != id {
			err = checkMoved(ctx, s.shared)
		}
		if err != nil {
			return fmt.Errorf("the vault at %s: %w", s.turns, err)
		}
	}
	return s.shift(ctx)
}

// readTarget finds out what the target is: nothing yet, or a migration that was cut
// off, or one that is finished.
func (m *migration) readTarget() (n migrationNote, begun, finished bool, err error) {
	if info, err := os.Stat(m.to); err == nil && !info.IsDir() {
		return n, false, false, usageError{fmt.Errorf("--to: %s is no directory", m.to)}
	}
	if n, begun, err = readMigrationNote(m.to); err != nil {
		return n, false, false, err
	}
	_, err = os.Stat(filepath.Join(m.to, "FORMAT"))
	if err == nil && !begun {
		return n, false, false, usageError{fmt.Errorf("--to: %s is a data directory already: name a new one", m.to)}
	}
	if err == nil || begun {
		return n, begun, err == nil, nil
	}
	return n, false, false, m.isEmpty()
}

// isEmpty returns an error if the target's directory holds anything.
func (m *migration) isEmpty() error {
	entries, err := os.ReadDir(m.to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if name := e.Name(); name != "LOCK" && name != migrationFile+".new" && name != "lost+found" {
			return usageError{fmt.Errorf("--to: %s is not empty, it holds %q: name a new directory", m.to, name)}
		}
	}
	return err
}

// openTarget makes the target's directory, if it is not there, and opens it with its
// servers, which are empty unless the migration was begun before.
func (m *migration) openTarget(ctx context.Context) (err error) {
	s := &side{path: m.to, at: m.toAt}
	m.target = s
	if err := os.MkdirAll(m.to, 0o700); err != nil {
		return err
	}
	if s.lock, err = lockDir(m.to); err != nil {
		return err
	}
	note, begun, finished, err := m.readTarget() // under the lock
	switch {
	case err != nil:
		return err
	case finished:
		return errFinished
	case begun:
		m.note = note
	}
	if err := makePrivate(m.to); err != nil {
		return err
	}

	if !begun {
		if err := m.note.write(m.to); err != nil {
			return err
		}
	}
	if err := s.open(ctx, nothingSeen); err != nil {
		return err
	}
	if err := errors.Join(m.isOurs(ctx, begun)...); err != nil {
		if !begun && (s.remote != nil || s.shared != nil) { // nothing was written there: the directory goes on being none of ours
			err = errors.Join(err, s.forget())
		}
		return err
	}
	if s.shared != nil {
		if err := (moveMark{arriving, m.note.id, m.to}).write(ctx, s.shared); err != nil {
			return err
		}
	}
	return errors.Join(sayWhere(m.to, recordsPlace, s.at.store), sayWhere(m.to, vaultPlace, s.at.vault))
}

// sayWhere lets a directory say that something is at an address, or that it is in it.
func sayWhere(path string, p location, address string) error {
	if address == "" {
		return removeDurably(path, p.file)
	}
	return writeDurably(vfs.Default, path, p.file, p.text(engineOf(address)))
}

// forget takes away what was made in a directory into which nothing was copied.
func (s *side) forget() error {
	err := s.db.Close()
	s.db = nil
	return errors.Join(err, os.RemoveAll(filepath.Join(s.path, "store")), removeDurably(s.path, migrationFile))
}

// isOurs returns what is wrong if the target's servers hold what is not from this
// migration. What they hold of it is compared later.
func (m *migration) isOurs(ctx context.Context, begun bool) []error {
	return []error{m.recordsAreOurs(ctx, begun), m.personsAreOurs(ctx, begun)}
}

func (m *migration) recordsAreOurs(ctx context.Context, begun bool) error {
	if m.target.store == nil {
		return nil
	}
	for there, err := range m.target.store.ReadAll(ctx, 0) {
		if err != nil {
			return err
		}
		for here, err := range m.source.store.ReadAll(ctx, 0) {
			if err != nil {
				return err
			}
			if begun && here.ID == there.ID && here.Stream == there.Stream {
				return nil
			}
			break
		}
		return errors.New("the target's event store holds the records of another ledger: name an empty one")
	}
	return nil
}

func (m *migration) personsAreOurs(ctx context.Context, begun bool) error {
	s := m.target
	if s.shared == nil {
		return nil
	}
	mark, is, err := readMoveMark(ctx, s.shared)
	switch {
	case err != nil:
		return fmt.Errorf("the vault at %s: %w", s.turns, err)
	case is && begun && mark.state == arriving && mark.id == m.note.id:
		return nil
	}
	for _, err := range s.shared.Scan(ctx, nil) {
		if err == nil {
			err = fmt.Errorf("the vault at %s is not empty: name an empty database with --to-vault", s.turns)
		}
		return err
	}
	return nil
}

var errFinished = errors.New("the migration is finished")
