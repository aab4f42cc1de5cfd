package consents_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
)

const app = projectiontest.App

// open opens the view of what a teller told.
func open(t testing.TB, w consents.Persons) *consents.View {
	t.Helper()
	v, err := consents.Open(t.Context(), projectiontest.Place(t), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, place readmodel.Place, l *ledger.Ledger) (projectiontest.Model, error) {
		return consents.Open(ctx, place, l)
	})
}

// of returns the rows of one person.
func of(t *testing.T, w *projectiontest.Teller, v *consents.View, name string, at deadline.Instant) (rows []consents.Row) {
	t.Helper()
	all, err := v.Rows(t.Context(), app, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Person == w.Pseudonym(name) {
			rows = append(rows, r)
		}
	}
	return rows
}

// kept returns what a row keeps of a standing.
func kept(s domain.Standing) domain.Standing {
	return domain.Standing{Status: s.Status, Since: s.Since, Until: s.Until, Policy: s.Policy, Version: s.Version, Act: s.Act,
		Because: s.Because, Opposed: s.Opposed, Rules: s.Rules, Alone: s.Alone}
}

func TestRowsAreWhatTheLedgerSays(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		name := fmt.Sprint("ada", i)
		state, err := w.State(t.Context(), app, ident.PersonKey{Kind: "account", ID: name}, ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		rows := of(t, w, v, name, w.Time())
		if spoken := state.Subject.Spoken(state.Reference); len(rows) != len(spoken) || len(rows) == 0 {
			t.Errorf("%s has rows about %v, and spoke about %v", name, rows, spoken)
		}
		for _, r := range rows {
			if want := kept(state.Subject.Standing(r.Purpose, w.Time(), state.Reference)); r.Status != want.Status || fmt.Sprint(r.Because) != fmt.Sprint(want.Because) {
				t.Errorf("%s %s: %v, want %v", name, r.Purpose, r.Standing, want)
			}
		}
	}
}

func TestAPublicationMakesAConsentStaleWhenItIsRead(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	w.Publish(projectiontest.Document("two"), "marketing")
	v := open(t, w)
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	rows := of(t, w, v, "ada", all[len(all)-1].Recorded)
	if len(rows) != 1 || rows[0].Status != domain.Stale || rows[0].Updated != all[3].Position {
		t.Errorf("%v", rows)
	}
}

// Counts, rows and what a change touches say where people stand when they are
// asked, not when the last fact came: a grant that ran out by then, or that a version
// which began to bind made stale, is none any more.
func TestListsAndCountsAreOfTheMomentThatIsAskedAbout(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}}
	w.Tell("ada", yes)
	yes.Until = w.Time().Add(deadline.Hour)
	w.Tell("bo", yes)
	w.Tell("cem", domain.RefuseConsent{Scope: policy.Scope{Purposes: yes.Purposes}})
	recorded := w.Time()
	binds := recorded.Add(2 * deadline.Hour)
	w.PublishAt(binds, projectiontest.Document("two"), "marketing")
	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		at    deadline.Instant
		want  map[string]int64
		given int64
	}{
		{"when the last fact came", recorded, map[string]int64{"given": 2, "refused": 1}, 2},
		{"a moment before one ends", yes.Until - 1, map[string]int64{"given": 2, "refused": 1}, 2},
		{"when it ends", yes.Until, map[string]int64{"given": 1, "expired": 1, "refused": 1}, 1},
		{"when the version binds", binds, map[string]int64{"stale": 1, "expired": 1, "refused": 1}, 0},
	} {
		counts, _, err := v.Counts(t.Context(), app, consents.Now(c.at))
		got := map[string]int64{}
		for _, n := range counts {
			got[n.Status.String()] += n.People
		}
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: counted %v, want %v: %v", c.name, got, c.want, err)
		}
		for _, status := range []string{"given", "refused", "expired", "stale", "withdrawn"} {
			rows, err := v.Rows(t.Context(), app, c.at)
			rows = slices.DeleteFunc(rows, func(r consents.Row) bool { return r.Status.String() != status })
			if err != nil || int64(len(rows)) != c.want[status] {
				t.Errorf("%s: %d are listed as %s, want %d: %v", c.name, len(rows), status, c.want[status], err)
			}
		}
	}
}

// Whom a version touches is those whose consent held when it began to bind, and
// did not run out since.
func TestWhomAVersionTouchesThatBindsAlready(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}}
	w.Tell("ada", yes)
	yes.Until = w.Time().Add(deadline.Hour)
	w.Tell("bo", yes)
	w.Publish(projectiontest.Document("two"), "marketing")
	bound := w.Time()
	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[deadline.Instant]int64{bound: 2, yes.Until: 1} {
		c := consents.Change{Policies: policiesOf(w), At: at, Before: bound - 1, After: bound}
		if n, _, err := v.Touched(t.Context(), app, c); err != nil || n["marketing"] != want {
			t.Errorf("at %s it touches %d, want %d: %v", at, n["marketing"], want, err)
		}
		c.Before = bound
		if n, _, err := v.Touched(t.Context(), app, c); err != nil || len(n) != 0 {
			t.Errorf("at %s it touches %v, though it bound already: %v", at, n, err)
		}
	}
}

// policiesOf returns what was published.
func policiesOf(w *projectiontest.Teller) (p domain.Policies) {
	for _, e := range w.Entries() {
		if _, is := e.Event.(domain.PolicyPublished); is {
			p = p.Evolve(e.Fact())
		}
	}
	return p
}

// A purpose that a specific policy gives back to the general one touches those who
// consented to the specific one. Whose consent is stale by then does not hold.
func TestWhomItTouchesThatAPurposeGoesBackToTheGeneralPolicy(t *testing.T) {
	general := func(title string, actions ...policy.Action) policy.Document {
		d := projectiontest.Document(title)
		d.Purposes[0].Actions = actions
		return d
	}
	special := func(title string, purposes []policy.Purpose) policy.Document {
		d := projectiontest.Document(title)
		d.Name, d.Over, d.Permissions, d.Purposes = "special", "privacy", nil, purposes
		return d
	}
	one := general("one", policy.Collect, policy.Use)
	id, others := one.Purposes[0].ID, one.Purposes[1:]

	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(one)
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{id}})
	w.Publish(special("special one", one.Purposes))
	for _, who := range []string{"bo", "cy"} {
		w.Tell(who, domain.GiveConsent{Act: "click", Policy: "special", Purposes: []policy.PurposeID{id}})
	}
	documents := []policy.Document{
		general("two", policy.Collect, policy.Use, policy.Provide), // ada's is stale in part from now on
		special("special two", others),                             // and so do the two others'
		general("three", policy.Use, policy.Provide),               // nothing is added
		general("four", policy.Use, policy.Provide, policy.Publish),
	}
	v := open(t, w)
	var changes []consents.Change
	for _, d := range documents {
		before := w.Time()
		w.Publish(d)
		changes = append(changes, consents.Change{At: w.Time(), Before: before, After: w.Time()})
	}
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{1, 2, 0, 0} {
		changes[i].Policies = policiesOf(w)
		if n, _, err := v.Touched(t.Context(), app, changes[i]); err != nil || n[id] != want {
			t.Errorf("%s touches %v, want %d: %v", documents[i].Title[0].Text, n, want, err)
		}
	}
}

// What a refusal is about, when each purpose ends and what was bundled must
// survive in the rows: no later version can tell otherwise.
func TestRowsOfBundlesSayWhatTheLedgerSays(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	lasting := projectiontest.Document("one")
	lasting.Purposes[0].ConsentLasts = 1
	w.Publish(lasting)
	both := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location", "marketing"}}
	w.Tell("ada", both)
	w.Tell("bo", both)
	special := projectiontest.Document("special")
	special.Name, special.Over, special.Permissions = "special", "privacy", nil
	special.Purposes = special.Purposes[:1]
	special.Purposes[0].Separate = true
	lasting.Title[0].Text = "two"
	w.Publish(lasting, "marketing")
	w.Tell("ada", domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}})
	w.Publish(special)
	v := open(t, w)
	all := w.Entries()
	if err := v.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	now := all[len(all)-1].Recorded
	seen := map[domain.Status]bool{}
	for _, name := range []string{"ada", "bo"} {
		state, err := w.State(t.Context(), app, ident.PersonKey{Kind: "account", ID: name}, ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		moments := []deadline.Instant{now, now.Add(60 * deadline.Day)}
		if name == "bo" { // who said nothing since
			moments = append(moments, all[4].Recorded)
		}
		for _, at := range moments {
			rows := of(t, w, v, name, at)
			if len(rows) != 2 {
				t.Fatal(rows)
			}
			for _, r := range rows {
				seen[r.Status] = true
				want := kept(state.Subject.Standing(r.Purpose, at, state.Reference))
				if r.Status == domain.Stale || r.Status == domain.Expired {
					r.Since = want.Since // a row has it as of the person's last fact
				}
				if !reflect.DeepEqual(r.Standing, want) {
					t.Errorf("%s %s at %s: %+v, want %+v", name, r.Purpose, at, r.Standing, want)
				}
			}
		}
	}
	if !seen[domain.Given] || !seen[domain.Stale] || !seen[domain.Expired] || seen[domain.Refused] {
		t.Errorf("the statuses were %v", seen)
	}
}

func TestRowsAndCountsAgree(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for _, at := range []deadline.Instant{w.Time(), w.Time().Add(deadline.Minute), w.Time().Add(400 * deadline.Day)} {
		n := map[consents.Count]int64{}
		rows, err := v.Rows(t.Context(), app, at)
		for _, r := range rows {
			n[consents.Count{Purpose: r.Purpose, Status: r.Status}]++
		}
		counts, _, err2 := v.Counts(t.Context(), app, consents.Now(at))
		if err != nil || err2 != nil || len(counts) != len(n) || len(n) == 0 {
			t.Fatalf("%v, rows say %v: %v, %v", counts, n, err, err2)
		}
		for _, c := range counts {
			if got := n[consents.Count{Purpose: c.Purpose, Status: c.Status}]; got != c.People {
				t.Errorf("%s %s: %d rows, %d counted", c.Purpose, c.Status, got, c.People)
			}
		}
	}
}

func TestVoidedAnswersAreCountedAndTestsAreNot(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	before, _, err := v.Voided(t.Context(), app)
	if err != nil || len(before) == 0 {
		t.Fatalf("%v, %v", before, err)
	}
	all := len(w.Entries())
	void := func(who string, id ident.EventID) {
		w.Tell(who, domain.VoidRecords{Records: []ident.EventID{id}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	yes := w.Tell("ivy", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}})
	void("ivy", ident.EventID(yes.Event))
	void("ivy", ident.EventID(yes.Event)) // once more changes nothing
	mark := w.Tell("ivy", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	for _, tt := range []struct {
		name string
		upTo int
		more int64
	}{{"one more is voided", all + 3, 1}, {"of a test none", all + 4, 0}, {"of who is none after all, again one", all + 5, 1}} {
		if tt.upTo == all+5 {
			void("ivy", ident.EventID(mark.Event))
		}
		v := open(t, w)
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

// The columns that docs/sql.md promises are there, and say what the rows say.
func TestTheViewsForSQLSayWhatTheRowsSay(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	dir := t.TempDir()
	v, err := consents.Open(t.Context(), readmodel.Dir(dir), w)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "consents.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want, err := v.Rows(t.Context(), app, 1) // before anything ended
	if err != nil || len(want) == 0 {
		t.Fatal(len(want), err)
	}
	for _, r := range want {
		var status string
		var since, until, asOf int64
		var policy, version, act, event, opposed sql.NullString
		var alone, test bool
		var events int
		err := db.QueryRowContext(t.Context(), `SELECT test, status, coalesce(since, 0), coalesce(until, 0), policy, version, act, alone, event, events, opposed_by, as_of
			FROM consents WHERE app = ? AND person = ? AND purpose = ? AND updated_position = ?`, app, r.Person, r.Purpose, int64(r.Updated)).
			Scan(&test, &status, &since, &until, &policy, &version, &act, &alone, &event, &events, &opposed, &asOf)
		if err != nil || test || status == "" || since != int64(r.Since) || until != int64(r.Until) || policy.String != r.Policy || act.String != string(r.Act) ||
			alone != r.Alone || events != len(r.Because) || opposed.String != string(r.Opposed.Signal) || asOf == 0 {
			t.Errorf("%+v: %v %q %d %d %v %v %v %d %d, %v", r, test, status, since, until, policy, act, alone, events, asOf, err)
		}
		if version.Valid && version.String != r.Version.String() || events > 0 && event.String != eventstore.EventID(r.Because[0]).String() {
			t.Errorf("%+v: %v, %v", r, version, event)
		}
	}
	var listed, counted int64
	err = db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM consents WHERE NOT test), (SELECT sum(people) FROM consent_counts)`).Scan(&listed, &counted)
	if err != nil || listed != counted || listed != int64(len(want)) {
		t.Errorf("%d are listed, %d counted, %v", listed, counted, err)
	}
}
