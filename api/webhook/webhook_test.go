package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/go-json-experiment/json"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A world is a ledger with webhooks.
type world struct {
	*ledger.Ledger
	t     *testing.T
	hooks *Hooks
	vault *vault.Vault
	n     int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	rows := new(memory.Rows)
	var err error
	if w.vault, err = vault.Open(t.Context(), rows, vault.NewMemoryKeys()); err != nil {
		t.Fatal(err)
	}
	w.Ledger, err = ledger.Open(t.Context(), ledger.Config{
		Store: new(memory.Store), Vault: w.vault, Now: func() deadline.Instant { return deadline.At(time.Now()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range []ident.AppName{"demo", "other"} {
		w.record(app, "", domain.RegisterApp{App: domain.App{
			Name: app, Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"},
		}})
	}
	w.hooks = &Hooks{
		Ledger: w.Ledger, Rows: rows, Private: true, Log: slog.New(slog.DiscardHandler),
		Seal: func(ctx context.Context, app, id string, plain []byte) ([]byte, error) {
			k, err := w.vault.AppKey(ctx, app)
			if err != nil {
				return nil, err
			}
			return k.Seal([]byte(id), plain), nil
		},
		Unseal: func(ctx context.Context, app, id string, sealed []byte) ([]byte, error) {
			k, err := w.vault.AppKey(ctx, app)
			if err != nil {
				return nil, err
			}
			return k.Unseal([]byte(id), sealed)
		},
		Pace: Pace{First: time.Millisecond, Last: 4 * time.Millisecond, Failures: 5, Look: 10 * time.Millisecond, Answer: time.Minute},
	}
	return w
}

func (w *world) record(app ident.AppName, person string, cmd domain.Command) {
	w.t.Helper()
	w.n++
	req := ledger.Request{
		App: app, Source: "test", ID: strconv.Itoa(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: cmd,
	}
	if person != "" {
		req.Person = ident.PersonKey{Kind: "account", ID: person}
	}
	if _, err := w.Execute(w.t.Context(), req); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) withdraw(person string) {
	w.t.Helper()
	w.record("demo", person, domain.WithdrawConsent{Scope: policy.Scope{All: true}})
}

// run sends until the test ends, or stop is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := w.hooks.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	stop = func() { cancel(); all.Wait() }
	w.t.Cleanup(stop)
	return stop
}

func (w *world) add(url string, after eventstore.Position) (Hook, string) {
	w.t.Helper()
	h, secret, err := w.hooks.Add(w.t.Context(), "demo", Wish{URL: url, After: &after, By: "p-1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return h, secret
}

func (w *world) hook(id string) Hook {
	w.t.Helper()
	s, err := w.hooks.one(w.t.Context(), "demo", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Hook
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

// A receiver takes events as an app would, with the official library.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	secret  string
	answers []int // to the first requests; then 200
	got     []wire.ConsentChange
	wrong   []error
	asked   int
}

func newReceiver(t *testing.T, answers ...int) *receiver {
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if len(r.answers) > 0 {
		status := r.answers[0]
		r.answers = r.answers[1:]
		w.WriteHeader(status)
		return
	}
	var event wire.ConsentChange
	if err == nil {
		var check *standardwebhooks.Webhook
		if check, err = standardwebhooks.NewWebhook(r.secret); err == nil {
			err = check.Verify(body, req.Header)
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	if err == nil && event.ID != req.Header.Get("webhook-id") {
		err = fmt.Errorf("the event %s came as %s", event.ID, req.Header.Get("webhook-id"))
	}
	if err != nil {
		r.wrong = append(r.wrong, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.got = append(r.got, event)
}

func (r *receiver) keep(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret = secret
}

func (r *receiver) people() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.got {
		all = append(all, strings.TrimPrefix(e.Data.Person, "account:"))
	}
	return all
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// TestWhatFailsIsSentAgainInOrder: an event waits for the one before it, however often
// that fails.
func TestWhatFailsIsSentAgainInOrder(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t, 500, 503, 429)
	h, secret := w.add(r.URL, 0)
	r.keep(secret)
	for _, who := range []string{"ada", "bob", "cai"} {
		w.withdraw(who)
	}
	w.record("other", "dan", domain.WithdrawConsent{Scope: policy.Scope{All: true}}) // is another app's
	stop := w.run()
	w.until("three are taken", func() bool { return len(r.people()) == 3 })
	if got := r.people(); !slices.Equal(got, []string{"ada", "bob", "cai"}) {
		t.Errorf("got %q", got)
	}
	if len(r.wrong) > 0 || r.requests() != 6 {
		t.Errorf("%d requests, wrong: %v", r.requests(), r.wrong)
	}

	// A restart goes on behind what was taken.
	last, err := wire.ParsePosition(r.got[2].Data.Position)
	if err != nil {
		t.Fatal(err)
	}
	w.until("it says how far it is", func() bool { return w.hook(h.ID).Position >= last && w.hook(h.ID).Failures == 0 })
	stop()
	w.withdraw("eve")
	w.run()
	w.until("the fourth is taken", func() bool { return len(r.people()) >= 4 })
	if got := r.people(); !slices.Equal(got, []string{"ada", "bob", "cai", "eve"}) {
		t.Errorf("after a restart got %q", got)
	}
}

// TestAWebhookThatFailsTooOftenIsPaused, goes on where it stopped once it is resumed, and
// can be set back.
func TestAWebhookThatFailsTooOftenIsPaused(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t, 500, 500, 500, 500, 500)
	h, secret := w.add(r.URL, 0)
	r.keep(secret)
	w.withdraw("ada")
	w.run()
	w.until("it is paused", func() bool { return !w.hook(h.ID).Paused.IsZero() })
	if now := w.hook(h.ID); now.Why != Failing || now.Failures != 5 || now.Last != "the receiver answered 500" || now.State() != "paused" {
		t.Errorf("%+v", now)
	}

	w.withdraw("bob")
	if _, err := w.hooks.Resume(t.Context(), "demo", h.ID); err != nil {
		t.Fatal(err)
	}
	w.until("both are taken", func() bool { return slices.Equal(r.people(), []string{"ada", "bob"}) })
	w.until("it is well", func() bool { return w.hook(h.ID).State() == "well" })

	if _, err := w.hooks.Replay(t.Context(), "demo", h.ID, 0); err != nil {
		t.Fatal(err)
	}
	w.until("both are taken again", func() bool { return slices.Equal(r.people(), []string{"ada", "bob", "ada", "bob"}) })
	if r.got[0].ID != r.got[2].ID {
		t.Errorf("sent again as %s, before as %s", r.got[2].ID, r.got[0].ID)
	}
	if _, err := w.hooks.Replay(t.Context(), "demo", h.ID, 1<<40); err == nil {
		t.Error("it is set back to a position that nobody gave out")
	}
	if err := w.hooks.Remove(t.Context(), "demo", h.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.hooks.Pause(t.Context(), "demo", h.ID); !errors.Is(err, ErrNone) {
		t.Errorf("a webhook that was removed is paused: %v", err)
	}
}

// TestWhoAnswers410IsNotAskedAgain.
func TestWhoAnswers410IsNotAskedAgain(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t, http.StatusGone)
	h, _ := w.add(r.URL, 0)
	w.withdraw("ada")
	w.run()
	w.until("it is paused", func() bool { return w.hook(h.ID).Why == Gone })
	w.withdraw("bob")
	if n := r.requests(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestARedirectIsNotFollowed: where it leads, nothing comes.
func TestARedirectIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	elsewhere := newReceiver(t)
	from := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(from.Close)
	h, _ := w.add(from.URL, 0)
	w.withdraw("ada")
	w.run()
	w.until("it fails", func() bool { return strings.Contains(w.hook(h.ID).Last, "307") })
	if n := elsewhere.requests(); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}

// TestWhoIsSlowIsLeft after a while, and other webhooks do not wait for it.
func TestWhoIsSlowIsLeft(t *testing.T) {
	w := newWorld(t)
	w.hooks.Pace.Answer = time.Second // in which the other one answers
	leave := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-leave:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(leave) })
	r := newReceiver(t)
	h, _ := w.add(slow.URL, 0)
	_, secret := w.add(r.URL, 0)
	r.keep(secret)
	w.withdraw("ada")
	w.run()
	w.until("the other has it", func() bool { return len(r.people()) == 1 })
	w.until("it fails", func() bool { return w.hook(h.ID).Last == "the receiver did not answer in time" })
}

// TestARotatedSecretOverlaps: for a while both sign, then the older one does not.
func TestARotatedSecretOverlaps(t *testing.T) {
	w := newWorld(t)
	w.hooks.Pace.Failures = 1000 // what the newest secret signs fails until the receiver has it
	r := newReceiver(t)
	h, first := w.add(r.URL, 0)
	_, second, err := w.hooks.Rotate(t.Context(), "demo", h.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.run()
	for i, secret := range []string{first, second} {
		r.keep(secret)
		w.withdraw("ada" + strconv.Itoa(i))
		w.until("it is taken by either", func() bool { return len(r.people()) == i+1 })
	}

	_, third, err := w.hooks.Rotate(t.Context(), "demo", h.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.until("the others are gone", func() bool { s, err := w.hooks.one(t.Context(), "demo", h.ID); return err == nil && len(s.keys) == 1 })
	before := r.requests()
	w.withdraw("bob")
	w.until("the second does not sign any more", func() bool { return r.requests() > before })
	r.mu.Lock()
	wrong := len(r.wrong)
	r.mu.Unlock()
	if wrong == 0 {
		t.Error("a secret that has ended still signs")
	}
	r.keep(third)
	w.until("the third does", func() bool { return len(r.people()) == 3 })
}

// TestTwoRotationsAtOnce leave one secret that goes on, and bring back none that is destroyed.
func TestTwoRotationsAtOnce(t *testing.T) {
	w := newWorld(t)
	h, _ := w.add(newReceiver(t).URL, 0)
	before, err := w.hooks.one(t.Context(), "demo", h.ID)
	if err != nil {
		t.Fatal(err)
	}

	// The slower one has read the secrets, and makes its own, when the other one is done.
	seal, other := w.hooks.Seal, false
	w.hooks.Seal = func(ctx context.Context, app, id string, plain []byte) ([]byte, error) {
		if !other {
			other = true
			if _, _, err := w.hooks.Rotate(ctx, "demo", h.ID, 0); err != nil {
				t.Error(err)
			}
		}
		return seal(ctx, app, id, plain)
	}
	if _, _, err := w.hooks.Rotate(t.Context(), "demo", h.ID, time.Hour); err != nil {
		t.Fatal(err)
	}

	s, err := w.hooks.one(t.Context(), "demo", h.ID)
	if err != nil {
		t.Fatal(err)
	}
	goOn := 0
	for _, key := range s.keys {
		for _, destroyed := range before.keys {
			if bytes.Equal(key.Sealed, destroyed.Sealed) {
				t.Error("a secret that was destroyed is back")
			}
		}
		if key.Until == 0 {
			goOn++
		}
	}
	if goOn != 1 || len(s.keys) != 2 {
		t.Errorf("of %d secrets %d go on, want one of two", len(s.keys), goOn)
	}
}

// TestAnErasedPersonIsNotNamed, also of an event that waited to be sent.
func TestAnErasedPersonIsNotNamed(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	_, secret := w.add(r.URL, 0)
	r.keep(secret)
	w.withdraw("ada")
	w.n++
	if _, err := w.Erase(t.Context(), ledger.Request{
		App: "demo", Source: "test", ID: strconv.Itoa(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test",
		Person:  ident.PersonKey{Kind: "account", ID: "ada"},
		Command: domain.OrderErasure{Reason: "request", By: [2]string{"operator:ann", "operator:ben"}},
	}); err != nil {
		t.Fatal(err)
	}
	w.withdraw("bob")
	w.run()
	w.until("both are taken", func() bool { return len(r.people()) == 2 })
	if got := r.people(); got[0] != "" || got[1] != "bob" {
		t.Errorf("got %q", got)
	}
	if r.got[0].Data.Pseudonym == "" {
		t.Error("it has no pseudonym")
	}
}

// TestNothingGoesWhereOnlyTheLedgerCan: not when a webhook is added, and not when the name
// leads there when it is dialled.
func TestNothingGoesWhereOnlyTheLedgerCan(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(r.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "https://"), ":")
	w.hooks.Private = false
	h, _ := w.add("https://localhost:"+port, 0) // a name, which may lead anywhere
	w.withdraw("ada")
	w.run()
	w.until("it fails", func() bool { return w.hook(h.ID).Last == errPrivate.Error() })

	for url, want := range map[string]string{
		"http://shop.example.com/":         "want https",
		"https://127.0.0.1/":               "not of the internet",
		"https://[::1]:8443/":              "not of the internet",
		"https://10.1.2.3/":                "not of the internet",
		"https://u:p@shop.example.com/":    "name or password",
		"https://shop.example.com/#x":      "behind a #",
		"shop.example.com":                 "absolute URL",
		"https:///consents":                "absolute URL",
		"ftp://shop.example.com/":          "want https",
		"https://[::ffff:169.254.1.1]/":    "not of the internet",
		"https://[64:ff9b::7f00:1]/events": "not of the internet",
	} {
		_, _, err := w.hooks.Add(t.Context(), "demo", Wish{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, _, err := w.hooks.Add(t.Context(), "demo", Wish{URL: "https://shop.example.com/", Types: []string{"consent.lost"}}); err == nil {
		t.Error("a type that is not told is taken")
	}
	if _, _, err := w.hooks.Add(t.Context(), "demo", Wish{URL: "https://shop.example.com/", Types: []string{"obligation.overdue"}}); err != nil {
		t.Error(err)
	}
}

// TestAWebhookOfBeforeIsHeldToTheRules: one that was added while all was allowed names no
// persons in the clear once it is not.
func TestAWebhookOfBeforeIsHeldToTheRules(t *testing.T) {
	w := newWorld(t)
	h, _ := w.add("http://shop.example.com/", 0)
	w.hooks.Private = false
	w.withdraw("ada")
	w.run()
	w.until("it fails", func() bool { return w.hook(h.ID).Last == errPlain.says })
}

// TestWhatAReceiverSendsBackIsNotKept: what is no answer of HTTP may be what was sent.
func TestWhatAReceiverSendsBackIsNotKept(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "account:ada is no status line\r\n\r\n")
			c.Close()
		}
	}()
	h, _ := w.add("http://"+l.Addr().String(), 0)
	w.withdraw("ada")
	w.run()
	w.until("it is paused", func() bool { return w.hook(h.ID).Why == Failing })
	if last := w.hook(h.ID).Last; last == "" || strings.Contains(last, "ada") {
		t.Errorf("it keeps %q", last)
	}
}
