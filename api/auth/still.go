package auth

import (
	"context"
	"net/http"
)

type stillKey struct{}

// Still reports whether who does what ctx is of may still do it: an answer that takes its
// time, as a stream does, asks again and again. A key that is revoked, or has expired, may
// not. Where nobody is authenticated, everybody may.
func Still(ctx context.Context) bool {
	still, guarded := ctx.Value(stillKey{}).(func() bool)
	return !guarded || still()
}

// asking returns a context in which [Still] asks again who sent r and what they may do.
func (g *guard) asking(ctx context.Context, route Route, row Row, r *http.Request) context.Context {
	return context.WithValue(ctx, stillKey{}, func() bool {
		p, err := g.ways.ofNow(r)
		if err != nil {
			return false
		}
		p = p.doing(row)
		return len(p.Bindings) > 0 && p.inScope(route.Scope, r)
	})
}

// ofNow returns who sent a request that is still being answered: whose session it was may
// have ended.
func (w Ways) ofNow(r *http.Request) (Principal, error) {
	if s := signedIn(r.Context()); s != nil && len(r.Header["Authorization"]) == 0 {
		return s.again(r.Context())
	}
	return w.of(r)
}
