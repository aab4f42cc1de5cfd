package dashboard

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/session"
)

// Where somebody signs in and out.
const (
	signInPath   = Root + "sign-in"
	departPath   = signInPath + "/provider"
	callbackPath = signInPath + "/callback" // which package edge lets the provider lead to
	signOutPath  = Root + "sign-out"
	setupPath    = Root + "setup" // which package edge lets a message lead to
	firstKeyPath = Root + "first-key"
)

// SetupPath is the path of the link for the first administrator, before its secret.
const SetupPath = setupPath + "?code="

// signIns adds the pages that are for who is not signed in.
func (d *dashboard) signIns(mux *http.ServeMux) {
	if d.Sessions == nil {
		return
	}
	mux.HandleFunc("GET "+signInPath, d.askWho)
	mux.HandleFunc("POST "+signInPath, d.attempt(d.takeKey))
	mux.HandleFunc("POST "+signOutPath, d.signOut)
	mux.HandleFunc("GET "+setupPath, d.attempt(d.showLink))
	mux.HandleFunc("POST "+setupPath, d.attempt(d.useLink))
	if d.Sessions.SignIn != nil {
		mux.HandleFunc("GET "+departPath, d.attempt(d.depart))
		mux.HandleFunc("GET "+callbackPath, d.attempt(d.arrive))
	}
}

// isOpen reports whether a page is for who is not signed in, too.
func isOpen(path string) bool {
	return strings.HasPrefix(path, Root+"static/") || path == signInPath || path == departPath ||
		path == callbackPath ||
		path == signOutPath || path == setupPath
}

// signedIn lets through who is signed in, and leads everybody else to where they sign in.
// Who shows a key is looked at by the API.
func (d *dashboard) signedIn(h http.Handler) http.Handler {
	if d.Sessions == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) > 0 || isOpen(r.URL.Path) {
			h.ServeHTTP(w, r)
			return
		}
		one, err := d.Sessions.Of(r)
		if err != nil {
			d.turnAway(w, r, err)
			return
		}

		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !reads && !d.Sessions.OwnOrigin(r) {
			d.Sessions.Refuse(session.WrongForm)
			d.say(w, r, view{name: "sign-in"}, &problem{Status: http.StatusForbidden, Code: "form-token"})
			return
		}
		h.ServeHTTP(w, r.WithContext(d.Sessions.With(r.Context(), one)))
	})
}

// turnAway answers who is not signed in, or no more.
func (d *dashboard) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	ended, is := errors.AsType[session.Ended](err)
	if !is {
		d.Log.ErrorContext(r.Context(), "a session cannot be looked at", "error", err)
		d.say(w, r, view{name: "sign-in"}, &problem{Status: http.StatusServiceUnavailable, Code: "sign-in-away"})
		return
	}
	why := ""
	if d.Sessions.Shows(r) {
		d.Sessions.Forget(w)
		why = string(ended)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		d.say(w, r, view{name: "sign-in"}, &problem{Status: http.StatusForbidden, Code: "signed-out"})
		return
	}

	query := url.Values{"return": {r.URL.RequestURI()}}
	if why != "" {
		query.Set("why", why)
	}
	if lang := r.URL.Query().Get("lang"); lang != "" { // who follows a link in their language signs in in it, too
		query.Set("lang", lang)
	}
	http.Redirect(w, r, signInPath+"?"+query.Encode(), http.StatusSeeOther)
}

// ask returns what a page asks for a request.
func (d *dashboard) ask(r *http.Request) *ask {
	return &ask{Request: r, api: d.API, guard: d.May, sessions: d.Sessions, now: d.Now(), described: &d.described}
}

// A who is somebody who is signed in, for every page.
type who struct {
	Token string // of the form by which they sign out
}

// whoIs returns who is signed in; nil: nobody is, by a session.
func whoIs(a *ask) *who {
	if one, is := session.From(a.Context()); is {
		return &who{Token: one.Token()}
	}
	return nil
}

// say shows a page that is about a problem.
func (d *dashboard) say(w http.ResponseWriter, r *http.Request, v view, p *problem) {
	a := d.ask(r)
	d.write(w, v, a, d.page(v, a), p)
}

// attempt lets through attempts to sign in, unless there are too many.
func (d *dashboard) attempt(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wait, ok := d.Sessions.Attempt(r)
		if !ok {
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
			d.say(w, r, view{name: "sign-in"}, &problem{Status: http.StatusTooManyRequests, Code: "sign-in-often"})
			return
		}
		h(w, r)
	}
}

// A signIn is the page on which somebody signs in.
type signIn struct {
	Provider bool   // they may do so at the identity provider
	Return   string // where they go on to
	Why      string // they have to: a code of its own; empty: no reason but that they did not yet
	Wrong    string // why they did not get in; empty: they did not try
	Says     string // the identity provider, by a code of OAuth
}

// Depart returns the address at which a sign-in at the provider begins.
func (s signIn) Depart() string { return departPath + "?" + url.Values{"return": {s.Return}}.Encode() }

// Action returns the address to which a key is sent.
func (s signIn) Action() string { return signInPath + "?" + url.Values{"return": {s.Return}}.Encode() }

// back returns where somebody goes on to once they are signed in.
func back(r *http.Request) string {
	to := session.Back(r.URL.Query().Get("return"), Root)
	if path, _, _ := strings.Cut(to, "?"); isOpen(path) {
		return Root
	}
	return to
}

func (d *dashboard) askWho(w http.ResponseWriter, r *http.Request) {
	d.showSignIn(w, r, http.StatusOK, signIn{Return: back(r), Why: r.URL.Query().Get("why")})
}

func (d *dashboard) showSignIn(w http.ResponseWriter, r *http.Request, status int, s signIn) {
	s.Provider = d.Sessions.SignIn != nil
	d.showOpen(w, r, status, view{name: "sign-in"}, url.Values{"return": {s.Return}}, s)
}

// showOpen shows a page with forms to who is not signed in. Asked is what the page's links
// to its other languages say: an address may hold what is used up by now, or a stranger's
// text.
func (d *dashboard) showOpen(w http.ResponseWriter, r *http.Request, status int, v view, asked url.Values, data any) {
	a := d.ask(r)
	p := d.page(v, a)
	keepLang(w, r, p)
	p.Token, p.Data = bind(w, a), data
	for i, l := range p.Langs {
		asked.Set("lang", l.Lang)
		p.Langs[i].Href = Root + v.name + "?" + asked.Encode()
	}
	a.status = status
	d.write(w, v, a, p, nil)
}

// takeKey signs in who shows a key.
func (d *dashboard) takeKey(w http.ResponseWriter, r *http.Request) {
	if !d.ownForm(w, r) {
		return
	}
	id, err := d.Sessions.Begin(r.Context(), strings.TrimSpace(r.PostFormValue("key")))
	if err == nil {
		err = d.Sessions.Keep(w, r, id)
	}
	if err != nil {
		d.refuseSignIn(w, r, back(r), err)
		return
	}
	http.Redirect(w, r, back(r), http.StatusSeeOther)
}

// ownForm reads a form of who is not signed in, and reports whether this browser was shown
// it. If not, it has said so.
func (d *dashboard) ownForm(w http.ResponseWriter, r *http.Request) bool {
	a := d.ask(r)
	err := a.readForm(w)
	if err == nil && !d.Sessions.OwnOrigin(r) {
		d.Sessions.Refuse(session.WrongForm)
		err = &problem{Status: http.StatusForbidden, Code: "form-token"}
	}
	if err != nil {
		d.say(w, r, view{name: "sign-in"}, d.problem(view{name: "sign-in"}, err))
	}
	return err == nil
}

// depart leads to the identity provider.
func (d *dashboard) depart(w http.ResponseWriter, r *http.Request) {
	to, err := d.Sessions.Depart(w, r, callbackPath, back(r))
	if err != nil {
		d.refuseSignIn(w, r, back(r), err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// arrive signs in who comes back from the identity provider.
//
// The page that it answers with leads on by itself. A redirect would be one of the
// provider's page, to a browser: it would not show the new cookie, and the ledger would
// not answer.
func (d *dashboard) arrive(w http.ResponseWriter, r *http.Request) {
	to, err := d.Sessions.Arrive(w, r, callbackPath)
	if err != nil {
		d.refuseSignIn(w, r, Root, err)
		return
	}
	v := view{name: "signed-in"}
	a := d.ask(r)
	p := d.page(v, a)
	p.Go = session.Back(to, Root)
	p.Langs = nil // the address holds a code that is used up
	d.write(w, v, a, p, nil)
}

// refuseSignIn shows why somebody was not signed in, and lets them try again.
func (d *dashboard) refuseSignIn(w http.ResponseWriter, r *http.Request, to string, err error) {
	why := wrongOf(err)
	switch why.status {
	case http.StatusServiceUnavailable:
		d.Log.WarnContext(r.Context(), "somebody cannot sign in now", "error", err)
	case http.StatusInternalServerError:
		d.Log.ErrorContext(r.Context(), "somebody cannot sign in", "error", err)
	}
	d.showSignIn(w, r, why.status, signIn{Return: to, Wrong: why.code, Says: why.says})
}

// A wrong is why somebody was not signed in.
type wrong struct {
	status int
	code   string // of its text, among the words
	says   string // the identity provider, by a code of OAuth
}

func wrongOf(err error) wrong {
	if errors.Is(err, auth.ErrAway) {
		return wrong{http.StatusServiceUnavailable, "away", ""}
	}
	if fault, is := errors.AsType[provider.Fault](err); is {
		return wrong{http.StatusForbidden, "provider", string(fault)}
	}
	if unmapped, is := errors.AsType[auth.Unmapped](err); is {
		if unmapped == provider.TwoRoles {
			return wrong{http.StatusForbidden, "two-roles", ""}
		}
		return wrong{http.StatusForbidden, "no-role", ""}
	}

	denied, is := errors.AsType[auth.Denied](err)
	if !is {
		return wrong{http.StatusInternalServerError, "broken", ""}
	}
	if code, has := wrongs[denied]; has {
		return wrong{http.StatusForbidden, code, ""}
	}
	return wrong{http.StatusForbidden, "token", ""}
}

// wrongs are the codes, among the words, of why somebody was not signed in.
var wrongs = map[auth.Denied]string{
	auth.UnknownKey: "unknown-key", auth.ExpiredKey: "ended-key", auth.RevokedKey: "ended-key",
	provider.OtherBrowser: "other-browser", provider.OtherNonce: "other-browser", provider.UsedCode: "used-code",
	provider.ExpiredToken: "clock", provider.EarlyToken: "clock",
}

// signOut ends the session of who is signed in, or all of theirs.
func (d *dashboard) signOut(w http.ResponseWriter, r *http.Request) {
	one, err := d.Sessions.Of(r)
	if err != nil {
		d.turnAway(w, r, err)
		return
	}
	r = r.WithContext(d.Sessions.With(r.Context(), one))
	a := d.ask(r)
	a.Body = http.MaxBytesReader(w, a.Body, maxForm)
	if err := a.parse(); err != nil {
		d.say(w, r, view{name: "me"}, d.problem(view{name: "me"}, err))
		return
	}
	if !d.Sessions.CheckForm(r, one, a.PostFormValue("session")) {
		d.say(w, r, view{name: "me"}, &problem{Status: http.StatusForbidden, Code: "form-token"})
		return
	}

	why := "out"
	if a.PostFormValue("all") == "" {
		err = d.Sessions.End(r.Context(), one)
	} else {
		why = "everywhere"
		err = d.Sessions.EndEverywhere(r.Context(), one)
	}
	if err != nil {
		d.turnAway(w, r, err)
		return
	}
	d.Sessions.Forget(w)
	http.Redirect(w, r, signInPath+"?why="+why, http.StatusSeeOther)
}

// A setup is the page of the link for the first administrator.
type setup struct {
	Code string // the secret of the link; empty: it is good for nothing
	Bad  string // why
}

// showLink shows what the link is for. It uses up nothing.
func (d *dashboard) showLink(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("code")
	if err := d.look(r, code); err != nil {
		d.refuseLink(w, r, err)
		return
	}
	d.showOpen(w, r, http.StatusOK, view{name: "setup"}, url.Values{"code": {code}}, setup{Code: code})
}

// look returns why a link is good for nothing; nil: it is.
func (d *dashboard) look(r *http.Request, code string) error {
	if !d.Sessions.Local(r) {
		return session.UnknownLink
	}
	return d.Sessions.Look(r.Context(), code)
}

func (d *dashboard) refuseLink(w http.ResponseWriter, r *http.Request, err error) {
	bad, is := errors.AsType[session.BadLink](err)
	if !is {
		d.turnAway(w, r, err)
		return
	}
	status := http.StatusGone
	if bad == session.UnknownLink {
		status = http.StatusNotFound
	}
	d.showOpen(w, r, status, view{name: "setup"}, url.Values{}, setup{Bad: string(bad)})
}

// useLink signs in the first administrator.
func (d *dashboard) useLink(w http.ResponseWriter, r *http.Request) {
	if !d.ownForm(w, r) {
		return
	}

	code := r.PostFormValue("code")
	err := d.look(r, code)
	id := ""
	if err == nil {
		id, err = d.Sessions.BeginByLink(r.Context(), code)
	}
	if err == nil {
		err = d.Sessions.Keep(w, r, id)
	}
	if err != nil {
		d.refuseLink(w, r, err)
		return
	}

	http.Redirect(w, r, firstKeyPath, http.StatusSeeOther)
}

// until returns an instant as the API writes it.
func until(t time.Time) string { return t.UTC().Format(time.RFC3339) }
