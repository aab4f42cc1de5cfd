package followup_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// An absent ledger has a store that is away now and then.
type absent struct {
	*ledger.Ledger
	away atomic.Bool
}

var errAway = errors.New("the store is away")

func (a *absent) Head(ctx context.Context) (eventstore.Position, error) {
	if a.away.Load() {
		return 0, errAway
	}
	return a.Ledger.Head(ctx)
}

func (a *absent) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	if a.away.Load() {
		return func(yield func([]codec.Entry, error) bool) { yield(nil, errAway) }
	}
	return a.Ledger.Follow(ctx, after)
}

func (a *absent) Subject(ctx context.Context, stream ident.StreamID) (domain.Subject, error) {
	if a.away.Load() {
		return domain.Subject{}, errAway
	}
	return a.Ledger.Subject(ctx, stream)
}

// While the store is away the follow-up process says so, and it goes on by itself once
// the store is back: before it has begun, and later.
func TestTheStoreComesBackAndSoDoFollowUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, false)
		l, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		a := &absent{Ledger: l}
		r := &followup.Process{Ledger: a, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Rows: &w.rows, Every: 1}
		ctx, cancel := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		workers.Go(func() {
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		})

		for range 3 {
			a.away.Store(true)
			w.tell("ann", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
			time.Sleep(10 * time.Minute)
			if _, err := r.State(); err == nil || !strings.Contains(err.Error(), "away") {
				t.Errorf("while the store is away: %v", err)
			}

			a.away.Store(false)
			time.Sleep(10 * time.Second)
			head, err := l.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s, err := r.State(); err != nil || s.Position != head {
				t.Errorf("once it is back: at %d of %d, %v", s.Position, head, err)
			}
		}
		cancel()
		workers.Wait()
	})
}
