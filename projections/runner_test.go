package projections_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
	"consentledger/projections/projectiontest"
)

type last struct{ at eventstore.Position }

func (*last) Name() string                                              { return "last" }
func (l *last) Checkpoint(context.Context) (eventstore.Position, error) { return l.at, nil }
func (l *last) Apply(_ context.Context, entries []codec.Entry) error {
	l.at = entries[len(entries)-1].Position
	return nil
}

func TestOneWaitsForOnesOwnWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := projectiontest.NewTeller(t)
		w.Register()
		ctx, cancel := context.WithCancel(t.Context())
		r := &projections.Runner{Projection: &last{}}
		g := projections.Group{History: w, Runners: []*projections.Runner{r}}
		waited, done := make(chan error, 2), make(chan error, 1)
		go func() { waited <- r.Wait(ctx, 2) }()
		go func() { waited <- r.Wait(t.Context(), 99) }()
		go g.Run(ctx, func(err error) { done <- err })
		synctest.Wait()
		if at, err := r.State(); at != 1 || err != nil || len(waited) != 0 {
			t.Errorf("at %d, %v, %d waited", at, err, len(waited))
		}
		w.Publish(projectiontest.Document("one"))
		if err := <-waited; err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-waited; !errors.Is(err, context.Canceled) {
			t.Errorf("of a projection that stopped, Wait said %v", err)
		}
	})
}
