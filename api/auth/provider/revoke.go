package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// revokeWithin is how long a provider may take to take a token back. Whoever signs out waits
// for it, and is signed out of the ledger before.
const revokeWithin = 3 * time.Second

// revocationOf returns where a provider takes tokens back, and how the client says there who
// it is; empty: it says nothing of it.
func revocationOf(p *oidc.Provider) (at string, inBody bool, err error) {
	var says struct {
		At      string   `json:"revocation_endpoint"`
		Methods []string `json:"revocation_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&says); err != nil || says.At == "" {
		return "", false, err
	}
	u, err := url.Parse(says.At)
	if err != nil || u.Host == "" {
		return "", false, errors.New("its revocation endpoint is no URL")
	}
	if err := checkLine(u); err != nil {
		return "", false, fmt.Errorf("its revocation endpoint: %w", err)
	}
	inBody = len(says.Methods) > 0 && !slices.Contains(says.Methods, "client_secret_basic")
	return says.At, inBody, nil
}

// Revoke has the provider take back a refresh token (RFC 7009), if it says where: nobody who
// has a copy can use it then. What it could not do is told to Failed, and changes nothing
// here: the token is used no more either way.
func (s *SignIn) Revoke(ctx context.Context, refresh string) {
	ctx, cancel := context.WithTimeout(ctx, revokeWithin)
	defer cancel()
	at, err := s.endpoints(ctx)
	if err != nil || at.revocation == "" {
		return // of the error it has told
	}

	form := url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}}
	if s.secret == "" || at.inBody {
		form.Set("client_id", s.Audience)
	}
	if s.secret != "" && at.inBody {
		form.Set("client_secret", s.secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		s.Failed(errors.New("its revocation endpoint cannot be asked"))
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if s.secret != "" && !at.inBody {
		r.SetBasicAuth(url.QueryEscape(s.Audience), url.QueryEscape(s.secret))
	}

	// The token goes to the endpoint that the provider names, and nowhere that it leads to.
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		s.Failed(fmt.Errorf("a refresh token was not taken back: %w", err))
		return
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.Failed(fmt.Errorf("a refresh token was not taken back: it says %d", answer.StatusCode))
	}
}
