package lapse_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/lapse"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A world is a ledger whose clock is ahead of the machine's by so much.
type world struct {
	*ledger.Ledger
	t       testing.TB
	store   eventstore.Store
	rows    eventstore.Rows
	vault   *vault.Vault
	ahead   atomic.Int64 // milliseconds
	nobody  atomic.Bool  // is to be told
	n       int
	current content.Hash
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, new(memory.Store), new(memory.Rows))
}

func newWorldOn(t testing.TB, store eventstore.Store, rows eventstore.Rows) *world {
	t.Helper()
	w := &world{t: t, store: store, rows: rows}
	var err error
	if w.vault, err = vault.Open(t.Context(), rows, vault.NewMemoryKeys()); err != nil {
		t.Fatal(err)
	}
	w.Ledger = w.open()
	w.say("", domain.RegisterApp{App: domain.App{
		Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"},
	}})
	w.publish(1)
	return w
}

// open opens the ledger as another process would.
func (w *world) open() *ledger.Ledger {
	w.t.Helper()
	l, err := ledger.Open(context.Background(), ledger.Config{
		Store: w.store, Vault: w.vault, Shared: true,
		Now: func() deadline.Instant { return deadline.At(time.Now()) + deadline.Instant(w.ahead.Load()) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// say records something, and returns the id of its record.
func (w *world) say(person string, cmd domain.Command) eventstore.EventID {
	w.t.Helper()
	w.n++
	req := ledger.Request{
		App: "demo", Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: cmd,
	}
	if person != "" {
		req.Person = ident.PersonKey{Kind: "account", ID: person}
	}
	receipt, err := w.Execute(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt.Event
}

// publish publishes a version that makes consents to purposes stale, and lets it bind.
func (w *world) publish(number int, stale ...policy.PurposeID) {
	w.t.Helper()
	d := policy.Document{
		Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Title: []policy.LocalText{{Locale: "en", Text: fmt.Sprint("Privacy ", number)}},
		Purposes: []policy.Purpose{
			{ID: "ads", Title: "Ads", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}},
			{ID: "maps", Title: "Maps", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}},
			{ID: "short", Title: "For a month", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}, ConsentLasts: 1},
		},
		Categories: []policy.Category{{ID: "clicks", Title: "Clicks"}},
		Acts:       []policy.Act{{ID: "agree", Title: "Agree", Counts: policy.GeneralConsent}},
		Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 15, ChildBelowLaw: 14},
		Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Sample}},
	}
	var err error
	if w.current, err = policydoc.Hash(d); err != nil {
		w.t.Fatal(err)
	}
	var material []string
	if len(stale) > 0 {
		material = []string{"purpose"}
	}
	w.say("", domain.PublishPolicy{Version: w.current, Document: d, Stale: stale, Material: material})
	w.say("", domain.Say{Event: domain.PolicyEffective{Version: w.current}})
}

func (w *world) give(person string, until deadline.Instant, purposes ...policy.PurposeID) eventstore.EventID {
	w.t.Helper()
	return w.say(person, domain.GiveConsent{Policy: "privacy", Act: "agree", Version: w.current, Purposes: purposes, Until: until})
}

// after is a moment, a while from now.
func (w *world) after(d time.Duration) deadline.Instant {
	return w.Now() + deadline.Instant(d/time.Millisecond)
}

// follow starts a process that follows, and returns how to stop it.
func (w *world) follow(l lapse.Ledger) (f *lapse.Follower, stop func()) {
	f = &lapse.Follower{
		Ledger: l, Rows: w.rows, Log: slog.New(slog.DiscardHandler),
		Wanted: func(context.Context) (bool, error) { return !w.nobody.Load(), nil },
	}
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() {
		if err := f.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); workers.Wait() })
	w.t.Cleanup(stop)
	return f, stop
}

// said returns what is recorded of consents that ended, in the order of the log.
func (w *world) said() (all []string) {
	w.t.Helper()
	for e, err := range w.Replay(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		n, is := e.Event.(domain.Noted)
		if !is || n.Kind != catalog.ConsentExpired && n.Kind != catalog.ConsentStale {
			continue
		}
		who, _, err := w.Outside(w.t.Context(), "demo", e.Stream.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, fmt.Sprint(strings.TrimPrefix(string(n.Kind), "consent."), " ", who.ID, " ", n.Field("purposes")))
	}
	return all
}

func (w *world) expect(want ...string) {
	w.t.Helper()
	if got := w.said(); !slices.Equal(got, want) {
		w.t.Errorf("said %q, want %q", got, want)
	}
}

// bubble runs a test in which time passes when everybody waits.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestAConsentThatEndsIsSaidToOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		_, stop := w.follow(w.open())
		synctest.Wait()
		end := w.after(time.Hour)
		grant := w.give("ada", end, "ads", "maps")
		w.give("bob", 0, "ads")
		w.give("cai", w.after(time.Hour), "ads")
		w.say("cai", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
		time.Sleep(time.Hour - 2*time.Second)
		synctest.Wait()
		w.expect()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		w.expect("expired ada ads,maps")

		stop()
		w.follow(w.open())
		w.follow(w.open()) // two at once
		time.Sleep(time.Hour)
		synctest.Wait()
		w.expect("expired ada ads,maps")
		for e := range w.Replay(t.Context(), 0) {
			if n, is := e.Event.(domain.Noted); is {
				if e.At != end || e.Recorded < end || e.RecordedBy != ident.Ledger || n.Field("consent") != grant.String() {
					t.Errorf("%+v", e)
				}
			}
		}
	})
}

// TestWhatThePolicyAndTheLawEnd is said too: a period that the policy gives, one use, and
// a child's coming of age.
func TestWhatThePolicyAndTheLawEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.follow(w.open())
		synctest.Wait()
		w.give("ada", 0, "ads", "short")
		once := w.say("bob", domain.GiveConsent{Policy: "privacy", Act: "agree", Version: w.current, Purposes: []policy.PurposeID{"ads"}, Once: true})
		w.say("bob", domain.Say{Event: domain.ConsentUsed{Consents: []ident.EventID{ident.EventID(once)}}})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.expect("expired bob ads")
		w.ahead.Store(int64(33 * 24 * time.Hour / time.Millisecond))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.expect("expired bob ads", "expired ada short")
	})
}

// TestAVersionMakesConsentsStale of those whom it concerns, and of nobody a second time.
func TestAVersionMakesConsentsStale(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.follow(w.open())
		synctest.Wait()
		first := w.current
		w.give("ada", 0, "ads", "maps")
		w.give("bob", 0, "maps")
		w.give("cai", 0, "ads")
		w.say("cai", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
		w.publish(2, "ads")
		w.give("dora", 0, "ads")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.expect("stale ada ads")

		w.publish(3) // nothing material
		w.publish(4, "maps")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		got := w.said()
		slices.Sort(got)
		if want := []string{"stale ada ads", "stale ada maps", "stale bob maps"}; !slices.Equal(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}

		// One that comes late is to a text that is not enough any more.
		w.say("emil", domain.GiveConsent{Policy: "privacy", Act: "agree", Version: first, Purposes: []policy.PurposeID{"ads"}})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.said(); !slices.Contains(got, "stale emil ads") || len(got) != 4 {
			t.Errorf("said %q", got)
		}
	})
}

// TestItBeginsWhenSomebodyIsTold: what ended before is told to nobody, and what ends while
// nobody is told any more is told when somebody is again.
func TestItBeginsWhenSomebodyIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.nobody.Store(true)
		f, _ := w.follow(w.open())
		w.give("ada", w.after(time.Minute), "ads")
		w.give("bob", w.after(time.Hour), "ads")
		w.give("cai", 0, "maps")
		w.publish(2, "maps")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.expect()
		if at, err := f.State(); at != 0 || err != nil {
			t.Errorf("nobody is told, and the log was read up to %d: %v", at, err)
		}

		w.nobody.Store(false)
		time.Sleep(30 * time.Minute)
		w.nobody.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		w.expect()
		w.nobody.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.expect("expired bob ads")
	})
}

// TestAClockThatIsSet forward lets consents end, and set back again lets none end twice.
func TestAClockThatIsSet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.follow(w.open())
		synctest.Wait()
		w.give("ada", w.after(time.Hour), "ads")
		w.ahead.Store(int64(2 * time.Hour / time.Millisecond))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.expect("expired ada ads")
		w.ahead.Store(int64(-2 * time.Hour / time.Millisecond))
		w.give("bob", w.after(5*time.Hour), "ads")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.expect("expired ada ads")
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		w.expect("expired ada ads", "expired bob ads")
	})
}

// TestAnErasedPersonIsNotLookedFor any more.
func TestAnErasedPersonIsNotLookedFor(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.follow(w.open())
		synctest.Wait()
		w.give("ada", w.after(time.Hour), "ads")
		w.give("bob", 0, "ads")
		for _, who := range []string{"ada", "bob"} {
			w.n++
			_, err := w.Erase(t.Context(), ledger.Request{
				App: "demo", Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test",
				Person: ident.PersonKey{Kind: "account", ID: who}, Command: domain.OrderErasure{Reason: "request", By: [2]string{"operator:ann", "operator:ben"}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		w.publish(2, "ads")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		w.expect()
		for row, err := range w.rows.Scan(t.Context(), []byte("lapse/1/")) {
			if err != nil || !strings.HasPrefix(string(row.Key), "lapse/1/at") {
				t.Errorf("row %s is left, %v", row.Key, err)
			}
		}
	})
}

// A breaking ledger fails at a moment, with or without what it was asked to do.
type breaking struct {
	*ledger.Ledger
	left    atomic.Int64
	written bool
}

var errBroken = errors.New("broken for a test")

func (b *breaking) ExecuteOn(ctx context.Context, s ident.StreamID, req ledger.Request) (ledger.Receipt, error) {
	if b.left.Add(-1) >= 0 {
		return b.Ledger.ExecuteOn(ctx, s, req)
	}
	if b.written {
		if _, err := b.Ledger.ExecuteOn(ctx, s, req); err != nil {
			return ledger.Receipt{}, err
		}
	}
	return ledger.Receipt{}, errBroken
}

// TestAProcessThatDiesIsFollowed by one that finishes what it had begun, wherever it was.
func TestAProcessThatDiesIsFollowed(t *testing.T) {
	const persons = 40
	for _, written := range []bool{false, true} {
		for _, after := range []int64{0, 1, 17, 39} {
			t.Run(fmt.Sprintf("after %d, written %t", after, written), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					_, stop := w.follow(w.open())
					synctest.Wait()
					var want []string
					for i := range persons {
						who := fmt.Sprintf("p%02d", i)
						w.give(who, 0, "ads")
						want = append(want, "stale "+who+" ads")
					}
					synctest.Wait()
					stop()
					w.publish(2, "ads")

					b := &breaking{Ledger: w.open(), written: written}
					b.left.Store(after)
					f, stop := w.follow(b)
					time.Sleep(5 * time.Second)
					synctest.Wait()
					if _, err := f.State(); !errors.Is(err, errBroken) {
						t.Errorf("it says %v", err)
					}
					stop()
					w.follow(w.open())
					time.Sleep(5 * time.Second)
					synctest.Wait()
					got := w.said()
					slices.Sort(got)
					if !slices.Equal(got, want) {
						t.Errorf("said %q", got)
					}
				})
			})
		}
	}
}
