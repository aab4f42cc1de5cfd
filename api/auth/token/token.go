// Package token makes and reads subject tokens: by one, a person's own browser or phone
// speaks to the ledger itself, for minutes, about that person in one app and nobody else.
//
// A back end that may write for the app mints them, see [Handler]. A token is a JWT of a
// type of its own, signed with Ed25519 and nothing else by a key that the ledger alone
// has. It says whom it is for in the clear, to whoever holds it: the person.
package token

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json"
)

// What the head and the claims of a token say, always.
const (
	kind   = "consent-subject+jwt" // no token of another kind is taken for one, nor one for another
	issuer = "consentledger"
)

// How long a token may last. What a back end that was locked out has minted ends soon.
const (
	Longest = time.Hour
	Usual   = 10 * time.Minute
)

// An Action is what the holder of a token may do.
type Action string

// The actions.
const (
	Record Action = "record" // record what the person says
	Check  Action = "check"  // ask "may we?"
	Prompt Action = "prompt" // ask what must be asked, and read those texts
)

// Actions are all of them.
var Actions = []Action{Record, Check, Prompt}

// operations are what each action stands for.
var operations = map[Action][]auth.Operation{
	Record: {auth.Record},
	Check:  {auth.Check},
	Prompt: {auth.Prompt, auth.Describe},
}

// A Subject is what a token is for.
type Subject struct {
	App     ident.AppName
	Person  ident.PersonKey
	Actions []Action
}

// A Signer mints tokens and reads them. It is an [auth.Bearer], and its methods may be
// called concurrently.
type Signer struct {
	key  ed25519.PrivateKey
	id   string
	now  func() time.Time
	good func(key string, app ident.AppName) bool
}

// NewSigner returns the Signer of a seed of 32 random bytes. Good reports whether the holder
// of an API key could mint tokens for an app now: a token ends with the key by which it was
// minted, and when that is no longer for the app.
func NewSigner(
	seed []byte, now func() time.Time, good func(key string, app ident.AppName) bool,
) (*Signer, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("the key of tokens has %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return &Signer{key: key, id: hex.EncodeToString(sum[:8]), now: now, good: good}, nil
}

// claims are those of a token.
type claims struct {
	jwt.Claims
	Actions []Action `json:"actions"`
	By      string   `json:"by"`            // the pseudonym of who minted it
	Key     string   `json:"key,omitempty"` // and the API key that they came with
}

// Mint returns a token that lasts so long, and when it ends; by is who asks for it.
func (s *Signer) Mint(
	subject Subject, lasts time.Duration, by auth.Principal,
) (text string, ends time.Time, err error) {
	now := s.now().Truncate(time.Second)
	ends = now.Add(lasts)
	c := claims{
		Claims: jwt.Claims{
			Issuer: issuer, Subject: subject.Person.String(), Audience: jwt.Audience{string(subject.App)},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(ends),
		},
		Actions: subject.Actions, By: by.Pseudonym,
	}
	if isKey(by.Key) {
		c.Key = by.Key
	}

	options := (&jose.SignerOptions{}).WithType(kind).WithHeader(jose.HeaderKey("kid"), s.id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: s.key}, options)
	if err == nil {
		text, err = jwt.Signed(signer).Claims(c).Serialize()
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("a subject token is not made: %w", err)
	}
	return text, ends, nil
}

// isKey tells the id of an API key from the name of a certificate, which has a hyphen.
func isKey(id string) bool { return id != "" && !strings.Contains(id, "-") }

// maxToken is how many bytes a token may have.
const maxToken = 2 << 10

// Takes reports whether the head of a credential says that it is a subject token.
func (s *Signer) Takes(credential string) bool {
	head, _, _ := strings.Cut(credential, ".")
	if len(credential) > maxToken || strings.Count(credential, ".") != 2 {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var says struct {
		Type string `json:"typ"`
	}
	return json.Unmarshal(b, &says) == nil && says.Type == kind
}

// Why somebody with a token is not let in.
const (
	Bad     auth.Denied = "this is no subject token of this ledger, or it was altered: let the back end mint another"
	Expired auth.Denied = "this subject token has expired: let the back end mint another"
	Ended   auth.Denied = "this subject token ended with the key that it was minted by: let the back end mint another"
)

// Authenticate returns whose token that is.
func (s *Signer) Authenticate(_ context.Context, text string) (auth.Principal, error) {
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(token.Headers) != 1 || token.Headers[0].KeyID != s.id {
		return auth.Principal{}, Bad
	}
	var c claims
	if err := token.Claims(s.key.Public(), &c); err != nil {
		return auth.Principal{}, Bad
	}

	// From here on all is as this program signed it, or another version of it.
	now := s.now()
	switch {
	case c.Issuer != issuer || c.Expiry == nil || c.IssuedAt == nil || len(c.Audience) != 1:
		return auth.Principal{}, Bad
	case !now.Before(c.Expiry.Time()) || c.Expiry.Time().Sub(c.IssuedAt.Time()) > Longest:
		return auth.Principal{}, Expired
	case c.Key != "" && !s.good(c.Key, ident.AppName(c.Audience[0])):
		return auth.Principal{}, Ended
	}
	p, err := c.principal()
	p.Ends = c.Expiry.Time()
	return p, err
}

// principal returns who speaks by a token that is good.
func (c claims) principal() (auth.Principal, error) {
	app, err1 := ident.ParseAppName(c.Audience[0])
	person, err2 := ident.ParsePersonKey(c.Subject)
	if errors.Join(err1, err2) != nil || c.By == "" {
		return auth.Principal{}, Bad
	}

	var may []auth.Operation
	for _, a := range c.Actions {
		may = append(may, operations[a]...)
	}

	return auth.Principal{
		// It says that a person's own device spoke, let in by whom, and not who the person is.
		Pseudonym: c.By + "-token",
		Bindings:  []auth.Binding{{Roles: []auth.Role{auth.Writer}, Apps: []ident.AppName{app}}},
		Only:      &auth.Only{Person: person, Operations: may},
	}, nil
}

// ParseActions reads what a token is to be for. None is said: to record.
func ParseActions(names []string) (actions []Action, err error) {
	if len(names) == 0 {
		return []Action{Record}, nil
	}
	for _, name := range names {
		if !slices.Contains(Actions, Action(name)) || slices.Contains(actions, Action(name)) {
			return nil, refusal.Refusal{Code: refusal.Malformed, Path: "actions",
				Text: "actions: want some of record, check and prompt, each once"}
		}
		actions = append(actions, Action(name))
	}
	return actions, nil
}
