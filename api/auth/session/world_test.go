package session_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/roles"
	"consentledger/api/auth/session"
	"consentledger/api/dashboard"
	"consentledger/api/edge"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/oauth2-proxy/mockoidc"
)

const groups = `
claim: groups
groups:
  - group: shop-privacy
    roles: [privacy-officer]
    apps: [shop]
  - group: shop-support
    roles: [support-agent]
    apps: [shop]
`

// A world is a ledger's rows and a clock that the test moves, an identity provider that
// runs, and as many processes as the test starts.
type world struct {
	*testing.T
	rows   eventstore.Rows
	idp    *mockoidc.MockOIDC
	ledger *ledger.Ledger
	names  auth.Pseudonyms

	mu     sync.Mutex
	at     deadline.Instant
	roles  *roles.File
	revoke string // where the provider says that it takes tokens back; empty: nowhere
}

func newWorld(t *testing.T, rows eventstore.Rows) *world {
	t.Helper()
	w := &world{T: t, rows: rows, at: deadline.At(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if w.idp, err = mockoidc.NewServer(key); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.idp.AddMiddleware(w.saysRevocation); err != nil {
		t.Fatal(err)
	}
	if err := w.idp.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.idp.Shutdown() })

	persons := new(memory.Rows)
	v, err := vault.Open(t.Context(), persons, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	if w.ledger, err = ledger.Open(t.Context(), ledger.Config{Store: new(memory.Store), Vault: v, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	_, err = w.ledger.Execute(t.Context(), ledger.Request{
		App: "shop", Source: "test", ID: "app", Body: []byte("x"), Actor: "operator", RecordedBy: "test",
		Command: domain.RegisterApp{App: domain.App{Name: "shop", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.names, err = auth.OpenPseudonyms(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	w.grant(groups)
	return w
}

// saysRevocation adds to what the provider says of itself where it takes tokens back, which
// mockoidc does not do.
func (w *world) saysRevocation(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		at := w.revoke
		w.mu.Unlock()
		if at == "" || !strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
			next.ServeHTTP(rw, r)
			return
		}
		var says map[string]any
		said := httptest.NewRecorder()
		next.ServeHTTP(said, r)
		if err := json.Unmarshal(said.Body.Bytes(), &says); err != nil {
			w.Error(err)
		}
		says["revocation_endpoint"] = at
		rw.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(rw).Encode(says); err != nil {
			w.Error(err)
		}
	})
}

func (w *world) now() deadline.Instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at += deadline.Instant(d.Milliseconds())
}

// grant changes the file of roles.
func (w *world) grant(text string) {
	w.Helper()
	f, err := roles.Parse([]byte(text))
	if err != nil {
		w.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roles = f
}

// A process is one of a ledger's: it shares with others the rows alone.
type process struct {
	*world
	*session.Sessions
	keys *auth.Keys
	url  string
	home http.Handler // the pages, without what guards them

	refused, in, out atomic.Int64
	why              atomic.Pointer[session.Why]
}

func (w *world) process() *process { return w.processOn(w.rows, false) }

func (w *world) processOn(rows eventstore.Rows, secure bool) *process {
	w.Helper()
	p := &process{world: w}
	p.keys = &auth.Keys{
		Rows: rows, Now: w.now, Execute: w.ledger.Execute, Apps: func() []ident.AppName { return nil },
	}
	if err := p.keys.Read(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.mu.Lock()
	file := w.roles
	w.mu.Unlock()
	in, err := provider.NewSignIn(provider.Config{
		Issuer: w.idp.Issuer(), Roles: file, Pseudonyms: w.names, Now: time.Now,
		Current: func() *roles.File { w.mu.Lock(); defer w.mu.Unlock(); return w.roles },
		Failed:  func(err error) { w.Log("provider:", err) },
	}, w.idp.ClientID, w.idp.ClientSecret, []string{"groups"})
	if err != nil {
		w.Fatal(err)
	}
	p.Sessions = session.New(session.Config{
		Rows: rows, Now: w.now, Keys: p.keys, SignIn: in, Secure: secure,
		Count: session.Counter{
			SignedIn:  func(session.Way) { p.in.Add(1) },
			SignedOut: func(session.How) { p.out.Add(1) },
			Refused:   func(why session.Why) { p.refused.Add(1); p.why.Store(&why) },
		},
	})

	log := slog.New(slog.DiscardHandler)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/apps", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`) })
	mux.HandleFunc("GET /v1/apps/shop/policies", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"policies":[],"as_of":"7"}`) })
	mux.Handle("/v1/access/", auth.Handler(p.keys, log))
	for _, pattern := range session.Patterns {
		mux.Handle(pattern, session.Handler(p.Sessions, log))
	}
	api := auth.Guard(mux, auth.Ways{Keys: p.keys})
	p.home = dashboard.Handler(dashboard.Config{API: api, Sessions: p.Sessions, Version: "test", Now: time.Now, Log: log})
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, dashboard.Root) {
			p.home.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
	s := httptest.NewServer(edge.Guard(both, edge.Hosts{}))
	w.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// key issues one.
func (p *process) key(roles ...auth.Role) (auth.Key, auth.Listed) {
	p.Helper()
	w := auth.Wish{Name: "ann", Roles: roles, Lasts: 24 * time.Hour}
	if roles[0] == auth.Administrator {
		w.AllApps = true
	} else {
		w.Apps = []ident.AppName{"shop"}
	}
	key, l, err := p.keys.Issue(p.Context(), w, ident.Ledger)
	if err != nil {
		p.Fatal(err)
	}
	return key, l
}

// A browser keeps cookies, and says of each request what a browser says: whether a page of
// the ledger asked for it.
type browser struct {
	*testing.T
	p      *process
	jar    *cookiejar.Jar
	client *http.Client
}

func (p *process) browser() *browser {
	p.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.Fatal(err)
	}
	b := &browser{T: p.T, p: p, jar: jar}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// A page is an answer.
type page struct {
	status int
	header http.Header
	body   string
}

// send sends a request with headers, each as "Name: value".
func (b *browser) send(method, to string, form url.Values, headers ...string) page {
	b.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.p.url + to
	}
	r, err := http.NewRequestWithContext(b.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(body)}
}

// own says that a page of the ledger asks.
const own = "Sec-Fetch-Site: same-origin"

func (b *browser) get(to string) page { return b.send("GET", to, nil, own) }

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// fields returns what the hidden fields of a page hold; of several forms, together.
func (p page) fields() url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(p.body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// signIn signs in with a key, and returns what is answered.
func (b *browser) signIn(key auth.Key) page {
	b.Helper()
	form := b.get("/ui/sign-in").fields()
	form.Set("key", key.Reveal())
	return b.send("POST", "/ui/sign-in", form, own, "Origin: null")
}

// depart begins a sign-in at the provider, as somebody, and returns the address to which
// the provider leads back.
func (b *browser) depart(groups ...string) string {
	b.Helper()
	return b.departAs(&mockoidc.MockUser{Subject: "ann", Groups: groups})
}

// departAs is depart as somebody whom the provider knows as they are then.
func (b *browser) departAs(user *mockoidc.MockUser) string {
	b.Helper()
	b.p.idp.QueueUser(user)
	to := b.get("/ui/sign-in/provider?return=%2Fui%2Fpolicies%3Fapp%3Dshop")
	if to.status != http.StatusSeeOther {
		b.Fatalf("%d %s", to.status, to.body)
	}
	came := b.send("GET", to.header.Get("Location"), nil)
	if came.status != http.StatusFound {
		b.Fatalf("the provider says: %d %s", came.status, came.body)
	}
	return came.header.Get("Location")
}

// arrive is what a browser does when the provider leads back.
func (b *browser) arrive(at string) page {
	b.Helper()
	return b.send("GET", at, nil, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
}

// id returns the id of the browser's session; empty: it has none.
func (b *browser) id() string { return b.cookie("consentledger-session") }

func (b *browser) cookie(name string) string {
	b.Helper()
	u, err := url.Parse(b.p.url)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// plant puts a cookie into the browser, as somebody else might.
func (b *browser) plant(name, value string) {
	b.Helper()
	u, err := url.Parse(b.p.url)
	if err != nil {
		b.Fatal(err)
	}
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// isIn checks that the browser sees a page of who is signed in.
func (b *browser) isIn(what string) page {
	b.Helper()
	p := b.get("/ui/me")
	if p.status != http.StatusOK || !strings.Contains(p.body, "p-") {
		b.Errorf("%s: %d %s %s", what, p.status, p.header.Get("Location"), p.body)
	}
	return p
}

// isOut checks that the browser is led to where it signs in, which says why.
func (b *browser) isOut(what, why string) {
	b.Helper()
	p := b.get("/ui/me")
	to, err := url.Parse(p.header.Get("Location"))
	if err != nil || p.status != http.StatusSeeOther || to.Path != "/ui/sign-in" || to.Query().Get("why") != why || to.Query().Get("return") != "/ui/me" {
		b.Errorf("%s: %d %s, want %q", what, p.status, to, why)
	}
}

// held returns all that the rows hold.
func held(ctx context.Context, t *testing.T, rows eventstore.Rows) string {
	t.Helper()
	var all strings.Builder
	for row, err := range rows.Scan(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %s\n", row.Key, row.Value)
	}
	return all.String()
}
