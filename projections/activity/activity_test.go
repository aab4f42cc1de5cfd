package activity_test

import (
	"context"
	"testing"

	"consentledger/projections/activity"
	"consentledger/projections/projectiontest"
)

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, dir string) (projectiontest.Model, error) { return activity.Open(ctx, dir) })
}

func TestEveryEventIsInTheTotalsOnce(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v, err := activity.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	var n, given int64
	totals, asOf, err := v.Totals(t.Context(), projectiontest.App, "0001-01-01", "9999-12-31")
	for _, d := range totals {
		n += d.Events
	}
	if err != nil || asOf != all[len(all)-1].Position || n != int64(len(all)) {
		t.Errorf("%d of %d events as of %d: %v", n, len(all), asOf, err)
	}
	days, _, err := v.Days(t.Context(), projectiontest.App, "0001-01-01", "9999-12-31")
	for _, d := range days {
		if d.Kind == "consent.given" && d.Purpose == "location" {
			given += d.Events
		}
	}
	if err != nil || given != 26 {
		t.Errorf("%d yeses to location, want 26: %v", given, err)
	}
}
