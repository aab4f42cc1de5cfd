package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/session"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"

	"github.com/oauth2-proxy/mockoidc"
)

// A group that somebody loses at the provider is lost here within five minutes, in every
// process. Nobody who reads the rows can ask the provider in their place.
func TestAGroupThatIsLostAtTheProviderIsLostHere(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p, other := w.process(), w.process()
	user := &mockoidc.MockUser{Subject: "ann", Groups: []string{"shop-privacy", "shop-support"}}
	b := p.browser()
	b.arrive(b.departAs(user))
	elsewhere := other.browser()
	elsewhere.plant("consentledger-session", b.id())
	if me := b.isIn("at first"); !strings.Contains(me.body, "privacy-officer") {
		t.Errorf("%s", me.body)
	}
	if rows := held(t.Context(), t, w.rows); !strings.Contains(rows, "/renewal ") || strings.Contains(rows, "eyJ") {
		t.Errorf("the refresh token is not there, or lies there for everybody: %s", rows)
	}

	user.Groups = []string{"shop-support"}
	w.pass(session.Recheck - time.Second)
	if me := b.isIn("before anybody asks"); !strings.Contains(me.body, "privacy-officer") {
		t.Errorf("%s", me.body)
	}
	w.pass(time.Second)
	for name, one := range map[string]*browser{"here": b, "in another process": elsewhere} {
		if me := one.isIn(name); strings.Contains(me.body, "privacy-officer") || !strings.Contains(me.body, "support-agent") {
			t.Errorf("%s: %s", name, me.body)
		}
	}

	// Who may do nothing any more is out, and so is whom the provider does not know.
	user.Groups = nil
	w.pass(session.Recheck)
	b.isOut("of no group", "role")
	elsewhere.isOut("and elsewhere", "none")
	if rows := held(t.Context(), t, w.rows); strings.Contains(rows, "access-sessions/1/session/") {
		t.Errorf("rows of a session that has ended: %s", rows)
	}
	b.arrive(b.depart("shop-privacy"))
	b.isIn("again")
	for range 2 { // the client tries both ways to say who it is
		w.idp.QueueError(&mockoidc.ServerError{Code: http.StatusBadRequest, Error: mockoidc.InvalidGrant})
	}
	w.pass(session.Recheck)
	b.isOut("whose token is taken back", "role")
}

// While the provider is away what it said last holds for a quarter of an hour.
func TestASessionOutlivesAnOutageOfItsProvider(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	b := p.browser()
	b.arrive(b.depart("shop-privacy"))
	away := func() {
		for range 2 { // the client tries both ways to say who it is
			w.idp.QueueError(&mockoidc.ServerError{Code: http.StatusServiceUnavailable, Error: "temporarily_unavailable"})
		}
	}
	w.pass(session.Recheck)
	away()
	b.isIn("while the provider is away")
	w.pass(session.RecheckStays - session.Recheck)
	away()
	if _, err := p.Find(t.Context(), b.id()); !errors.Is(err, auth.ErrAway) {
		t.Errorf("for too long: %v", err)
	}
	b.isIn("once it is back")
}

// Of many who come at once one asks the provider. If it dies with the token in its hands,
// the session ends.
func TestOneAsksTheProvider(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	b := p.browser()
	b.arrive(b.depart("shop-privacy"))
	w.pass(session.Recheck)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := p.Find(t.Context(), b.id()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()

	claim := eventstore.Row{Key: []byte("access-sessions/1/session/" + sumOf(b.id()) + "/claim"), Value: []byte(`{"at":1772445600000,"v":1}`)}
	if err := w.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{claim}}); err != nil {
		t.Fatal(err)
	}
	b.isIn("before it is to be asked again")
	w.pass(session.Recheck)
	b.isOut("whose token somebody took, and never came back", "role")
}

// Where the provider gives nothing to ask with, a session lasts as long as its ID token.
func TestWithoutARefreshTokenASessionLastsAsItsIDToken(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	begin := func(state string, lasts time.Duration) string {
		t.Helper()
		id, err := p.BeginAs(t.Context(), provider.Identity{
			Principal: auth.Principal{Pseudonym: "p-a", Ends: time.Now().Add(lasts)}, Issuer: w.idp.Issuer(), Groups: []string{"shop-privacy"},
		}, state)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	short, long := begin("one", 10*time.Minute), begin("two", 10*time.Hour)
	w.pass(9 * time.Minute)
	if _, err := p.Find(t.Context(), short); err != nil {
		t.Error(err)
	}
	w.pass(time.Minute)
	if _, err := p.Find(t.Context(), short); !errors.Is(err, session.WasLong) {
		t.Errorf("after its ID token: %v", err)
	}
	w.pass(19 * time.Minute)
	if _, err := p.Find(t.Context(), long); err != nil {
		t.Error(err)
	}
	w.pass(29 * time.Minute)
	if _, err := p.Find(t.Context(), long); err != nil {
		t.Error(err)
	}
	w.pass(2 * time.Minute)
	if _, err := p.Find(t.Context(), long); !errors.Is(err, session.WasLong) {
		t.Errorf("after an hour: %v", err)
	}
}

// takesBack is where a provider takes tokens back.
type takesBack struct {
	mu    sync.Mutex
	forms []url.Values // that came with the client's credentials
	says  int
}

func (b *takesBack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	client, secret, _ := r.BasicAuth()
	if r.ParseForm() == nil && r.Method == http.MethodPost && client != "" && secret != "" {
		b.forms = append(b.forms, r.PostForm)
	}
	if b.says == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(b.says)
}

// took returns which tokens came since it was asked last.
func (b *takesBack) took(t *testing.T) (tokens []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, form := range b.forms {
		if form.Get("token_type_hint") != "refresh_token" || !strings.HasPrefix(form.Get("token"), "eyJ") || len(form) != 2 {
			t.Errorf("it is sent %v", form)
		}
		tokens = append(tokens, form.Get("token"))
	}
	b.forms = nil
	return tokens
}

// Who signs out takes the refresh token out of the world: the provider is told to take it
// back, once, in whichever way the session ends by its browser. What the provider says to
// that keeps nobody signed in.
func TestARefreshTokenIsTakenBackAtTheProvider(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	at := &takesBack{says: http.StatusOK}
	s := httptest.NewServer(at)
	t.Cleanup(s.Close)
	w.revoke = s.URL + "/revoke"
	p := w.process()
	b := p.browser()
	in := func() url.Values {
		t.Helper()
		b.arrive(b.depart("shop-privacy"))
		return b.isIn("signed in").fields()
	}

	for what, all := range map[string]bool{"here": false, "everywhere": true} {
		form := in()
		if all {
			form.Set("all", "yes")
		}
		if a := b.send("POST", "/ui/sign-out", form, own); a.status != http.StatusSeeOther || b.id() != "" {
			t.Errorf("sign out %s: %d %s", what, a.status, a.body)
		}
		if tokens := at.took(t); len(tokens) != 1 {
			t.Errorf("who signs out %s: %d tokens are taken back", what, len(tokens))
		}
	}

	// Another sign-in of the same browser takes the place of the first.
	in()
	in()
	if tokens := at.took(t); len(tokens) != 1 {
		t.Errorf("of a session that was replaced %d tokens are taken back", len(tokens))
	}
	b.send("POST", "/ui/sign-out", b.isIn("still in").fields(), own)
	if tokens := at.took(t); len(tokens) != 1 {
		t.Errorf("of the one in its place %d tokens are taken back", len(tokens))
	}

	// An endpoint that does not do so, or leads elsewhere, or is not there keeps nobody in.
	for _, says := range []int{http.StatusServiceUnavailable, http.StatusFound} {
		at.mu.Lock()
		at.says = says
		at.mu.Unlock()
		if a := b.send("POST", "/ui/sign-out", in(), own); a.status != http.StatusSeeOther || b.id() != "" {
			t.Errorf("it says %d: %d %s", says, a.status, a.body)
		}
		tokens := at.took(t)
		if len(tokens) != 1 {
			t.Errorf("it says %d: %d tokens came", says, len(tokens))
		}
	}
	form := in()
	s.Close()
	if a := b.send("POST", "/ui/sign-out", form, own); a.status != http.StatusSeeOther || b.id() != "" {
		t.Errorf("nobody is there: %d %s", a.status, a.body)
	}
}

// Where the provider says nothing of taking tokens back, or names a line that others can
// write on, none is sent.
func TestNoRefreshTokenIsSentWhereTheProviderSaysNothing(t *testing.T) {
	for _, revoke := range []string{"", "http://id.example.com/revoke", "nowhere"} {
		w := newWorld(t, new(memory.Rows))
		w.revoke = revoke
		p := w.process()
		b := p.browser()
		b.arrive(b.depart("shop-privacy"))
		if a := b.send("POST", "/ui/sign-out", b.isIn("signed in").fields(), own); a.status != http.StatusSeeOther || b.id() != "" {
			t.Errorf("%q: %d %s", revoke, a.status, a.body)
		}
	}
}
