package rebuild_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"
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
	return consents.Open(ctx, dir, l)
}

func openActivity(ctx context.Context, dir string, _ *ledger.Ledger) (rebuild.Model, error) {
	return activity.Open(ctx, dir)
}

func TestWhatHistoryMakesIsTheSame(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	for name, open := range map[string]opener{"consents": openConsents, "activity": openActivity} {
		live := told(t, w, t.TempDir(), open)
		w.Tell("ada0", domain.WithdrawConsent{Scope: domain.Scope{All: true}}) // live is behind, and compared where it stands
		rows, err := rebuild.Check(t.Context(), w, live, empty(t, w, open))
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
	rows, err := rebuild.Check(t.Context(), w, told(t, w, dir, openConsents), empty(t, w, openConsents))
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
	if rows, err := rebuild.Check(t.Context(), w, future{told(t, w, t.TempDir(), openConsents)}, empty(t, w, openConsents)); err == nil {
		t.Errorf("a projection from another log is compared: %+v", rows)
	}
}
