// Package edge checks HTTP requests before a route sees them.
//
// [Guard] is for what comes over the network, where browsers are: a page that
// somebody looks at must not act as its visitor. Three things hold it off, each
// of them alone. A request names one of the ledger's own [Hosts]. It comes from a
// page of the ledger's own origin, or from no page at all, also if it only reads:
// reading what is personal is recorded, as done by who reads. And a body says
// that it is JSON, which no page of another origin can say without being asked
// back by its browser. Pages of the [Origins] that are named may use what is one
// person's, and say who the person is by a token; [FromPage] tells them from programs.
//
// [Route] is for every request, those that come over NATS too: what a route does
// not know is refused, and not ignored. A filter that is spelled wrongly would
// else let everybody through.
package edge

import (
	"net/http"
	"path"
	"strings"
)

// Guard lets requests through to h that ask under one of the hosts' names, and
// not from a page of another origin.
func Guard(h http.Handler, hosts Hosts) http.Handler { return GuardWith(h, hosts, nil) }

// GuardWith is Guard that lets some pages of other origins use what is one person's.
func GuardWith(h http.Handler, hosts Hosts, origins Origins) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if !hosts.allow(r) {
			Write(w, refuse(http.StatusMisdirectedRequest,
				"the ledger is not asked under this name: ask under its own, "+
					"or let whoever runs it add this name to serve --allowed-hosts").Problem)
			return
		}
		if origins.answer(w, r) {
			return
		}
		if len(r.Header["Origin"]) > 0 && foreignAny(r) && origins.allow(w, r, r.Method) {
			w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
			h.ServeHTTP(w, fromPage(r))
			return
		}
		if foreign(r) {
			Write(w, refuse(http.StatusForbidden,
				"this comes from a page of another origin (Origin or Sec-Fetch-Site): "+
					"the ledger answers programs and its own pages; let a back end ask").Problem)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// protect says what a browser may do with an answer: show it, and nothing else.
// Reports bring their own styles.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // paths hold ids
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

// foreign reports whether a request comes from a page of another origin and
// wants what is not public. Browsers send Sec-Fetch-Site to https and to this
// machine; without it Origin decides, which plain GETs of pages do not have.
func foreign(r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return (!reads || !public(r.URL.Path)) && foreignAny(r)
}

// foreignAny reports whether a request comes from a page of another origin, whatever it
// wants.
func foreignAny(r *http.Request) bool {
	as := *r
	as.Method = http.MethodPost // for the protection lets everything pass that reads
	var protection http.CrossOriginProtection
	return protection.Check(&as) != nil
}

// public reports whether a path holds nothing personal, so that a page may link
// to it or show that it is there: what the ledger is and can, its health, the
// logs, texts of policies, and calendars, whose address is a secret.
func public(p string) bool {
	if path.Clean(p) != p {
		return false
	}

	switch p {
	case "/", "/livez", "/readyz", "/healthz", "/v1/schemas", "/v1/errors":
		return true
	// an identity provider and a message lead there; what they show is nobody's
	case "/ui/sign-in/callback", "/ui/setup":
		return true
	}

	for _, prefix := range []string{"/openapi", "/asyncapi.json", "/v1/schemas/", "/v1/errors/", "/v1/blobs/",
		"/log/"} {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}

	feed, _ := path.Match("/v1/apps/*/feeds/*/deadlines.ics", p)
	return feed
}
