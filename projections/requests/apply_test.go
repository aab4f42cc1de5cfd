package requests_test

import (
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// A mill writes the entries of the record path: four answers of persons, then
// what is owed for the last of them, in a stream of its own.
type mill struct {
	n     int
	due   deadline.Due
	cause eventstore.EventID
	who   string
}

func newMill(b testing.TB) *mill {
	due, err := deadline.Compute(stop, projectiontest.Start, nil, false, deadline.Calendars{})
	if err != nil {
		b.Fatal(err)
	}
	return &mill{due: due}
}

var stop = deadline.Rule{ID: "cn.stop", Source: "VII(III)", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai"}

// spread returns 16 bytes that are in no order.
func spread(n uint64) (id eventstore.EventID) {
	binary.BigEndian.PutUint64(id[:8], (n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], (n+1)*0xd1b54a32d192ed03)
	return id
}

func (m *mill) next() codec.Entry {
	m.n++
	e := codec.Entry{Position: eventstore.Position(m.n), Revision: 1}
	e.ID, e.Recorded = spread(uint64(m.n)), projectiontest.Start.Add(deadline.Span(m.n))
	e.At = e.Recorded
	if m.n%5 > 0 {
		id := spread(uint64(m.n * 7919 % 100_000))
		m.who, m.cause = hex.EncodeToString(id[:]), e.ID
		e.Stream = ident.StreamID{Noun: ident.SubjectNoun, App: projectiontest.App, ID: m.who}
		e.Event = domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}}
		return e
	}
	e.Stream = ident.StreamID{Noun: ident.ObligationNoun, App: projectiontest.App, ID: hex.EncodeToString(m.cause[:])}
	e.Event = domain.ObligationOpened{
		Obligation: obligation.Obligation{ID: "stop.ads." + string(stop.ID), Kind: policy.DutyStop, Target: "ads", Rule: stop, Version: content.Hash{1}, RuleSet: content.Hash{2}},
		Due:        m.due,
		Cause:      obligation.Cause{Event: ident.EventID(m.cause), Kind: "consent.withdrawn", Stream: "subject-" + string(projectiontest.App) + "-" + m.who, Subject: m.who},
	}
	return e
}

// BenchmarkApply applies batches of a thousand entries, of which every fifth
// opens an obligation.
func BenchmarkApply(b *testing.B) {
	v, err := requests.Open(b.Context(), projectiontest.Place(b))
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	m := newMill(b)
	batch := make([]codec.Entry, 0, 1000)
	for range (b.N + 999) / 1000 {
		b.StopTimer()
		for batch = batch[:0]; len(batch) < cap(batch); {
			batch = append(batch, m.next())
		}
		b.StartTimer()
		if err := v.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a file of many obligations and counts what stands, and says what that
// takes of time and memory, by the row.
func BenchmarkOpen(b *testing.B) {
	place := projectiontest.Place(b)
	v, err := requests.Open(b.Context(), place)
	if err != nil {
		b.Fatal(err)
	}
	rows := 0
	at := projectiontest.Crowd(b, func(list []codec.Entry) {
		for _, e := range list {
			switch e.Event.(type) {
			case domain.ObligationOpened, domain.ObligationMet:
				rows++
			}
		}
		if err := v.Apply(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	})
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	v = nil
	before := inUse()
	for b.Loop() {
		if v != nil {
			v.Close()
		}
		if v, err = requests.Open(b.Context(), place); err != nil {
			b.Fatal(err)
		}
		if _, err := v.CountStates(b.Context(), at); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(rows*b.N), "µs/row")
	b.ReportMetric(float64(inUse()-before)/float64(rows), "B/row")
	v.Close()
}

// inUse returns how many bytes the heap holds that something refers to.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
