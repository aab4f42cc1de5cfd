package auth

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"consentledger/api/auth/trail"
	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/domain/ident"
)

// Guard lets requests through to h whose sender may use the route that they ask for,
// and says in their context who that is.
//
// Who may not do something in an app of theirs is told which role would do. Of an app
// that is not theirs nobody is told whether it exists.
func Guard(h http.Handler, ways Ways) http.Handler {
	g := &guard{ways: ways, mux: http.NewServeMux()}
	for _, r := range Routes {
		g.mux.Handle(r.Pattern, g.route(r, h))
	}
	return g
}

type guard struct {
	ways Ways
	mux  *http.ServeMux // every route, checked before it is asked for
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := g.mux.Handler(r)
	if pattern != "" {
		g.mux.ServeHTTP(w, r)
		return
	}

	// What has no route is told to nobody who is not let in.
	if _, err := g.ways.of(r); err != nil {
		g.ways.NoteDenied("http", err)
		deny(w, err)
		return
	}
	edge.Lost(w, r, h)
}

func (g *guard) route(route Route, h http.Handler) http.HandlerFunc {
	row, has := rowOf(route.Operation)
	if !has {
		panic("auth: no row of the operation " + string(route.Operation))
	}

	status, _ := rowOf(Status)
	return func(w http.ResponseWriter, r *http.Request) {
		row, scope := row, route.Scope
		if row.Open && verbose(r) {
			row, scope = status, OfAll
		}
		if row.Open && len(r.Header["Authorization"]) == 0 {
			h.ServeHTTP(w, r)
			return
		}
		p, err := g.ways.of(r)
		if err != nil {
			g.ways.NoteDenied("http", err)
			deny(w, err)
			return
		}
		if p.Only == nil && edge.FromPage(r.Context()) {
			g.ways.NoteDenied("http", PageKey)
			deny(w, PageKey)
			return
		}
		if wait, ok := g.ways.take(p); !ok {
			g.ways.noteRefused(trail.Limited, "rate", p, route, r)
			tooMany(w, wait)
			return
		}
		if !p.inScope(scope, r) {
			g.ways.noteRefused(trail.Forbidden, "scope", p, route, r)
			edge.Write(w, elsewhere(scope))
			return
		}
		if !row.Open {
			if p = p.doing(row); !p.inScope(scope, r) || len(p.Bindings) == 0 {
				g.ways.noteRefused(trail.Forbidden, "role", p, route, r)
				edge.Write(w, forbidden(p, row))
				return
			}
		}
		ctx := With(r.Context(), p)
		if !row.Open {
			ctx = g.asking(ctx, route, row, r)
		}
		h.ServeHTTP(w, r.WithContext(ctx))
	}
}

func (p Principal) inScope(s Scope, r *http.Request) bool {
	switch s {
	case OfApp:
		return p.in(r.PathValue("app"))
	case OfQuery:
		apps := r.URL.Query()["app"]
		return p.everywhere() || len(apps) == 1 && p.in(apps[0])
	case OfAll:
		return p.everywhere()
	case OfNone, OfBody:
		return true
	}
	return false
}

// in reports whether p may do anything in an app that somebody named. Where p may do
// something in every app, what is wrong with a name is for the route to say.
func (p Principal) in(name string) bool {
	app, err := ident.ParseAppName(name)
	return p.everywhere() || err == nil && p.In(app)
}

// deny answers who is not authenticated.
func deny(w http.ResponseWriter, err error) {
	if unmapped, is := errors.AsType[Unmapped](err); is {
		edge.Write(w, problem(http.StatusForbidden, "unmapped", "Not allowed", string(unmapped)))
		return
	}

	denied, is := errors.AsType[Denied](err)
	if !is {
		w.Header().Set("Retry-After", "1")
		edge.Write(w, edge.Plain(http.StatusServiceUnavailable, ErrAway.Error()))
		return
	}

	challenge := `Bearer realm="consentledger"`
	if denied != NoKey {
		challenge += `, error="invalid_token"`
	}

	w.Header().Set("WWW-Authenticate", challenge)
	edge.Write(w, problem(http.StatusUnauthorized, "unauthenticated", "Not authenticated", string(denied)))
}

// tooMany answers who asks faster than they may.
func tooMany(w http.ResponseWriter, wait time.Duration) {
	seconds := strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
	w.Header().Set("Retry-After", seconds)
	edge.Write(w, edge.Plain(http.StatusTooManyRequests,
		"you ask faster than the ledger lets anybody, and nothing of this was done: send it again in "+seconds+" s"))
}

func forbidden(p Principal, row Row) wire.Problem {
	if p.Only != nil {
		return problem(http.StatusForbidden, "forbidden", "Not allowed",
			"this subject token may not do this: "+row.Says+". Let the back end do it, or mint a token with the "+
				"action if there is one")
	}
	return problem(http.StatusForbidden, "forbidden", "Not allowed",
		"this key may not do this: "+row.Says+". One of these roles may: "+who(row.Roles))
}

// elsewhere is the answer to who asks for an app that is not theirs, which says the same
// whether it exists or not.
func elsewhere(s Scope) wire.Problem {
	if s == OfApp {
		return problem(http.StatusNotFound, "unknown-app", "Unknown app",
			"there is no such app, or it is none of this key's")
	}
	return problem(http.StatusForbidden, "forbidden", "Not allowed",
		"this speaks of every app, and this key is for some: name one where the route takes one, or use a key for "+
			"all apps")
}

func problem(status int, code, title, detail string) wire.Problem {
	p := edge.Plain(status, detail)
	p.Type, p.Title, p.Code = "urn:consentledger:problem:"+code, title, code
	return p
}
