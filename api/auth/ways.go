package auth

import (
	"context"
	"crypto/x509"
	"net/http"
	"strings"
	"time"

	"consentledger/api/auth/trail"
)

// Ways are all ways in which somebody is authenticated. What a request says in its
// header Authorization decides; who is signed in by a browser, see [SignedIn], and a
// certificate count only where there is no such header.
type Ways struct {
	Keys         *Keys
	Bearers      []Bearer     // what else may stand after "Authorization: Bearer"
	Certificates Certificates // nil: nobody comes by one
	Limit        Limiter      // nil: everybody asks as often as they like
	Trail        *trail.Trail // is told who was refused; nil: nothing is
}

// A Limiter holds principals to a rate.
type Limiter interface {
	// Take counts a request. If it is one too many, wait says after what time another one
	// would do.
	Take(p Principal) (wait time.Duration, ok bool)
}

// A Bearer authenticates who sends credentials of one kind.
type Bearer interface {
	// Takes reports whether a credential is of this kind, by its form alone.
	Takes(credential string) bool

	// Authenticate returns whose it is. The error is a [Denied], an [Unmapped] or wraps
	// [ErrAway], and does not repeat the credential.
	Authenticate(ctx context.Context, credential string) (Principal, error)
}

// Certificates authenticate who has a certificate of TLS. The chain is verified before.
type Certificates interface {
	Authenticate(leaf *x509.Certificate) (Principal, error)
}

// of returns who sent a request.
func (w Ways) of(r *http.Request) (Principal, error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		if s := signedIn(r.Context()); s != nil {
			return s.Principal, nil
		}
		return w.ofCertificate(r)
	}
	return w.ofHeader(r.Context(), values)
}

// ofHeader returns whom the values of a header Authorization are of.
func (w Ways) ofHeader(ctx context.Context, values []string) (Principal, error) {
	scheme, credential, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return Principal{}, UnknownKey
	}
	return w.ofCredential(ctx, credential)
}

// ofCredential returns whose a credential is: a key, or what one of the bearers takes.
func (w Ways) ofCredential(ctx context.Context, credential string) (Principal, error) {
	for _, b := range w.Bearers {
		if b.Takes(credential) {
			p, err := b.Authenticate(ctx, credential)
			p.Bindings = w.Keys.Reach(p.Bindings)
			return p, err
		}
	}
	return w.Keys.Authenticate(credential)
}

func (w Ways) ofCertificate(r *http.Request) (Principal, error) {
	if w.Certificates == nil || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return Principal{}, NoKey
	}
	return w.connectCertificate(r.TLS.VerifiedChains[0][0])
}

// take counts a request of p.
func (w Ways) take(p Principal) (wait time.Duration, ok bool) {
	if w.Limit == nil {
		return 0, true
	}
	return w.Limit.Take(p)
}
