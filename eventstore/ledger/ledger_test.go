package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

const start deadline.Instant = 1767225600000

var ada = ident.PersonKey{Kind: "account", ID: "ada"}

// A world is a store, a vault and a clock that the test moves.
type world struct {
	store  eventstore.Store
	rows   eventstore.Rows
	via    func(eventstore.Rows) eventstore.Rows // through which the vault has the rows; nil: as they are
	keys   vault.Keys
	now    deadline.Instant
	memory int // of the folds; zero: as much as there is by default
}

func newWorld() *world {
	return &world{store: newStore(), rows: newRows(), keys: vault.NewMemoryKeys(), now: start}
}

func (w *world) open(t testing.TB) *ledger.Ledger {
	t.Helper()
	rows := w.rows
	if w.via != nil {
		rows = w.via(rows)
	}
	v, err := vault.Open(t.Context(), rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Store: w.store, Vault: v, Memory: w.memory, Now: func() deadline.Instant { return w.now }, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func requestOf(id string, c domain.Command) ledger.Request {
	return ledger.Request{App: "demo", Person: ada, Source: "test", ID: id, Body: []byte(fmt.Sprint(c)), Actor: "person", RecordedBy: "unauthenticated", Command: c}
}

var document = policy.Document{
	Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
	Title:      []policy.LocalText{{Locale: "en", Text: "Privacy"}},
	Purposes:   []policy.Purpose{{ID: "ads", Title: "Ads", Section: "I", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}, Categories: []policy.CategoryID{"clicks"}}},
	Categories: []policy.Category{{ID: "clicks", Title: "Clicks", Section: "I"}},
	Acts:       []policy.Act{{ID: "agree", Title: "Agree", Section: "I", Counts: policy.GeneralConsent}},
	Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 14, ChildBelowLaw: 14},
	Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Sample}},
}

// begin registers the app and publishes its policy.
func begin(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	version, err := policydoc.Hash(document)
	if err != nil {
		t.Fatal(err)
	}
	app := domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}
	must(t, l, requestOf("a", domain.RegisterApp{App: app}))
	must(t, l, requestOf("p", domain.PublishPolicy{Version: version, Document: document}))
}

func must(t testing.TB, l *ledger.Ledger, r ledger.Request) ledger.Receipt {
	t.Helper()
	receipt, err := l.Execute(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func status(t *testing.T, l *ledger.Ledger, w *world) domain.Status {
	t.Helper()
	s, err := l.State(t.Context(), "demo", ada, ledger.AsOf{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Subject.Standing("ads", w.now+1000, s.Reference).Status
}

func code(err error) refusal.Code {
	var r refusal.Refusal
	errors.As(err, &r)
	return r.Code
}

var yes = domain.GiveConsent{Act: "agree"}
var no = domain.WithdrawConsent{Scope: policy.Scope{All: true}}

func TestTheSameRequestHasTheSameReceipt(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	first := must(t, l, requestOf("r1", yes))
	w.now += 1000
	must(t, l, requestOf("r2", no))
	for name, l := range map[string]*ledger.Ledger{"at once": l, "after a restart": w.open(t)} {
		if again := must(t, l, requestOf("r1", yes)); again != first {
			t.Errorf("%s: %v and %v", name, first, again)
		}
		if got := status(t, l, w); got != domain.Withdrawn {
			t.Errorf("%s: a repeated yes brought %v", name, got)
		}
	}
	if _, err := l.Execute(t.Context(), requestOf("r1", no)); code(err) != refusal.IDReused {
		t.Errorf("another body under one id: %v", err)
	}
}

func TestAnUnknownAppIsRefused(t *testing.T) {
	w := newWorld()
	if _, err := w.open(t).Execute(t.Context(), requestOf("r", yes)); code(err) != refusal.UnknownApp {
		t.Errorf("got %v", err)
	}
	if _, err := w.open(t).State(t.Context(), "demo", ada, ledger.AsOf{}); code(err) != refusal.UnknownApp {
		t.Errorf("got %v", err)
	}
}

func TestARefusedRequestLeavesNobodyBehind(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	if _, err := l.Execute(t.Context(), requestOf("r", domain.GiveConsent{Act: "wink"})); code(err) != refusal.UnknownAct {
		t.Errorf("got %v", err)
	}
	if _, known, err := l.Pseudonym(t.Context(), "demo", ada); known || err != nil {
		t.Errorf("known %v, %v", known, err)
	}
}

func TestPublishingTheSameTwiceIsOneVersion(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	version, _ := policydoc.Hash(document)
	must(t, l, requestOf("again", domain.PublishPolicy{Version: version, Document: document}))
	ref, err := l.App(t.Context(), "demo")
	if err != nil || len(ref.Policies.Versions()) != 1 {
		t.Errorf("%d versions, %v", len(ref.Policies.Versions()), err)
	}
}

func TestAPastMomentIsAnsweredAsItWasKnown(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	w.now = start + 10_000
	must(t, l, requestOf("r1", yes))
	w.now = start + 20_000
	late := requestOf("r2", no)
	late.At = start + 12_000
	must(t, l, late)
	for _, tt := range []struct {
		known deadline.Instant
		want  domain.Status
	}{{start + 5_000, domain.NeverAsked}, {start + 15_000, domain.Given}, {start + 20_000, domain.Withdrawn}} {
		s, err := l.State(t.Context(), "demo", ada, ledger.AsOf{KnownAt: tt.known})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Subject.Standing("ads", start+13_000, s.Reference).Status; got != tt.want {
			t.Errorf("known at %v: %v, want %v", tt.known, got, tt.want)
		}
	}
}

func TestAWrongClockOfTheLedgerNeverGoesBack(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	must(t, l, requestOf("r1", yes))
	w.now -= 86_400_000
	must(t, w.open(t), requestOf("r2", no))
	var last deadline.Instant
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Recorded < last {
			t.Errorf("position %d was recorded at %v, after %v", e.Position, e.Recorded, last)
		}
		last = e.Recorded
	}
}

func TestManyAtOnceAreAcceptedOnce(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	receipts := make([]ledger.Receipt, 64)
	var wg sync.WaitGroup
	for i := range receipts {
		wg.Go(func() { receipts[i], _ = l.Execute(context.Background(), requestOf(fmt.Sprint(i%4), yes)) })
	}
	wg.Wait()
	for i, r := range receipts {
		if r != receipts[i%4] || r.Position == 0 {
			t.Errorf("request %d: %v and %v", i%4, receipts[i%4], r)
		}
	}
	check(t, w, 4)
}

// A store that fails an append may or may not have done it: asked again, the
// ledger gives one answer.
func TestALostAnswerIsFoundAgain(t *testing.T) {
	for name, persist := range map[string]bool{"nothing was written": false, "everything was written": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			begin(t, w.open(t))
			good := w.store
			w.store = &faulty{Store: good, persist: persist}
			l := w.open(t)
			if _, err := l.Execute(t.Context(), requestOf("r1", yes)); !errors.Is(err, errLost) {
				t.Fatalf("got %v", err)
			}
			w.store = good
			must(t, w.open(t), requestOf("r1", yes))
			check(t, w, 1)
		})
	}
}

func TestNoOutsideIDEntersTheLog(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	r := requestOf("id-of-the-request", domain.WithdrawConsent{Scope: policy.Scope{All: true}, Details: "said-in-private"})
	r.Person.ID, r.Source = "ada-lovelace", "device-of-ada"
	must(t, l, r)
	for rec, err := range w.store.ReadAll(t.Context(), 0) {
		for _, secret := range []string{"ada-lovelace", "device-of-ada", "id-of-the-request", "said-in-private"} {
			if err != nil || strings.Contains(string(rec.Data), secret) || strings.Contains(string(rec.Stream), secret) {
				t.Errorf("position %d holds %q: %s, %v", rec.Position, secret, rec.Data, err)
			}
		}
	}
}

// check reads everything from outside: want facts about persons, each stream
// in order and bound to its person by its first record.
func check(t *testing.T, w *world, want int) {
	t.Helper()
	n, last, seen := 0, eventstore.Position(0), map[ident.StreamID]eventstore.Revision{}
	for e, err := range w.open(t).Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Position <= last || e.Revision != seen[e.Stream]+1 {
			t.Errorf("entry out of order: %+v", e)
		}
		last, seen[e.Stream] = e.Position, e.Revision
		if e.Stream.Noun != ident.SubjectNoun {
			continue
		}
		n++
		if bound := len(e.Parts) > 0 && e.Parts[0].Role == "binding"; bound != (e.Revision == 1) {
			t.Errorf("revision %d bound: %v", e.Revision, bound)
		}
	}
	if n != want {
		t.Errorf("the ledger holds %d facts about persons, want %d", n, want)
	}
}

var errLost = errors.New("answer lost")

type faulty struct {
	eventstore.Store
	persist bool
}

func (f *faulty) Append(ctx context.Context, s eventstore.Stream, rev eventstore.Revision, r ...eventstore.Record) (eventstore.Position, error) {
	if f.persist {
		if _, err := f.Store.Append(ctx, s, rev, r...); err != nil {
			return 0, err
		}
	}
	return 0, errLost
}

func TestAskingTooSoonAfterANoOfALinkedHistory(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	device := requestOf("no", domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}})
	device.Person = ident.PersonKey{Kind: "device", ID: "phone"}
	must(t, l, device)
	w.now += 1000
	link := requestOf("link", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	link.Other = device.Person
	must(t, l, link)
	for _, tt := range []struct {
		id   string
		wait deadline.Span
		soon bool
	}{{"at once", deadline.Hour, true}, {"later", policy.QuietPeriod, false}} {
		w.now = w.now.Add(tt.wait)
		asked := must(t, l, requestOf(tt.id, domain.RequestConsent{Purposes: []policy.PurposeID{"ads"}, Reason: "reminder"}))
		for e, err := range l.Replay(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if x, ok := e.Event.(domain.ConsentRequested); ok && e.ID == asked.Event && x.TooSoon != tt.soon {
				t.Errorf("asking the account %s after the device refused: too soon is %v", tt.id, x.TooSoon)
			}
		}
	}
}

// TestWhatAnotherProcessPublishedIsKnownHere lets one process publish, and say an
// opt-out, while another has all that it knows in memory.
func TestWhatAnotherProcessPublishedIsKnownHere(t *testing.T) {
	w := newWorld()
	one := w.open(t)
	begin(t, one)
	must(t, one, requestOf("r1", yes))
	other := w.open(t)
	status(t, other, w) // it knows the app, its policy and the person

	next := document
	next.Acts = append(next.Acts[:1:1], policy.Act{ID: "confirm", Title: "Confirm", Section: "XI", Counts: policy.GeneralConsent})
	version, err := policydoc.Hash(next)
	if err != nil {
		t.Fatal(err)
	}
	publish := requestOf("p2", domain.PublishPolicy{Version: version, Document: next})
	w.now += 1000
	must(t, one, publish)
	w.now += 1000
	confirm := domain.GiveConsent{Act: "confirm", Policy: "privacy", Version: version}
	ben := requestOf("r2", confirm)
	ben.Person.ID = "ben"
	must(t, other, ben) // it looks again before it says that there is no such version

	w.now += 1000
	must(t, one, requestOf("r3", no))
	w.now += 1000
	third := next
	third.QuietHours = 1
	if version, err = policydoc.Hash(third); err != nil {
		t.Fatal(err)
	}
	must(t, one, requestOf("p3", domain.PublishPolicy{Version: version, Document: third}))
	follow(t, other)
	if got := status(t, other, w); got != domain.Withdrawn {
		t.Errorf("whoever follows the log still says %v", got)
	}
	ref, err := other.App(t.Context(), "demo")
	if now, ok := ref.Policies.InForce("", w.now); err != nil || !ok || now.Version != version {
		t.Errorf("the policy in force is %v, want %v, %v", now.Version, version, err)
	}
	if _, err := other.Execute(t.Context(), requestOf("r4", domain.GiveConsent{Act: "never", Policy: "privacy", Version: version})); code(err) != refusal.UnknownAct {
		t.Error(err)
	}
}

// follow reads the log up to its end.
func follow(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for list, err := range l.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if list[len(list)-1].Position >= head {
			return
		}
	}
}
