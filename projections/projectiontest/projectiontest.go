// Package projectiontest is what every projection guarantees, executed.
package projectiontest

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
)

// A Model is a projection as the suite sees it.
type Model = rebuild.Model

var errEnd = errors.New("the end")

// Run holds the projection of a ledger that open opens in a place to the comments on
// [projections.Projection].
func Run(t *testing.T, open func(ctx context.Context, place readmodel.Place, l *ledger.Ledger) (Model, error)) {
	w := NewTeller(t)
	w.TellAll()
	all := w.Entries()
	last := all[len(all)-1].Position
	must := func(t *testing.T, place readmodel.Place) Model {
		t.Helper()
		m, err := open(t.Context(), place, w.Ledger)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	sums := func(t *testing.T, m Model) map[string]readmodel.Sum {
		t.Helper()
		s, _, err := m.Hash(t.Context())
		if err != nil || len(s) == 0 {
			t.Fatalf("hash of %d tables: %v", len(s), err)
		}
		return s
	}
	run := func(t *testing.T, m Model, h History) {
		t.Helper()
		if err := projections.Run(t.Context(), h, m, func(eventstore.Position) {}); !errors.Is(err, h.End) {
			t.Fatalf("ended by %v", err)
		}
	}
	reference := must(t, Place(t))
	run(t, reference, History{all, len(all), errEnd})
	want := sums(t, reference)

	t.Run("every engine holds the same", func(t *testing.T) {
		m := must(t, readmodel.Dir(t.TempDir()))
		run(t, m, History{all, len(all), errEnd})
		if got := sums(t, m); !reflect.DeepEqual(got, want) {
			t.Errorf("SQLite differs: %v, want %v", got, want)
		}
	})
	t.Run("replay and live are the same, whatever the slices", func(t *testing.T) {
		for _, n := range []int{1, 3, 20} {
			m := must(t, Place(t))
			run(t, m, History{all, n, errEnd})
			if got := sums(t, m); !reflect.DeepEqual(got, want) {
				t.Errorf("slices of %d differ: %v, want %v", n, got, want)
			}
		}
	})
	t.Run("a restart between slices changes nothing", func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		dice, place := rand.New(rand.NewPCG(seed, 0)), Place(t)
		for end := 0; end < len(all); {
			end = min(end+1+dice.IntN(20), len(all))
			m := must(t, place)
			run(t, m, History{all[:end], 2, errEnd})
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got := sums(t, must(t, place)); !reflect.DeepEqual(got, want) {
			t.Errorf("differs: %v, want %v", got, want)
		}
	})
	t.Run("what it cannot read stops it where it stands", func(t *testing.T) {
		m := must(t, Place(t))
		run(t, m, History{all[:5], 2, errEnd})
		before := sums(t, m)
		bad := append([]codec.Entry(nil), all[5:8]...)
		bad[2].Event = nil
		if err := m.Apply(t.Context(), bad); err == nil {
			t.Fatal("an entry without an event was applied")
		}
		if at, err := m.Checkpoint(t.Context()); err != nil || at != all[4].Position {
			t.Errorf("checkpoint %d, %v; want %d", at, err, all[4].Position)
		}
		if got := sums(t, m); !reflect.DeepEqual(got, before) {
			t.Error("half a slice was applied")
		}
		run(t, m, History{all, 4, errEnd})
		if got := sums(t, m); !reflect.DeepEqual(got, want) {
			t.Error("what follows a failure differs")
		}
	})
	t.Run("nothing is applied twice or out of order", func(t *testing.T) {
		m := must(t, Place(t))
		run(t, m, History{all, 9, errEnd})
		if m.Apply(t.Context(), all[len(all)-1:]) == nil {
			t.Error("the last entry was applied again")
		}
		if at, err := m.Checkpoint(t.Context()); err != nil || at != last {
			t.Errorf("checkpoint %d, %v; want %d", at, err, last)
		}
	})
}
