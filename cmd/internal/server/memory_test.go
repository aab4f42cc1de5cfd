package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/eventstore"
	inmemory "consentledger/eventstore/memory"
)

// A forgetful keeps nothing while it is told so.
type forgetful struct {
	*inmemory.Rows
	away atomic.Bool
}

func (f *forgetful) Write(ctx context.Context, c eventstore.Change) error {
	if f.away.Load() {
		return errors.New("the server is away")
	}
	return f.Rows.Write(ctx, c)
}

type fixedMark eventstore.Mark

func (s fixedMark) Seen() eventstore.Mark { return eventstore.Mark(s) }

// What could not be remembered while the rows that processes share were away is
// remembered once they are back.
func TestTheNewestIsRememberedAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		shared := &forgetful{Rows: new(inmemory.Rows)}
		shared.away.Store(true)
		m, err := Recollect(ctx, new(inmemory.Rows), SeenKey)
		if err != nil {
			t.Fatal(err)
		}
		m.first, m.of = shared, fixedMark{Position: 7, ID: eventstore.EventID{7}}

		var told atomic.Int64
		var run sync.WaitGroup
		run.Go(func() { m.run(ctx, func(error) { told.Add(1) }) })
		time.Sleep(2*rememberEvery + time.Second)
		if n := told.Load(); n != 2 || m.remembered() != (eventstore.Mark{}) {
			t.Errorf("while they are away it is told %d times, and %v is remembered", n, m.remembered())
		}
		shared.away.Store(false)
		time.Sleep(rememberEvery)
		if got := m.remembered().Position; got != 7 {
			t.Errorf("once they are back %d is remembered, want 7", got)
		}
		if _, has, err := shared.Get(ctx, SeenKey); !has || err != nil {
			t.Errorf("the others find it: %v, %v", has, err)
		}
		stop()
		run.Wait()
	})
}
