package requests_test

import (
	"fmt"
	"testing"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// crowded returns a projection of many obligations, and the moment after the
// last of its facts.
func crowded(b testing.TB) (*requests.View, deadline.Instant) {
	b.Helper()
	v, err := requests.Open(b.Context(), projectiontest.Place(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	return v, projectiontest.Crowd(b, func(list []codec.Entry) {
		if err := v.Apply(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkReport reads one page of a hundred, in every way, and the summary,
// of a hundred thousand obligations of which ten thousand are open.
func BenchmarkReport(b *testing.B) {
	begun := time.Now()
	v, at := crowded(b)
	b.Logf("%d obligations built in %.1f s", projectiontest.Many, time.Since(begun).Seconds())
	past := requests.Known{Past: true, At: 100_000}
	open := []requests.State{requests.StateOverdue, requests.StateAtRisk, requests.StateOpen}
	for _, bb := range []struct {
		name string
		q    requests.Query
	}{
		{"open by due date", requests.Query{States: open}},
		{"overdue", requests.Query{States: open[:1]}},
		{"all by due date", requests.Query{}},
		{"all by opening", requests.Query{Sort: requests.ByOpened}},
		{"all by state", requests.Query{Sort: requests.ByState}},
		{"a rule, of a type, binding", requests.Query{Rule: "cn.d15", Type: "copy", Binding: true}},
		{"open in the past", requests.Query{States: open, Known: past}},
	} {
		bb.q.App, bb.q.At, bb.q.Limit = projectiontest.App, at, 100
		b.Run("page/"+bb.name, func(b *testing.B) {
			for b.Loop() {
				list, _, _, err := v.Page(b.Context(), bb.q)
				if err != nil || len(list) != 100 {
					b.Fatal(len(list), err)
				}
			}
		})
	}
	for _, bb := range []struct {
		name string
		q    requests.Query
	}{
		{"all", requests.Query{}}, {"open", requests.Query{States: open}}, {"of the past", requests.Query{Known: past}},
	} {
		bb.q.App, bb.q.At = projectiontest.App, at
		b.Run("summary/"+bb.name, func(b *testing.B) {
			for b.Loop() {
				s, _, err := v.Summary(b.Context(), bb.q)
				if err != nil || s.Total.Obligations < 9000 {
					b.Fatal(s.Total, err)
				}
			}
		})
	}
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			n := 0
			_, err := v.Each(b.Context(), requests.Query{App: projectiontest.App, At: at, States: open}, func(requests.Obligation) error { n++; return nil })
			if err != nil || n < 9000 {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkPastDay reads a page of a hundred and the summary as of a day, of which every row was
// replaced since: a hundred thousand obligations were open then, and are met now.
func BenchmarkPastDay(b *testing.B) {
	v, err := requests.Open(b.Context(), projectiontest.Place(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	end, known := projectiontest.CrowdedDay(b, func(list []codec.Entry) {
		if err := v.Apply(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	})
	for _, known := range []requests.Known{{}, {Past: true, At: known}} {
		b.Run(fmt.Sprint("past ", known.Past), func(b *testing.B) {
			q := requests.Query{App: projectiontest.App, At: end, Limit: 100, Known: known}
			for b.Loop() {
				list, _, sum, _, err := v.Report(b.Context(), q)
				if err != nil || len(list) != 100 || sum.Total.Obligations != projectiontest.Many {
					b.Fatal(len(list), sum.Total, err)
				}
			}
		})
	}
}
