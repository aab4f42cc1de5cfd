package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"consentledger/api/auth"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// A SignIn lets people sign in at the provider with their browser: the authorization code
// flow, with PKCE (S256), a state and a nonce. Whom it lets in is decided as for a bearer
// token, but that the token is for the ledger as a client.
//
// Its methods may be called concurrently.
type SignIn struct {
	*Provider // whose audience is the client
	secret    string
	scopes    []string

	mu    sync.Mutex
	at    endpoints // where the provider is asked
	asked time.Time // when the provider said so; zero: never
}

// NewSignIn returns a sign-in of a provider for a client that is registered there. A
// public client has no secret. Scopes are asked for beside openid: some providers tell
// groups only to who asks for them.
func NewSignIn(c Config, client, secret string, scopes []string) (*SignIn, error) {
	if client == "" {
		return nil, errors.New("say as which client the ledger is registered")
	}
	c.Audience = client
	p, err := New(c)
	if err != nil {
		return nil, err
	}
	return &SignIn{Provider: p, secret: secret, scopes: append([]string{oidc.ScopeOpenID}, scopes...)}, nil
}

// A Pending is a sign-in that was begun. Its browser alone keeps it, and shows it when it
// comes back.
type Pending struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// An Identity is who signed in.
type Identity struct {
	auth.Principal
	Issuer  string
	Groups  []string // of the provider's, those that have roles here
	Refresh string   // a token to ask the provider again with; empty: it gave none
}

// Why nobody is signed in.
const (
	OtherBrowser auth.Denied = "this sign-in was begun in another browser, or too long ago: begin again"
	OtherNonce   auth.Denied = "the identity provider's answer is not to this sign-in: begin again"
	UsedCode     auth.Denied = "the identity provider does not take this sign-in any more: it was finished before, " +
		"or took too long; begin again"
)

// A Fault is what the provider said instead of signing somebody in: one of the codes of
// OAuth 2.0 and OpenID Connect, as in access_denied.
type Fault string

func (f Fault) Error() string { return "the identity provider says: " + string(f) }

// faultOf returns a code as a provider says it. What is none stands in no log and on no
// page: anybody could have written it.
func faultOf(code string) Fault {
	if len(code) > 60 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "unknown_error"
	}
	return Fault(code)
}

// Begin begins a sign-in, and returns where the browser goes. Redirect is where the
// provider sends it back to, as it is registered there. The error wraps [auth.ErrAway].
func (s *SignIn) Begin(ctx context.Context, redirect string) (to string, p Pending, err error) {
	c, err := s.client(ctx, redirect)
	if err != nil {
		return "", p, err
	}
	p = Pending{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return c.AuthCodeURL(p.State, oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)), p, nil
}

// Finish returns who came back from the provider with an answer. The error is an
// [auth.Denied], an [auth.Unmapped], a [Fault], or wraps [auth.ErrAway].
func (s *SignIn) Finish(ctx context.Context, redirect string, p Pending, answer url.Values) (Identity, error) {
	if p.State == "" || p.Nonce == "" || p.Verifier == "" || !auth.SameSecret(p.State, answer.Get("state")) {
		return Identity{}, OtherBrowser
	}
	if iss := answer.Get("iss"); iss != "" && iss != s.Issuer { // RFC 9207
		return Identity{}, WrongIssuer
	}
	if code := answer.Get("error"); code != "" {
		return Identity{}, faultOf(code)
	}

	given, err := s.exchange(ctx, redirect, p, answer.Get("code"))
	if err != nil {
		return Identity{}, err
	}
	token, err := s.verify(ctx, given.id)
	if err != nil {
		return Identity{}, err
	}
	if !auth.SameSecret(p.Nonce, token.Nonce) {
		return Identity{}, OtherNonce
	}
	return s.identity(ctx, token, given)
}

// Renew returns who signed in before, by what the provider says of them now: refresh is
// the token that it gave for that, and pseudonym who it was. The error is as of
// [SignIn.Finish].
func (s *SignIn) Renew(ctx context.Context, refresh, pseudonym string) (Identity, error) {
	given, err := s.tokens(ctx, "", func(ctx context.Context, c *oauth2.Config) (*oauth2.Token, error) {
		return c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	})
	if fault := Fault(""); errors.As(err, &fault) && (fault == "server_error" || fault == "temporarily_unavailable") {
		return Identity{}, s.away(fault)
	}
	if err != nil {
		return Identity{}, err
	}
	token, err := s.verify(ctx, given.id)
	if err != nil {
		return Identity{}, err
	}
	if s.pseudonym(token) != pseudonym {
		return Identity{}, OtherNonce
	}
	return s.identity(ctx, token, given)
}

// identity returns who a token that is verified is of.
func (s *SignIn) identity(ctx context.Context, token *oidc.IDToken, given tokens) (Identity, error) {
	if err := s.checkParty(token); err != nil {
		return Identity{}, err
	}
	groups, who, err := s.member(ctx, token)
	return Identity{Principal: who, Issuer: s.Issuer, Groups: groups, Refresh: given.refresh}, err
}

// Left returns for how long what the provider said of somebody still holds.
func (s *SignIn) Left(who auth.Principal) time.Duration { return who.Ends.Sub(s.Now()) }

// tokens are what the provider gives.
type tokens struct{ id, refresh string }

// exchange returns the tokens that a code is for.
func (s *SignIn) exchange(ctx context.Context, redirect string, p Pending, code string) (tokens, error) {
	return s.tokens(ctx, redirect, func(ctx context.Context, c *oauth2.Config) (*oauth2.Token, error) {
		return c.Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	})
}

// tokens asks the provider for tokens.
func (s *SignIn) tokens(
	ctx context.Context, redirect string, ask func(context.Context, *oauth2.Config) (*oauth2.Token, error),
) (none tokens, err error) {
	c, err := s.client(ctx, redirect)
	if err != nil {
		return none, err
	}

	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.Client), fetchWithin)
	defer cancel()
	answer, err := ask(ctx, c)
	if said, is := errors.AsType[*oauth2.RetrieveError](err); is {
		if said.ErrorCode == "invalid_grant" {
			return none, UsedCode
		}
		if said.ErrorCode != "" {
			fault := faultOf(said.ErrorCode)
			s.Failed(fault)
			return none, fault
		}
	}
	if err != nil {
		return none, s.away(errors.New("it gives no token"))
	}

	text, has := answer.Extra("id_token").(string)
	if !has {
		return none, BadToken
	}
	return tokens{text, answer.RefreshToken}, nil
}

// checkParty refuses a token that was made for another party: go-oidc leaves that to its
// caller, and it matters where a token has several audiences.
func (s *SignIn) checkParty(token *oidc.IDToken) error {
	var says struct {
		Party string `json:"azp"`
	}
	if err := token.Claims(&says); err != nil {
		return BadToken
	}
	if says.Party != "" && says.Party != s.Audience || says.Party == "" && len(token.Audience) > 1 {
		return WrongAudience
	}
	return nil
}

// endpointsHold is how long what the provider says of its endpoints holds.
const endpointsHold = time.Hour

// client returns the client that the ledger is at the provider.
func (s *SignIn) client(ctx context.Context, redirect string) (*oauth2.Config, error) {
	at, err := s.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Config{
		ClientID: s.Audience, ClientSecret: s.secret, Endpoint: at.Endpoint, RedirectURL: redirect, Scopes: s.scopes,
	}, nil
}

// endpoints are where a provider is asked.
type endpoints struct {
	oauth2.Endpoint
	revocation string // where tokens are taken back (RFC 7009); empty: nowhere
	inBody     bool   // there the client says in the body who it is, since a header is not taken
}

// endpoints returns where the provider is asked. One caller asks it at a time.
func (s *SignIn) endpoints(ctx context.Context) (endpoints, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	if !s.asked.IsZero() && now.Sub(s.asked) < endpointsHold {
		return s.at, nil
	}

	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.Client), fetchWithin)
	defer cancel()
	p, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		return endpoints{}, s.away(err)
	}
	at := endpoints{Endpoint: p.Endpoint()}
	for _, one := range []string{at.AuthURL, at.TokenURL} {
		u, err := url.Parse(one)
		if err != nil || u.Host == "" {
			return endpoints{}, s.away(errors.New("it names an endpoint that is no URL"))
		}
		if err := checkLine(u); err != nil {
			return endpoints{}, s.away(err)
		}
	}
	if at.revocation, at.inBody, err = revocationOf(p); err != nil {
		s.Failed(err) // people can sign in all the same
	}
	s.at, s.asked = at, now
	return at, nil
}

// away tells of an error of the provider's, and says that it cannot be asked.
func (s *SignIn) away(err error) error {
	s.Failed(err)
	return fmt.Errorf("the identity provider: %w", auth.ErrAway)
}
