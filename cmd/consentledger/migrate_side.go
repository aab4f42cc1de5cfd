package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Where the records of the target are, if they are not in its directory.
const (
	toStoreVariable     = "CONSENTLEDGER_TO_STORE"
	toStoreFileVariable = "CONSENTLEDGER_TO_STORE_FILE"
)

// toRecordsPlace is [recordsPlace] of the target.
var toRecordsPlace = func() location {
	p := recordsPlace
	p.flag, p.variable, p.fileVariable = "--to-store", toStoreVariable, toStoreFileVariable
	return p
}()

// A side is a data directory that a migration has open and locked.
type side struct {
	path   string
	lock   *os.File
	db     *embedded.DB
	remote remote // nil: the records are in the directory
	store  eventstore.Store
	rows   eventstore.Rows
}

func (s *side) close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.remote != nil {
		err = s.remote.Close()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// open opens what a locked directory holds, and the event store at an address. Seen is
// what has to be there.
func (s *side) open(ctx context.Context, address string, seen func() (eventstore.Mark, error)) (err error) {
	if s.db, err = embedded.Open(filepath.Join(s.path, "store"), embedded.Options{}); err != nil {
		return err
	}
	s.store, s.rows = s.db.Store(), s.db.Rows()
	if address == "" {
		return nil
	}
	mark, err := seen()
	if err != nil {
		return err
	}
	if s.remote, err = engineOf(address).open(ctx, address, mark); err != nil {
		return err
	}
	s.store = s.remote
	if err := errors.Join(s.remote.Barrier(ctx), s.remote.Fault()); err != nil {
		return fmt.Errorf("the event store: %w", err)
	}
	return nil
}

// seen returns what reads the newest record that the directory remembers of an event
// store.
func (s *side) seen(ctx context.Context) func() (eventstore.Mark, error) {
	return func() (eventstore.Mark, error) {
		m, err := recollect(ctx, s.db.Rows(), seenKey)
		if err != nil {
			return eventstore.Mark{}, err
		}
		return m.saved, nil
	}
}

// personsInside refuses a directory whose vault is elsewhere: its rows are not copied.
func personsInside(path string) error {
	_, err := os.Stat(filepath.Join(path, vaultPlace.file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return usageError{fmt.Errorf("--from: the persons of %s are in PostgreSQL, where several processes share them: "+
		"migrate moves a ledger whose persons are in its directory", path)}
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
	s := &side{path: m.from}
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
	if err := personsInside(m.from); err != nil {
		return err
	}
	if err := recordsPlace.check(m.from, m.fromStore, false); err != nil {
		return fmt.Errorf("--from-store: %w", err)
	}
	if err := s.open(ctx, m.fromStore, s.seen(ctx)); err != nil {
		return err
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
// event store, which is empty unless the migration was begun before.
func (m *migration) openTarget(ctx context.Context) (err error) {
	s := &side{path: m.to}
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

	nothing := func() (eventstore.Mark, error) { return eventstore.Mark{}, nil }
	if !begun {
		if err := m.note.write(m.to); err != nil {
			return err
		}
	}
	if err := s.open(ctx, m.toStore, nothing); err != nil {
		return err
	}
	if err := m.isOurs(ctx, begun); err != nil {
		if !begun && s.remote != nil { // nothing was written there: the directory goes on being none of ours
			err = errors.Join(err, s.forget())
		}
		return err
	}
	if m.toStore == "" {
		return removeDurably(m.to, recordsPlace.file)
	}
	return writeDurably(vfs.Default, m.to, recordsPlace.file, recordsPlace.text(engineOf(m.toStore)))
}

// forget takes away what was made in a directory into which nothing was copied.
func (s *side) forget() error {
	err := s.db.Close()
	s.db = nil
	return errors.Join(err, os.RemoveAll(filepath.Join(s.path, "store")), removeDurably(s.path, migrationFile))
}

// isOurs returns an error if the target's event store holds what is not from this
// migration. What it holds of it is compared later.
func (m *migration) isOurs(ctx context.Context, begun bool) error {
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

var errFinished = errors.New("the migration is finished")
