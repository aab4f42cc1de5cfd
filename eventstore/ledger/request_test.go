package ledger_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// promise publishes a policy that promises replies.
func promise(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	begin(t, l)
	d := document
	d.DeadlineRules = []deadline.Rule{{ID: "d15", Source: "VII", Unit: deadline.UnitCalendarDay, Length: 15, TimeZone: "Asia/Shanghai", ClockStart: "RequestReceived"}}
	d.Rights = []policy.Right{{ID: "access", Title: "Access", Deadlines: []deadline.RuleID{"d15"}}, {ID: "withdraw-consent", Title: "Withdraw", Deadlines: []deadline.RuleID{"d15"}}}
	version, err := policydoc.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	r := requestOf("p2", domain.PublishPolicy{Version: version, Document: d, Material: []string{"MAT-4"}})
	r.Person, r.Actor = ident.PersonKey{}, "operator"
	must(t, l, r)
}

func types(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	var all []string
	for e, err := range l.History(t.Context(), "demo", ada) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(e.Stream.Noun)+" "+e.Kind())
	}
	return strings.Join(all, ", ")
}

func TestARequestIsToldInAStreamOfItsOwnAndItsNoAtOnce(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promise(t, l)
	must(t, l, requestOf("r1", yes))
	w.now += 1000
	ask := requestOf("r2", domain.OpenRequest{Types: []request.Type{request.Withdraw, request.Access}, Channel: "email", Text: "please let me go"})
	first := must(t, l, ask)
	if again := must(t, l, ask); again != first {
		t.Errorf("asked again: %v and %v", first, again)
	}
	if got := status(t, l, w); got != domain.Withdrawn {
		t.Errorf("the request to withdraw left %v", got)
	}
	const want = "subject consent.given, subject consent.withdrawn, subject subject.requested, request request.received, request obligation.opened"
	if got := types(t, l); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	stream, err := l.StreamOf(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	step := ledger.Request{Source: "desk", ID: "s1", Body: []byte("s1"), Actor: "operator", RecordedBy: "officer",
		Command: domain.TakeStep{Kind: "request.answered", Fields: policy.Fields(map[string]string{"outcome": "full", "channel": "email"}), Details: "here it is"}}
	for range 2 {
		if _, err := w.open(t).ExecuteOn(t.Context(), stream, step); err != nil {
			t.Fatal(err)
		}
	}
	duties, err := w.open(t).Duties(t.Context(), stream)
	if err != nil || len(duties.All()) != 1 || duties.All()[0].State != obligation.StateMet {
		t.Errorf("%+v, %v", duties, err)
	}
	for r, err := range w.store.ReadAll(t.Context(), 0) {
		if err != nil || bytes.Contains(r.Data, []byte("let me go")) || bytes.Contains(r.Data, []byte("here it is")) {
			t.Errorf("the log says %s, %v", r.Data, err)
		}
	}
}

func TestARequestGoesOnWhenThePersonWasErased(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promise(t, l)
	ask := requestOf("r1", domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "email", Text: "my words"})
	must(t, l, ask)
	stream, err := l.StreamOf(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := v.Find(t.Context(), vault.Lookup{App: "demo", Kind: ada.Kind, ID: ada.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Erase(t.Context(), p, w.now.Time(), w.now.Time().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	step := ledger.Request{Source: "desk", ID: "s1", Body: []byte("s1"), Actor: "operator", RecordedBy: "officer",
		Command: domain.TakeStep{Kind: "request.answered", Fields: policy.Fields(map[string]string{"outcome": "full", "channel": "email"})}}
	l = w.open(t)
	if _, err := l.ExecuteOn(t.Context(), stream, step); err != nil {
		t.Fatal(err)
	}
	var last codec.Entry
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = e
	}
	if last.Kind() != "obligation.met" {
		t.Errorf("the last is %s", last.Kind())
	}
}

func TestNobodyIsRememberedForARequestThatIsRefused(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promise(t, l)
	if _, err := l.Execute(t.Context(), requestOf("r1", domain.OpenRequest{Channel: "email"})); code(err) != refusal.NothingNamed {
		t.Fatal(err)
	}
	if _, found, err := l.Pseudonym(t.Context(), "demo", ada); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAnIncidentHasAStream(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	open := requestOf("i1", domain.TakeStep{Kind: "incident.detected", Fields: policy.Fields(map[string]string{"kind": "leak", "what": "a table"})})
	open.Person, open.Actor = ident.PersonKey{}, "operator"
	must(t, l, open)
	stream, err := l.StreamOf(t.Context(), open)
	if err != nil {
		t.Fatal(err)
	}
	step := func(id string, kind catalog.Step, fields map[string]string) error {
		_, err := l.ExecuteOn(t.Context(), stream, ledger.Request{Source: "desk", ID: id, Body: []byte(id), Actor: "operator", RecordedBy: "officer", Command: domain.TakeStep{Kind: kind, Fields: policy.Fields(fields)}})
		return err
	}
	if err := step("s1", "incident.closed", nil); code(err) != refusal.IllegalMove {
		t.Error(err)
	}
	if err := step("s2", "incident.contained", map[string]string{"measures": "off"}); err != nil {
		t.Error(err)
	}
	if err := step("s3", "incident.closed", nil); err != nil {
		t.Error(err)
	}
}

func TestARequestIsADuplicateOfAnotherOneOfItsAppAlone(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promise(t, l)
	ask := func(id string) ident.StreamID {
		r := requestOf(id, domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "email"})
		must(t, l, r)
		stream, err := l.StreamOf(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	first, second := ask("a1"), ask("a2")
	duplicate := func(id, of string) error {
		r := requestOf(id, domain.TakeStep{Kind: "request.duplicate", Fields: policy.Fields(map[string]string{"of": of})})
		r.Person, r.Actor = ident.PersonKey{}, "operator"
		_, err := l.ExecuteOn(t.Context(), second, r)
		return err
	}
	for id, of := range map[string]string{"d1": "nosuch", "d2": second.ID} {
		if err := duplicate(id, of); err == nil || !strings.Contains(err.Error(), string(refusal.UnknownRequest)) {
			t.Errorf("of %s: %v", of, err)
		}
	}
	if err := duplicate("d3", first.ID); err != nil {
		t.Error(err)
	}
}

// A request to stop says what of it goes on, as a withdrawal does.
func TestARequestToStopSaysWhatGoesOn(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	d := document
	d.Purposes = append(slices.Clone(d.Purposes), policy.Purpose{ID: "tax", Title: "Tax", Section: "I", Basis: policy.BasisLegalDuty, Actions: []policy.Action{policy.Use}})
	d.Rights = []policy.Right{{ID: "withdraw-consent", Title: "Withdraw"}}
	version, err := policydoc.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	r := requestOf("p2", domain.PublishPolicy{Version: version, Document: d, Material: []string{"MAT-1", "MAT-4"}})
	r.Person, r.Actor = ident.PersonKey{}, "operator"
	must(t, l, r)

	stop := requestOf("r1", domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "app", Purposes: []policy.PurposeID{"tax", "ads"}})
	first := must(t, l, stop)
	if first.Rests != "tax=legal-duty" {
		t.Errorf("what goes on is said to be %q", first.Rests)
	}
	if again := must(t, w.open(t), stop); again != first {
		t.Errorf("asked again: %+v and %+v", first, again)
	}
	if got := must(t, l, requestOf("r2", domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "app"})).Rests; got != "" {
		t.Errorf("of what withdraws nothing: %q", got)
	}
}

// TestANoNeedsNoPolicy asks for a withdrawal of an app that has no policy yet,
// and of one whose first policy is younger than the opt-out.
func TestANoNeedsNoPolicy(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	app := domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}
	must(t, l, requestOf("a", domain.RegisterApp{App: app}))
	ask := requestOf("r1", domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "email"})
	for range 2 {
		if _, err := l.Execute(t.Context(), ask); code(err) != refusal.NoPolicy || !strings.Contains(err.Error(), "was recorded") {
			t.Fatal(err)
		}
	}
	if got := types(t, l); got != "subject consent.withdrawn" {
		t.Errorf("without a policy: %s", got)
	}
	if _, err := l.Execute(t.Context(), requestOf("r2", domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "email"})); code(err) != refusal.NoPolicy || strings.Contains(err.Error(), "was recorded") {
		t.Error(err)
	}
	earlier := w.now
	w.now += deadline.Instant(deadline.Day)
	promise(t, w.open(t))
	late := requestOf("r3", domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "letter"})
	late.Person.ID, late.At = "ben", earlier
	l = w.open(t)
	must(t, l, late)
	stream, err := l.StreamOf(t.Context(), late)
	if err != nil {
		t.Fatal(err)
	}
	duties, err := l.Duties(t.Context(), stream)
	if err != nil || len(duties.All()) != 1 || duties.All()[0].Due.Start != earlier {
		t.Errorf("from before the policy: %+v, %v", duties.All(), err)
	}
}

// A request to stop is not refused for a policy that the app does not have, nor for a
// purpose that no policy declares beside one that it does: the answer names what was
// not understood, and a reply is owed.
func TestARequestToStopIsTakenWithoutWhatNobodyDeclares(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promise(t, l)
	must(t, l, requestOf("g", yes))
	w.now += 1000
	ask := func(id, under string, types ...request.Type) ledger.Request {
		return requestOf(id, domain.OpenRequest{Types: types, Channel: "email", Policy: under, Purposes: []policy.PurposeID{"ads", "Nobody's", "none"}})
	}

	stop := ask("r1", "nobodys", request.Withdraw)
	first := must(t, l, stop)
	if first.NotUnderstood != "data.policy" || first.Unknown != "[not shown],none" {
		t.Errorf("what was not understood is said to be %q, and what is unknown %q", first.NotUnderstood, first.Unknown)
	}
	if again := must(t, w.open(t), stop); again != first {
		t.Errorf("asked again: %v and %v", first, again)
	}
	if got := status(t, l, w); got != domain.Withdrawn {
		t.Errorf("the request to withdraw left %v", got)
	}
	stream, err := l.StreamOf(t.Context(), stop)
	if err != nil {
		t.Fatal(err)
	}
	if duties, err := l.Duties(t.Context(), stream); err != nil || len(duties.All()) != 1 || duties.All()[0].Due.State != deadline.Running {
		t.Errorf("%+v, %v", duties, err)
	}

	if got := must(t, l, ask("r2", "", request.Withdraw)); got.NotUnderstood != "" || got.Unknown != first.Unknown {
		t.Errorf("beside no policy %+v", got)
	}
	if _, err := l.Execute(t.Context(), ask("r3", "nobodys", request.Access)); code(err) != refusal.NoPolicy {
		t.Errorf("a request that is no opt-out: %v", err)
	}
}
