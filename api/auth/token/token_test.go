package token_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/token"
	"consentledger/domain/ident"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json"
)

// A minter mints tokens, at a time that the test says, by a key that may be revoked.
type minter struct {
	*testing.T
	*token.Signer
	seed    []byte
	at      time.Time
	revoked bool
}

func newMinter(t *testing.T, fill byte) *minter {
	t.Helper()
	d := &minter{T: t, at: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), seed: slices.Repeat([]byte{fill}, ed25519.SeedSize)}
	var err error
	d.Signer, err = token.NewSigner(d.seed, func() time.Time { return d.at }, func(string, ident.AppName) bool { return !d.revoked })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var ada = ident.PersonKey{Kind: "account", ID: "ada"}

func (d *minter) mint(actions ...token.Action) string {
	d.Helper()
	text, _, err := d.Mint(token.Subject{App: "shop", Person: ada, Actions: actions}, 10*time.Minute,
		auth.Principal{Pseudonym: "p-shop", Key: "abcdefghijkl"})
	if err != nil {
		d.Fatal(err)
	}
	return text
}

// authenticate is what the guard does with a credential.
func (d *minter) authenticate(text string) (auth.Principal, error) {
	if !d.Takes(text) {
		return auth.Principal{}, errNotTaken
	}
	return d.Authenticate(context.Background(), text)
}

var errNotTaken = errors.New("not taken")

func TestATokenIsForOnePersonInOneApp(t *testing.T) {
	d := newMinter(t, 1)
	p, err := d.authenticate(d.mint(token.Record))
	if err != nil || p.Only == nil || p.Only.Person != ada || !p.In("shop") || p.In("bank") {
		t.Fatalf("%+v %v", p, err)
	}
	if !p.May(auth.Record) || p.May(auth.Check) || p.May(auth.ReadPolicy) || p.May(auth.Mint) || p.May(auth.Group) {
		t.Errorf("to record: %+v", p.Only)
	}
	if p, err := d.authenticate(d.mint(token.Check, token.Prompt)); err != nil || p.May(auth.Record) || !p.May(auth.Check) || !p.May(auth.Prompt) || !p.May(auth.Describe) {
		t.Errorf("to ask: %+v %v", p.Only, err)
	}
	if p.Pseudonym != "p-shop-token" {
		t.Errorf("records would name %q", p.Pseudonym)
	}
	if _, err := ident.ParsePrincipal(p.Pseudonym); err != nil {
		t.Error(err)
	}
}

func TestATokenEnds(t *testing.T) {
	d := newMinter(t, 1)
	text := d.mint(token.Record)
	d.at = d.at.Add(10*time.Minute - time.Second)
	if _, err := d.authenticate(text); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	d.at = d.at.Add(time.Second)
	for range 2 { // once more is no other answer
		if _, err := d.authenticate(text); err != token.Expired {
			t.Errorf("at its end: %v", err)
		}
	}
	text, d.revoked = d.mint(token.Record), true
	if _, err := d.authenticate(text); err != token.Ended {
		t.Errorf("after the key that minted it: %v", err)
	}
}

// signed returns a token that a test made, with a key and a head of its own.
func (d *minter) signed(seed []byte, typ, kid string, claims map[string]any) string {
	d.Helper()
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", kid)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: ed25519.NewKeyFromSeed(seed)}, options)
	if err != nil {
		d.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		d.Fatal(err)
	}
	return text
}

func TestATokenThatIsNotGoodLetsNobodyIn(t *testing.T) {
	d, other := newMinter(t, 1), newMinter(t, 2)
	good := d.mint(token.Record)
	parts := strings.Split(good, ".")
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var says struct{ Kid string }
	if err := json.Unmarshal(head, &says, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	body := func(edit func(map[string]any)) map[string]any {
		c := map[string]any{
			"iss": "consentledger", "aud": "shop", "sub": "account:ada", "by": "p-shop", "actions": []string{"record"},
			"iat": d.at.Unix(), "exp": d.at.Add(time.Minute).Unix(),
		}
		edit(c)
		return c
	}
	own := func(edit func(map[string]any)) string {
		return d.signed(d.seed, "consent-subject+jwt", says.Kid, body(edit))
	}
	if _, err := d.authenticate(own(func(map[string]any) {})); err != nil {
		t.Fatalf("as the ledger makes it: %v", err)
	}

	for name, c := range map[string]struct {
		text string
		want error
	}{
		"of another ledger":        {other.mint(token.Record), token.Bad},
		"of another's key":         {d.signed(other.seed, "consent-subject+jwt", says.Kid, body(func(map[string]any) {})), token.Bad},
		"of another kind":          {d.signed(d.seed, "JWT", says.Kid, body(func(map[string]any) {})), errNotTaken},
		"no algorithm":             {encode(`{"alg":"none","typ":"consent-subject+jwt","kid":"`+says.Kid+`"}`) + "." + parts[1] + ".", token.Bad},
		"another algorithm":        {encode(`{"alg":"HS256","typ":"consent-subject+jwt","kid":"`+says.Kid+`"}`) + "." + parts[1] + "." + parts[2], token.Bad},
		"another body":             {parts[0] + "." + encode(`{"sub":"account:bob"}`) + "." + parts[2], token.Bad},
		"no signature":             {parts[0] + "." + parts[1] + ".", token.Bad},
		"two heads":                {encode(`{"typ":"consent-subject+jwt","typ":"consent-subject+jwt"}`) + "." + parts[1] + "." + parts[2], errNotTaken},
		"one that is long":         {good + strings.Repeat("A", 3000), errNotTaken},
		"no end":                   {own(func(c map[string]any) { delete(c, "exp") }), token.Bad},
		"no beginning":             {own(func(c map[string]any) { delete(c, "iat") }), token.Bad},
		"one that lasts a day":     {own(func(c map[string]any) { c["exp"] = d.at.Add(24 * time.Hour).Unix() }), token.Expired},
		"two apps":                 {own(func(c map[string]any) { c["aud"] = []string{"shop", "bank"} }), token.Bad},
		"no app":                   {own(func(c map[string]any) { c["aud"] = "*" }), token.Bad},
		"nobody":                   {own(func(c map[string]any) { delete(c, "sub") }), token.Bad},
		"somebody by their e-mail": {own(func(c map[string]any) { c["sub"] = "ada@example.com" }), token.Bad},
		"another issuer":           {own(func(c map[string]any) { c["iss"] = "x" }), token.Bad},
		"minted by nobody":         {own(func(c map[string]any) { delete(c, "by") }), token.Bad},
	} {
		p, err := d.authenticate(c.text)
		if err != c.want || len(p.Bindings) > 0 {
			t.Errorf("%s: %+v %v, want %v", name, p, err, c.want)
		}
	}
	p, err := d.authenticate(own(func(c map[string]any) { c["actions"] = []string{"erase", "administrator"} }))
	if err != nil || p.May(auth.Record) || p.May(auth.Erase) {
		t.Errorf("actions that there are not: %+v %v", p, err)
	}
}

func TestABackEndMintsWhatItAsksFor(t *testing.T) {
	d := newMinter(t, 1)
	h := token.Handler(d.Signer, slog.New(slog.DiscardHandler))
	ask := func(body string) (int, string) {
		r := httptest.NewRequest("POST", "/v1/apps/shop/tokens", strings.NewReader(body))
		r.SetPathValue("app", "shop")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(auth.With(t.Context(), auth.Principal{Pseudonym: "p-shop"})))
		return w.Code, w.Body.String()
	}
	status, text := ask(`{"subject":"ada","actions":["record","check"],"minutes":5}`)
	var a token.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusOK || a.Expires != "2026-03-02T10:05:00.000Z" {
		t.Fatalf("%d %s %v", status, text, err)
	}
	if p, err := d.authenticate(a.Token); err != nil || p.Only.Person != ada || !p.May(auth.Check) || p.May(auth.Prompt) {
		t.Errorf("%+v %v", p, err)
	}
	if status, text := ask(`{"subject":"ada"}`); status != http.StatusOK || !strings.Contains(text, `"actions":["record"]`) {
		t.Errorf("the usual: %d %s", status, text)
	}
	for _, body := range []string{
		``, `[]`, `{}`, `{"subject":"ada@example.com"}`, `{"subject":"ada","minutes":61}`, `{"subject":"ada","minutes":-1}`, `{"subject":"ada","action":["record"]}`,
		`{"subject":"ada","actions":["erase"]}`, `{"subject":"ada","actions":["record","record"]}`, `{"subject":"` + strings.Repeat("a", 5000) + `"}`,
	} {
		if status, text := ask(body); status != http.StatusBadRequest || strings.Contains(text, "example.com") {
			t.Errorf("%.40s: %d %s", body, status, text)
		}
	}
	w := httptest.NewRecorder()
	token.Handler(nil, nil).ServeHTTP(w, httptest.NewRequest("POST", "/v1/apps/shop/tokens", nil))
	if w.Code != http.StatusConflict {
		t.Errorf("where nobody is authenticated: %d", w.Code)
	}
}

func FuzzAuthenticate(f *testing.F) {
	s, err := token.NewSigner(make([]byte, 32), time.Now, func(string, ident.AppName) bool { return true })
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFZERTQSIsInR5cCI6ImNvbnNlbnQtc3ViamVjdCtqd3QifQ.e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		if s.Takes(text) {
			if _, err := s.Authenticate(t.Context(), text); err == nil {
				t.Error("a token that nobody minted lets in")
			}
		}
	})
}
