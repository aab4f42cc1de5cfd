package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"consentledger/domain/ident"
)

// asks sends a request with headers, one a line, and returns the answer and who came
// through.
func (b *bench) asks(method, path string, headers ...string) (*httptest.ResponseRecorder, *Principal) {
	b.Helper()
	var came *Principal
	if b.guarded == nil {
		b.guarded = Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.came(r) }), Ways{Keys: b.Keys})
	}
	b.came = func(r *http.Request) {
		p, _ := From(r.Context())
		came = &p
	}
	r := httptest.NewRequest(method, path, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	b.guarded.ServeHTTP(w, r)
	return w, came
}

// pathOf returns a path that a pattern takes.
func pathOf(pattern, app string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	fill := strings.NewReplacer("{app}", app, "{id}", "ann", "{purpose}", "mail", "{group}", "family", "{seq}", "7", "{name}", "event", "{hash}", "x",
		"{version}", "x", "{surface}", "x", "{register}", "processing", "{token}", "x", "{path...}", "0/0", "{$}", "")
	return method, fill.Replace(path)
}

// Every route with every role, in the app that is its own, by name and by its group, in
// another one, and in one that is not there.
func TestEveryRouteIsForItsRolesAndApps(t *testing.T) {
	b := newBench(t)
	b.groups = map[AppGroup][]ident.AppName{"retail": {"shop"}, "banks": {"bank"}}
	for _, role := range Roles {
		w := Wish{Roles: []Role{role.Role}, Apps: []ident.AppName{"shop"}}
		if role.Role == Administrator {
			w.Apps, w.AllApps = nil, true
		}
		one, _ := b.issue(w)
		every, _ := b.issue(Wish{Roles: []Role{role.Role}, AllApps: true})
		group := one // an administrator is one of all apps
		if role.Role != Administrator {
			group, _ = b.issue(Wish{Roles: []Role{role.Role}, Groups: []AppGroup{"retail"}})
		}
		for _, route := range Routes {
			row, has := rowOf(route.Operation)
			if !has {
				t.Fatalf("%s has no row", route.Pattern)
			}
			may := row.Open || row.Any || slices.Contains(row.Roles, role.Role)
			for _, key := range []Key{one, group, every} {
				all := key == every || w.AllApps
				var unseen []string
				for _, app := range []string{"shop", "bank", "nosuch"} {
					want := http.StatusForbidden
					switch {
					case !all && route.Scope == OfApp && app != "shop":
						want = http.StatusNotFound
					case may && (all || route.Scope == OfNone || route.Scope == OfBody || route.Scope == OfApp):
						want = http.StatusOK
					}
					method, path := pathOf(route.Pattern, app)
					w, came := b.asks(method, path, "Authorization: Bearer "+key.Reveal())
					if w.Code != want || (came != nil) != (want == http.StatusOK) || came != nil && came.Key != key.ID {
						t.Errorf("%s as %s of all apps %v: %d, want %d; came %v", method+" "+path, role.Role, all, w.Code, want, came)
					}
					here := all || route.Scope == OfNone || route.Scope == OfBody || route.Scope == OfApp
					if want == http.StatusForbidden && here != strings.Contains(w.Body.String(), "One of these roles may: ") {
						t.Errorf("%s as %s: %s", path, role.Role, w.Body)
					}
					if want == http.StatusNotFound {
						unseen = append(unseen, w.Body.String())
					}
				}
				if len(unseen) == 2 && unseen[0] != unseen[1] {
					t.Errorf("%s tells whether an app exists: %v", route.Pattern, unseen)
				}
			}
		}
	}
}

// A fixed bearer lets in one principal, as the packages below this one do.
type fixed struct{ Principal }

func (fixed) Takes(credential string) bool { return credential == "fixed" }

func (f fixed) Authenticate(context.Context, string) (Principal, error) { return f.Principal, nil }

// Who has one role in one app and another in another may do in each what its own role
// may: on every route, in both.
func TestARoleInOneAppOpensNoOther(t *testing.T) {
	b := newBench(t)
	for _, one := range Roles {
		for _, other := range Roles {
			roles := map[string]Role{"shop": one.Role, "bank": other.Role}
			p := Principal{Pseudonym: "p-x", Bindings: []Binding{
				{Roles: []Role{one.Role}, Apps: []ident.AppName{"shop"}}, {Roles: []Role{other.Role}, Apps: []ident.AppName{"bank"}},
			}}
			var came *Principal
			h := Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				p, _ := From(r.Context())
				came = &p
			}), Ways{Keys: b.Keys, Bearers: []Bearer{fixed{p}}})
			for _, route := range Routes {
				row, _ := rowOf(route.Operation)
				if row.Open {
					continue
				}
				may := func(app string) bool { return row.Any || slices.Contains(row.Roles, roles[app]) }
				for app, role := range roles {
					method, path := pathOf(route.Pattern, app)
					r := httptest.NewRequest(method, path, nil)
					r.Header.Set("Authorization", "Bearer fixed")
					w := httptest.NewRecorder()
					came = nil
					h.ServeHTTP(w, r)
					want := false
					switch route.Scope {
					case OfApp:
						want = may(app)
					case OfNone, OfBody:
						want = may("shop") || may("bank")
					}
					if (came != nil) != want {
						t.Errorf("%s %s as %s there: %d, want %v", method, path, role, w.Code, want)
					}

					// What the route sees of its caller is in the apps that it may be done in.
					for of := range roles {
						if came != nil && came.In(ident.AppName(of)) != may(of) {
							t.Errorf("%s %s: it sees %s: %v", method, path, of, !may(of))
						}
					}
				}
			}
		}
	}
}

func TestNobodyComesInWithoutAGoodKey(t *testing.T) {
	b := newBench(t)
	key, _ := b.issue(Wish{Roles: []Role{Writer}, AllApps: true})
	good := "Authorization: Bearer " + key.Reveal()
	for name, headers := range map[string][]string{
		"none":                   nil,
		"an empty one":           {"Authorization: "},
		"another scheme":         {"Authorization: Basic " + key.Reveal()},
		"a scheme alone":         {"Authorization: Bearer"},
		"the key alone":          {"Authorization: " + key.Reveal()},
		"two keys":               {good, good},
		"a good and a bad one":   {good, "Authorization: Bearer x"},
		"a bad and a good one":   {"Authorization: Bearer x", good},
		"two on one line":        {good + ", Bearer " + key.Reveal()},
		"two spaces":             {"Authorization: Bearer  " + key.Reveal()},
		"in a header of a proxy": {"Proxy-Authorization: Bearer " + key.Reveal(), "X-Authorization: Bearer " + key.Reveal()},
		"a JWT without alg":      {"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
		"as a user and password": {"Authorization: Basic Y2xrOmNsaw=="},
	} {
		for _, path := range []string{"/v1/apps/shop/events", "/v1/nosuch", "/v1/apps/nosuch/events"} {
			w, came := b.asks("POST", path, headers...)
			if w.Code != http.StatusUnauthorized || came != nil || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), `Bearer realm="consentledger"`) {
				t.Errorf("%s for %s: %d, %v", name, path, w.Code, w.Header())
			}
			if w.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(w.Body.String(), key.Reveal()[20:40]) {
				t.Errorf("%s: %s", name, w.Body)
			}
		}
	}
	for _, path := range []string{"/v1/apps/shop/events?key=" + key.Reveal(), "/v1/apps/shop/events?access_token=" + key.Reveal()} {
		if w, came := b.asks("POST", path); w.Code != http.StatusUnauthorized || came != nil {
			t.Errorf("a key in the query: %d", w.Code)
		}
	}
	if w, came := b.asks("POST", "/v1/apps/shop/events", "authorization: bearer "+key.Reveal()); came == nil {
		t.Errorf("in small letters: %d", w.Code)
	}
}

// Paths that are written otherwise lead to no app that is not one's own.
func TestPathsAreReadInOneWay(t *testing.T) {
	b := newBench(t)
	key, _ := b.issue(Wish{Roles: []Role{AppReader}, Apps: []ident.AppName{"shop"}})
	for _, path := range []string{
		"/v1/apps/bank/activity", "/v1/apps/shop/../bank/activity", "/v1/apps/shop/%2e%2e/bank/activity", "/v1/apps/shop%2f..%2fbank/activity",
		"//v1/apps/bank/activity", "/v1//apps/bank/activity", "/v1/apps/bank/./activity", "/v1/apps/BANK/activity", "/v1/apps/bank%00/activity",
		"/v1/apps/%62ank/activity", "/v1/apps/bank/activity/", "/V1/apps/bank/activity", "/v1/apps/shop;app=bank/activity", "/v1/apps//activity",
		"/v1/replay?app=bank", "/v1/replay?app=shop&app=bank", "/v1/replay", "/v1/replay?app=", "/v1/replay?App=shop", "/v1/replay?app=shop;app=bank",
		"/v1/apps/*/activity", "/v1/apps/shop,bank/activity", "/readyz?verbose", "/livez?verbose=1", "/healthz?verbose=false",
	} {
		if w, came := b.asks("GET", path, "Authorization: Bearer "+key.Reveal()); came != nil || w.Code < 300 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/v1/apps/shop/activity", "/v1/apps/%73hop/activity"} {
		if w, came := b.asks("GET", path, "Authorization: Bearer "+key.Reveal()); came == nil {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w, _ := b.asks("DELETE", "/v1/apps/shop", "Authorization: Bearer "+key.Reveal()); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("another method: %d %v", w.Code, w.Header())
	}
}

func TestHealthIsForEverybodyAndItsDetailsAreNot(t *testing.T) {
	b := newBench(t)
	viewer, _ := b.issue(Wish{Roles: []Role{Viewer}, AllApps: true})
	for _, c := range []struct {
		path    string
		headers []string
		want    int
	}{
		{"/readyz", nil, 200}, {"/livez", nil, 200}, {"/openapi.json", nil, 200}, {"/", nil, 200},
		{"/readyz?verbose", nil, 200},
	} {
		w, _ := b.asks("GET", c.path, c.headers...)
		if strings.Contains(c.path, "verbose") {
			c.want = http.StatusUnauthorized
		}
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.path, w.Code, c.want)
		}
	}
	if w, came := b.asks("GET", "/readyz?verbose", "Authorization: Bearer "+viewer.Reveal()); came == nil {
		t.Errorf("a viewer: %d", w.Code)
	}
}
