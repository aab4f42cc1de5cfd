package projectiontest

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// Histories are persons' pasts in memory, for benchmarks: as the ledger's folds are.
type Histories map[ident.StreamID]domain.Subject

// Add folds entries of persons.
func (h Histories) Add(entries []codec.Entry) {
	for _, e := range entries {
		if e.Stream.Noun == ident.SubjectNoun {
			h[e.Stream] = h[e.Stream].Fold(e.Fact(), lists.Newest)
		}
	}
}

// SubjectUntil returns what was added of a person: nothing later is.
func (h Histories) SubjectUntil(
	_ context.Context, s ident.StreamID, _ eventstore.Revision, _ eventstore.Position,
) (domain.Subject, error) {
	return h[s], nil
}

// Remembers reports that what was added is in memory.
func (h Histories) Remembers(ident.StreamID, eventstore.Position) bool { return true }

// Stream fails: of a past in memory the records are not kept.
func (h Histories) Stream(_ context.Context, s ident.StreamID) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		yield(codec.Entry{}, fmt.Errorf("stream %s: its records are not kept", s))
	}
}

// BenchmarkApply applies batches of 1,000: a grant or a withdrawal, of many
// people who take turns. Hear is given each before it is applied, outside of the
// time that is measured.
func BenchmarkApply(b *testing.B, open func(testing.TB) Model, hear func([]codec.Entry)) {
	for _, people := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			v := open(b)
			b.ResetTimer()
			for i := 0; i < b.N; i += 1000 {
				batch := make([]codec.Entry, 0, 1000)
				for j := i; j < i+1000; j++ {
					batch = append(batch, answered(j, people))
				}
				b.StopTimer()
				hear(batch)
				b.StartTimer()
				if err := v.Apply(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// answered is the nth entry of a history of so many people: a grant to two
// purposes and a withdrawal of one in turns.
func answered(n, people int) codec.Entry {
	who := uint64(n%people) * 0x9e3779b97f4a7c15
	e := codec.Entry{Position: eventstore.Position(n + 1), Revision: eventstore.Revision(n/people + 1)}
	e.Stream = ident.SubjectStream(App, fmt.Sprintf("%016x%016x", who, who))
	binary.BigEndian.PutUint64(e.ID[:], uint64(n+1))
	e.At = Start.Add(deadline.Span(n))
	e.Recorded = e.At
	e.Event = domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Act: "click",
		Items: []domain.Item{{Purpose: "location"}, {Purpose: "marketing"}}}
	if n/people%2 == 1 {
		e.Event = domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}}
	}
	return e
}
