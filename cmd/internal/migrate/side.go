package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/turn"
	"consentledger/eventstore/vault"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gofrs/flock"
)

// Where the parts of the target are, if they are not in its directory.
const (
	ToStoreVariable     = "CONSENTLEDGER_TO_STORE"
	ToStoreFileVariable = "CONSENTLEDGER_TO_STORE_FILE"
	ToVaultVariable     = "CONSENTLEDGER_TO_VAULT"
	toVaultFileVariable = "CONSENTLEDGER_TO_VAULT_FILE"
	ToKeysVariable      = "CONSENTLEDGER_TO_VAULT_KEYS_FILE"
)

var (
	fromRecordsPlace = server.RecordsPlace.Called("--from-store", server.StoreVariable, server.StoreFileVariable)
	fromVaultPlace   = server.VaultPlace.Called("--from-vault", server.VaultVariable, server.VaultFileVariable)
	toRecordsPlace   = server.RecordsPlace.Called("--to-store", ToStoreVariable, ToStoreFileVariable)
	toVaultPlace     = server.VaultPlace.Called("--to-vault", ToVaultVariable, toVaultFileVariable)
)

// A side is a data directory that a migration has open and locked, and the servers that
// hold parts of its ledger.
type side struct {
	path string
	at   server.Addresses

	lock   *flock.Flock
	db     *embedded.DB
	remote server.Remote  // nil: the records are in the directory
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
	if s.at.Vault != "" {
		mark, err := seen(server.ChangeKey)
		if err == nil {
			err = s.openPersons(ctx, mark)
		}
		if err != nil {
			return err
		}
	}

	if s.at.Store == "" {
		return nil
	}

	mark, err := seen(server.SeenKey)
	if err != nil {
		return err
	}
	return s.openRecords(ctx, mark)
}

// openRecords opens the event store.
func (s *side) openRecords(ctx context.Context, mark eventstore.Mark) (err error) {
	if s.remote, err = server.EngineOf(s.at.Store).Open(ctx, s.at.Store, mark); err != nil {
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
	if s.turns, err = postgres.ParseAddress(s.at.Vault); err != nil {
		return exit.Usage(fmt.Errorf("%s: %w", server.VaultPlace.Flag, err))
	}
	rows, err := postgres.OpenRows(s.turns, postgres.Options{Seen: seen, OnFault: server.TellFault})
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
		m, err := server.Recollect(ctx, s.db.Rows(), key)
		if err != nil {
			return eventstore.Mark{}, err
		}
		return m.Saved, nil
	}
}

// keysFile is where the keys of the persons are.
func (s *side) keysFile() string {
	if s.at.Vault == "" {
		return filepath.Join(s.path, "keys")
	}
	return s.at.Keys
}

// openVault opens the vault, if there is one: an empty one is not made.
func (s *side) openVault(ctx context.Context) error {
	used, err := vault.Used(ctx, s.rows)
	if err != nil || !used {
		return err
	}

	keys, err := vault.OpenSealedKeys(s.keysFile(), true, server.KEKOf(""))
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

// idle returns an error if a process serves the vault that this side shares, which it
// tells by the turns that one has. It looks for so long: a process that waits for a turn
// whose holder has just ended asks again within one and a half seconds.
func (s *side) idle(ctx context.Context, long time.Duration) error {
	if s.shared == nil {
		return nil
	}

	var names []string
	for _, w := range server.Works {
		names = append(names, string(w))
	}

	for until := time.Now().Add(long); ; {
		busy, err := turn.Taken(ctx, s.turns, names...)
		if err == nil && len(busy) > 0 {
			err = inService{s.turns.String(), busy}
		}
		if err != nil || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// taking is how long it takes at most until somebody has a turn that nobody has.
const taking = 2 * time.Second

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
	before, err := server.ReadBefore(ctx, s.rows)
	s.store = eventstore.Moved(s.store, before)
	return err
}

// openSource opens the source. One that was moved is opened by the migration that moved
// it, whose id is expected.
func (m *Migration) openSource(ctx context.Context, id string) (err error) {
	s := &side{path: m.From, at: m.FromAt}
	m.source = s
	if s.lock, err = server.LockDir(m.From); err != nil {
		return err
	}

	use, away, err := server.ReadFormat(m.From)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = server.CheckFormat(m.From, "", false) // in its words
		return err
	case err != nil:
		return err
	case away.ID != "" && away.ID != id:
		_, err = server.CheckFormat(m.From, "", false)
		return err
	}

	m.use = use
	if err := server.RecordsPlace.Check(m.From, s.at.Store, false); err != nil {
		return fmt.Errorf("--from-store: %w", err)
	}
	if err := server.VaultPlace.Check(m.From, s.at.Vault, false); err != nil {
		return fmt.Errorf("--from-vault: %w", err)
	}

	if s.at.Vault != "" && s.at.Keys == "" {
		return exit.Usage(fmt.Errorf("the persons of %s are in PostgreSQL: "+
			"name the file with their keys with --from-vault-keys or %s", m.From, server.KeysVariable))
	}
	if err := s.open(ctx, s.seen(ctx)); err != nil {
		return err
	}

	if s.shared != nil {
		mark, is, err := server.ReadMoveMark(ctx, s.shared)
		if err == nil && is && mark.ID != id {
			err = server.CheckMoved(ctx, s.shared)
		}
		if err != nil {
			return fmt.Errorf("the vault at %s: %w", s.turns, err)
		}
	}
	return s.shift(ctx)
}

// readTarget finds out what the target is: nothing yet, or a migration that was cut
// off, or one that is finished.
func (m *Migration) readTarget() (n server.MigrationNote, begun, finished bool, err error) {
	if info, err := os.Stat(m.To); err == nil && !info.IsDir() {
		return n, false, false, exit.Usage(fmt.Errorf("--to: %s is no directory", m.To))
	}
	if n, begun, err = server.ReadMigrationNote(m.To); err != nil {
		return n, false, false, err
	}

	_, err = os.Stat(filepath.Join(m.To, "FORMAT"))
	if err == nil && !begun {
		return n, false, false, exit.Usage(fmt.Errorf("--to: %s is a data directory already: name a new one", m.To))
	}
	if err == nil || begun {
		return n, begun, err == nil, nil
	}
	return n, false, false, m.isEmpty()
}

// isEmpty returns an error if the target's directory holds anything.
func (m *Migration) isEmpty() error {
	entries, err := os.ReadDir(m.To)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if name := e.Name(); name != "LOCK" && name != server.MigrationFile+".new" && name != "lost+found" {
			return exit.Usage(fmt.Errorf("--to: %s is not empty, it holds %q: name a new directory", m.To, name))
		}
	}
	return err
}

// openTarget makes the target's directory, if it is not there, and opens it with its
// servers, which are empty unless the migration was begun before.
func (m *Migration) openTarget(ctx context.Context) (err error) {
	s := &side{path: m.To, at: m.ToAt}
	m.target = s
	if err := os.MkdirAll(m.To, 0o700); err != nil {
		return err
	}
	if s.lock, err = server.LockDir(m.To); err != nil {
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
	if err := server.MakePrivate(m.To); err != nil {
		return err
	}

	if !begun {
		if err := m.note.Write(m.To); err != nil {
			return err
		}
	}
	if err := s.open(ctx, nothingSeen); err != nil {
		return err
	}
	if err := errors.Join(m.isOurs(ctx, begun)...); err != nil {
		// nothing was written there: the directory goes on being none of ours
		if !begun && (s.remote != nil || s.shared != nil) {
			err = errors.Join(err, s.forget())
		}
		return err
	}
	if s.shared != nil {
		if err := (server.MoveMark{State: server.Arriving, ID: m.note.ID, To: m.To}).Write(ctx, s.shared); err != nil {
			return err
		}
	}
	return errors.Join(sayWhere(m.To, server.RecordsPlace, s.at.Store), sayWhere(m.To, server.VaultPlace, s.at.Vault))
}

// sayWhere lets a directory say that something is at an address, or that it is in it.
func sayWhere(path string, p server.Location, address string) error {
	if address == "" {
		return server.RemoveDurably(path, p.File)
	}
	return server.WriteDurably(vfs.Default, path, p.File, p.Text(server.EngineOf(address)))
}

// forget takes away what was made in a directory into which nothing was copied.
func (s *side) forget() error {
	err := s.db.Close()
	s.db = nil
	return errors.Join(err, os.RemoveAll(filepath.Join(s.path, "store")),
		server.RemoveDurably(s.path, server.MigrationFile))
}

// isOurs returns what is wrong if the target's servers hold what is not from this
// migration. What they hold of it is compared later.
func (m *Migration) isOurs(ctx context.Context, begun bool) []error {
	return []error{m.recordsAreOurs(ctx, begun), m.personsAreOurs(ctx, begun)}
}

func (m *Migration) recordsAreOurs(ctx context.Context, begun bool) error {
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

func (m *Migration) personsAreOurs(ctx context.Context, begun bool) error {
	s := m.target
	if s.shared == nil {
		return nil
	}

	mark, is, err := server.ReadMoveMark(ctx, s.shared)
	switch {
	case err != nil:
		return fmt.Errorf("the vault at %s: %w", s.turns, err)
	case is && begun && mark.State == server.Arriving && mark.ID == m.note.ID:
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
