package activity_test

import (
	"errors"
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/activity"
	"consentledger/projections/projectiontest"
)

func BenchmarkApply(b *testing.B) {
	projectiontest.BenchmarkApply(b, func(t testing.TB) projectiontest.Model {
		v, err := activity.Open(t.Context(), projectiontest.Place(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close() })
		return v
	}, func([]codec.Entry) {})
}

// BenchmarkAnswers asks for answers over time: of each of 732 days 150 combinations of five builds, ten
// languages and three purposes occur.
func BenchmarkAnswers(b *testing.B) {
	v, err := activity.Open(b.Context(), projectiontest.Place(b))
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	const days, combinations = 732, 150
	var entries []codec.Entry
	for n := range days * combinations {
		e := recorded(n - n%5)
		e.Position, e.ID = eventstore.Position(n+1), spread(n)
		day := n / combinations
		e.Recorded = projectiontest.Start.Add(deadline.Span(day) * deadline.Day)
		given := domain.ConsentGiven{Items: []domain.Item{{Purpose: policy.PurposeID(fmt.Sprint("p", n%3))}},
			Locale: fmt.Sprint("l", n/3%10), Build: fmt.Sprint(day/7, ".", n/30%5)}
		if e.Event = given; len(entries) == 1000 {
			if err := v.Apply(b.Context(), entries); err != nil {
				b.Fatal(err)
			}
			entries = entries[:0]
		}
		entries = append(entries, e)
	}
	if err := v.Apply(b.Context(), entries); err != nil {
		b.Fatal(err)
	}

	day := func(n int) string {
		return projectiontest.Start.Add(deadline.Span(n) * deadline.Day).String()[:len("2006-01-02")]
	}
	for _, part := range []activity.Part{activity.Whole, activity.ByPurpose, activity.ByLanguage, activity.ByScreen} {
		for _, stretch := range []activity.Stretch{
			{Span: activity.Days, First: day(days - 30), Last: day(days)}, {Span: activity.Days, First: day(days - 92), Last: day(days)},
			{Span: activity.Weeks, First: day(0), Last: day(days)},
		} {
			b.Run(fmt.Sprintf("%s/from=%s/%s", part, stretch.First, stretch.Span), func(b *testing.B) {
				for b.Loop() {
					sum := int64(0)
					if _, err := v.Answers(b.Context(), projectiontest.App, activity.Count{
						Part: part, Stretches: []activity.Stretch{stretch},
						Place: func(activity.Shown) (int, bool) { return 0, true },
						Add:   func(_ string, _ int, n int64) { sum += n },
					}); err != nil && !errors.Is(err, activity.ErrTooMany) {
						b.Fatal(err)
					}
					b.ReportMetric(float64(sum), "answers")
				}
			})
		}
	}
}
