package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/postgres"
)

// An engine is a kind of event store that can hold the records.
type engine struct {
	name    string // as the RECORDS file has it
	short   string // as a status has it
	Example string
	Open    func(ctx context.Context, address string, seen eventstore.Mark) (Remote, error)

	// begin opens it without waiting for it, and says where it is, without a password.
	begin func(address string, seen eventstore.Mark) (s Remote, where string, err error)
}

// A Remote is an event store of a process of its own.
type Remote interface {
	eventstore.Store
	io.Closer

	Ready(ctx context.Context) error // returns once the server has answered and may be used

	Fault() error          // what is wrong with its history; nil: nothing
	Seen() eventstore.Mark // the newest record that was there
}

var (
	EventStoreDB = engine{"EventStoreDB", "esdb", "esdb://user:password@host:2113", openEventStoreDB, beginEventStoreDB}
	PostgreSQL   = engine{"PostgreSQL", "postgres", "postgres://user:password@host/database", openPostgreSQL,
		beginPostgreSQL}
)

// embeddedPart is what a status calls what is in the data directory.
const embeddedPart = "embedded"

// EngineOf returns the engine that an address is of.
func EngineOf(address string) engine {
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") ||
		!strings.Contains(address, "://") {
		return PostgreSQL // libpq reads keywords, as in host=db1 dbname=ledger, too
	}
	return EventStoreDB
}

func beginEventStoreDB(address string, seen eventstore.Mark) (Remote, string, error) {
	at, err := esdb.ParseAddress(address)
	if err != nil {
		return nil, "", exit.Usage(fmt.Errorf("--store: %w", err))
	}
	s, err := esdb.Open(at, esdb.Options{Seen: seen, OnFault: TellFault})
	if err != nil {
		return nil, "", err
	}
	return s, at.String(), nil
}

func openEventStoreDB(ctx context.Context, address string, seen eventstore.Mark) (_ Remote, err error) {
	s, where, err := beginEventStoreDB(address, seen)
	if err != nil {
		return nil, err
	}
	warnings, err := s.(*esdb.Store).CheckRights(ctx)
	for _, w := range warnings {
		slog.Warn("the ledger's user may do more in the event store than it should", "right", w)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the event store at %s: %w", where, err), s.Close())
	}
	return s, nil
}

func beginPostgreSQL(address string, seen eventstore.Mark) (Remote, string, error) {
	at, err := postgres.ParseAddress(address)
	if err != nil {
		return nil, "", exit.Usage(fmt.Errorf("--store: %w", err))
	}
	s, err := postgres.Open(at, postgres.Options{Seen: seen, OnFault: TellFault})
	if err != nil {
		return nil, "", err
	}
	return s, at.String(), nil
}

func openPostgreSQL(ctx context.Context, address string, seen eventstore.Mark) (Remote, error) {
	s, where, err := beginPostgreSQL(address, seen)
	if err != nil {
		return nil, err
	}
	if err := s.Ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the event store at %s: %w", where, err), s.Close())
	}
	return s, nil
}

func TellFault(err error) {
	slog.Error("the event store is not what it was; nothing is written any more", "error", err)
}

// An elsewhere is an event store outside the data directory. It remembers the newest
// record that was there, so that another store, or an old copy of this one, is not
// taken for it.
type elsewhere struct {
	Remote
	*memory
}

// SeenKey is where the newest record that was seen is remembered: its position and id.
var SeenKey = []byte("elsewhere/1/seen")

// openElsewhere opens the event store at an address, and waits until it answers. The
// newest record is remembered in the directory's rows. Where several processes share a
// vault, the first record is remembered in its rows, too: a directory that knows of no
// record takes the store for the ledger's by that.
func openElsewhere(ctx context.Context, address string, rows, shared eventstore.Rows) (_ *elsewhere, err error) {
	m, err := Recollect(ctx, rows, SeenKey)
	if err != nil {
		return nil, err
	}
	known, first := m.Saved, m.Saved
	if shared != nil {
		f, err := Recollect(ctx, shared, SeenKey)
		if err != nil {
			return nil, err
		}
		if first = f.Saved; first == (eventstore.Mark{}) {
			m.first = shared
		}
		if known == (eventstore.Mark{}) {
			known = first
		}
	}
	s, err := EngineOf(address).Open(ctx, address, known)
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
	if err == nil && first == (eventstore.Mark{}) && head != 0 {
		err = foreignRecords(shared != nil)
	}
	if err != nil {
		return nil, err
	}
	m.of = s
	return &elsewhere{Remote: s, memory: m}, nil
}

// foreignRecords says that an event store holds records of persons who are elsewhere.
func foreignRecords(shared bool) error {
	if shared {
		return errors.New("the event store holds the records of a ledger already, and nothing was ever written there " +
			"with this vault: its persons are in another one; name that one with --vault, or an empty event store")
	}
	return errors.New("the event store holds the records of a ledger already, and the data directory has never " +
		"written there: its persons are in another directory; name that one with --data, or an empty event store")
}

// Append implements [eventstore.Store]. The first record is remembered before anybody
// has a receipt for it: a directory that remembers none has none there.
func (e *elsewhere) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
	at, err := e.Remote.Append(ctx, stream, expected, records...)
	if err == nil && e.remembered() == (eventstore.Mark{}) {
		err = e.remember(context.WithoutCancel(ctx))
	}
	return at, err
}

// CatchUp implements [eventstore.Catching].
func (e *elsewhere) CatchUp(
	ctx context.Context, after eventstore.Position,
) (eventstore.Position, []eventstore.Recorded, error) {
	return eventstore.CatchUp(ctx, e.Remote, after)
}

// Close implements io.Closer.
func (e *elsewhere) Close() error {
	return errors.Join(e.remember(context.Background()), e.Remote.Close())
}

// keepUp hears what is recorded in an event store elsewhere, for all who follow it,
// until ctx is done.
func (h *Server) keepUp(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.Dir.Ledger.KeepUp(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		h.Log.Warn("the event store is not followed, and is tried again", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
