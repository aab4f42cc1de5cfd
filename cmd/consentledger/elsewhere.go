package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/postgres"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Where the records of a data directory are, if they are not in it. A connection
// string may hold a password, so it may come from a file, and is never kept.
const (
	storeVariable     = "CONSENTLEDGER_STORE"
	storeFileVariable = "CONSENTLEDGER_STORE_FILE"
)

// storeAddress returns the connection string of the event store, from a flag or the
// environment; empty: the records are in the data directory.
func storeAddress(flag string) (string, error) {
	return addressOf(flag, storeVariable, storeFileVariable)
}

// addressOf returns a connection string from a flag, a variable of the environment, or
// the file that another variable names; empty: there is none.
func addressOf(flag, variable, fileVariable string) (string, error) {
	file := os.Getenv(fileVariable)
	switch inline := os.Getenv(variable); {
	case flag != "":
		return flag, nil
	case inline != "" && file != "":
		return "", usageError{fmt.Errorf("%s and %s both say where the records are: set one", variable, fileVariable)}
	case file == "":
		return inline, nil
	}
	text, err := readOwnFile(file, maxKeyFile)
	if err != nil {
		return "", unread(fileVariable, err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", usageError{fmt.Errorf("%s: %s is empty: it holds a connection string, as in %s or %s",
			fileVariable, file, eventStoreDB.example, postgreSQL.example)}
	}
	return strings.TrimSpace(string(text)), nil
}

// An engine is a kind of event store that can hold the records.
type engine struct {
	name    string // as the RECORDS file has it
	example string
	open    func(ctx context.Context, address string, seen eventstore.Mark) (remote, error)
}

// A remote is an event store of a process of its own.
type remote interface {
	eventstore.Store
	io.Closer

	Fault() error          // what is wrong with its history; nil: nothing
	Seen() eventstore.Mark // the newest record that was there
}

var (
	eventStoreDB = engine{"EventStoreDB", "esdb://user:password@host:2113", openEventStoreDB}
	postgreSQL   = engine{"PostgreSQL", "postgres://user:password@host/database", openPostgreSQL}
)

// engineOf returns the engine that an address is of.
func engineOf(address string) engine {
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") || !strings.Contains(address, "://") {
		return postgreSQL // libpq reads keywords, as in host=db1 dbname=ledger, too
	}
	return eventStoreDB
}

func openEventStoreDB(ctx context.Context, address string, seen eventstore.Mark) (_ remote, err error) {
	at, err := esdb.ParseAddress(address)
	if err != nil {
		return nil, usageError{fmt.Errorf("--store: %w", err)}
	}
	s, err := esdb.Open(at, esdb.Options{Seen: seen, OnFault: tellFault})
	if err != nil {
		return nil, err
	}
	warnings, err := s.CheckRights(ctx)
	for _, w := range warnings {
		slog.Warn("the ledger's user may do more in the event store than it should", "right", w)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the event store at %s: %w", at, err), s.Close())
	}
	return s, nil
}

func openPostgreSQL(ctx context.Context, address string, seen eventstore.Mark) (remote, error) {
	at, err := postgres.ParseAddress(address)
	if err != nil {
		return nil, usageError{fmt.Errorf("--store: %w", err)}
	}
	s, err := postgres.Open(at, postgres.Options{Seen: seen, OnFault: tellFault})
	if err != nil {
		return nil, err
	}
	if err := s.Ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the event store at %s: %w", at, err), s.Close())
	}
	return s, nil
}

func tellFault(err error) {
	slog.Error("the event store is not what it was; nothing is written any more", "error", err)
}

// An elsewhere is an event store outside the data directory. It remembers the newest
// record that was there, so that another store, or an old copy of this one, is not
// taken for it.
type elsewhere struct {
	remote
	rows eventstore.Rows

	mu    sync.Mutex
	saved eventstore.Mark
}

// elsewhereFile says in a data directory that its records are in an event store, and
// of what kind.
const elsewhereFile = "RECORDS"

// text is what the file holds.
func (e engine) text() string { return "consentledger records 1: " + e.name + "\n" }

// seenKey is where the newest record that was seen is remembered: its position and id.
var seenKey = []byte("elsewhere/1/seen")

// checkElsewhere holds what a data directory says of its records against what was
// asked for.
func checkElsewhere(path, address string, fresh bool) error {
	name := filepath.Join(path, elsewhereFile)
	file, err := readOwnFile(name, maxOwnFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	is, asked := string(file), engineOf(address)
	if err != nil {
		return checkInside(path, address, asked, fresh)
	}

	switch {
	case is != eventStoreDB.text() && is != postgreSQL.text():
		return fmt.Errorf("%s says %q, which this program does not know: use the version that wrote it, or a newer one", name, strings.TrimSpace(is))
	case address == "":
		_, where, _ := strings.Cut(strings.TrimSpace(is), ": ")
		return usageError{fmt.Errorf("the records of data directory %s are in %s: say where, with serve --store, %s or %s",
			path, where, storeVariable, storeFileVariable)}
	case is != asked.text():
		return usageError{fmt.Errorf("%s says %q, and the address is one of %s", name, strings.TrimSpace(is), asked.name)}
	}
	return nil
}

// checkInside is checkElsewhere for a directory that does not say that its records
// are elsewhere. A fresh one does from now on, if it is asked to.
func checkInside(path, address string, asked engine, fresh bool) error {
	switch {
	case address == "":
		return nil
	case !fresh:
		return usageError{fmt.Errorf("the records of data directory %s are in it, and not in %s: leave --store, %s and %s away, or name a new directory with --data",
			path, asked.name, storeVariable, storeFileVariable)}
	}
	return writeDurably(vfs.Default, path, elsewhereFile, asked.text())
}

// openElsewhere opens the event store at an address, and waits until it answers.
func openElsewhere(ctx context.Context, address string, rows eventstore.Rows) (_ *elsewhere, err error) {
	seen, err := readSeen(ctx, rows)
	if err != nil {
		return nil, err
	}
	s, err := engineOf(address).open(ctx, address, seen)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()

	if err := errors.Join(s.Barrier(ctx), s.Fault()); err != nil {
		return nil, fmt.Errorf("the event store: %w", err)
	}
	head, err := s.Head(ctx)
	if err == nil && seen == (eventstore.Mark{}) && head != 0 {
		err = errors.New("the event store holds the records of a ledger already, and the data directory has never written there: " +
			"its persons are in another directory; name that one with --data, or an empty event store")
	}
	return &elsewhere{remote: s, rows: rows, saved: seen}, err
}

func readSeen(ctx context.Context, rows eventstore.Rows) (eventstore.Mark, error) {
	b, ok, err := rows.Get(ctx, seenKey)
	switch {
	case err != nil || !ok:
		return eventstore.Mark{}, err
	case len(b) != 8+16:
		return eventstore.Mark{}, fmt.Errorf("what is remembered of the event store has %d bytes: want 24", len(b))
	}
	return eventstore.Mark{Position: eventstore.Position(binary.BigEndian.Uint64(b)), ID: eventstore.EventID(b[8:])}, nil
}

// seenValue is what readSeen reads.
func seenValue(m eventstore.Mark) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(m.Position)), m.ID[:]...)
}

// Append implements [eventstore.Store]. The first record is remembered before anybody
// has a receipt for it: a directory that remembers none has none there.
func (e *elsewhere) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	at, err := e.remote.Append(ctx, stream, expected, records...)
	if err == nil && e.remembered() == (eventstore.Mark{}) {
		err = e.remember(context.WithoutCancel(ctx))
	}
	return at, err
}

func (e *elsewhere) remembered() eventstore.Mark {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.saved
}

// remember remembers the newest record that was seen.
func (e *elsewhere) remember(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen := e.Seen()
	if seen == e.saved {
		return nil
	}
	err := e.rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{{Key: seenKey, Value: seenValue(seen)}}})
	if err == nil {
		err = e.rows.Sync(ctx)
	}
	if err == nil {
		e.saved = seen
	}
	return err
}

// rememberEvery is how often the newest record is remembered.
const rememberEvery = 10 * time.Second

// run remembers the newest record now and then, until ctx is done.
func (e *elsewhere) run(ctx context.Context) error {
	tick := time.NewTicker(rememberEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return e.remember(context.WithoutCancel(ctx))
		}
		if err := e.remember(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// Close implements io.Closer.
func (e *elsewhere) Close() error {
	return errors.Join(e.remember(context.Background()), e.remote.Close())
}

// keepUp hears what is recorded in an event store elsewhere, for all who follow it,
// until ctx is done.
func (h *house) keepUp(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.dir.ledger.KeepUp(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		h.log.Warn("the event store is not followed, and is tried again", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
