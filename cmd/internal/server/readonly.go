package server

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"consentledger/eventstore"
)

// A readOnlyStore lets a store be read, and once it is pulled not written any more.
type readOnlyStore struct {
	eventstore.Store
	halted atomic.Pointer[error]
}

func newReadOnlyStore(s eventstore.Store) *readOnlyStore { return &readOnlyStore{Store: s} }

// halt stops all writing from now on, because of err.
func (b *readOnlyStore) halt(err error) { b.halted.CompareAndSwap(nil, &err) }

// held returns why nothing may be written; nil: it may.
func (b *readOnlyStore) held() error {
	if why := b.halted.Load(); why != nil {
		return fmt.Errorf("the ledger is read-only: %w", *why)
	}
	return nil
}

// Before says what [eventstore.Before] says of the store.
func (b *readOnlyStore) Before() eventstore.Position { return eventstore.Before(b.Store) }

// CatchUp implements [eventstore.Catching].
func (b *readOnlyStore) CatchUp(
	ctx context.Context, after eventstore.Position,
) (eventstore.Position, []eventstore.Recorded, error) {
	return eventstore.CatchUp(ctx, b.Store, after)
}

// Append implements [eventstore.Store].
func (b *readOnlyStore) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
	if err := b.held(); err != nil {
		return 0, err
	}
	return b.Store.Append(ctx, stream, expected, records...)
}

// ReadBehind implements [eventstore.Joint]. It is called where rows lie beside the store.
func (b *readOnlyStore) ReadBehind(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) (eventstore.Position, iter.Seq2[eventstore.Recorded, error], error) {
	return b.Store.(eventstore.Joint).ReadBehind(ctx, stream, after)
}

// Beside implements [eventstore.Joint]: no rows lie beside a store that is not joint.
func (b *readOnlyStore) Beside(rows eventstore.Rows) bool {
	j, joint := b.Store.(eventstore.Joint)
	return joint && j.Beside(rows)
}

// AppendWith implements [eventstore.Joint]. It is called where rows lie beside the store.
func (b *readOnlyStore) AppendWith(ctx context.Context, c eventstore.Change, stream eventstore.Stream,
	expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	if err := b.held(); err != nil {
		return 0, err
	}
	return b.Store.(eventstore.Joint).AppendWith(ctx, c, stream, expected, records...)
}
