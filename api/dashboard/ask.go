package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"consentledger/api/auth/session"
)

// An ask is a request for a page, and what the page asks the API.
type ask struct {
	*http.Request
	api      http.Handler
	guard    http.Handler // see Config.May
	sessions *session.Sessions
	now      time.Time
	App      string // the app that the page is about; empty: there is none yet

	accessor  http.Header // who reads and why, for an answer that is recorded
	sent      *sent       // a form of the page that was not taken; nil: none
	status    int         // of the page; zero: 200, or what is said of the form
	writer    http.ResponseWriter
	described *describer
	revealed  *revealed // what a form of the page opened, shown this once; nil: nothing
	made      *madeKey  // a key that a form of the page made, shown this once; nil: none
}

// A problem is what the API said instead of an answer.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Path   string `json:"path"` // the member that it is about, as in data.codes
}

func (p *problem) Error() string { return p.Detail }

var errLost = &problem{Status: http.StatusNotFound, Code: "lost"}

// get asks the API and reads its answer.
func (a *ask) get(path string, query url.Values, answer any) error {
	return a.do(http.MethodGet, withQuery(path, query), nil, answer)
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// may reports whether whoever looks at the page may get what is at a path of the API.
func (a *ask) may(path string) bool { return a.mayUse(http.MethodGet, path) }

// mayUse reports whether whoever looks at the page may use a route of the API.
func (a *ask) mayUse(method, path string) bool { return a.refusal(method, path) == nil }

// refusal returns why whoever looks at the page may not use a route of the API; nil: they may.
func (a *ask) refusal(method, path string) error {
	if a.guard == nil || path == "" {
		return nil
	}
	question := *a
	question.api = a.guard
	return question.do(method, path, nil, new(struct{}))
}

// getIfMay is get of what the page does without for whoever may not see it. They have opened a
// page, and asked for nothing that they may not: so no refusal of theirs gets into the trail.
func (a *ask) getIfMay(path string, query url.Values, answer any) error {
	path = withQuery(path, query)
	if err := a.refusal(http.MethodGet, path); isForbidden(err) {
		return err
	}
	return a.do(http.MethodGet, path, nil, answer)
}

// of is the path of something of the page's app.
func (a *ask) of(path string) string { return "/v1/apps/" + url.PathEscape(a.App) + path }

// do sends a request to the API as whoever looks at the page. An answer that is a
// recorder gets header and body as they are.
func (a *ask) do(method, path string, body, answer any) error {
	r, err := a.request(method, path, body)
	if err != nil {
		return err
	}

	w := recorder{header: http.Header{}, status: http.StatusOK}
	if into, raw := answer.(*recorder); raw {
		w.through, w.file = into.through, into.file
	}
	a.api.ServeHTTP(&w, r)
	if into, raw := answer.(*recorder); raw && w.status == http.StatusOK {
		*into = w
		return nil
	}
	if w.status != http.StatusOK && (w.status != http.StatusServiceUnavailable || !strings.HasPrefix(path, "/readyz")) {
		p := &problem{Status: w.status}
		if err := json.Unmarshal(w.body.Bytes(), p); err != nil {
			p.Detail = http.StatusText(w.status)
		}
		return p
	}
	if err := json.Unmarshal(w.body.Bytes(), answer); err != nil {
		return fmt.Errorf("dashboard: the answer of %s: %w", path, err)
	}
	return nil
}

// by returns who looks, for an answer that is recorded: whoever is signed in, as records
// name them, and else the name that the form asks for.
func (a *ask) by() string {
	if one, is := session.From(a.Context()); is {
		return one.Principal.Pseudonym
	}
	return a.PostFormValue("by")
}

// request returns what is asked of the API, as whoever looks at the page.
func (a *ask) request(method, path string, body any) (*http.Request, error) {
	if body == nil {
		return a.raw(method, path, "", nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("dashboard: %s: %w", path, err)
	}
	return a.raw(method, path, "application/json", text)
}

// raw is request for a body of a type; of none, the body is empty.
func (a *ask) raw(method, path, kind string, body []byte) (*http.Request, error) {
	// A handler of the API may read a body also where none was sent: a server's request has one.
	r, err := http.NewRequestWithContext(a.Context(), method, path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("dashboard: %s: %w", path, err)
	}

	r.Host, r.RequestURI = a.Host, path
	if _, key, basic := a.BasicAuth(); basic {
		r.Header.Set("Authorization", "Bearer "+key)
	} else if who := a.Header["Authorization"]; who != nil {
		r.Header["Authorization"] = who
	}
	for name, values := range a.accessor {
		r.Header[name] = values
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return r, nil
}

// A recorder keeps an answer of the API. A good one goes on as it comes if through is set.
type recorder struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	through http.ResponseWriter // nil: it is kept
	file    string              // the name under which it goes on, if the API gives it none
	passed  bool                // its head has gone on
}

func (w *recorder) Header() http.Header    { return w.header }
func (w *recorder) WriteHeader(status int) { w.status = status }

func (w *recorder) Write(b []byte) (int, error) {
	if w.through == nil || w.status != http.StatusOK {
		return w.body.Write(b)
	}

	if !w.passed {
		w.passed = true
		for _, name := range []string{"Content-Type", "Content-Disposition"} {
			if value := w.header.Get(name); value != "" {
				w.through.Header().Set(name, value)
			}
		}
		if w.file != "" && w.header.Get("Content-Disposition") == "" {
			w.through.Header().Set("Content-Disposition",
				mime.FormatMediaType("attachment", map[string]string{"filename": w.file}))
		}
	}
	return w.through.Write(b)
}

// Unwrap lets a deadline of the connection be set.
func (w *recorder) Unwrap() http.ResponseWriter { return w.through }

// isUnknown reports whether the API says that there is no such thing.
func isUnknown(err error) bool {
	p, is := errors.AsType[*problem](err)
	return is && p.Status == http.StatusNotFound
}

// isForbidden reports whether the API says that whoever looks may not see it.
func isForbidden(err error) bool {
	p, is := errors.AsType[*problem](err)
	return is && p.Status == http.StatusForbidden
}
