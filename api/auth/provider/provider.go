// Package provider authenticates people and programs by an identity provider (OpenID
// Connect): programs by bearer tokens that they show, see [Provider], and people by a
// sign-in in their browser, see [SignIn]. It keeps no session: package session does.
//
// Which groups give which roles stands in a file, see package roles. Records name who
// came by a pseudonym, the same for every token of one issuer and subject.
package provider

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/roles"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// A Config is what New stands on.
type Config struct {
	Issuer     string // exactly as tokens name it, with or without a slash at its end
	Audience   string // whom tokens have to be for
	Roles      *roles.File
	Current    func() *roles.File // the file as it is now; nil: Roles for ever
	Pseudonyms auth.Pseudonyms
	Now        func() time.Time
	Client     *http.Client // nil: one that waits five seconds
	Failed     func(error)  // is told when the provider's keys could not be read; nil: nobody is

	// Seen is told in which groups a token says that somebody is, of those that have roles
	// here, and when the token was issued; nil: nobody is.
	Seen func(ctx context.Context, principal string, groups []string, issued time.Time)
}

// A Provider authenticates by tokens. It is an [auth.Bearer], and its methods may be
// called concurrently.
type Provider struct {
	Config
	keys   *keys
	checks *oidc.Config
}

// algorithms are those that a token may be signed with: with a key that the provider
// alone has.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
}

// New returns a Provider. The provider itself is asked when the first token comes, so
// that the ledger starts without it.
func New(c Config) (*Provider, error) {
	at, err := url.Parse(c.Issuer)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http":
		return nil, errors.New("the issuer is a URL, as in https://id.example.com/realms/main, exactly as tokens " +
			"name it")
	case checkLine(at) != nil:
		return nil, checkLine(at)
	case c.Audience == "":
		return nil, errors.New("say for which audience tokens have to be")
	case c.Roles == nil || len(c.Roles.Groups) == 0:
		return nil, errors.New("no group has a role: name some under groups")
	}

	if c.Client == nil {
		c.Client = &http.Client{Timeout: fetchWithin, CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("it leads elsewhere again and again")
			}
			return checkLine(r.URL)
		}}
	}

	if c.Failed == nil {
		c.Failed = func(error) {}
	}

	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}

	return &Provider{
		Config: c,
		keys:   &keys{issuer: c.Issuer, client: c.Client, now: c.Now, failed: c.Failed},
		checks: &oidc.Config{ClientID: c.Audience, SupportedSigningAlgs: names, Now: c.Now},
	}, nil
}

// checkLine refuses to read keys over a line that others can write on.
func checkLine(at *url.URL) error {
	if at.Scheme == "https" || at.Scheme == "http" && loopback(at.Host) {
		return nil
	}
	return errors.New("the provider's keys would come over a line that others can write on: use https://")
}

func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// maxToken is how many bytes a token may have: one with hundreds of groups.
const maxToken = 16 << 10

// Takes reports whether a credential looks as a signed token does.
func (p *Provider) Takes(credential string) bool { return strings.Count(credential, ".") == 2 }

// Why somebody with a token is not let in.
const (
	BadToken         auth.Denied = "this is no token of the identity provider: sign in again"
	UnknownAlgorithm auth.Denied = "this token is signed by an algorithm that is not taken: RS, PS and ES with 256, " +
		"384 and 512, and EdDSA are"
	WrongIssuer   auth.Denied = "this token is of another issuer than the identity provider here: sign in there"
	WrongAudience auth.Denied = "this token is for another audience than the ledger: ask the identity provider " +
		"for one that is for it"
	ExpiredToken auth.Denied = "this token has expired: sign in again"
	EarlyToken   auth.Denied = "this token begins later than now: one of the clocks is wrong"

	NoRole auth.Unmapped = "the identity provider puts you into no group that has a role here: ask whoever runs " +
		"the ledger"
	TwoRoles auth.Unmapped = "your groups together have roles that nobody has both of: ask whoever runs the ledger"
)

// skew is how far the clocks of the provider and of the ledger may be apart.
const skew = time.Minute

// Authenticate returns whose token that is.
func (p *Provider) Authenticate(ctx context.Context, text string) (auth.Principal, error) {
	token, err := p.verify(ctx, text)
	if err != nil {
		return auth.Principal{}, err
	}
	_, who, err := p.member(ctx, token)
	return who, err
}

// verify returns a token that is the provider's, for the audience, and good now.
func (p *Provider) verify(ctx context.Context, text string) (*oidc.IDToken, error) {
	if err := p.precheck(text); err != nil {
		return nil, err
	}

	// What decides is go-oidc: signature, issuer, audience and times. It gives no error
	// that tells a key that cannot be had from a signature that is wrong.
	signed := &signature{keys: p.keys}
	token, err := oidc.NewVerifier(p.Issuer, signed, p.checks).Verify(ctx, text)
	switch {
	case signed.err != nil:
		return nil, signed.err
	case errors.As(err, new(*oidc.TokenExpiredError)):
		return nil, ExpiredToken
	case err != nil:
		return nil, BadToken
	}

	// These go-oidc leaves to its caller.
	if token.Subject == "" {
		return nil, BadToken
	}
	if token.IssuedAt.After(p.Now().Add(skew)) {
		return nil, EarlyToken
	}
	return token, nil
}

// precheck refuses a token by what it says itself, so that whoever has it hears why, and
// the provider is not asked for the keys of another one. It accepts nothing.
func (p *Provider) precheck(text string) error {
	if len(text) > maxToken {
		return BadToken
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if errors.As(err, new(*jose.ErrUnexpectedSignatureAlgorithm)) {
		return UnknownAlgorithm
	}
	if err != nil || len(token.Headers) != 1 {
		return BadToken
	}
	var says jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&says); err != nil {
		return BadToken
	}

	now := p.Now()
	switch {
	case says.Issuer != p.Issuer:
		return WrongIssuer
	case !says.Audience.Contains(p.Audience):
		return WrongAudience
	case says.Expiry == nil || says.Expiry.Time().Before(now):
		return ExpiredToken
	case says.NotBefore != nil && says.NotBefore.Time().After(now.Add(skew)):
		return EarlyToken
	}
	return nil
}

// member returns in which groups a token says that somebody is, and what they may do. That
// somebody is in no group any more is seen, too.
func (p *Provider) member(ctx context.Context, token *oidc.IDToken) ([]string, auth.Principal, error) {
	groups, err := p.groups(token)
	if err != nil {
		return nil, auth.Principal{}, err
	}
	name := p.pseudonym(token)
	if p.Seen != nil {
		p.Seen(ctx, name, groups, token.IssuedAt)
	}
	who, err := p.Member(name, groups)
	who.Ends = token.Expiry
	return groups, who, err
}

// pseudonym returns how records name who a token is of.
func (p *Provider) pseudonym(token *oidc.IDToken) string {
	return p.Pseudonyms.Of("oidc", token.Issuer, token.Subject)
}

// groups returns the groups of a token that have a role here. Of the others the ledger
// keeps nothing.
func (p *Provider) groups(token *oidc.IDToken) ([]string, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return nil, BadToken
	}
	file := p.file()
	return slices.DeleteFunc(groupsOf(claims, file.Claim), func(name string) bool {
		return !slices.ContainsFunc(file.Groups, func(g roles.Group) bool { return g.Name == name })
	}), nil
}

// Member returns who is in groups, by the roles that these have now.
func (p *Provider) Member(pseudonym string, groups []string) (auth.Principal, error) {
	bindings, err := p.file().Bindings(groups)
	if err != nil {
		return auth.Principal{}, TwoRoles
	}
	if len(bindings) == 0 {
		return auth.Principal{}, NoRole
	}
	return auth.Principal{Pseudonym: pseudonym, Bindings: bindings}, nil
}

// file returns the file of roles as it is now.
func (p *Provider) file() *roles.File {
	if p.Current == nil {
		return p.Roles
	}
	return p.Current()
}

// groupsOf returns the groups that claims hold at a path: a list of names, or one name.
// What is neither holds none.
func groupsOf(claims map[string]any, path []string) (groups []string) {
	var v any = claims
	for _, name := range path {
		object, is := v.(map[string]any)
		if !is {
			return nil
		}
		v = object[name]
	}

	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if name, is := one.(string); is {
				groups = append(groups, name)
			}
		}
	}
	return groups
}

// A signature is one token's, verified by the keys.
type signature struct {
	keys *keys
	err  error // why it was not
}

// VerifySignature is that of [keys].
func (s *signature) VerifySignature(ctx context.Context, text string) (payload []byte, err error) {
	payload, s.err = s.keys.VerifySignature(ctx, text)
	return payload, s.err
}
