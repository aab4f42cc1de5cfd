package projectiontest

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// App is the app of [Ledger] and [History].
const App ident.AppName = "smartkey"

// Document returns a small policy that passes its check.
func Document(title string, more ...policy.PurposeID) policy.Document {
	d := policy.Document{
		Name: "privacy", Title: []policy.LocalText{{Locale: "en", Text: title}}, Jurisdiction: "CN",
		TimeZone: "Asia/Shanghai",
		Acts:     []policy.Act{{ID: "click", Title: "Click", Section: "1", Counts: policy.ExplicitConsent}},
		Texts:    []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Authoritative}},
	}
	for _, id := range append([]policy.PurposeID{"location", "marketing"}, more...) {
		d.Purposes = append(d.Purposes,
			policy.Purpose{ID: id, Title: string(id), Section: "1", Codes: []string{"P-" + string(id)},
				Categories: []policy.CategoryID{"position"}, Actions: []policy.Action{policy.Use},
				Basis: policy.BasisConsent, Retention: "a year"})
	}

	d.Categories = []policy.Category{{ID: "position", Title: "Position", Section: "1"}}
	rule := func(id deadline.RuleID, days int, start string, law bool) deadline.Rule {
		return deadline.Rule{ID: id, Source: "VII", Unit: deadline.UnitWorkingDay, Length: days, Calendar: "CN",
			TimeZone: "Asia/Shanghai", ClockStart: start, Law: law}
	}

	d.DeadlineRules = []deadline.Rule{rule("d15", 15, "RequestReceived", false),
		rule("d30", 30, "RequestReceived", false), rule("law20", 20, "RequestReceived", true),
		rule("facts15", 15, "ComplaintVerified", false)}
	d.DeadlineRules[1].Pause = []string{"identity_verification"}
	d.Rights = []policy.Right{{ID: "access", Title: "Access", Section: "VII",
		Deadlines: []deadline.RuleID{"d30", "law20"}},
		{ID: "complain", Title: "Complain", Section: "VII", Deadlines: []deadline.RuleID{"d15", "facts15"}}}
	d.Rejections = []policy.Ground{{Code: "REJ-1", Title: "national security", Section: "VII(III)"}}
	d.IdentityElements = []policy.Ground{{Code: "IDE-4", Title: "Telephone number", Section: "XIII(3)"}}
	d.Permissions = []policy.Permission{{ID: "gps", Title: "GPS", Section: "1",
		Purposes: []policy.PurposeID{"location"}}}
	return d
}

// A Teller tells a ledger things, a second apart.
type Teller struct {
	*ledger.Ledger
	t   testing.TB
	now deadline.Instant
	n   int
}

// Start is when a Teller's first event is recorded.
const Start deadline.Instant = 1_780_000_000_000

// NewTeller returns a Teller with an empty ledger in memory.
func NewTeller(t testing.TB) *Teller {
	t.Helper()
	v, err := vault.Open(t.Context(), new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	w := &Teller{t: t, now: Start}
	w.Ledger, err = ledger.Open(t.Context(),
		ledger.Config{Store: new(memory.Store), Vault: v, Now: func() deadline.Instant { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Tell executes one command of a person, or of nobody, and returns its event.
func (w *Teller) Tell(person string, cmd domain.Command) ledger.Receipt {
	w.t.Helper()
	return w.TellOf(person, "", cmd)
}

// TellOf is Tell for a command about another person too.
func (w *Teller) TellOf(person, other string, cmd domain.Command) ledger.Receipt {
	w.t.Helper()
	w.now, w.n = w.now.Add(deadline.Second), w.n+1
	req := w.request(person, cmd)
	if other != "" {
		req.Other = ident.PersonKey{Kind: "account", ID: other}
	}
	r, err := w.Execute(context.Background(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// TellAt is Tell for what happened at another moment than it is recorded.
func (w *Teller) TellAt(person string, at deadline.Instant, cmd domain.Command) ledger.Receipt {
	w.t.Helper()
	w.now, w.n = w.now.Add(deadline.Second), w.n+1
	req := w.request(person, cmd)
	req.At = at
	r, err := w.Execute(context.Background(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Ask records a person's request, and returns its stream.
func (w *Teller) Ask(person string, types ...request.Type) ident.StreamID {
	w.t.Helper()
	w.Tell(person, domain.OpenRequest{Types: types, Channel: "email", Text: "my words"})
	req := w.request(person, nil)
	req.Command = domain.OpenRequest{}
	stream, err := w.StreamOf(context.Background(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// Incident records the first step of an incident, and returns its stream.
func (w *Teller) Incident() ident.StreamID {
	w.t.Helper()
	first := domain.TakeStep{Kind: "incident.detected",
		Fields: policy.Fields(map[string]string{"kind": "leak", "what": "a table"})}
	w.Tell("", first)
	stream, err := w.StreamOf(context.Background(), w.request("", first))
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// TellOn executes a command on a stream that is known by its id.
func (w *Teller) TellOn(stream ident.StreamID, cmd domain.Command) {
	w.t.Helper()
	w.now, w.n = w.now.Add(deadline.Second), w.n+1
	if _, err := w.ExecuteOn(context.Background(), stream, w.request("", cmd)); err != nil {
		w.t.Fatal(err)
	}
}

// Step takes a step on a stream: its kind, then its fields as in "name=value",
// "_" for a space.
func (w *Teller) Step(stream ident.StreamID, text string) {
	w.t.Helper()
	words := strings.Fields(text)
	fields := map[string]string{}
	for _, f := range words[1:] {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = strings.ReplaceAll(value, "_", " ")
	}
	s := domain.TakeStep{Kind: catalog.Step(words[0]), Fields: policy.Fields(fields)}
	if words[0] == "request.rejected" {
		s.Details = "because"
	}
	w.TellOn(stream, s)
}

// Rest lets time go by.
func (w *Teller) Rest(s deadline.Span) { w.now = w.now.Add(s) }

// Time returns when the last event was recorded.
func (w *Teller) Time() deadline.Instant { return w.now }

func (w *Teller) request(person string, cmd domain.Command) ledger.Request {
	who := ident.PersonKey{}
	if person != "" {
		who = ident.PersonKey{Kind: "account", ID: person}
	}
	id := fmt.Sprint(w.n)
	return ledger.Request{App: App, Person: who, Source: "test", ID: id, Body: []byte(id), Actor: "operator",
		RecordedBy: "test", Command: cmd}
}

// Publish publishes a version.
func (w *Teller) Publish(d policy.Document, stale ...policy.PurposeID) content.Hash {
	w.t.Helper()
	return w.PublishAt(0, d, stale...)
}

// PublishAt is [Teller.Publish] of a version that begins to bind at a moment; zero:
// at once.
func (w *Teller) PublishAt(effective deadline.Instant, d policy.Document, stale ...policy.PurposeID) content.Hash {
	w.t.Helper()
	h, err := policydoc.Hash(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Tell("", domain.PublishPolicy{Version: h, Document: d, Effective: effective, Stale: stale,
		Material: []string{policy.MaterialService}})
	return h
}

// Entries returns all that was told.
func (w *Teller) Entries() []codec.Entry {
	w.t.Helper()
	var all []codec.Entry
	for e, err := range w.Replay(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// Pseudonym returns the name that the log has for a person.
func (w *Teller) Pseudonym(person string) string {
	w.t.Helper()
	p, ok, err := w.Ledger.Pseudonym(w.t.Context(), App, ident.PersonKey{Kind: "account", ID: person})
	if err != nil || !ok {
		w.t.Fatalf("no pseudonym: %v", err)
	}
	return p
}

// Register registers [App].
func (w *Teller) Register() {
	w.t.Helper()
	w.Tell("", domain.RegisterApp{App: domain.App{Name: App, Handler: "Example Ltd", Environment: domain.Test,
		Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"zh-CN", "en"}}})
}

// TellAll tells a bit of everything, to be replayed.
func (w *Teller) TellAll() {
	w.t.Helper()
	w.Register()
	v1 := w.Publish(Document("one"))
	var first [4]ledger.Receipt
	for i := range 12 {
		who := fmt.Sprint("ada", i%4)
		r := w.Tell(who, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location", "marketing"},
			Until: w.now.Add(deadline.Minute)})
		if i < 4 {
			first[i] = r
		}
		switch i % 4 {
		case 0:
			w.Tell(who, domain.WithdrawConsent{Scope: policy.Scope{All: true}})
		case 1:
			w.Tell(who, domain.ChangePermission{Permission: "gps", Change: domain.Revoked})
		case 2:
			w.Tell(who, domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}})
			w.Tell(who, domain.VoidRecords{Records: []ident.EventID{ident.EventID(first[2].Event)}, Reason: "test",
				Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
		case 3:
			w.Tell(who, domain.PresentNotice{Version: v1, Kind: "general"})
			w.Tell(who, domain.AcknowledgePolicy{Version: v1})
			w.Tell(who, domain.ChangePermission{Permission: "gps", Change: domain.Granted})
			w.Tell(who, domain.ChangePermission{Permission: "gps", Change: domain.Denied})
		}
		if i == 6 {
			w.Publish(Document("two", "research"), "marketing")
		}
	}

	w.tellOfPeople()
	w.tellOfRequests()
}

// tellOfRequests tells of requests that come to every end, of an incident, and
// of what is owed without a request.
func (w *Teller) tellOfRequests() {
	w.t.Helper()
	a := w.Ask("ada0", request.Access, request.Complaint)
	w.Step(a, "identity.requested elements=IDE-4")
	w.Rest(3 * deadline.Day)
	w.Step(a, "identity.passed elements=IDE-4 checked_by=desk")
	w.Step(a, "facts.verified founded=yes")
	w.Step(a, "request.answered outcome=full channel=email types=access")
	w.Step(a, "request.rejected codes=REJ-1 remedies_told=yes approved_by=boss")
	w.Step(a, "request.reopened reason=not-done")
	b := w.Ask("ada0", request.Access)
	w.Step(b, "fee.quoted amount=12.50_CNY reason=often")
	w.Step(b, "fee.waived reason=kind")
	w.Step(b, "request.withdrawn")
	robot := w.Ask("monkey2", request.Complaint)
	w.Tell("monkey2", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	w.Step(robot, "request.answered outcome=full channel=email")
	i := w.Incident()
	w.Step(i, "incident.contained measures=off")
	o := ident.ObligationStream(App, "stop1")
	begun := w.now
	rule := deadline.Rule{ID: "h24", Source: "law", Unit: deadline.UnitHour, Length: 24, TimeZone: "Asia/Shanghai",
		Law: true}
	w.TellOn(o, domain.OpenDuties{Cause: obligation.Cause{Event: ident.EventID{1}, Kind: "consent.withdrawn",
		Stream: i.String()}, Rule: policy.DutyRule{ID: "stop", Kind: policy.DutyStop, Each: policy.DutyEachSystem},
		Start: begun, Target: []string{"ads", "mail"}, Rules: []deadline.Rule{rule}})
	w.TellOn(o, domain.MeetObligation{ID: "stop.ads.h24", By: obligation.Cause{Kind: "system.stopped"}})
	w.TellOn(o, domain.MoveObligations{Calendar: ident.EventID{2}})
	w.Rest(2 * deadline.Day)
	w.TellOn(o, domain.WarnObligation{ID: "stop.mail.h24", Until: begun.Add(deadline.Day), Overdue: true})
	w.TellOn(o, domain.VoidObligation{ID: "stop.mail.h24", Reason: "no-data"})
}

// tellOfPeople tells of links, ends, tests, ages and mistakes.
func (w *Teller) tellOfPeople() {
	w.t.Helper()
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}, Build: "bad"}
	w.Tell("ben", yes)
	w.Tell("phone", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"location"}}})
	w.TellOf("ben", "phone", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	w.Tell("phone", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}})
	w.TellOf("ben", "phone", domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}})
	w.Tell("monkey", yes)
	w.Tell("monkey", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	w.Tell("monkey", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	once := yes
	once.Once = true
	r := w.Tell("cleo", once)
	w.Tell("cleo", domain.Say{Event: domain.ConsentUsed{Consents: []ident.EventID{ident.EventID(r.Event)}}})
	w.Tell("dora", yes)
	w.Tell("dora", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "declared"}})
	w.Tell("emil", yes)
	w.Tell("emil", domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}})
	w.Tell("emil", yes)
	w.Tell("fred", yes)
	w.Tell("", domain.Say{Event: domain.BuildVoided{Build: "bad", From: Start, To: w.now, Reason: "ticked-before",
		Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}})
	w.Tell("fred", yes)
	w.tellOfGuardians()
}

// tellOfGuardians tells of a child with two guardians, and of mistakes that are
// no answers.
func (w *Teller) tellOfGuardians() {
	w.t.Helper()
	void := func(who string, r ledger.Receipt) {
		w.Tell(who, domain.VoidRecords{Records: []ident.EventID{ident.EventID(r.Event)}, Reason: "mistake",
			Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}

	location := []policy.PurposeID{"location"}
	w.Tell("gina", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "declared"}})
	proof := domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}
	verified := w.TellOf("gina", "ma", domain.Say{Event: domain.GuardianVerified{Proof: proof}})
	w.TellOf("gina", "pa", domain.Say{Event: domain.GuardianVerified{Proof: proof}})
	yes := domain.GiveConsent{Act: "click", Purposes: location, Guardian: "ma", Proof: proof}
	w.TellOf("gina", "ma", yes)
	w.TellOf("gina", "pa", domain.WithdrawConsent{Scope: policy.Scope{Purposes: append(location, "typo")}})
	w.TellOf("gina", "ma", yes)
	w.TellOf("gina", "pa", yes)
	w.Tell("gina", domain.RefuseConsent{Scope: policy.Scope{Purposes: location}})
	w.TellOf("gina", "ma", yes)
	w.Tell("gina", domain.GiveConsent{Act: "click", Purposes: location})
	void("gina", verified)
	w.Tell("hugo", domain.GiveConsent{Act: "click", Purposes: location})
	void("hugo", w.Tell("hugo", domain.Say{Event: domain.SubjectMarkedTest{Reason: "by-mistake"}}))
	void("hugo", w.Tell("hugo", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "declared"}}))
	w.Tell("tablet", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	void("hugo", w.TellOf("hugo", "tablet", domain.Say{Event: domain.SubjectLinked{Proof: "login"}}))
	w.Tell("", domain.Say{Event: domain.BuildDisputed{Build: "bad", From: Start, To: w.now, Reason: "ticked-before"}})
}

// History is a [projections.History] of entries that ends by an error.
type History struct {
	Entries []codec.Entry
	Batch   int
	End     error
}

// Follow implements [projections.History].
func (h History) Follow(_ context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	return func(yield func([]codec.Entry, error) bool) {
		i := 0
		for i < len(h.Entries) && h.Entries[i].Position <= after {
			i++
		}
		for i < len(h.Entries) {
			n := min(i+h.Batch, len(h.Entries))
			if !yield(h.Entries[i:n], nil) {
				return
			}
			i = n
		}
		yield(nil, h.End)
	}
}
