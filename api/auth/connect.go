package auth

import (
	"context"
	"crypto/x509"
)

// Connect returns who may connect to NATS, and for how long ([Principal.Ends]). The
// embedded server asks it, and so does package callout for a server elsewhere: so the same
// credential is the same principal with the same [Principal.Permissions] at both.
//
// Secret is what the connection says as its token or as its password: a key, or a token of
// an identity provider. Only where it says none does the certificate count that it shows,
// which somebody has verified; nil: it shows none. The error is a [Denied], an [Unmapped]
// or wraps [ErrAway].
func (w Ways) Connect(ctx context.Context, secret string, leaf *x509.Certificate) (Principal, error) {
	if secret == "" {
		return w.connectCertificate(leaf)
	}

	p, err := w.ofCredential(ctx, secret)
	if err != nil {
		return Principal{}, err
	}
	if p.Only != nil {
		return Principal{}, HTTPAlone
	}
	return p, nil
}

// HTTPAlone refuses a subject token: a connection is for an app, and not for one person.
const HTTPAlone Denied = "a subject token is for HTTP: on NATS the back end speaks, with a key of its own"

func (w Ways) connectCertificate(leaf *x509.Certificate) (Principal, error) {
	if w.Certificates == nil || leaf == nil {
		return Principal{}, NoKey
	}
	p, err := w.Certificates.Authenticate(leaf)
	p.Bindings = w.Keys.Reach(p.Bindings)
	return p, err
}
