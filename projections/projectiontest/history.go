package projectiontest

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// App is the app of [Ledger] and [History].
const App domain.AppName = "smartkey"

// Document returns a small policy that passes its check.
func Document(title string, more ...domain.PurposeID) domain.Document {
	d := domain.Document{
		Name: "privacy", Title: []domain.LocalText{{Locale: "en", Text: title}}, Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
		Acts:  []domain.Act{{ID: "click", Title: "Click", Section: "1", Counts: domain.ExplicitConsent}},
		Texts: []domain.Text{{Locale: "en", Hash: domain.Hash{1}, Standing: domain.Authoritative}},
	}
	for _, id := range append([]domain.PurposeID{"location", "marketing"}, more...) {
		d.Purposes = append(d.Purposes, domain.Purpose{ID: id, Title: string(id), Section: "1", Codes: []string{"P-" + string(id)},
			Categories: []domain.CategoryID{"position"}, Actions: []domain.Action{domain.Use}, Basis: domain.BasisConsent, Retention: "a year"})
	}
	d.Categories = []domain.Category{{ID: "position", Title: "Position", Section: "1"}}
	d.Permissions = []domain.Permission{{ID: "gps", Title: "GPS", Section: "1", Purposes: []domain.PurposeID{"location"}}}
	return d
}

// A Teller tells a ledger things, a second apart.
type Teller struct {
	*ledger.Ledger
	t   testing.TB
	now domain.Instant
	n   int
}

// Start is when a Teller's first event is recorded.
const Start domain.Instant = 1_780_000_000_000

// NewTeller returns a Teller with an empty ledger in memory.
func NewTeller(t testing.TB) *Teller {
	t.Helper()
	v, err := vault.Open(t.Context(), new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	w := &Teller{t: t, now: Start}
	w.Ledger, err = ledger.Open(t.Context(), ledger.Config{Store: new(memory.Store), Vault: v, Now: func() domain.Instant { return w.now }})
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
	w.now, w.n = w.now.Add(domain.Second), w.n+1
	who := domain.PersonKey{}
	if person != "" {
		who = domain.PersonKey{Kind: "account", ID: person}
	}
	id := fmt.Sprint(w.n)
	req := ledger.Request{App: App, Person: who, Source: "test", ID: id, Body: []byte(id), Actor: "operator", RecordedBy: "test", Command: cmd}
	if other != "" {
		req.Other = domain.PersonKey{Kind: "account", ID: other}
	}
	r, err := w.Execute(context.Background(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Publish publishes a version.
func (w *Teller) Publish(d domain.Document, stale ...domain.PurposeID) domain.Hash {
	w.t.Helper()
	h, err := policydoc.Hash(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Tell("", domain.PublishPolicy{Version: h, Document: d, Stale: stale, Material: []string{domain.MaterialService}})
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
	p, ok, err := w.Ledger.Pseudonym(w.t.Context(), App, domain.PersonKey{Kind: "account", ID: person})
	if err != nil || !ok {
		w.t.Fatalf("no pseudonym: %v", err)
	}
	return p
}

// Register registers [App].
func (w *Teller) Register() {
	w.t.Helper()
	w.Tell("", domain.RegisterApp{App: domain.App{Name: App, Handler: "Example Ltd", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"zh-CN", "en"}}})
}

// TellAll tells a bit of everything, to be replayed.
func (w *Teller) TellAll() {
	w.t.Helper()
	w.Register()
	v1 := w.Publish(Document("one"))
	var first [4]ledger.Receipt
	for i := range 12 {
		who := fmt.Sprint("ada", i%4)
		r := w.Tell(who, domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"location", "marketing"}, Until: w.now.Add(domain.Minute)})
		if i < 4 {
			first[i] = r
		}
		switch i % 4 {
		case 0:
			w.Tell(who, domain.WithdrawConsent{Scope: domain.Scope{All: true}})
		case 1:
			w.Tell(who, domain.ChangePermission{Permission: "gps", Change: domain.Revoked})
		case 2:
			w.Tell(who, domain.RefuseConsent{Scope: domain.Scope{Purposes: []domain.PurposeID{"marketing"}}})
			w.Tell(who, domain.VoidRecords{Records: []domain.EventID{domain.EventID(first[2].Event)}, Reason: "test", By: [2]string{"eve", "bob"}})
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
}

// tellOfPeople tells of links, ends, tests, ages and mistakes.
func (w *Teller) tellOfPeople() {
	w.t.Helper()
	yes := domain.GiveConsent{Act: "click", Purposes: []domain.PurposeID{"location"}, Build: "bad"}
	w.Tell("ben", yes)
	w.Tell("phone", domain.WithdrawConsent{Scope: domain.Scope{Purposes: []domain.PurposeID{"location"}}})
	w.TellOf("ben", "phone", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	w.Tell("phone", domain.WithdrawConsent{Scope: domain.Scope{Purposes: []domain.PurposeID{"marketing"}}})
	w.TellOf("ben", "phone", domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}})
	w.Tell("monkey", yes)
	w.Tell("monkey", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	w.Tell("monkey", domain.WithdrawConsent{Scope: domain.Scope{All: true}})
	once := yes
	once.Once = true
	r := w.Tell("cleo", once)
	w.Tell("cleo", domain.Say{Event: domain.ConsentUsed{Consents: []domain.EventID{domain.EventID(r.Event)}}})
	w.Tell("dora", yes)
	w.Tell("dora", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "declared"}})
	w.Tell("emil", yes)
	w.Tell("emil", domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}})
	w.Tell("emil", yes)
	w.Tell("fred", yes)
	w.Tell("", domain.Say{Event: domain.BuildVoided{Build: "bad", From: Start, To: w.now, Reason: "ticked-before", By: [2]string{"eve", "bob"}}})
	w.Tell("fred", yes)
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
