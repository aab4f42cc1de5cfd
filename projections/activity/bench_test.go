package activity_test

import (
	"testing"

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
