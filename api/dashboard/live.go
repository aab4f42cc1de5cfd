package dashboard

import (
	"net/http"
	"net/url"
)

// A live is how a page hears that something was recorded, with JavaScript. What goes over
// its stream says no more than that: the page is asked for again, by the same reader, and
// shows what it always shows.
type live struct {
	Stream string // its address
	After  string // up to where the page knows the log
}

// An asOf says as of which position of the log a page is.
type asOf interface{ asOf() string }

func (t today) asOf() string      { return t.AsOf }
func (i *intake) asOf() string    { return i.Newest.AsOf }
func (d *deadlines) asOf() string { return d.AsOf }

// liveOf returns how a page stays new; nil: it does not, as one that answers a form, or shows a day
// that is past.
func liveOf(v view, a *ask, data any) *live {
	of, is := data.(asOf)
	if past, _ := a.dayAsked(); v.day == asOfDay && past != "" {
		return nil
	}
	if !v.live || !is || a.App == "" || a.Method != http.MethodGet {
		return nil
	}
	return &live{Stream: Root + "live?" + url.Values{"app": {a.App}}.Encode(), After: of.asOf()}
}

// stream passes on the API's stream of an app, as long as its reader may hear it.
func (d *dashboard) stream(w http.ResponseWriter, r *http.Request) {
	a := d.ask(r)
	a.App = r.URL.Query().Get("app")
	path := a.of("/newest")
	if after := r.URL.Query().Get("after"); after != "" {
		path += "?" + url.Values{"after": {after}}.Encode()
	}

	a.accessor = http.Header{"Accept": {"text/event-stream"}}
	if last := r.Header.Get("Last-Event-Id"); last != "" {
		a.accessor.Set("Last-Event-ID", last)
	}

	asked, err := a.request(http.MethodGet, path, nil)
	if err != nil {
		http.Error(w, "there is no such stream", http.StatusBadRequest)
		return
	}

	d.API.ServeHTTP(quiet{w}, asked)
}

// A quiet answer asks for no key: a browser would show its form for one over a page that
// works without.
type quiet struct{ http.ResponseWriter }

func (w quiet) WriteHeader(status int) {
	w.Header().Del("WWW-Authenticate")
	w.ResponseWriter.WriteHeader(status)
}

func (w quiet) Unwrap() http.ResponseWriter { return w.ResponseWriter }
