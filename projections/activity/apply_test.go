package activity_test

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/activity"
	"consentledger/projections/projectiontest"
)

// spread returns 16 bytes that are in no order.
func spread(n int) (id eventstore.EventID) {
	binary.BigEndian.PutUint64(id[:8], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n+1)*0xd1b54a32d192ed03)
	return id
}

// recorded is the nth entry of the record path: four answers of persons, then
// what is owed for the last of them, in a stream of its own.
func recorded(n int) codec.Entry {
	e := codec.Entry{Position: eventstore.Position(n + 1), Revision: 1}
	e.ID, e.Recorded = spread(n), projectiontest.Start.Add(deadline.Span(n))
	e.At = e.Recorded
	who := spread(n * 7919 % 10_000)
	if n%5 == 4 {
		who = spread((n - 1) * 7919 % 10_000)
	}
	if n%5 == 4 {
		cause := spread(n - 1)
		e.Stream = ident.StreamID{Noun: ident.ObligationNoun, App: projectiontest.App, ID: hex.EncodeToString(cause[:])}
		e.Event = domain.ObligationOpened{Cause: obligation.Cause{Event: ident.EventID(cause), Subject: hex.EncodeToString(who[:])}}
		return e
	}
	e.Stream = ident.StreamID{Noun: ident.SubjectNoun, App: projectiontest.App, ID: hex.EncodeToString(who[:])}
	e.Event = domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}}
	if n%5 < 3 {
		e.Event = domain.ConsentGiven{Items: []domain.Item{{Purpose: "location"}, {Purpose: "marketing"}}}
	}
	return e
}

// BenchmarkRecordPath applies batches of a thousand entries.
func BenchmarkRecordPath(b *testing.B) {
	v, err := activity.Open(b.Context(), projectiontest.Place(b))
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	batch := make([]codec.Entry, 0, 1000)
	n := 0
	for range (b.N + 999) / 1000 {
		b.StopTimer()
		for batch = batch[:0]; len(batch) < cap(batch); n++ {
			batch = append(batch, recorded(n))
		}
		b.StartTimer()
		if err := v.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}
