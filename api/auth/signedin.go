package auth

import (
	"context"
	"crypto/subtle"
	"time"
)

type signedInKey struct{}

// SignedIn returns a context of what a browser asks whose session is p's. Only the pages
// make one, once they have looked at the session: a cookie that comes to the API itself
// lets nobody in, so that no page of another origin can use it there. Again looks at the
// session once more: see [Still].
func SignedIn(ctx context.Context, p Principal, again func(context.Context) (Principal, error)) context.Context {
	return context.WithValue(ctx, signedInKey{}, &signIn{p, again})
}

// A signIn is whose a session was when a page was asked for, and how it is found whose it
// is now.
type signIn struct {
	Principal
	again func(context.Context) (Principal, error)
}

// signedIn returns who is signed in; nil: nobody is, by a session.
func signedIn(ctx context.Context) *signIn {
	s, _ := ctx.Value(signedInKey{}).(*signIn)
	return s
}

// Holder returns whom a key of an id lets in now. It is for who has shown the key before,
// as by signing in. The error is a [Denied] or wraps [ErrAway].
func (k *Keys) Holder(id string) (Principal, error) {
	known := k.known.Load()
	if known == nil || time.Since(known.read) > knownStays {
		return Principal{}, ErrAway
	}

	l, has := known.keys[id]
	switch {
	case !has:
		return Principal{}, UnknownKey
	case l.Revoked != 0:
		return Principal{}, RevokedKey
	case k.Now() >= l.Expires:
		return Principal{}, ExpiredKey
	}
	return l.principal(), nil
}

// IsSetup reports whether a key is that of the first hour.
func (k *Keys) IsSetup(id string) bool {
	known := k.known.Load()
	return known != nil && known.keys[id].Setup
}

// SameSecret reports whether two secrets are the same, in a time that does not tell where
// they differ.
func SameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
