package consents_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

const app = projectiontest.App

func open(t testing.TB) *consents.View {
	t.Helper()
	v, err := consents.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, dir string) (projectiontest.Model, error) {
		return consents.Open(ctx, dir)
	})
}

func TestGetIsWhatTheLedgerSays(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v := open(t)
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		name := fmt.Sprint("ada", i)
		state, err := w.State(t.Context(), app, domain.PersonKey{Kind: "account", ID: name}, ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []domain.Instant{projectiontest.Start, all[20].Recorded, all[len(all)-1].Recorded, all[len(all)-1].Recorded.Add(domain.Day)} {
			rows, asOf, err := v.Get(t.Context(), app, w.Pseudonym(name), at)
			if err != nil || asOf != all[len(all)-1].Position {
				t.Fatalf("as of %d: %v", asOf, err)
			}
			for _, r := range rows {
				if want := state.Subject.Standing(r.Purpose, at, state.Reference); fmt.Sprint(r.Standing) != fmt.Sprint(want) {
					t.Errorf("%s %s at %s: %v, want %v", name, r.Purpose, at, r.Standing, want)
				}
			}
			if at == all[len(all)-1].Recorded && len(rows) != 3 {
				t.Errorf("%d purposes, want 3", len(rows))
			}
		}
	}
}

func TestAPublicationMakesAConsentStaleWhenItIsRead(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"marketing"}})
	w.Publish(projectiontest.Document("two"), "marketing")
	v := open(t)
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	rows, _, err := v.Get(t.Context(), app, w.Pseudonym("ada"), all[len(all)-1].Recorded)
	if err != nil || len(rows) != 2 || rows[1].Status != domain.Stale || rows[1].Updated != all[3].Position {
		t.Errorf("%v, %v", rows, err)
	}
}

// Counts, lists and what a change touches say where people stand when they are
// asked, not when the last fact came: a yes that ran out by then, or that a version
// which began to bind made stale, is none any more.
func TestListsAndCountsAreOfTheMomentThatIsAskedAbout(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"marketing"}}
	w.Tell("ada", yes)
	yes.Until = w.Time().Add(domain.Hour)
	w.Tell("bo", yes)
	w.Tell("cem", domain.RefuseConsent{Scope: domain.Scope{Purposes: yes.Purposes}})
	recorded := w.Time()
	binds := recorded.Add(2 * domain.Hour)
	w.PublishAt(binds, projectiontest.Document("two"), "marketing")
	v := open(t)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		at    domain.Instant
		want  map[string]int64
		given int64
	}{
		{"when the last fact came", recorded, map[string]int64{"given": 2, "refused": 1}, 2},
		{"a moment before one ends", yes.Until - 1, map[string]int64{"given": 2, "refused": 1}, 2},
		{"when it ends", yes.Until, map[string]int64{"given": 1, "expired": 1, "refused": 1}, 1},
		{"when the version binds", binds, map[string]int64{"stale": 1, "expired": 1, "refused": 1}, 0},
	} {
		counts, _, err := v.Counts(t.Context(), app, c.at)
		got := map[string]int64{}
		for _, n := range counts {
			got[n.Status.String()] += n.People
		}
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: counted %v, want %v: %v", c.name, got, c.want, err)
		}
		for _, status := range []string{"given", "refused", "expired", "stale", "withdrawn"} {
			rows, _, _, err := v.List(t.Context(), app, consents.Filter{Status: status}, c.at, consents.Cursor{}, 10)
			if err != nil || int64(len(rows)) != c.want[status] {
				t.Errorf("%s: %d are listed as %s, want %d: %v", c.name, len(rows), status, c.want[status], err)
			}
		}
		if n, _, err := v.Holding(t.Context(), app, consents.Holding{Purpose: "marketing", Policy: "privacy", At: c.at}); err != nil || n != c.given {
			t.Errorf("%s: %d consents by the policy hold, want %d: %v", c.name, n, c.given, err)
		}
		if n, _, err := v.Holding(t.Context(), app, consents.Holding{Purpose: "marketing", Policy: "other", At: c.at}); err != nil || n != 0 {
			t.Errorf("%s: %d consents by another policy hold: %v", c.name, n, err)
		}
	}
}

// Whom a version touches is those whose consent held when it began to bind, and
// did not run out since.
func TestWhomAVersionTouchesThatBindsAlready(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"marketing"}}
	w.Tell("ada", yes)
	yes.Until = w.Time().Add(domain.Hour)
	w.Tell("bo", yes)
	w.Publish(projectiontest.Document("two"), "marketing")
	bound := w.Time()
	v := open(t)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[domain.Instant]int64{bound: 2, yes.Until: 1} {
		if n, _, err := v.Holding(t.Context(), app, consents.Holding{Purpose: "marketing", At: at, Before: bound}); err != nil || n != want {
			t.Errorf("at %s it touches %d, want %d: %v", at, n, want, err)
		}
		if n, _, err := v.Holding(t.Context(), app, consents.Holding{Purpose: "marketing", At: at}); err != nil || n != 0 {
			t.Errorf("at %s %d are said to hold, which it made stale: %v", at, n, err)
		}
	}
}

// What a refusal is about, when each purpose ends and what was bundled must
// survive in the kept facts: no later version can tell otherwise.
func TestKeptFactsSayWhatTheLedgerSays(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	lasting := projectiontest.Document("one")
	lasting.Purposes[0].ConsentLasts = 1
	w.Publish(lasting)
	both := domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"location", "marketing"}}
	w.Tell("ada", both)
	w.Tell("bo", both)
	special := projectiontest.Document("special")
	special.Name, special.Over, special.Permissions = "special", "privacy", nil
	special.Purposes = special.Purposes[:1]
	special.Purposes[0].Separate = true
	lasting.Title[0].Text = "two"
	w.Publish(lasting, "marketing")
	w.Tell("ada", domain.RefuseConsent{Scope: domain.Scope{Purposes: []domain.PurposeID{"marketing"}}})
	w.Publish(special)
	v := open(t)
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	now := all[len(all)-1].Recorded
	seen := map[domain.Status]bool{}
	for _, name := range []string{"ada", "bo"} {
		state, err := w.State(t.Context(), app, domain.PersonKey{Kind: "account", ID: name}, ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []domain.Instant{all[3].Recorded, now, now.Add(60 * domain.Day)} {
			rows, _, err := v.Get(t.Context(), app, w.Pseudonym(name), at)
			if err != nil || len(rows) != 2 {
				t.Fatalf("%v, %v", rows, err)
			}
			for _, r := range rows {
				seen[r.Status] = true
				if want := state.Subject.Standing(r.Purpose, at, state.Reference); !reflect.DeepEqual(r.Standing, want) {
					t.Errorf("%s %s at %s: %+v, want %+v", name, r.Purpose, at, r.Standing, want)
				}
			}
		}
	}
	if !seen[domain.Given] || !seen[domain.Stale] || !seen[domain.Expired] || seen[domain.Refused] {
		t.Errorf("the statuses were %v", seen)
	}
}

func TestPagesAndCountsAgree(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v := open(t)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	n := map[consents.Count]int64{}
	var after consents.Cursor
	for {
		rows, next, _, err := v.List(t.Context(), app, consents.Filter{}, w.Time(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			n[consents.Count{Purpose: r.Purpose, Status: r.Status}]++
		}
		if len(rows) < 2 {
			break
		}
		after = next
	}
	counts, _, err := v.Counts(t.Context(), app, w.Time())
	if err != nil || len(counts) != len(n) || len(n) == 0 {
		t.Fatalf("%v, pages say %v: %v", counts, n, err)
	}
	for _, c := range counts {
		if got := n[consents.Count{Purpose: c.Purpose, Status: c.Status}]; got != c.People {
			t.Errorf("%s %s: %d in the pages, %d counted", c.Purpose, c.Status, got, c.People)
		}
		rows, _, _, err := v.List(t.Context(), app, consents.Filter{Purpose: c.Purpose, Status: c.Status.String()}, w.Time(), consents.Cursor{}, 100)
		if err != nil || int64(len(rows)) != c.People {
			t.Errorf("%s %s: %d listed, %d counted: %v", c.Purpose, c.Status, len(rows), c.People, err)
		}
	}
}

func TestVoidedAnswersAreCountedAndTestsAreNot(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v := open(t)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	before, _, err := v.Voided(t.Context(), app)
	if err != nil || len(before) == 0 {
		t.Fatalf("%v, %v", before, err)
	}
	all := len(w.Entries())
	void := func(who string, id domain.EventID) {
		w.Tell(who, domain.VoidRecords{Records: []domain.EventID{id}, Reason: "mistake", Evidence: domain.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	yes := w.Tell("ivy", domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"location"}})
	void("ivy", domain.EventID(yes.Event))
	void("ivy", domain.EventID(yes.Event)) // once more changes nothing
	mark := w.Tell("ivy", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	for _, tt := range []struct {
		name string
		upTo int
		more int64
	}{{"one more is voided", all + 3, 1}, {"of a test none", all + 4, 0}, {"of who is none after all, again one", all + 5, 1}} {
		if tt.upTo == all+5 {
			void("ivy", domain.EventID(mark.Event))
		}
		v := open(t)
		if err := v.Apply(t.Context(), w.Entries()[:tt.upTo]); err != nil {
			t.Fatal(err)
		}
		after, _, err := v.Voided(t.Context(), app)
		if err != nil || sum(after)-sum(before) != tt.more {
			t.Errorf("%s: %v, then %v, %v", tt.name, before, after, err)
		}
	}
}

func sum(counts []consents.VoidedCount) (n int64) {
	for _, c := range counts {
		n += c.Answers
	}
	return n
}
