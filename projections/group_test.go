package projections_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
)

// A long history has an entry at every position up to its head, and waits for more. It
// counts what was read.
type long struct {
	head eventstore.Position

	mu   sync.Mutex
	read int
}

func (h *long) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	return func(yield func([]codec.Entry, error) bool) {
		for after < h.head {
			entries := make([]codec.Entry, min(1000, h.head-after))
			for i := range entries {
				after++
				entries[i].Position = after
			}
			h.mu.Lock()
			h.read += len(entries)
			h.mu.Unlock()
			if !yield(entries, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

// A careful projection refuses what does not follow what it has.
type careful struct {
	name  string
	at    eventstore.Position
	takes time.Duration       // an Apply
	fails eventstore.Position // at what it fails; zero: at nothing
}

func (c *careful) Name() string { return c.name }

func (c *careful) Checkpoint(context.Context) (eventstore.Position, error) { return c.at, nil }

func (c *careful) Apply(_ context.Context, entries []codec.Entry) error {
	time.Sleep(c.takes)
	at := c.at
	for _, e := range entries {
		if at++; e.Position != at {
			return errors.New("this does not follow")
		}
		if at == c.fails {
			return errors.New("this cannot be read")
		}
	}
	c.at = at
	return nil
}

// runs runs projections until they rest, and returns the group's runners and what
// stopped before that.
func runs(t *testing.T, h projections.History, list ...*careful) (runners []*projections.Runner, stopped []string) {
	t.Helper()
	g := projections.Group{History: h}
	for _, p := range list {
		g.Runners = append(g.Runners, &projections.Runner{Projection: p})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(ctx, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if ctx.Err() == nil {
				stopped = append(stopped, err.Error())
			}
		})
	}()
	time.Sleep(time.Hour)
	cancel()
	<-done
	return g.Runners, stopped
}

func TestWhoStandsAtOnePositionIsReadForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &long{head: 100_000}
		_, stopped := runs(t, h, &careful{name: "a"}, &careful{name: "b", takes: time.Second}, &careful{name: "c"})
		if h.read != 100_000 || stopped != nil {
			t.Errorf("%d entries were read, stopped %v", h.read, stopped)
		}
	})
}

func TestEachReachesTheEndFromWhereItStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &long{head: 50_000}
		list := []*careful{{name: "a"}, {name: "b", at: 40_000}, {name: "c", at: 40_000}, {name: "d", at: 50_000}}
		_, stopped := runs(t, h, list...)
		for _, p := range list {
			if p.at != h.head {
				t.Errorf("%s is at %d", p.name, p.at)
			}
		}
		if h.read != 60_000 || stopped != nil {
			t.Errorf("%d entries were read, stopped %v", h.read, stopped)
		}
	})
}

func TestOneThatStopsLeavesTheOthersRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &long{head: 50_000}
		list := []*careful{{name: "a"}, {name: "b", fails: 20_000}, {name: "c"}}
		runners, stopped := runs(t, h, list...)
		if list[0].at != h.head || list[2].at != h.head || h.read != 50_000 {
			t.Errorf("the others are at %d and %d, %d entries were read", list[0].at, list[2].at, h.read)
		}
		if at, err := runners[1].State(); at != list[1].at || err == nil {
			t.Errorf("it stands at %d, its state is %d, %v", list[1].at, at, err)
		}
		if len(stopped) != 1 || !strings.HasPrefix(stopped[0], "projection b after ") || !strings.Contains(stopped[0], "this cannot be read") {
			t.Errorf("stopped: %q", stopped)
		}
	})
}

// TestOneThatIsLateHoldsUpNobody: it goes on by itself, and reaches the end later.
func TestOneThatIsLateHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &long{head: 50_000}
		begun := time.Now()
		slow, quick := &careful{name: "slow", takes: time.Minute}, &careful{name: "quick"}
		g := projections.Group{History: h, Runners: []*projections.Runner{{Projection: slow}, {Projection: quick}}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.Run(ctx, func(error) {}) }()
		if err := g.Runners[1].Wait(t.Context(), h.head); err != nil || time.Since(begun) > 10*time.Second {
			t.Errorf("the quick one is there after %s, %v", time.Since(begun), err)
		}
		if err := g.Runners[0].Wait(t.Context(), h.head); err != nil || slow.at != h.head {
			t.Errorf("the slow one is at %d, %v", slow.at, err)
		}
		cancel()
		<-done
	})
}
