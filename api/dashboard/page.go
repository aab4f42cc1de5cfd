package dashboard

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// A page is what every template is given.
type page struct {
	Name    string
	Path    string // of its address
	Lang    string
	App     string
	Apps    []string
	Menu    []link
	Langs   []link
	Asked   url.Values // the query, for forms that show what was asked
	Data    any
	Problem *problem
	Now     time.Time
	Version string
	Token   string    // of the page's forms
	Open    bool      // nobody is authenticated
	Who     *who      // is signed in; nil: nobody is, by a session
	Go      string    // where the browser goes on to at once; empty: it stays
	Live    *live     // nil: it stays as it was written
	Past    string    // the day at whose end it is shown; empty: it is as of now
	At      time.Time // the moment that it shows: now, or the end of that day
	DayName string    // the parameter of the address that says so; empty: nothing does

	words     map[string]string
	summaries map[string]string // of operations of the API; nil: in English
}

// A link is a place in a menu.
type link struct {
	Name, Href, Lang string
	Here             bool
}

// T returns a text in the page's language. What has no text is shown as it is: a code
// that this page does not know is better seen than left out.
func (p *page) T(key string) string {
	if text, ok := p.words[key]; ok {
		return text
	}
	if _, code, ok := strings.Cut(key, "."); ok {
		return code
	}
	return key
}

// Say is T with values in the places of its verbs.
func (p *page) Say(key string, values ...any) string { return fmt.Sprintf(p.T(key), values...) }

// Code returns the text of one of the ledger's codes, as in p.Code "state" "at-risk".
func (p *page) Code(kind, code string) string { return p.T(kind + "." + code) }

// Has reports whether there is a text for one of the ledger's codes: what an address says is
// shown only if it is one.
func (p *page) Has(kind, code string) bool {
	_, ok := p.words[kind+"."+code]
	return ok
}

// Summary returns what an operation of the API does, in the page's language; empty: that has no words for it.
func (p *page) Summary(id string) string { return p.summaries[id] }

// Option returns what one of a field's options is called: as the policy calls it, or by
// our own words.
func (p *page) Option(field string, o option) string {
	switch {
	case o.Title != "":
		return o.Code + " · " + o.Title
	case field == "types":
		return p.Code("type", o.Code)
	}
	return p.Code("choice", o.Code)
}

// Link returns the address of a page for the same app. What has no value is left out.
func (p *page) Link(to string, pairs ...string) string {
	query := url.Values{}
	if p.App != "" {
		query.Set("app", p.App)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return Root + to + "?" + query.Encode()
}

// Time returns an instant for people: to the minute, in UTC.
func (p *page) Time(instant string) string {
	t, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return instant
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// Clock is Time to the second.
func (p *page) Clock(instant string) string {
	t, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return instant
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// Hours returns how many hours ago something happened, seen from the moment that the page shows.
func (p *page) Hours(instant string) int {
	t, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return 0
	}
	return int(p.At.Sub(t).Hours())
}

// HoursLeft returns how many whole hours there are until a moment; below zero: it is over.
func (p *page) HoursLeft(instant string) int {
	t, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return 0
	}
	return int(math.Floor(t.Sub(p.At).Hours()))
}

// Until says how long a clock runs still, or for how long it has been over.
func (p *page) Until(instant string) string {
	if left := p.HoursLeft(instant); left >= 0 {
		return p.Say("today.clock", left)
	}
	return p.Say("today.clock-over", p.Hours(instant))
}

// Short returns the beginning of a hash or a pseudonym.
func (p *page) Short(s string) string {
	s = strings.TrimPrefix(s, "sha256:")
	return s[:min(len(s), 12)]
}

// Rows are obligations for a table with a caption.
func (p *page) Rows(caption string, rows []obligation) any {
	return struct {
		P       *page
		Caption string
		Rows    []obligation
	}{p, caption, rows}
}

// Book is what the page Audit shows of accesses, or of what left the organisation, for its template.
func (p *page) Book(name string) any {
	of := p.Data.(*audits)
	return struct {
		P     *page
		Name  string
		Of    *audits
		Shown bool
	}{p, name, of, of.Book == name && of.Asked.Reason != ""}
}

// Step is a step's form for its template.
func (p *page) Step(f stepForm) any {
	return struct {
		P    *page
		Form stepForm
	}{p, f}
}

// Shape is what a body or an answer of the API has, for its template.
func (p *page) Shape(s shape) any {
	return struct {
		P     *page
		Shape shape
	}{p, s}
}

// Wrong is what was refused, for its template.
func (p *page) Wrong(what *problem) any {
	return struct {
		P       *page
		Problem *problem
	}{p, what}
}

// Here is the address to which a form of the page is sent: the page's own, without what
// it says of the form before.
func (p *page) Here() string { return p.Link(strings.TrimPrefix(p.Path, Root)) }

// HereThen is Here on the day that is shown.
func (p *page) HereThen() string {
	return p.Link(strings.TrimPrefix(p.Path, Root), p.DayName, p.Past)
}

// Drawn returns what a kind of mark in a timeline is called.
func (p *page) Drawn(kind string) string {
	if kind == "now" && p.Past != "" {
		kind = "then"
	}
	return p.Code("timeline", kind)
}

// Said returns what a step says in one of its fields: codes of ours in words, and
// everything else as it stands there.
func (p *page) Said(field, value string) string {
	kind := "choice"
	if field == "types" {
		kind = "type"
	}
	var all []string
	for one := range strings.SplitSeq(value, ",") {
		if p.Has(kind, one) {
			one = p.Code(kind, one)
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

// Is reports whether the query has a value for a name, for the options of a form.
func (p *page) Is(name, value string) bool { return p.Asked.Get(name) == value }

type pages map[string]*template.Template

// parsePages reads every template, each with the layout around it.
func parsePages(files fs.FS) pages {
	all := pages{}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		panic("dashboard: " + err.Error())
	}
	for _, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".html")
		if base != "layout" {
			all[base] = template.Must(template.ParseFS(files, "pages/layout.html", name))
		}
	}
	return all
}

// show answers with a page.
func (d *dashboard) show(v view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := d.ask(r)
		a.writer = w
		p := d.page(v, a)
		keepLang(w, r, p)
		if v.live {
			w.Header().Set("Content-Security-Policy", policyOf("; script-src 'self'; connect-src 'self'"))
		}
		to, data, err := d.turn(v, w, a, p)
		if to != "" {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		p.Data, p.Live = data, liveOf(v, a, data)
		d.write(w, v, a, p, err)
	}
}

// keepLang lets a browser remember the language that was asked for.
func keepLang(w http.ResponseWriter, r *http.Request, p *page) {
	if lang := r.URL.Query().Get("lang"); lang == p.Lang && lang != "" {
		http.SetCookie(w, &http.Cookie{Name: langCookie, Value: lang, Path: Root, MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
}

// write writes a page, or what it says of an error.
func (d *dashboard) write(w http.ResponseWriter, v view, a *ask, p *page, err error) {
	p.App = a.App
	name, status := v.name, cmp.Or(a.status, http.StatusOK)
	if a.sent != nil {
		status = a.sent.Problem.Status
	}
	if err != nil {
		p.Problem = d.problem(v, err)
		name, status = "problem", p.Problem.Status
	}

	var body bytes.Buffer
	if err := d.templates[name].ExecuteTemplate(&body, "layout", p); err != nil {
		d.Log.Error("a page cannot be written", "page", v.name, "error", err)
		http.Error(w, "this page cannot be written", http.StatusInternalServerError)
		return
	}
	// else they sign in
	challenge := d.Sessions == nil || len(a.Header["Authorization"]) > 0
	// a script asks nobody for a key
	if status == http.StatusUnauthorized && challenge && a.Header.Get("Sec-Fetch-Dest") != "empty" {
		w.Header().Set("WWW-Authenticate", `Basic realm="consentledger", charset="UTF-8"`)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever went away asks again
}

// turn does what a form says, if one was sent, and reads what the page shows. It
// returns where to go instead, once a form was taken.
func (d *dashboard) turn(v view, w http.ResponseWriter, a *ask, p *page) (to string, data any, err error) {
	if err := d.choose(v, a, p); err != nil {
		return "", nil, err
	}

	if a.Method == http.MethodPost && v.act != nil {
		if to, a.sent, err = d.act(v, w, a); to != "" || err != nil {
			return to, nil, err
		}
	}

	if a.Method == http.MethodPost && v.post && !v.upload {
		if err := a.readForm(w); err != nil {
			return "", nil, err
		}
	}

	if v.act != nil || v.token || v.post {
		p.Token = bind(w, a)
	}

	p.Who = whoIs(a) // who a form has signed in
	data, err = v.read(a)
	return "", data, err
}

// choose chooses the app and makes the menu.
func (d *dashboard) choose(v view, a *ask, p *page) error {
	if err := a.choose(p); err != nil {
		return err
	}
	for _, other := range views {
		if other.menu && a.may(other.of) {
			to := strings.TrimSuffix(other.path, "{$}")
			p.Menu = append(p.Menu, link{Name: "page." + other.name, Here: other.name == v.name,
				Href: (&page{App: a.App}).Link(to, other.day, p.dayFor(other))})
		}
	}
	return nil
}

// dayFor returns the day that is shown, for a link to a page that can show it.
func (p *page) dayFor(v view) string {
	if v.day == "" {
		return ""
	}
	return p.Past
}

// problem returns what the page says of an error. What broke stands in the log alone.
func (d *dashboard) problem(v view, err error) *problem {
	if p, is := errors.AsType[*problem](err); is {
		return p
	}
	d.Log.Error("a page cannot be read", "page", v.name, "error", err)
	return &problem{Status: http.StatusInternalServerError, Code: "broken"}
}

func (d *dashboard) page(v view, a *ask) *page {
	lang := d.words.choose(a.Request)
	p := &page{
		Name: v.name, Path: a.URL.EscapedPath(), Lang: lang, Asked: a.URL.Query(), Now: a.now, At: a.now, Version: d.Version,
		Open: d.Sessions == nil, Who: whoIs(a), words: d.words[lang],
		summaries: d.summaries[lang],
	}
	if v.day != "" {
		var end string
		if p.Past, end = a.dayIn(v.day); p.Past != "" {
			p.DayName, p.At = v.day, instant(end)
		}
	}
	for _, l := range langs {
		query := a.URL.Query()
		query.Set("lang", l)
		p.Langs = append(p.Langs, link{Name: "lang." + l, Href: a.URL.Path + "?" + query.Encode(), Lang: l,
			Here: l == lang})
	}
	return p
}

// choose finds out which app a page is about: the one that is asked for, or the first.
func (a *ask) choose(p *page) error {
	var answer struct {
		Apps []struct {
			App string `json:"app"`
		} `json:"apps"`
	}
	if err := a.get("/v1/apps", nil, &answer); err != nil {
		return err
	}

	for _, one := range answer.Apps {
		p.Apps = append(p.Apps, one.App)
	}

	a.App = a.URL.Query().Get("app")
	if a.App == "" && len(p.Apps) > 0 {
		a.App = p.Apps[0]
	}
	return nil
}
