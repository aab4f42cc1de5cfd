package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"consentledger/eventstore"
)

var _ eventstore.Store = (*Store)(nil)

// A Store is an [eventstore.Store] on PostgreSQL. Its calls end no later than their
// contexts; one whose context has no deadline ends after half a minute without a
// server, but for Follow, which goes on.
type Store struct {
	server
	queue   *queue[*appending] // appends that wait for their turn
	asks    questions
	listens sync.Once
	notes   chan struct{} // holds one if other processes are to be told of records

	recent []eventstore.Recorded // the newest that CatchUp has read, without a gap; under mu
}

// Open returns the store at an address, without waiting for it: calls wait until
// the server can be had. See [Store.Ready].
func Open(a *Address, o Options) (*Store, error) {
	s := &Store{queue: newQueue(newTurn), notes: make(chan struct{}, 1)}
	if err := s.connect(a, o, "consentledger", records); err != nil {
		return nil, err
	}
	w := &writer[*appending]{server: &s.server, queue: s.queue, send: s.commit, apart: true}
	s.spawn(w.run)
	s.spawn(s.notify)
	return s, nil
}

//go:embed schema.sql
var schema string

// records is the content of a store's schema.
var records = content{
	schema: schema,
	relations: []relation{
		{"records_v1", "SELECT, INSERT"},
		{"store_v1", "SELECT"},
		{"timelines_v1", "SELECT, INSERT"},
		{"turn_v1", "UPDATE"},
	},
	newest: "a record at position %d",
	holds:  holdsRecord,
}

// Schema returns the statements that make a store of a name, for an administrator
// who does not let the ledger's user create schemas. What has to be granted then is
// what the store says is missing.
func Schema(name string) (string, error) { return script(name, schema) }

// script returns the statements of a schema for a name.
func script(name, statements string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return strings.ReplaceAll(statements, "{store}", `"`+name+`"`), nil
}

// holdsRecord looks whether the newest record that is known is where it was.
func holdsRecord(ctx context.Context, s *server, c *pgconn.PgConn, m eventstore.Mark) error {
	found, err := all(ctx, c, s.sql(fmt.Sprintf("SELECT id FROM {store}.records_v1 WHERE position = %d", m.Position)))
	if err != nil {
		return err
	}
	return s.differs(m, found)
}
