package lawfulness_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"consentledger/api/lawfulness"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
)

const app = projectiontest.App

func scope(p ...policy.PurposeID) policy.Scope { return policy.Scope{Purposes: p} }

func yes(p ...policy.PurposeID) domain.GiveConsent {
	return domain.GiveConsent{Act: "click", Purposes: p}
}

// begin tells of an app with two purposes.
func begin(t *testing.T) *projectiontest.Teller {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	return w
}

func diff(t *testing.T, w *projectiontest.Teller, who string, from, to deadline.Instant) lawfulness.Diff {
	t.Helper()
	d, err := lawfulness.DiffOf(t.Context(), w.Ledger, app, lawfulness.DiffRequest{Subject: who, From: from.String(), To: to.String()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// by returns the kinds of the events that changed a purpose.
func by(d lawfulness.Diff, purpose string) (kinds []string, x lawfulness.PurposeDifference) {
	for _, p := range d.Purposes {
		if p.Purpose == purpose {
			for _, e := range p.By {
				kinds = append(kinds, e.Type)
			}
			return kinds, p
		}
	}
	return nil, lawfulness.PurposeDifference{}
}

func TestWhatChangedAndByWhichEvents(t *testing.T) {
	w := begin(t)
	w.Tell("ada", yes("marketing", "location"))
	one := w.Time()
	w.Tell("ada", domain.AcknowledgePolicy{})
	w.Tell("ada", domain.WithdrawConsent{Scope: scope("marketing")})
	two := w.Time()
	w.Rest(deadline.Hour)
	w.Tell("ada", yes("marketing"))
	three := w.Time()

	kinds, x := by(diff(t, w, "ada", one, two), "marketing")
	if !slices.Equal(kinds, []string{"consent.withdrawn"}) || x.Before.Status != "given" || x.After.Status != "withdrawn" || !x.Changed || x.ByTime {
		t.Errorf("by %v: %+v", kinds, x)
	}
	d := diff(t, w, "ada", one, two)
	if kinds, _ := by(d, "location"); kinds != nil || d.Same != 1 || !d.Differs() {
		t.Errorf("nobody spoke of the location: %v, %d the same", kinds, d.Same)
	}
	if kinds, _ := by(diff(t, w, "ada", one, three), "marketing"); !slices.Equal(kinds, []string{"consent.withdrawn", "consent.given"}) {
		t.Errorf("there and back by %v", kinds)
	}
	if d := diff(t, w, "ada", two, two); d.Differs() || len(d.Purposes) != 0 || d.Same != 2 {
		t.Errorf("between a moment and itself: %+v", d)
	}
}

func TestALateNoChangesOnlyWhatIsKnownFromThenOn(t *testing.T) {
	w := begin(t)
	w.Tell("ada", yes("marketing"))
	then := w.Time()
	w.Rest(deadline.Hour)
	before := w.Time()
	w.TellAt("ada", then.Add(deadline.Minute), domain.WithdrawConsent{Scope: scope("marketing")})
	if _, x := by(diff(t, w, "ada", then, before), "marketing"); x.Changed {
		t.Errorf("what was not known yet is counted: %+v", x)
	}
	if _, x := by(diff(t, w, "ada", then, w.Time()), "marketing"); !x.Changed {
		t.Error("what is known is not counted")
	}
}

func TestTimeAloneChanges(t *testing.T) {
	w := begin(t)
	until := w.Time().Add(deadline.Hour)
	y := yes("marketing")
	y.Until = until
	w.Tell("ada", y)
	then := w.Time()
	w.Rest(deadline.Hour + deadline.Second)
	kinds, x := by(diff(t, w, "ada", then, until.Add(deadline.Second)), "marketing")
	if len(kinds) != 0 || !x.ByTime || !x.Changed || x.After.Status != "expired" {
		t.Errorf("by %v: %+v", kinds, x)
	}
}

// check records an answer as the ledger gives it now.
func check(t *testing.T, w *projectiontest.Teller, who string, purpose policy.PurposeID, valid deadline.Instant, allowed bool, id string) {
	t.Helper()
	key := ident.PersonKey{Kind: "account", ID: who}
	s, err := w.State(t.Context(), app, key, ledger.AsOf{})
	if err != nil {
		t.Fatal(err)
	}
	q := domain.Question{Purpose: purpose, Action: policy.Use, At: valid}
	m := domain.May(s.Subject, s.Reference, q)
	if m.Allowed != allowed {
		t.Fatalf("allowed: %t", m.Allowed)
	}
	w.Rest(deadline.Second)
	err = w.LogCheck(t.Context(), ledger.Request{App: app, Person: key, Source: "check", ID: id, Body: []byte(id), Actor: "system", RecordedBy: "mailer"},
		domain.CheckAnswered{Purpose: purpose, Action: policy.Use, Valid: valid, Allowed: m.Allowed, Why: m.Why, Status: m.Standing.Status, Basis: m.Basis, Version: m.Version, Because: m.Standing.Because})
	if err != nil {
		t.Fatal(err)
	}
}

func lawful(t *testing.T, w *projectiontest.Teller, r lawfulness.LawfulRequest) lawfulness.Lawful {
	t.Helper()
	a, err := lawfulness.LawfulOf(t.Context(), w.Ledger, app, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// find returns the finding about a person, without or with an answer.
func find(a lawfulness.Lawful, person string, answered bool) *lawfulness.Finding {
	for i := range a.Findings {
		if a.Findings[i].Person == person && (a.Findings[i].Answer != nil) == answered {
			return &a.Findings[i]
		}
	}
	return nil
}

func TestWhatArrivedLaterStandsBesideAndIsNotCounted(t *testing.T) {
	w := begin(t)
	r := w.Tell("ada", yes("marketing"))
	w.Rest(deadline.Hour)
	moment := w.Time()
	check(t, w, "ada", "marketing", moment, true, "one")
	w.Rest(deadline.Hour)
	no := w.TellAt("ada", moment.Add(-deadline.Minute), domain.WithdrawConsent{Scope: scope("marketing")})

	a := lawful(t, w, lawfulness.LawfulRequest{Purpose: "marketing", At: moment.String()})
	ada := w.Pseudonym("ada")
	stood := find(a, ada, false)
	if stood == nil || !stood.Stood.Allowed || stood.Stood.Why != "consent-given" || !slices.Equal(stood.Stood.Events, []string{r.Event.String()}) || stood.Stood.Act != "click" || stood.Stood.Evidence != "weak" {
		t.Fatalf("then: %+v", stood)
	}
	if stood.Later == nil || stood.Later.Stood.Allowed || len(stood.Later.By) != 1 || stood.Later.By[0].EventID != no.Event.String() {
		t.Errorf("what arrived later: %+v", stood.Later)
	}
	answer := find(a, ada, true)
	if answer == nil || !answer.Answer.Allowed || answer.Answer.AskedBy != "mailer" || answer.After == nil || answer.After.Known || !slices.Equal(answer.After.Events, []string{no.Event.String()}) {
		t.Errorf("an answer after a withdrawal that came late: %+v", answer)
	}
	if find(a, "nobody", false) != nil || a.Nobody.Allowed || a.Nobody.Basis != "consent" {
		t.Errorf("somebody who said nothing: %+v", a.Nobody)
	}
}

func TestASpanTellsEveryChange(t *testing.T) {
	w := begin(t)
	w.Tell("ada", yes("marketing"))
	from := w.Time()
	w.Tell("ada", domain.WithdrawConsent{Scope: scope("marketing")})
	w.Rest(deadline.Hour)
	y := yes("marketing")
	y.Until = w.Time().Add(deadline.Hour)
	w.Tell("ada", y)
	w.Rest(3 * deadline.Hour)
	w.Tell("bob", yes("location"))
	f := find(lawful(t, w, lawfulness.LawfulRequest{Purpose: "marketing", From: from.String(), To: w.Time().String()}), w.Pseudonym("ada"), false)
	var got []string
	for _, c := range f.Changes {
		by := "time"
		if c.By != nil {
			by = c.By.Type
		}
		got = append(got, by+" "+c.Stood.Status)
	}
	if want := []string{"consent.withdrawn withdrawn", "consent.given given", "time expired"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestExemptProcessingHasItsGround(t *testing.T) {
	d := projectiontest.Document("one")
	d.ExemptionsCollect = []policy.Ground{{Code: "EXC-9", Title: "other", Section: "II", Doubtful: true}}
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(d)
	w.Tell("ada", domain.AcknowledgePolicy{})
	w.Tell("ada", domain.Say{Event: domain.ExemptionInvoked{List: domain.ForCollection, Code: "EXC-9", Purposes: []policy.PurposeID{"marketing"}, Reason: "rescue", Approver: "boss", Until: w.Time().Add(deadline.Day)}})
	f := find(lawful(t, w, lawfulness.LawfulRequest{Purpose: "marketing", At: w.Time().String()}), w.Pseudonym("ada"), false)
	if f == nil || !f.Stood.Allowed || f.Stood.Ground == nil || f.Stood.Ground.Code != "EXC-9" || !f.Stood.Ground.Doubtful || f.Stood.Ground.Approver != "boss" {
		t.Errorf("%+v", f)
	}
}

func TestAPurposeThatNobodyDeclaredIsRefused(t *testing.T) {
	w := begin(t)
	_, err := lawfulness.LawfulOf(t.Context(), w.Ledger, app, lawfulness.LawfulRequest{Purpose: "nix", At: w.Time().String()})
	if refused, _ := errors.AsType[refusal.Refusal](err); refused.Code != refusal.UnknownPurpose || refused.Path != "purpose" || !strings.Contains(refused.Text, "marketing") {
		t.Errorf("a purpose that no version declares: %v", err)
	}
}

func TestPagesLeaveNothingOutAndShowNothingTwice(t *testing.T) {
	w := begin(t)
	people := []string{"ada", "bob", "cem", "dee", "eva"}
	for i, who := range people {
		w.Tell(who, yes("marketing"))
		check(t, w, who, "marketing", w.Time(), true, string(rune('a'+i)))
	}
	whole := lawful(t, w, lawfulness.LawfulRequest{Purpose: "marketing", From: projectiontest.Start.String(), To: w.Time().String()})
	if len(whole.Findings) != 10 || whole.Next != "" {
		t.Fatalf("%d findings, next %q", len(whole.Findings), whole.Next)
	}
	r := lawfulness.LawfulRequest{Purpose: "marketing", From: projectiontest.Start.String(), To: w.Time().String(), Limit: 3}
	var all []lawfulness.Finding
	for range 5 {
		a := lawful(t, w, r)
		all = append(all, a.Findings...)
		w.Tell("new "+r.Cursor[:min(len(r.Cursor), 4)], yes("marketing")) // what comes meanwhile is of no page
		if r.Cursor = a.Next; a.Next == "" {
			break
		}
		if a.Now != whole.Now {
			t.Errorf("a page is as of %s, want %s", a.Now, whole.Now)
		}
	}
	if len(all) != 10 {
		t.Errorf("pages have %d findings", len(all))
	}
	r.Purpose = "location"
	if _, err := lawfulness.LawfulOf(t.Context(), w.Ledger, app, r); r.Cursor != "" && err == nil {
		t.Error("a cursor goes with another question")
	}
}

func TestWhatCannotBeAsked(t *testing.T) {
	at := projectiontest.Start.String()
	for name, r := range map[string]lawfulness.LawfulRequest{
		"no purpose": {At: at}, "neither": {Purpose: "x"}, "both": {Purpose: "x", At: at, From: at, To: at}, "half a span": {Purpose: "x", From: at},
		"backwards": {Purpose: "x", From: "2026-01-02T00:00:00Z", To: "2026-01-01T00:00:00Z"}, "action": {Purpose: "x", At: at, Action: "burn"},
		"limit": {Purpose: "x", At: at, Limit: 1001}, "cursor": {Purpose: "x", At: at, Cursor: "e30"}, "subject": {Purpose: "x", At: at, Subject: "a b\n"},
	} {
		if r.Check() == nil {
			t.Errorf("%s: can be asked", name)
		}
	}
	for name, r := range map[string]lawfulness.DiffRequest{"no times": {Subject: "ada"}, "backwards": {Subject: "ada", From: "2026-01-02T00:00:00Z", To: "2026-01-01T00:00:00Z"}, "nobody": {From: at, To: at}} {
		if r.Check() == nil {
			t.Errorf("%s: can be asked", name)
		}
	}
	w := begin(t)
	if _, err := lawfulness.LawfulOf(t.Context(), w.Ledger, "nosuch", lawfulness.LawfulRequest{Purpose: "x", At: at}); err == nil {
		t.Error("an app that is not there")
	}
}

func TestNobodyKnowsWhatWillBeLawful(t *testing.T) {
	w := begin(t)
	y := yes("marketing")
	y.Until = w.Time().Add(deadline.Hour)
	w.Tell("ada", y)
	start, hour, day := projectiontest.Start.String(), w.Now().Add(deadline.Hour).String(), w.Now().Add(deadline.Day).String()
	for member, r := range map[string]lawfulness.LawfulRequest{
		"at: " + hour:   {Purpose: "marketing", At: hour},
		"from: " + hour: {Purpose: "marketing", From: hour, To: day},
		"to: " + day:    {Purpose: "marketing", From: start, To: day},
	} {
		if _, err := lawfulness.LawfulOf(t.Context(), w.Ledger, app, r); err == nil || !strings.Contains(err.Error(), member+" is in the future, of which nothing is known: it is now "+w.Now().String()) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for member, r := range map[string]lawfulness.DiffRequest{"from: " + hour: {Subject: "ada", From: hour, To: day}, "to: " + day: {Subject: "ada", From: start, To: day}} {
		if _, err := lawfulness.DiffOf(t.Context(), w.Ledger, app, r); err == nil || !strings.Contains(err.Error(), member+" is in the future") {
			t.Errorf("%+v: %v", r, err)
		}
	}

	// A clock that is a little ahead asks about now, and the answer says so.
	soon := w.Now().Add(10 * deadline.Second).String()
	a := lawful(t, w, lawfulness.LawfulRequest{Purpose: "marketing", From: start, To: soon})
	if a.To.At != w.Now().String() || find(a, w.Pseudonym("ada"), false).Changes[1].Stood.Status != "given" {
		t.Errorf("of now a clock that is ahead is told %+v", a)
	}
	if d := diff(t, w, "ada", projectiontest.Start, w.Now().Add(10*deadline.Second)); d.To.At != w.Now().String() {
		t.Errorf("what changed up to now is said to be up to %s", d.To.At)
	}
}
