package lapse_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/lapse"
	"consentledger/api/nats/outbox"
	"consentledger/api/webhook"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore/memory"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A listener is an app that hears of consents by HTTP, with the official library.
type listener struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	secret string
	away   int // so many requests are not taken
	got    []wire.ConsentChange
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away > 0 {
		l.away--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	check, bad := standardwebhooks.NewWebhook(l.secret)
	var c wire.ConsentChange
	if err != nil || bad != nil || check.Verify(body, r.Header) != nil || json.Unmarshal(body, &c) != nil {
		l.t.Errorf("what came is no event: %v, %v", err, bad)
		return
	}
	l.got = append(l.got, c)
}

func (l *listener) heard() []wire.ConsentChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// TestAppsAreTold of consents that ended, on NATS and by HTTP alike: in the order of the
// log, with the person's id as the app sent it, and once, although the process that
// tells is started again in between.
func TestAppsAreTold(t *testing.T) {
	w := newWorld(t)
	ns, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server is not ready")
	}

	rows := new(memory.Rows)
	hooks := &webhook.Hooks{
		Ledger: w.open(), Rows: rows, Private: true, Log: slog.New(slog.DiscardHandler),
		Seal:   func(_ context.Context, _, _ string, plain []byte) ([]byte, error) { return plain, nil },
		Unseal: func(_ context.Context, _, _ string, sealed []byte) ([]byte, error) { return sealed, nil },
		Pace:   webhook.Pace{First: time.Millisecond, Last: 4 * time.Millisecond, Failures: 100, Look: 10 * time.Millisecond},
	}
	l := &listener{t: t, away: 3}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	head, err := w.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := hooks.Add(t.Context(), "demo", webhook.Wish{URL: l.URL, After: &head, By: "p-1"})
	if err != nil {
		t.Fatal(err)
	}
	l.secret = secret

	start := func() (stop func()) {
		nc, err := nats.Connect("", nats.InProcessServer(ns))
		if err != nil {
			t.Fatal(err)
		}
		box := &outbox.Outbox{Conn: nc, Ledger: w.open(), Topic: outbox.Consents, Rows: rows, Apart: true, Log: slog.New(slog.DiscardHandler)}
		f := &lapse.Follower{
			Ledger: w.open(), Rows: rows, Look: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
			Wanted: func(context.Context) (bool, error) { return true, nil },
		}
		ctx, cancel := context.WithCancel(context.Background())
		var workers sync.WaitGroup
		for _, run := range []func(context.Context) error{box.Run, f.Run, hooks.Run} {
			workers.Go(func() {
				if err := run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		until(t, "all are told from now on", func() bool {
			told, err := box.State()
			read, bad := f.State()
			return told >= head && read >= head && err == nil && bad == nil
		})
		return sync.OnceFunc(func() { cancel(); workers.Wait(); nc.Close() })
	}

	stop := start()
	ada := w.give("ada", w.after(time.Hour), "ads")
	bob := w.give("bob", 0, "ads", "maps")
	w.ahead.Store(int64(2 * time.Hour / time.Millisecond))
	until(t, "the consent that expired is told", func() bool { return len(l.heard()) == 3 })
	until(t, "it is noted that it was taken", func() bool { // else it is told again
		head, err := w.Head(t.Context())
		if err != nil {
			return false
		}
		list, err := hooks.List(t.Context(), "demo")
		return err == nil && list[0].Position >= head
	})
	stop()
	first := w.current
	w.publish(2, "ads")
	stop = start()
	until(t, "the one that is stale is told", func() bool { return len(l.heard()) == 4 })
	w.say("bob", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	until(t, "what comes then is told", func() bool { return len(l.heard()) == 5 })
	until(t, "and on NATS", func() bool { return len(messages(t, ns)) == 5 })
	stop()

	want := []string{
		"consent.given account:ada ads ",
		"consent.given account:bob ads,maps ",
		"consent.expired account:ada ads " + ada.String(),
		"consent.stale account:bob ads " + bob.String(),
		"consent.withdrawn account:bob  ",
	}
	byHTTP, byNATS := l.heard(), messages(t, ns)
	for road, told := range map[string][]wire.ConsentChange{"HTTP": byHTTP, "NATS": byNATS} {
		var got []string
		for _, c := range told {
			got = append(got, fmt.Sprint(c.Type, " ", c.Data.Person, " ", strings.Join(c.Data.Purposes, ","), " ", c.Data.Consent))
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %s %q, want %q", road, got, want)
		}
	}
	for i := range min(len(byHTTP), len(byNATS)) {
		if byHTTP[i].ID != byNATS[i].ID || byHTTP[i].Data.Position != byNATS[i].Data.Position {
			t.Errorf("by HTTP %+v, on NATS %+v", byHTTP[i], byNATS[i])
		}
	}
	if stale := byNATS[3].Data; stale.Policy != "privacy" || stale.Version != w.current.String() || stale.Version == first.String() {
		t.Errorf("stale since %+v", stale)
	}
}

// messages returns what the stream of consents holds.
func messages(t *testing.T, ns *server.Server) (all []wire.ConsentChange) {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), outbox.ChangesStream)
	if err != nil {
		return nil
	}
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq && seq > 0; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		var c wire.ConsentChange
		if err := json.Unmarshal(m.Data, &c); err != nil || m.Subject != "consent.v1.demo.out."+c.Type {
			t.Errorf("on %s: %v", m.Subject, err)
		}
		all = append(all, c)
	}
	return all
}

// until waits for a state.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
