package session_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/session"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

func TestAKeySignsInOnceAndIsNotKept(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	key, l := p.key(auth.Officer)
	b := p.browser()
	b.isOut("before", "")
	if a := b.signIn(key); a.status != http.StatusSeeOther || a.header.Get("Location") != "/ui/" {
		t.Fatalf("%d %s", a.status, a.body)
	}

	me := b.isIn("after")
	if !strings.Contains(me.body, l.Principal) || !strings.Contains(me.body, "publish policies") || strings.Contains(me.body, "issue, list, rotate") {
		t.Errorf("%s", me.body)
	}
	for _, secret := range []string{key.Reveal(), b.id()} {
		if strings.Contains(held(t.Context(), t, w.rows), secret) || strings.Contains(me.body, secret) {
			t.Error("a secret lies in the rows, or on the page")
		}
	}
	if c := b.cookie("consentledger-session"); strings.Contains(c, key.ID) {
		t.Error("the cookie holds the key")
	}

	// The session is for the pages: the API takes no cookie.
	if a := b.get("/v1/apps"); a.status != http.StatusUnauthorized {
		t.Errorf("the API: %d %s", a.status, a.body)
	}
	id := b.id()
	if a := b.send("POST", "/ui/sign-out", me.fields(), own); a.status != http.StatusSeeOther || b.id() != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	b.isOut("after signing out", "")
	b.plant("consentledger-session", id)
	b.isOut("with the cookie of before", "none")
	if p.in.Load() != 1 || p.out.Load() != 1 {
		t.Errorf("counted %d and %d", p.in.Load(), p.out.Load())
	}
}

func TestBadKeysSignNobodyIn(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	gone, l := p.key(auth.Officer)
	if _, err := p.keys.Revoke(t.Context(), l.ID, ident.Ledger); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  auth.Key
		says string
	}{
		"one that nobody issued": {auth.NewKey(), "not known here"},
		"one that was revoked":   {gone, "was revoked"},
		"none":                   {auth.Key{}, "not known here"},
	} {
		b := p.browser()
		a := b.signIn(c.key)
		if a.status != http.StatusForbidden || !strings.Contains(a.body, c.says) || b.id() != "" || c.key.ID != "" && strings.Contains(a.body, c.key.Reveal()) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if p.refused.Load() != 3 || *p.why.Load() != session.WrongKey {
		t.Errorf("counted %d, %s", p.refused.Load(), *p.why.Load())
	}
}

// Somebody who plants a session in a browser, be it made up or their own, is not signed
// in by who signs in there, nor is the browser's owner signed in as them.
func TestASignInAlwaysBeginsAnotherSession(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	key, l := p.key(auth.Officer)
	other, _ := p.key(auth.Support)
	thief := p.browser()
	thief.signIn(other)
	for name, planted := range map[string]string{"made up": strings.Repeat("a", 52), "the thief's own": thief.id()} {
		b := p.browser()
		b.plant("consentledger-session", planted)
		b.signIn(key)
		if b.id() == planted || b.id() == "" {
			t.Errorf("%s: the session is %q", name, b.id())
		}
		if me := b.isIn(name); !strings.Contains(me.body, l.Principal) {
			t.Errorf("%s: %s", name, me.body)
		}
		b.plant("consentledger-session", planted)
		b.isOut(name+", what was planted", "none")
	}
}

func TestCookiesAreForThisHostAlone(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.processOn(w.rows, true)
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://ledger.example/ui/", nil)
	if err := p.Keep(rec, r, strings.Repeat("a", 52)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Depart(rec, r, "/ui/sign-in/callback", "/ui/"); err != nil {
		t.Fatal(err)
	}
	said := rec.Header()["Set-Cookie"]
	for i, want := range []*regexp.Regexp{
		regexp.MustCompile(`^__Host-consentledger-session=a{52}; Path=/; HttpOnly; Secure; SameSite=Strict$`),
		regexp.MustCompile(`^__Host-consentledger-signin=[A-Za-z0-9_-]+; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`),
	} {
		if !want.MatchString(said[i]) {
			t.Errorf("%s", said[i])
		}
	}

	// Where there is TLS a cookie without the prefix is somebody else's, and of two none counts.
	key, _ := p.key(auth.Officer)
	id, err := p.Begin(t.Context(), key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for cookies, want := range map[string]bool{
		"__Host-consentledger-session=" + id: true,
		"consentledger-session=" + id:        false,
		"__Host-consentledger-session=" + id + "; __Host-consentledger-session=" + strings.Repeat("a", 52):                 false,
		"__Host-consentledger-session=" + strings.ToUpper(id):                                                              false,
		"__Host-consentledger-session=" + id + "a":                                                                         false,
		"__Host-consentledger-session=" + strings.Replace(id, id[:1], string('a'+(id[0]-'a'+1)%26), 1) + "; consentledger": false,
	} {
		r := httptest.NewRequest("GET", "https://ledger.example/ui/", nil)
		r.Header.Set("Cookie", cookies)
		if _, err := p.Of(r); (err == nil) != want {
			t.Errorf("%s: %v", cookies, err)
		}
	}
}

func TestSomebodySignsInAtTheProvider(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	b := p.browser()
	at := b.depart("shop-privacy", "football")
	a := b.arrive(at)
	if a.status != http.StatusOK || !strings.Contains(a.body, `<meta http-equiv="refresh" content="0; url=/ui/policies?app=shop">`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if me := b.isIn("back"); !strings.Contains(me.body, "organisation") || !strings.Contains(me.body, "privacy-officer") {
		t.Errorf("%s", me.body)
	}
	if a := b.get("/ui/policies?app=shop"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if rows := held(t.Context(), t, w.rows); strings.Contains(rows, "ann") || strings.Contains(rows, "football") {
		t.Errorf("what nobody needs is kept: %s", rows)
	}
	if b.cookie("consentledger-signin") != "" {
		t.Error("the sign-in that is over is still in the browser")
	}
}

// A code and a state sign in once, in the browser that they are for.
func TestACodeAndAStateAreOfOneBrowserAndOnce(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	refused := func(what string, a page, says string) {
		t.Helper()
		if a.status != http.StatusForbidden || !strings.Contains(a.body, says) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}

	b := p.browser()
	at := b.depart("shop-privacy")
	refused("another browser", p.browser().arrive(at), "another browser")
	began := b.cookie("consentledger-signin")
	altered := regexp.MustCompile(`state=[^&]*`).ReplaceAllString(at, "state=AAAAAAAAAAAAAAAAAAAAAAAAAA")
	refused("another state", b.arrive(altered), "another browser")
	refused("no state", b.arrive(regexp.MustCompile(`&?state=[^&]*`).ReplaceAllString(at, "")), "another browser")
	if a := b.arrive(at); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	first := b.id()

	// The same once more, with the cookie that it was begun with.
	b.plant("consentledger-signin", began)
	refused("the code again", b.arrive(at), "finished before")
	if b.id() != first {
		t.Error("the session has changed")
	}

	// Another browser's code with one's own state: the provider sees that the verifier is another's.
	victim := p.browser()
	own := victim.depart("shop-privacy")
	thief := p.browser()
	theirs := thief.depart("shop-support")
	code := regexp.MustCompile(`code=[^&]*`)
	refused("another one's code", victim.arrive(code.ReplaceAllString(own, code.FindString(theirs))), "finished before")
	if victim.id() != "" {
		t.Error("a session of another one's code")
	}

	// A provider that takes a code twice begins one session all the same.
	who := provider.Identity{Principal: auth.Principal{Pseudonym: "p-a"}, Issuer: w.idp.Issuer(), Groups: []string{"shop-privacy"}}
	if _, err := p.BeginAs(t.Context(), who, "one state"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.BeginAs(t.Context(), who, "one state"); !errors.Is(err, provider.UsedCode) {
		t.Errorf("a state twice: %v", err)
	}
}

// What the provider says instead of signing somebody in is told, if it says so to the
// browser that asked; and what it says is no text of somebody else's.
func TestWhatTheProviderSaysIsTold(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	for said, want := range map[string]string{
		"error=access_denied": "declined", "error=temporarily_unavailable": "busy", "error=something_new": "something_new",
		"error=" + url.QueryEscape("<b>call the xylophone</b>"): "unknown_error", "iss=http%3A%2F%2Felsewhere&code=x": "not for this ledger",
	} {
		b := p.browser()
		at := b.depart("shop-privacy")
		base, _, _ := strings.Cut(at, "?")
		state := regexp.MustCompile(`state=[^&]*`).FindString(at)
		a := b.arrive(base + "?" + said + "&error_description=call+the+xylophone&" + state)
		if a.status != http.StatusForbidden || !strings.Contains(a.body, want) || strings.Contains(a.body, "xylophone") {
			t.Errorf("%s: %d %s", said, a.status, a.body)
		}
		if a := p.browser().arrive(base + "?" + said + "&" + state); !strings.Contains(a.body, "another browser") {
			t.Errorf("%s, to another browser: %s", said, a.body)
		}
	}
	b := p.browser()
	if a := b.arrive(b.depart("football")); a.status != http.StatusForbidden || !strings.Contains(a.body, "no group that has a role") || *p.why.Load() != session.WrongRole {
		t.Errorf("of no group: %d %s", a.status, a.body)
	}
	if p.in.Load() != 0 {
		t.Error("somebody is signed in")
	}
}

// A nonce is bound to the browser as well: a token of another sign-in is not taken.
func TestATokenOfAnotherSignInIsNotTaken(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	to, pending, err := p.SignIn.Begin(t.Context(), "http://127.0.0.1/ui/sign-in/callback")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"code_challenge=", "code_challenge_method=S256", "nonce=", "state=", "response_type=code", "openid"} {
		if !strings.Contains(to, part) {
			t.Errorf("%s has no %s", to, part)
		}
	}
	if strings.Contains(to, pending.Verifier) {
		t.Error("the verifier leaves the ledger")
	}
	a := p.browser().send("GET", to, nil)
	came, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	pending.Nonce = "another"
	if _, err := p.SignIn.Finish(t.Context(), "http://127.0.0.1/ui/sign-in/callback", pending, came.Query()); !errors.Is(err, provider.OtherNonce) {
		t.Errorf("%v", err)
	}
}

// A page of another origin does nothing in the name of who is signed in: what guards the
// ledger refuses it, and so do the pages by themselves.
func TestAForeignPageActsForNobody(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	key, _ := p.key(auth.Administrator)
	b := p.browser()
	b.signIn(key)
	good := b.isIn("at first").fields()
	posts := map[string]url.Values{
		"/ui/sign-out": good,
		"/ui/sessions": {"token": good["token"], "principal": {"p-aaaaaaaaaaaa"}},
		"/ui/person":   {"token": good["token"], "subject": {"ada"}, "reason": {"audit"}, "by": {"x"}},
	}
	foreign := map[string][]string{
		"a form of another site":       {"Origin: http://evil.example", "Sec-Fetch-Site: cross-site"},
		"one of another port":          {"Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site"},
		"one in an old browser":        {"Origin: http://evil.example"},
		"one without an origin":        {"Origin: null", "Sec-Fetch-Site: cross-site"},
		"one that says nothing":        nil,
		"null, in an old browser":      {"Origin: null"},
		"an address that was typed in": {"Sec-Fetch-Site: none"},
	}
	for to, form := range posts {
		for name, headers := range foreign {
			if a := b.send("POST", to, form, headers...); a.status != http.StatusForbidden {
				t.Errorf("%s to %s: %d", name, to, a.status)
			}
			r := httptest.NewRequest("POST", p.url+to, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.AddCookie(&http.Cookie{Name: "consentledger-session", Value: b.id()})
			for _, line := range headers {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			if p.home.ServeHTTP(rec, r); rec.Code != http.StatusForbidden {
				t.Errorf("%s to %s, past the guard: %d", name, to, rec.Code)
			}
		}
	}
	for name, form := range map[string]url.Values{
		"without a token": {}, "of another session": {"session": {strings.Repeat("0", 64)}},
	} {
		if a := b.send("POST", "/ui/sign-out", form, own); a.status != http.StatusForbidden {
			t.Errorf("our own page, %s: %d", name, a.status)
		}
		if a := b.send("POST", "/ui/sessions", url.Values{"token": form["session"], "principal": {"p-a"}}, own); a.status != http.StatusForbidden {
			t.Errorf("our own page, %s, ends sessions: %d", name, a.status)
		}
	}
	b.isIn("after all of it")
	if n := p.refused.Load(); n < int64(len(posts)*len(foreign)) || *p.why.Load() != session.WrongForm {
		t.Errorf("%d were counted, the last because of %s", n, *p.why.Load())
	}
}

func TestSessionsEndByThemselves(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	key, _ := p.key(auth.Officer)

	idle := p.browser()
	idle.signIn(key)
	w.pass(29 * time.Minute)
	idle.isIn("after 29 minutes")
	w.pass(29 * time.Minute)
	idle.isIn("after 29 more")
	w.pass(30 * time.Minute)
	idle.isOut("after 30 idle minutes", "idle")
	idle.isOut("and then", "")

	long := p.browser()
	long.signIn(key)
	for range 8*3 - 1 {
		w.pass(20 * time.Minute)
		long.isIn("within eight hours")
	}
	w.pass(20 * time.Minute)
	long.isOut("after eight hours", "expired")

	of := p.browser()
	of.arrive(of.depart("shop-privacy"))
	w.pass(29 * time.Minute)
	of.isIn("by the provider")
	w.pass(29 * time.Minute)
	of.isIn("by the provider, later")
	w.pass(2 * time.Minute)
	of.isOut("by the provider, after an hour", "expired")

	// A form that comes too late does nothing, and says so.
	late := p.browser()
	late.signIn(key)
	form := late.isIn("at first").fields()
	w.pass(31 * time.Minute)
	if a := late.send("POST", "/ui/person", form, own); a.status != http.StatusForbidden || !strings.Contains(a.body, "Nothing of this was done") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := p.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows := held(t.Context(), t, w.rows); strings.Contains(rows, "access-sessions/1/session/") {
		t.Errorf("rows of sessions that have ended: %s", rows)
	}
}

// What is taken away from somebody is gone with their next request, also where another
// process took it away.
func TestARoleThatIsTakenAwayEndsASession(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p, other := w.process(), w.process()
	key, l := p.key(auth.Officer)
	byKey, byGroup, narrowed := p.browser(), p.browser(), p.browser()
	byKey.signIn(key)
	byGroup.arrive(byGroup.depart("shop-privacy"))
	narrowed.arrive(narrowed.depart("shop-privacy", "shop-support"))
	for _, b := range []*browser{byKey, byGroup, narrowed} {
		b.isIn("at first")
	}

	if _, err := other.keys.Revoke(t.Context(), l.ID, ident.Ledger); err != nil {
		t.Fatal(err)
	}
	if err := p.keys.Read(t.Context()); err != nil { // which Run does twice a second
		t.Fatal(err)
	}
	byKey.isOut("by a key that was revoked", "role")

	w.grant(strings.Replace(groups, "group: shop-privacy", "group: somebody-else", 1))
	byGroup.isOut("of a group without a role", "role")
	me := narrowed.isIn("of two groups, one of which has none")
	if strings.Contains(me.body, "privacy-officer") || !strings.Contains(me.body, "support-agent") || strings.Contains(me.body, "publish policies") {
		t.Errorf("%s", me.body)
	}
}

// TestASessionIsForTheAppsThatAreInItsGroupNow: by a group of apps, as any other grant.
func TestASessionIsForTheAppsThatAreInItsGroupNow(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	w.grant(strings.Replace(groups, "apps: [shop]", "apps: [group:retail]", 1))
	p := w.process()
	retail := map[auth.AppGroup][]ident.AppName{"retail": {"shop"}}
	p.keys.Groups = func(context.Context) (map[auth.AppGroup][]ident.AppName, error) { return retail, nil }
	p.keys.FileGroups = func() bool { return w.roles.NamesGroups() }
	if err := p.keys.Read(t.Context()); err != nil {
		t.Fatal(err)
	}

	b := p.browser()
	b.arrive(b.depart("shop-privacy"))
	if me := b.isIn("in the group"); !strings.Contains(me.body, "group:retail (now: shop)") {
		t.Errorf("%s", me.body)
	}
	retail = nil
	if err := p.keys.Read(t.Context()); err != nil { // which Run does twice a second
		t.Fatal(err)
	}
	if me := b.isIn("of a group that is empty"); !strings.Contains(me.body, "group:retail") || strings.Contains(me.body, "now: shop") {
		t.Errorf("%s", me.body)
	}
}

// everywhere signs out from everywhere, with rows that two processes share.
func everywhere(t *testing.T, w *world, one, two *process) {
	t.Helper()
	key, l := one.key(auth.Officer)
	admin, _ := one.key(auth.Administrator)
	if err := two.keys.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	here, there, other := one.browser(), two.browser(), two.browser()
	here.signIn(key)
	there.signIn(key)
	other.signIn(admin)
	here.isIn("in one process")
	there.isIn("in the other")

	// The same cookie is good in both: they serve one ledger.
	moved := two.browser()
	moved.plant("consentledger-session", here.id())
	moved.isIn("in the other process")

	form := here.isIn("before").fields()
	form.Set("all", "1")
	if a := here.send("POST", "/ui/sign-out", form, own); a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Location"), "everywhere") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	there.isOut("whose principal signed out in another process", "none")
	other.isIn("somebody else")

	// An administrator signs somebody out.
	here.signIn(key)
	there.signIn(key)
	list := other.get("/ui/sessions")
	if strings.Count(list.body, "<td><code>"+l.Principal) != 2 {
		t.Errorf("%s", list.body)
	}
	form = list.fields()
	form.Set("principal", l.Principal)
	if a := other.send("POST", "/ui/sessions", form, own); a.status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.status, a.body)
	}
	here.isOut("in one process, by an administrator", "none")
	there.isOut("in the other, by an administrator", "none")
	if a := here.signIn(key); a.status != http.StatusSeeOther {
		t.Errorf("and again: %d", a.status)
	}
	here.isIn("and again")
	if a := here.get("/ui/sessions"); a.status != http.StatusForbidden {
		t.Errorf("who is no administrator sees who is signed in: %d", a.status)
	}
}

func TestSigningOutEverywhere(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	everywhere(t, w, w.process(), w.process())
}

// Two processes share PostgreSQL and nothing else, as their keys do.
func TestProcessesShareSessionsInPostgreSQL(t *testing.T) {
	server := pgservertest.Serve(t)
	open := func() *postgres.Rows {
		t.Helper()
		at, err := postgres.ParseAddress(server.Address("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := postgres.OpenRows(at, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { rows.Close() })
		if err := rows.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	first, second := open(), open()
	w := newWorld(t, first)
	everywhere(t, w, w.processOn(first, false), w.processOn(second, false))

	// A process that starts later, as after a restart, knows who is signed in.
	one := w.processOn(first, false)
	key, _ := one.key(auth.Support)
	b := one.browser()
	b.signIn(key)
	later := w.processOn(open(), false).browser()
	later.plant("consentledger-session", b.id())
	later.isIn("after a restart")
}

// A sign-in that another process begins at the moment of signing out everywhere does not
// outlive it.
func TestASessionThatBeginsMeanwhileEndsAsWell(t *testing.T) {
	rows := &interrupted{Rows: new(memory.Rows)}
	w := newWorld(t, rows)
	p := w.process()
	key, l := p.key(auth.Officer)
	rows.before = func() {
		if _, err := p.EndAll(t.Context(), l.Principal, session.ByAdministrator); err != nil {
			t.Error(err)
		}
	}
	id, err := p.Begin(t.Context(), key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Find(t.Context(), id); !errors.Is(err, session.None) {
		t.Errorf("it lets in: %v", err)
	}
}

// interrupted are rows in which something else happens right before a session is written.
type interrupted struct {
	*memory.Rows
	before func()
	once   sync.Once
}

func (r *interrupted) Write(ctx context.Context, c eventstore.Change) error {
	for _, row := range c.Put {
		if strings.HasSuffix(string(row.Key), "/is") && r.before != nil {
			r.once.Do(r.before)
		}
	}
	return r.Rows.Write(ctx, c)
}

func TestTheFirstAdministratorComesByALinkOnce(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	setup, err := p.keys.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := p.Link(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(held(t.Context(), t, w.rows), secret) {
		t.Error("the secret lies in the rows")
	}

	// Looking uses up nothing, from wherever the link was clicked.
	b, late := p.browser(), p.browser()
	var shown page
	for range 3 {
		shown = b.send("GET", "/ui/setup?code="+secret, nil, "Sec-Fetch-Site: cross-site")
		if shown.status != http.StatusOK || !strings.Contains(shown.body, "first administrator") {
			t.Fatalf("%d %s", shown.status, shown.body)
		}
	}
	before := late.get("/ui/setup?code=" + secret).fields()
	if a := b.send("POST", "/ui/setup", shown.fields(), "Origin: http://evil.example", "Sec-Fetch-Site: cross-site"); a.status != http.StatusForbidden {
		t.Errorf("a foreign page uses it: %d", a.status)
	}
	a := b.send("POST", "/ui/setup", shown.fields(), own)
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/ui/first-key" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := late.send("POST", "/ui/setup", before, own); a.status != http.StatusGone || !strings.Contains(a.body, "used up") || late.id() != "" {
		t.Errorf("the link again: %d %s", a.status, a.body)
	}
	if a := late.get("/ui/setup?code=" + secret); a.status != http.StatusGone || !strings.Contains(a.body, "used up") {
		t.Errorf("the link again: %d %s", a.status, a.body)
	}
	if a := late.get("/ui/setup?code=aaaa"); a.status != http.StatusNotFound {
		t.Errorf("a link that nobody made: %d", a.status)
	}

	// Then they make a key of their own, and go on with it.
	form := b.get("/ui/first-key").fields()
	form.Set("name", "ann")
	form.Set("days", "400")
	if a := b.send("POST", "/ui/first-key", form, own); a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "366 days") {
		t.Errorf("too long: %d %s", a.status, a.body)
	}
	form.Set("days", "90")
	made := b.send("POST", "/ui/first-key", form, own)
	text := regexp.MustCompile(`clk_[a-z2-7_]+[0-9a-f]+`).FindString(made.body)
	if made.status != http.StatusOK || text == "" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	who, err := p.keys.Authenticate(text)
	if err != nil || !who.May(auth.ManageKeys) {
		t.Errorf("%+v %v", who, err)
	}
	if me := b.isIn("by the new key"); !strings.Contains(me.body, who.Pseudonym) {
		t.Errorf("%s", me.body)
	}
	if _, err := p.keys.Authenticate(setup.Reveal()); !errors.Is(err, auth.RevokedKey) {
		t.Errorf("the key of the first hour: %v", err)
	}
	if a := b.send("POST", "/ui/first-key", form, own); a.status < 400 || strings.Contains(a.body, "clk_") {
		t.Errorf("the form again: %d %s", a.status, a.body)
	}
	if a := b.get("/ui/first-key"); a.status != http.StatusNotFound {
		t.Errorf("the page again: %d", a.status)
	}
}

func TestALinkLastsAQuarterOfAnHourAndForOne(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p, other := w.process(), w.process()
	setup, err := p.keys.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.keys.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	secret, err := p.Link(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	var in, no atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := []*process{p, other}[i%2].BeginByLink(t.Context(), secret)
			switch {
			case err == nil:
				in.Add(1)
			case errors.Is(err, session.UsedLink):
				no.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	if all.Wait(); in.Load() != 1 || no.Load() != 7 {
		t.Errorf("%d were let in, and %d not", in.Load(), no.Load())
	}

	again, err := p.Link(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(session.LinkLasts)
	if err := p.Look(t.Context(), again); !errors.Is(err, session.OldLink) {
		t.Errorf("after its time: %v", err)
	}
	third, err := p.Link(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Look(t.Context(), third); err != nil {
		t.Errorf("a good one: %v", err)
	}
	_, stays := p.key(auth.Administrator)
	if err := p.Look(t.Context(), third); !errors.Is(err, session.OldLink) {
		t.Errorf("once there is an administrator: %v", err)
	}
	if _, err := p.keys.Revoke(t.Context(), stays.ID, ident.Ledger); err != nil {
		t.Fatal(err)
	}
	if _, err := p.keys.Revoke(t.Context(), setup.ID, ident.Ledger); err != nil {
		t.Fatal(err)
	}
	if _, err := p.BeginByLink(t.Context(), third); !errors.Is(err, session.OldLink) {
		t.Errorf("whose key was revoked: %v", err)
	}
	r := httptest.NewRequest("GET", "http://ledger.example/ui/setup?code="+third, nil)
	for from, want := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "192.0.2.7:5": false, "": false} {
		if r.RemoteAddr = from; p.Local(r) != want {
			t.Errorf("in the clear from %q: %v", from, !want)
		}
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	key, _ := p.key(auth.Officer)
	b := p.browser()
	for range 20 {
		if a := b.signIn(auth.NewKey()); a.status != http.StatusForbidden {
			t.Fatalf("within the rate: %d", a.status)
		}
	}
	a := b.signIn(key)
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != http.StatusTooManyRequests || err != nil || n < 1 || b.id() != "" || *p.why.Load() != session.TooOften {
		t.Errorf("%d %q", a.status, a.header.Get("Retry-After"))
	}
	for _, to := range []string{"/ui/sign-in/provider", "/ui/sign-in/callback?code=x", "/ui/setup?code=x"} {
		if a := b.get(to); a.status != http.StatusTooManyRequests {
			t.Errorf("%s: %d", to, a.status)
		}
	}
	if a := b.get("/ui/sign-out"); a.status < 400 || a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a browser is made to ask for a password: %d %v", a.status, a.header)
	}
	if a := b.get("/ui/sign-in"); a.status != http.StatusOK {
		t.Errorf("the page itself: %d", a.status)
	}
	w.pass(3 * time.Second)
	if a := b.signIn(key); a.status != http.StatusSeeOther {
		t.Errorf("later: %d", a.status)
	}
}

// Who follows a link in their language signs in in that language.
func TestALinkLeadsToASignInInItsLanguage(t *testing.T) {
	p := newWorld(t, new(memory.Rows)).process()
	for lang, want := range map[string]string{"zh-CN": "zh-CN", "en": "en", "xx": "en"} {
		b := p.browser()
		to := b.get("/ui/deadlines?app=shop&lang=" + lang).header.Get("Location")
		if shown := b.get(to); !strings.Contains(shown.body, `<html lang="`+want+`"`) {
			t.Errorf("%s: %s leads to %.120q", lang, to, shown.body)
		}
	}
}

// Every page of signing in is as strict as the others: no script, no frame, no other
// origin, nothing kept.
func TestPagesOfSigningInAreStrict(t *testing.T) {
	p := newWorld(t, new(memory.Rows)).process()
	for _, to := range []string{"/ui/sign-in", "/ui/setup?code=x", "/ui/sign-in/callback", "/ui/me"} {
		h := p.browser().get(to).header
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: %s", to, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", to, h)
		}
	}
}

func sumOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

var backs = map[string]string{
	"/ui/person?app=shop": "/ui/person?app=shop", "/ui/": "/ui/", "/ui/requests/r1": "/ui/requests/r1", "": "/ui/", "/": "/ui/", "/v1/apps": "/ui/",
	"https://evil.example/ui/": "/ui/", "//evil.example/ui/": "/ui/", "/\\evil.example": "/ui/", "/ui/../v1/apps": "/ui/", "/ui//evil": "/ui/",
	"javascript:alert(1)": "/ui/", "/ui/%5C%5Cevil.example": "/ui/", "/ui/\n": "/ui/", "ui/": "/ui/", "/ui/./x": "/ui/", "\t//evil.example": "/ui/",
	"/ui/?x=//evil.example": "/ui/?x=%2F%2Fevil.example", "/ui/%2e%2e/v1": "/ui/", "http:/ui/": "/ui/", "/ui/a#b": "/ui/a",
}

func TestNobodyIsLedElsewhere(t *testing.T) {
	for text, want := range backs {
		if got := session.Back(text, "/ui/"); got != want {
			t.Errorf("%q leads to %q, want %q", text, got, want)
		}
	}
}

func FuzzBack(f *testing.F) {
	for text := range backs {
		f.Add(text)
	}
	base := &url.URL{Scheme: "https", Host: "ledger.example", Path: "/ui/sign-in"}
	f.Fuzz(func(t *testing.T, text string) {
		to, err := base.Parse(session.Back(text, "/ui/"))
		if err != nil || to.Scheme != base.Scheme || to.Host != base.Host || !strings.HasPrefix(to.Path, "/ui/") || strings.Contains(to.Path, "\\") {
			t.Errorf("%q leads to %v, %v", text, to, err)
		}
	})
}

// The rows as they are on disk: what another version wrote is read, and what it is not
// known how to read lets nobody in.
func TestRowsAreReadAsTheyWereWritten(t *testing.T) {
	w := newWorld(t, new(memory.Rows))
	p := w.process()
	_, l := p.key(auth.Officer)
	id := strings.Repeat("a", 52)
	is := `{"begun":1772445600000,"ends":1772474400000,"key":"` + l.ID + `","mark":"m","principal":"` + l.Principal + `","v":1,"way":"key"}`
	put := func(key, value string) {
		t.Helper()
		if err := w.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: []byte(key), Value: []byte(value)}}}); err != nil {
			t.Fatal(err)
		}
	}
	at := "access-sessions/1/session/" + sumOf(id)
	put(at+"/is", is)
	put(at+"/seen", `{"at":1772445600000,"v":1}`)
	put("access-sessions/1/mark/"+l.Principal, `{"at":1772445600000,"mark":"m","v":1}`)
	if one, err := p.Find(t.Context(), id); err != nil || one.Principal.Pseudonym != l.Principal || one.Way != session.ByKey {
		t.Errorf("%+v %v", one, err)
	}
	put(at+"/is", strings.Replace(is, `"v":1`, `"v":2`, 1))
	if _, err := p.Find(t.Context(), id); err == nil || errors.As(err, new(session.Ended)) {
		t.Errorf("a later version: %v", err)
	}
	put(at+"/is", is)
	put("access-sessions/1/mark/"+l.Principal, `{"at":1772445600000,"mark":"n","v":1}`)
	if _, err := p.Find(t.Context(), id); !errors.Is(err, session.None) {
		t.Errorf("under another mark: %v", err)
	}
}
