package requests_test

import (
	"context"
	"testing"

	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, dir string) (projectiontest.Model, error) { return requests.Open(ctx, dir) })
}
