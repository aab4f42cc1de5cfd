package requests_test

import (
	"context"
	"testing"

	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"
)

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, place readmodel.Place, _ *ledger.Ledger) (projectiontest.Model, error) {
		return requests.Open(ctx, place)
	})
}
