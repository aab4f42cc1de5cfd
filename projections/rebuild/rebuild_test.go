package rebuild_test

import (
	"context"
	"database/sql"
	"iter"
	"path/filepath"
	"testing"

	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
)

// An opener opens a projection of a ledger.
type opener func(context.Context, string, *ledger.Ledger) (rebuild.Model, error)

// told is a projection that was given all that a teller told.
func told(t *testing.T, w *projectiontest.Teller, dir string, open opener) rebuild.Model {
	t.Helper()
	m, err := open(t.Context(), dir, w.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if at, err := m.Checkpoint(t.Context()); err != nil || at != 0 {
		return m
	}
	if err := m.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	return m
}

func empty(t *testing.T, w *projectiontest.Teller, open opener) rebuild.Model {
	t.Helper()
	m, err := open(t.Context(), t.TempDir(), w.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func openConsents(ctx context.Context, dir string, l *ledger.Ledger) (rebuild.Model, error) {
	return consents.Open(ctx, readmodel.Dir(dir), l)
}

func openActivity(ctx context.Context, dir string, _ *ledger.Ledger) (rebuild.Model, error) {
	return activity.Open(ctx, readmodel.Dir(dir))
}

func TestWhatHistoryMakesIsTheSame(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	for name, open := range map[string]opener{"consents": openConsents, "activity": openActivity} {
		live := told(t, w, t.TempDir(), open)
		w.Tell("ada0", domain.WithdrawConsent{Scope: policy.Scope{All: true}}) // live is behind, and compared where it stands
		rows, err := rebuild.Check(t.Context(), w, rebuild.Pair{Live: live, Fresh: empty(t, w, open)})
		if err != nil || len(rows) == 0 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		at, err := live.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if !r.Same() || r.Projection != name || r.Position != at {
				t.Errorf("%s as of %d: %+v", name, at, r)
			}
		}
	}
}

// A counted ledger says how many entries were read of it.
type counted struct {
	*projectiontest.Teller
	read int
}

func (c *counted) Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		for e, err := range c.Teller.Replay(ctx, after) {
			if c.read++; !yield(e, err) {
				return
			}
		}
	}
}

// TestTheLogIsReadOnceForAll compares projections that stand at different positions.
func TestTheLogIsReadOnceForAll(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	behind := told(t, w, t.TempDir(), openActivity)
	at, err := behind.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Tell("ada0", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	pairs := []rebuild.Pair{
		{Live: empty(t, w, openActivity), Fresh: empty(t, w, openActivity)},
		{Live: behind, Fresh: empty(t, w, openActivity)},
		{Live: told(t, w, t.TempDir(), openConsents), Fresh: empty(t, w, openConsents)},
	}
	c := &counted{Teller: w}
	rows, err := rebuild.Check(t.Context(), c, pairs...)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[eventstore.Position]bool{}
	for _, r := range rows {
		if seen[r.Position] = true; !r.Same() {
			t.Errorf("%s.%s as of %d is not the same", r.Projection, r.Table, r.Position)
		}
	}
	if n := len(w.Entries()); len(seen) != 3 || !seen[0] || !seen[at] || c.read != n {
		t.Errorf("%d of %d entries were read for projections as of %v", c.read, n, seen)
	}
}

func TestARowThatSomebodyChangedIsFound(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	dir := t.TempDir()
	if err := told(t, w, dir, openConsents).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "consents.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE counts SET people = people + 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := rebuild.Check(t.Context(), w, rebuild.Pair{Live: told(t, w, dir, openConsents), Fresh: empty(t, w, openConsents)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Same() == (r.Table == "counts") {
			t.Errorf("the table counts was changed, and %s is said to be the same: %t", r.Table, r.Same())
		}
	}
}

func TestATableThatIsMissingIsNotTheSame(t *testing.T) {
	if (rebuild.Row{}).Same() || (rebuild.Row{Live: readmodel.Sum{1}}).Same() {
		t.Error("nothing is the same as something")
	}
}

// A future projection answers as of a position that the log does not have.
type future struct{ rebuild.Model }

func (f future) Hash(ctx context.Context) (map[string]readmodel.Sum, eventstore.Position, error) {
	sums, at, err := f.Model.Hash(ctx)
	return sums, at + 1000, err
}

func TestAPositionThatTheLogDoesNotHaveIsAnError(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	if rows, err := rebuild.Check(t.Context(), w, rebuild.Pair{Live: future{told(t, w, t.TempDir(), openConsents)}, Fresh: empty(t, w, openConsents)}); err == nil {
		t.Errorf("a projection from another log is compared: %+v", rows)
	}
}
