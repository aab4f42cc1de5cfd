package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"consentledger/eventstore"
)

// A brake lets a store be read, and once it is pulled not written any more.
type brake struct {
	eventstore.Joint
	pulled atomic.Pointer[error]
}

// pull stops all writing from now on, because of err.
func (b *brake) pull(err error) { b.pulled.CompareAndSwap(nil, &err) }

// Append implements [eventstore.Store].
func (b *brake) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	return b.AppendWith(ctx, eventstore.Change{}, stream, expected, records...)
}

// AppendWith implements [eventstore.Joint].
func (b *brake) AppendWith(ctx context.Context, c eventstore.Change, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	if why := b.pulled.Load(); why != nil {
		return 0, fmt.Errorf("the ledger is read-only: %w", *why)
	}
	return b.Joint.AppendWith(ctx, c, stream, expected, records...)
}
