package policies_test

import (
	"context"
	"testing"

	"consentledger/eventstore/ledger"
	"consentledger/projections/policies"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
)

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, place readmodel.Place, _ *ledger.Ledger) (projectiontest.Model, error) {
		return policies.Open(ctx, place)
	})
}

func TestAppsAndVersionsAreShown(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v, err := policies.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	apps, asOf, err := v.Apps(t.Context())
	if err != nil || asOf != all[len(all)-1].Position || len(apps) != 1 || apps[0].Name != projectiontest.App || len(apps[0].Locales) != 2 {
		t.Errorf("%v as of %d: %v", apps, asOf, err)
	}
	list, _, err := v.List(t.Context(), projectiontest.App)
	if err != nil || len(list) != 2 || list[0].Purposes != 2 || list[1].Purposes != 3 || len(list[1].Stale) != 1 {
		t.Fatalf("%v: %v", list, err)
	}
	got, d, ok, _, err := v.Show(t.Context(), projectiontest.App, list[1].Version)
	if err != nil || !ok || got.Event != list[1].Event || len(d.Purposes) != 3 {
		t.Errorf("%v %v: %v", got, ok, err)
	}
}
