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
}

func getDeadlines(a *ask, into *recorder) error {
	query := endOfDay(filtered(a))
	query.Set("format", a.URL.Query().Get("format"))
	return a.get(a.of("/reports/deadlines"), query, into)
}

func getPolicy(a *ask, into *recorder) error {
	return a.get(a.of("/policies/"+url.PathEscape(a.PathValue("version"))), nil, into)
}

// hand answers with what the API says, under the name that it gives it.
func (d *dashboard) hand(x download) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := &ask{Request: r, api: d.API, now: d.Now()}
		p := d.page(x.view, a)

		var answer recorder
		err := d.choose(x.view, a, p)
		if err == nil {
			err = x.get(a, &answer)
		}
		if err != nil {
			d.write(w, x.view, a, p, err)
			return
		}
		for _, name := range []string{"Content-Type", "Content-Disposition"} {
			if value := answer.header.Get(name); value != "" {
				w.Header().Set(name, value)
			}
		}
		_, _ = w.Write(answer.body.Bytes()) // whoever went away asks again
	}
}
