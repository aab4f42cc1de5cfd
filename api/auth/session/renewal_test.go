package session_test

import (
	"errors"
	"net/http"
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
