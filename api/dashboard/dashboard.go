// Package dashboard is the pages that a privacy officer looks at.
//
// A page shows what the HTTP API answers and nothing else: it asks the API's handler, in
// the same process and for the same principal, so that what a page may show is decided in one place.
// The package sees neither the ledger nor a projection.
//
// Pages are written on the server and work without JavaScript. With it those of what is due and of
// what comes in stay new: one script hears from the API's stream that something was recorded, asks
// for the page again, and puts in place what changed. All that
// they need comes from the binary. They have two languages, English and Chinese, and follow the
// browser's light or dark theme.
//
// Where somebody has to be authenticated, a browser signs in, see package session: at the
// identity provider or with a key. The pages ask the API as who is signed in. A program may
// show a key by HTTP's basic authentication instead: any name, and the key as the password.
//
// Forms send what the API's own routes take, as that principal, and answer with a redirect.
// Which steps a case may take, and what each may say, is the API's answer too: who may not take any is
// shown no form. A form holds a token that binds it to its browser, and the id of the event that it
// records, so that what is sent twice is recorded once.
//
// The pages of the API list every operation of its OpenAPI document, and send a request to one as
// who looks at them. They are made of the document alone, so that none is missing, and of no
// ready-made viewer: Swagger UI and Redoc style their elements inline, Scalar evaluates text
// as code, and all of them, RapiDoc too, show nothing without their script of 0.9 to 3.6 MB, in
// one language. The policy of these pages forbids the one, and what they promise the other.
//
// They stand behind [consentledger/api/edge.Guard]: a page of another origin can neither read them nor
// send their forms.
package dashboard

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"consentledger/api/auth/session"
)

// Root is the path below which all pages are.
const Root = "/ui/"

// A Config says what stands behind the pages.
type Config struct {
	API http.Handler // answers as the HTTP API does
	// answers with {} what the API would not refuse, and does nothing; nil: it refuses nobody
	May      http.Handler
	Sessions *session.Sessions // nil: nobody is authenticated, and every page says so
	Version  string
	Now      func() time.Time
	Log      *slog.Logger // nil: slog.Default
}

//go:embed pages static words
var files embed.FS

type dashboard struct {
	Config
	templates pages
	words     words
	summaries words
	described describer
}

// Handler answers all paths below [Root].
func Handler(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	d := &dashboard{Config: c, templates: parsePages(files), words: readWords(files),
		summaries: readSummaries(files)}

	static, err := fs.Sub(files, "static")
	if err != nil {
		panic("dashboard: " + err.Error())
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+Root+"static/", http.StripPrefix(Root+"static/", http.FileServerFS(static)))
	for _, v := range views {
		mux.HandleFunc("GET "+Root+v.path, d.show(v))
		if v.post || v.act != nil {
			mux.HandleFunc("POST "+Root+v.path, d.show(v))
		}
	}
	for _, x := range documents {
		mux.HandleFunc(x.method+" "+Root+x.path, d.print(x))
	}
	for _, x := range downloads {
		mux.HandleFunc("GET "+Root+x.path, d.hand(x))
	}
	d.signIns(mux)
	mux.HandleFunc("GET "+Root+"live", d.stream)
	mux.HandleFunc(Root, d.show(view{name: "lost", read: lost}))
	return secured(d.signedIn(mux))
}

// secured says what a browser may do with a page: show it with its own style, and send its
// own forms. A page that stays new by itself also runs the one script that comes from here,
// which may ask here alone.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policyOf(""))
		w.Header().Set("Cache-Control", "no-store") // what a page shows may be personal
		h.ServeHTTP(w, r)
	})
}

// policyOf returns what a browser may do with a page, and beside that more.
func policyOf(more string) string {
	return "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; " +
		"frame-ancestors 'none'" + more
}

// A view is one page: read asks the API for what the page's template shows.
type view struct {
	name string // of its template, of its title among the words
	path string // below Root; with {$} at its end where it is exact
	menu bool   // it stands in the menu
	// the route that it shows: whoever may not use it does not find the page in the menu; empty:
	// everybody may
	of     string
	day    string // the parameter of its address by which it shows a day that is past; empty: it cannot
	live   bool   // it stays new by itself, where there is JavaScript
	post   bool   // its form names a person, who is to stand in no address
	upload bool   // its form has a file: read looks at the form itself, and at its token
	read   func(*ask) (any, error)
	// does what its forms say, and returns where to go next; nil: they record nothing
	act func(*ask) (to string, err error)

	token bool // its forms are sent to another address
}

// asOfDay is the parameter by which most pages show a day that is past.
const asOfDay = "as_of"

// views are all pages, those of the menu in its order.
var views = []view{
	{name: "today", path: "{$}", menu: true, day: asOfDay, live: true, read: readToday},
	{name: "deadlines", path: "deadlines", menu: true, day: asOfDay, live: true, read: readDeadlines},
	{name: "consents", path: "consents", menu: true, day: "day", read: readConsents},
	{name: "approvals", path: "approvals", menu: true, day: asOfDay, read: readApprovals, act: decideProposal},
	{name: "person", path: "person", menu: true, post: true, read: readPerson},
	{name: "minors", path: "minors", menu: true, day: asOfDay, post: true, token: true, read: readMinors},
	{name: "policies", path: "policies", menu: true, day: asOfDay, read: readPolicies},
	{name: "policy", path: "policy", day: "day", read: readPolicy},
	{name: "intake", path: "intake", menu: true, day: asOfDay, live: true, read: readIntake, act: handleRejected},
	{name: "incidents", path: "incidents", menu: true, day: asOfDay, read: readIncidents},
	{name: "retention", path: "retention", menu: true, day: asOfDay, read: readRetention},
	{name: "audit", path: "audit", menu: true, token: true, read: readAudits},
	{name: "audit", path: "audit/verify", post: true, upload: true, token: true, read: readVerified},
	{name: "audit", path: "audit/accesses", post: true, token: true, read: readAccesses},
	{name: "audit", path: "audit/left", post: true, token: true, read: readLeft},
	{name: "system", path: "system", menu: true, day: asOfDay, of: "/v1/status", read: readSystem},
	{name: "api", path: "api", menu: true, read: readAPI},
	{name: "operation", path: "api/{operation}", post: true, upload: true, read: readOperation},
	{name: "case", path: "requests/{id}", day: asOfDay, read: readRequest, act: actOnRequest},
	{name: "case", path: "incidents/{id}", day: asOfDay, read: readIncident, act: takeIncidentStep},
	{name: "me", path: "me", read: readMe},
	{name: "sessions", path: "sessions", read: readSessions, act: endSessions},
	{name: "first-key", path: "first-key", read: readFirstKey, act: makeFirstKey},
}

// lost is the page of an address that leads nowhere.
func lost(*ask) (any, error) { return nil, errLost }
