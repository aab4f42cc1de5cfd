package edge

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Origins are the pages of other origins that may use what is one person's in an app, and
// nothing else. The zero Origins: none may.
type Origins map[string][]string // by the app's name

// ParseOrigins reads what is said as APP=ORIGIN, as in shop=https://shop.example.com.
func ParseOrigins(said []string) (Origins, error) {
	all := Origins{}
	for _, text := range said {
		app, origin, has := strings.Cut(text, "=")
		if !has || app == "" || strings.Trim(app, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return nil, errOrigin
		}
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || origin != u.Scheme+"://"+strings.ToLower(u.Host) ||
			strings.Contains(u.Host, "*") {
			return nil, errOrigin
		}
		name := hostname(u.Host)
		ip, err := netip.ParseAddr(name)
		local := name == "localhost" || err == nil && ip.IsLoopback()
		standard := u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80"
		if u.Scheme != "https" && (u.Scheme != "http" || !local) || standard {
			return nil, errOrigin
		}
		all[app] = append(all[app], origin)
	}
	return all, nil
}

var errOrigin = errors.New("want APP=ORIGIN with an origin as browsers send it, as in shop=https://shop.example.com: " +
	"https (http on this machine alone), a host in small letters, a port if it is not the usual one, and no path, " +
	"star or user")

// personal are the ends of paths under an app by which one person's browser speaks: by
// POST, so that no id stands in a URL.
var personal = []string{"events", "check", "subjects/prompt"}

// of returns the origins that may use a path by a method.
func (o Origins) of(method, path string) (allowed []string) {
	if rest, is := strings.CutPrefix(path, "/v1/apps/"); is && method == http.MethodPost {
		app, end, _ := strings.Cut(rest, "/")
		if slices.Contains(personal, end) {
			return o[app]
		}
	}

	// Texts that a prompt names are public, and belong to no app.
	if hash, is := strings.CutPrefix(path, "/v1/blobs/"); is && method == http.MethodGet &&
		!strings.Contains(hash, "/") {
		for _, of := range o {
			allowed = append(allowed, of...)
		}
	}
	return allowed
}

// allow says to a browser that a page of an origin may read the answer, if it may.
func (o Origins) allow(w http.ResponseWriter, r *http.Request, method string) bool {
	origin := r.Header["Origin"]
	allowed := o.of(method, r.URL.Path)
	if len(allowed) == 0 {
		return false
	}
	w.Header().Add("Vary", "Origin")
	if len(origin) != 1 || !slices.Contains(allowed, origin[0]) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin[0])
	return true
}

// answer answers a browser that asks before it sends. It reports whether it did.
func (o Origins) answer(w http.ResponseWriter, r *http.Request) bool {
	wants := r.Header["Access-Control-Request-Method"]
	if r.Method != http.MethodOptions || len(wants) != 1 || !o.allow(w, r, wants[0]) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", wants[0])
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, idempotency-key, traceparent")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

type pageKey struct{}

// FromPage reports whether ctx is of a request that a page of another origin sent, which
// may. A key of a back end does not belong there.
func FromPage(ctx context.Context) bool { return ctx.Value(pageKey{}) != nil }

// fromPage returns r as one that a page of another origin sent.
func fromPage(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), pageKey{}, true))
}
