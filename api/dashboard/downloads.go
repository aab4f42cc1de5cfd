package dashboard

import (
	"net/http"
	"net/url"
)

// A download is an answer of the API that a page links to. It goes through the pages,
// since a browser shows its key to them alone.
type download struct {
	view
	get func(*ask, *recorder) error
}

var downloads = []download{
	{view{name: "deadlines", path: "deadlines/file"}, getDeadlines},
	{view{name: "policies", path: "policies/{version}"}, getPolicy},
	{view{name: "policies", path: "pictures/{hash}"}, getPicture},
	{view{name: "person", path: "records/{event}/proof"}, getProof},
	{view{name: "person", path: "records/{event}/receipt"}, getReceipt},
}

func getDeadlines(a *ask, into *recorder) error {
	query := asKnown(filtered(a), a.now)
	query.Set("format", a.URL.Query().Get("format"))
	return a.get(a.of("/reports/deadlines"), query, into)
}

func getPolicy(a *ask, into *recorder) error {
	return a.get(a.of("/policies/"+url.PathEscape(a.PathValue("version"))), nil, into)
}

func getPicture(a *ask, into *recorder) error {
	return a.get("/v1/blobs/"+url.PathEscape(a.PathValue("hash")), nil, into)
}

// hand answers with what the API says, as it comes, under the name that it gives it.
func (d *dashboard) hand(x download) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := d.ask(r)
		answer := recorder{through: w}
		d.fetch(w, x.view, a, d.page(x.view, a), func() error { return x.get(a, &answer) })
	}
}

// fetch gets an answer of the API. If there is none, it says why on the page of a view.
func (d *dashboard) fetch(
	w http.ResponseWriter, v view, a *ask, p *page, get func() error,
) (ok bool) {
	err := d.choose(v, a, p)
	if err == nil {
		err = get()
	}
	if err != nil {
		d.write(w, v, a, p, err)
	}
	return err == nil
}
