package followup_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/memory"
)

// Of processes that serve one ledger the one whose turn it is follows up. Nobody does
// while it is nobody's turn; who takes over does what fell due, and what two do at once
// is done once.
func TestWhoseTurnItIsFollowsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(context.Background())
		var workers sync.WaitGroup
		defer workers.Wait()
		defer cancel()
		var turn [3]atomic.Bool
		for i := range turn {
			l, err := w.open()
			if err != nil {
				t.Fatal(err)
			}
			// Each has its own rows: what is kept of one is derived, and of no use to others.
			r := &followup.Process{Ledger: l, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Rows: new(memory.Rows), Every: 1, Turn: turn[i].Load}
			workers.Go(func() {
				if err := r.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		publish := func(name string) {
			later := document(name)
			later.Effective = w.Now().Add(deadline.Day)
			w.tell("", later)
		}
		effective := func() int {
			synctest.Wait()
			return len(facts[domain.PolicyEffective](w))
		}

		publish("privacy")
		time.Sleep(25 * time.Hour) // an hour after that day; they look every half second whose turn it is
		if n := effective(); n != 0 {
			t.Fatalf("%d took effect, and it was nobody's turn", n)
		}
		turn[1].Store(true)
		time.Sleep(time.Second)
		if n := effective(); n != 1 {
			t.Fatalf("%d took effect once somebody had the turn, want 1", n)
		}

		turn[1].Store(false)
		turn[0].Store(true)
		turn[2].Store(true) // two at once
		publish("terms")
		time.Sleep(25 * time.Hour) // an hour after that day; they look every half second whose turn it is
		if n := effective(); n != 2 {
			t.Errorf("%d took effect, want 2", n)
		}
		turn[0].Store(false)
		turn[1].Store(true)
		time.Sleep(time.Hour)
		if n := effective(); n != 2 {
			t.Errorf("%d took effect after another took over, want 2", n)
		}
	})
}
