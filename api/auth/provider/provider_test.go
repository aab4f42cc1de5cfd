package provider_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/roles"
	"consentledger/eventstore/memory"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

const file = `
claim: groups
groups:
  - group: shop-readers
    roles: [app-reader]
    apps: [shop]
  - group: bank-privacy
    roles: [privacy-officer]
    apps: [bank]
  - group: writers
    roles: [app-writer]
    all_apps: true
`

// A world is an identity provider that runs, and a ledger's view of it. The ledger's
// clock is moved by the test.
type world struct {
	*testing.T
	idp      *mockoidc.MockOIDC
	provider *provider.Provider
	shift    time.Duration
	away     atomic.Bool // the provider does not answer
	asked    atomic.Int32

	hold atomic.Pointer[chan struct{}] // the provider answers when it is closed; nil: at once
	held chan struct{}                 // gets one when the provider holds an answer back
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, held: make(chan struct{}, 1)}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if w.idp, err = mockoidc.NewServer(key); err != nil {
		t.Fatal(err)
	}
	err = w.idp.AddMiddleware(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == mockoidc.JWKSEndpoint {
				w.asked.Add(1)
			}
			if hold := w.hold.Load(); hold != nil {
				w.held <- struct{}{}
				<-*hold
			}
			if w.away.Load() {
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			h.ServeHTTP(rw, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.idp.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.idp.Shutdown() })

	f, err := roles.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	names, err := auth.OpenPseudonyms(t.Context(), new(memory.Rows))
	if err != nil {
		t.Fatal(err)
	}
	w.provider, err = provider.New(provider.Config{
		Issuer: w.idp.Issuer(), Audience: "consentledger", Roles: f, Pseudonyms: names,
		Now: func() time.Time { return time.Now().Add(w.shift) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// token returns one that the provider signed, with some claims instead of the usual ones;
// nil: without it.
func (w *world) token(claims map[string]any) string {
	w.Helper()
	now := time.Now()
	all := jwt.MapClaims{
		"iss": w.idp.Issuer(), "aud": "consentledger", "sub": "ann", "groups": []string{"shop-readers"},
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, err := w.idp.Keypair.SignJWT(all)
	if err != nil {
		w.Fatal(err)
	}
	return text
}

func TestATokenLetsInWhoseGroupsHaveRoles(t *testing.T) {
	w := newWorld(t)
	p, err := w.provider.Authenticate(t.Context(), w.token(nil))
	if err != nil || !p.In("shop") || p.In("bank") || !p.May(auth.ReadPerson) || p.May(auth.Record) {
		t.Fatalf("%+v %v", p, err)
	}
	again, err := w.provider.Authenticate(t.Context(), w.token(map[string]any{"groups": "writers", "aud": []string{"x", "consentledger"}}))
	if err != nil || again.Pseudonym != p.Pseudonym || !again.May(auth.Record) || !again.In("bank") {
		t.Errorf("the same subject, by another token: %+v %v", again, err)
	}
	other, err := w.provider.Authenticate(t.Context(), w.token(map[string]any{"sub": "bob"}))
	if err != nil || other.Pseudonym == p.Pseudonym || strings.Contains(p.Pseudonym, "ann") {
		t.Errorf("another subject: %+v %v", other, err)
	}
	both, err := w.provider.Authenticate(t.Context(), w.token(map[string]any{"groups": []any{"shop-readers", 7, "bank-privacy", nil}}))
	if err != nil || len(both.Bindings) != 2 {
		t.Errorf("of two groups: %+v %v", both, err)
	}
}

func TestATokenThatIsNotGoodLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	good := w.token(nil)
	head, rest, _ := strings.Cut(good, ".")
	payload, sign, _ := strings.Cut(rest, ".")
	_, otherRest, _ := strings.Cut(w.token(map[string]any{"groups": []string{"writers"}}), ".")
	otherPayload, _, _ := strings.Cut(otherRest, ".")
	shared, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": w.idp.Issuer(), "aud": "consentledger", "sub": "ann"}).SignedString([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := foreign.SignJWT(jwt.MapClaims{
		"iss": w.idp.Issuer(), "aud": "consentledger", "sub": "ann", "groups": "writers", "exp": now.Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"no token":                      {"a.b.c", provider.BadToken},
		"expired":                       {w.token(map[string]any{"exp": now.Add(-time.Second).Unix()}), provider.ExpiredToken},
		"one that never expires":        {w.token(map[string]any{"exp": nil}), provider.ExpiredToken},
		"one that begins later":         {w.token(map[string]any{"nbf": now.Add(time.Hour).Unix()}), provider.EarlyToken},
		"one issued later":              {w.token(map[string]any{"iat": now.Add(time.Hour).Unix()}), provider.EarlyToken},
		"another audience":              {w.token(map[string]any{"aud": "shop"}), provider.WrongAudience},
		"no audience":                   {w.token(map[string]any{"aud": nil}), provider.WrongAudience},
		"another issuer":                {w.token(map[string]any{"iss": "https://id.example.com"}), provider.WrongIssuer},
		"the issuer with a slash":       {w.token(map[string]any{"iss": w.idp.Issuer() + "/"}), provider.WrongIssuer},
		"nobody":                        {w.token(map[string]any{"sub": nil}), provider.BadToken},
		"no algorithm":                  {"eyJhbGciOiJub25lIn0." + payload + ".", provider.UnknownAlgorithm},
		"an algorithm of shared keys":   {shared, provider.UnknownAlgorithm},
		"another's signature":           {head + "." + otherPayload + "." + sign, provider.BadSignature},
		"no signature":                  {head + "." + payload + ".", provider.BadSignature},
		"signed by somebody else":       {forged, provider.BadSignature},
		"one that is long":              {head + "." + payload + "." + sign + strings.Repeat("A", 20_000), provider.BadToken},
		"no groups":                     {w.token(map[string]any{"groups": nil}), provider.NoRole},
		"groups without a role":         {w.token(map[string]any{"groups": []string{"others"}}), provider.NoRole},
		"groups that are no names":      {w.token(map[string]any{"groups": map[string]any{"writers": true}}), provider.NoRole},
		"groups with roles kept apart":  {w.token(map[string]any{"groups": []string{"writers", "bank-privacy"}}), provider.TwoRoles},
		"a group in other letters":      {w.token(map[string]any{"groups": []string{"Writers"}}), provider.NoRole},
		"a path in the name of a group": {w.token(map[string]any{"groups": []string{"/writers"}}), provider.NoRole},
	} {
		p, err := w.provider.Authenticate(t.Context(), c.token)
		if err == nil || err.Error() != c.want.Error() || len(p.Bindings) > 0 {
			t.Errorf("%s: %+v %v, want %v", name, p, err, c.want)
		}
		if err != nil && len(sign) > 20 && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the error holds the token", name)
		}
	}
}

// A token is good until it expires, whatever it said when it was first shown.
func TestATokenEnds(t *testing.T) {
	w := newWorld(t)
	token := w.token(nil)
	if _, err := w.provider.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	w.shift = 11 * time.Minute
	if _, err := w.provider.Authenticate(t.Context(), token); !errors.Is(err, provider.ExpiredToken) {
		t.Errorf("%v", err)
	}
}

// Tokens with keys that nobody has do not make the ledger ask the provider again and
// again, and while it does not answer its keys hold for a while.
func TestTheProviderIsAskedSeldom(t *testing.T) {
	w := newWorld(t)
	w.away.Store(true)
	if _, err := w.provider.Authenticate(t.Context(), w.token(nil)); !errors.Is(err, auth.ErrAway) {
		t.Fatalf("before the first answer: %v", err)
	}
	w.away.Store(false)
	w.shift = 11 * time.Second
	if _, err := w.provider.Authenticate(t.Context(), w.token(nil)); err != nil {
		t.Fatal(err)
	}

	foreign, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Kid = "unknown"
	forged, err := foreign.SignJWT(jwt.MapClaims{
		"iss": w.idp.Issuer(), "aud": "consentledger", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	asked := w.asked.Load()
	for range 20 {
		if _, err := w.provider.Authenticate(t.Context(), forged); err == nil {
			t.Fatal("a forged token lets in")
		}
	}
	if n := w.asked.Load() - asked; n > 1 {
		t.Errorf("the provider was asked %d times", n)
	}

	w.away.Store(true)
	hour := w.token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	w.shift = 10 * time.Minute
	if _, err := w.provider.Authenticate(t.Context(), hour); err != nil {
		t.Errorf("ten minutes without the provider: %v", err)
	}
	w.shift = 20 * time.Minute
	if _, err := w.provider.Authenticate(t.Context(), hour); !errors.Is(err, auth.ErrAway) {
		t.Errorf("twenty minutes without it: %v", err)
	}
}

// While the provider does not answer, who has a known key is let in at once: what one
// unknown key makes the ledger ask holds nobody else up.
func TestNobodyWaitsForAnUnknownKey(t *testing.T) {
	w := newWorld(t)
	good := w.token(nil)
	if _, err := w.provider.Authenticate(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	foreign, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Kid = "unknown"
	forged, err := foreign.SignJWT(jwt.MapClaims{
		"iss": w.idp.Issuer(), "aud": "consentledger", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}

	hold := make(chan struct{})
	w.hold.Store(&hold)
	w.shift = 11 * time.Second
	asked := make(chan error, 1)
	go func() {
		_, err := w.provider.Authenticate(t.Context(), forged)
		asked <- err
	}()
	<-w.held
	if _, err := w.provider.Authenticate(t.Context(), good); err != nil {
		t.Error(err)
	}
	w.hold.Store(nil)
	close(hold)
	if err := <-asked; !errors.Is(err, provider.BadSignature) {
		t.Errorf("the forged one: %v", err)
	}
}

// A key that the provider took back lets nobody in once the keys were read again.
func TestAKeyThatIsTakenBackEnds(t *testing.T) {
	w := newWorld(t)
	token := w.token(nil)
	if _, err := w.provider.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	other, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	w.idp.Keypair = other
	w.shift = 6 * time.Minute
	if _, err := w.provider.Authenticate(t.Context(), token); !errors.Is(err, provider.BadSignature) {
		t.Errorf("a token of the key before: %v", err)
	}
	if _, err := w.provider.Authenticate(t.Context(), w.token(nil)); err != nil {
		t.Errorf("one of the new key: %v", err)
	}
}

func TestAProviderThatCannotBeIsRefused(t *testing.T) {
	f, err := roles.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []provider.Config{
		{Issuer: "", Audience: "x", Roles: f},
		{Issuer: "id.example.com", Audience: "x", Roles: f},
		{Issuer: "http://id.example.com", Audience: "x", Roles: f},
		{Issuer: "https://id.example.com", Roles: f},
		{Issuer: "https://id.example.com", Audience: "x", Roles: &roles.File{}},
	} {
		if _, err := provider.New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
