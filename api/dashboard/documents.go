package dashboard

import (
	"net/http"
	"net/url"
	"slices"
)

// registers are the documents that are read without a reason: they hold no person.
var registers = []string{"processing", "recipients", "assessments", "retention"}

// Registers are for the page.
func (*audits) Registers() []string { return registers }

// Reasons are for the form.
func (*audits) Reasons() []string { return reasons }

func readAudits(*ask) (any, error) { return &audits{}, nil }

// A document is a report that the API writes as a page of its own, made to be printed.
type document struct {
	view
	method string
	get    func(*ask, url.Values, *recorder) error
}

var documents = []document{
	{view{name: "audit", path: "registers/{register}"}, http.MethodGet, getRegister},
	{view{name: "audit", path: "audit/report"}, http.MethodPost, getAudit},
}

func getRegister(a *ask, query url.Values, into *recorder) error {
	return a.get(a.of("/registers/"+url.PathEscape(a.PathValue("register"))), query, into)
}

// getAudit reads the audit report. Who reads it and why is recorded before it is shown.
func getAudit(a *ask, query url.Values, into *recorder) error {
	if err := a.parse(); err != nil {
		return err
	}
	if err := a.checkToken(); err != nil {
		return err
	}

	reason, by := a.PostFormValue("reason"), a.by()
	if !slices.Contains(reasons, reason) || by == "" {
		return &problem{Status: http.StatusBadRequest, Code: "audit-form"}
	}

	for _, day := range []string{"from", "to"} {
		if v := a.PostFormValue(day); v != "" {
			query.Set(day, v+"T00:00:00Z")
		}
	}

	a.accessor = http.Header{"Consent-Reason": {reason}, "Consent-By": {url.PathEscape(by)}}
	return a.get(a.of("/reports/audit"), query, into)
}

// print answers with a paper as the API wrote it. It brings its own style, and nothing
// else that a browser would run or ask for.
func (d *dashboard) print(x document) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := d.ask(r)
		a.Body = http.MaxBytesReader(w, a.Body, maxForm)
		p := d.page(x.view, a)
		lang := "en"
		if p.Lang == "zh-CN" {
			lang = "zh"
		}

		var answer recorder
		if !d.fetch(w, x.view, a, p, func() error {
			return x.get(a, url.Values{"format": {"html"}, "lang": {lang}}, &answer)
		}) {
			return
		}
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors "+
				"'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(answer.body.Bytes()) // whoever went away asks again
	}
}
