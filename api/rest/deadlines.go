package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/requests"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

// Requests says what is owed by when, and what became of requests and
// incidents; see [requests.View].
type Requests interface {
	Page(ctx context.Context, q requests.Query) ([]requests.Obligation, requests.Place, eventstore.Position, error)
	Report(
		ctx context.Context, q requests.Query,
	) ([]requests.Obligation, requests.Place, requests.Summary, eventstore.Position, error)
	Each(ctx context.Context, q requests.Query, do func(requests.Obligation) error) (eventstore.Position, error)
	EachLateAnswer(ctx context.Context, q requests.Query, do func(requests.LateAnswer) error) (eventstore.Position, error)
	Cases(ctx context.Context, q requests.CaseQuery) ([]requests.Case, eventstore.Position, error)
	Case(
		ctx context.Context, s ident.StreamID, k requests.Known, at deadline.Instant,
	) (requests.Case, []requests.Step, []requests.Obligation, bool, eventstore.Position, error)
}

// Obligations is a page of the report.
type Obligations struct {
	App         string              `json:"app"`
	At          string              `json:"at" format:"date-time" doc:"the moment at which the obligations are judged"`
	KnownAt     string              `json:"known_at,omitzero" format:"date-time" doc:"only what was known then counts"`
	Obligations []report.Obligation `json:"obligations"`
	Next        string              `json:"next,omitzero" doc:"ask again with cursor= this; absent: there is no more"`
	Summary     *report.Summary     `json:"summary,omitempty"`
	Answered    *[]report.LateYes   `json:"answered_after_withdrawal,omitempty" doc:"of the report: every yes between the two times of a late withdrawal, at most 1000; all are in reports/late-withdrawals"`
	AsOf        string              `json:"as_of"`
}

type deadlinesIn struct {
	App         string `path:"app"`
	State       string `query:"state" doc:"overdue, at-risk, open, paused, held, not-started, met-late, met, void; several with commas"`
	Group       string `query:"group" doc:"requests (what persons asked for by their rights) or other (all else)"`
	Kind        string `query:"kind" doc:"reply, stop, delete or what the policy says"`
	Type        string `query:"type" doc:"a type of request, as in access"`
	Rule        string `query:"rule"`
	Stream      string `query:"stream" doc:"only of this stream"`
	ID          string `query:"id" doc:"only the one of this id"`
	Subject     string `query:"subject" doc:"account:ID, device:ID or ID; better asked in a body"`
	Person      string `query:"person" doc:"a pseudonym, as the report has it"`
	Provisional string `query:"provisional" doc:"true or false"`
	DueBefore   string `query:"due_before" doc:"due before that day, as in 2026-03-02"`
	DueAfter    string `query:"due_after" doc:"due after that day"`
	Binding     string `query:"binding" doc:"true: only those that bind"`
	Sort        string `query:"sort" doc:"due (the default), opened or state"`
	Cursor      string `query:"cursor" doc:"next of the page before"`
	Limit       string `query:"limit" doc:"at most so many on a page, up to 1000; 100 if not said"`
	AsOf        string `query:"as_of" doc:"RFC 3339; the moment at which the obligations are judged; absent: known_at, or else now"`
	KnownAt     string `query:"known_at" doc:"RFC 3339; only what was known then counts"`
	Format      string `query:"format" doc:"of the report: json, csv, xlsx or ics; absent: as Accept says"`
	Accept      string `header:"Accept"`
	Min         string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`

	asked url.URL
}

// Resolve keeps the address, from which those of other pages follow.
func (in *deadlinesIn) Resolve(ctx huma.Context) []error {
	in.asked = ctx.URL()
	return nil
}

type deadlinesBody struct {
	App     string `path:"app"`
	Accept  string `header:"Accept"`
	RawBody []byte `contentType:"application/json"`
}

// A DeadlineQuery is the query of a report in a body, so that no id stands in
// a URL. Members that are absent let all through.
type DeadlineQuery struct {
	State       string `json:"state,omitzero" doc:"several with commas"`
	Group       string `json:"group,omitzero" doc:"requests or other"`
	Kind        string `json:"kind,omitzero"`
	Type        string `json:"type,omitzero"`
	Rule        string `json:"rule,omitzero"`
	Stream      string `json:"stream,omitzero"`
	ID          string `json:"id,omitzero"`
	Subject     string `json:"subject,omitzero" doc:"account:ID, device:ID or ID"`
	Person      string `json:"person,omitzero" doc:"a pseudonym"`
	Provisional string `json:"provisional,omitzero" doc:"true or false"`
	DueBefore   string `json:"due_before,omitzero"`
	DueAfter    string `json:"due_after,omitzero"`
	Binding     string `json:"binding,omitzero" doc:"true or false"`
	Sort        string `json:"sort,omitzero"`
	Cursor      string `json:"cursor,omitzero"`
	Limit       string `json:"limit,omitzero"`
	AsOf        string `json:"as_of,omitzero"`
	KnownAt     string `json:"known_at,omitzero"`
	Format      string `json:"format,omitzero"`
	Min         string `json:"min_position,omitzero"`
}

func (in *deadlinesIn) query() DeadlineQuery {
	return DeadlineQuery{in.State, in.Group, in.Kind, in.Type, in.Rule, in.Stream, in.ID, in.Subject, in.Person,
		in.Provisional, in.DueBefore, in.DueAfter, in.Binding,
		in.Sort, in.Cursor, in.Limit, in.AsOf, in.KnownAt, in.Format, in.Min}
}

func (s *server) deadlineRoutes(api huma.API) {
	route(s, api, "list-obligations", http.MethodGet, "/v1/apps/{app}/obligations",
		"What is owed by when, a page at a time",
		func(ctx context.Context, in *deadlinesIn) (*out[Obligations], error) {
			return s.obligations(ctx, in.App, in.query())
		})
	bodied[DeadlineQuery](s, api, "query-obligations", http.MethodPost, "/v1/apps/{app}/obligations/query",
		"The same, with no id in the URL", maxBody,
		func(ctx context.Context, in *deadlinesBody) (*out[Obligations], error) {
			var q DeadlineQuery
			if err := question(in.RawBody, &q); err != nil {
				return nil, err
			}
			return s.obligations(ctx, in.App, q)
		})
	const path = "/v1/apps/{app}/reports/deadlines"
	get := huma.Operation{OperationID: "report-deadlines", Method: http.MethodGet, Path: path, SkipValidateParams: true,
		Summary: "The deadline report and its summary", Description: "JSON comes a page at a time, each with the " +
			"summary of the whole. CSV, a workbook and a calendar hold all that is asked for.",
		Responses: reportAnswers(api)}
	huma.Register(api, get, func(ctx context.Context, in *deadlinesIn) (*huma.StreamResponse, error) {
		o, err := s.report(ctx, get.OperationID, in.App, in.Accept, in.query(), &in.asked)
		return o, s.fail(ctx, get.OperationID, err)
	})
	post := huma.Operation{OperationID: "query-report-deadlines", Method: http.MethodPost, Path: path,
		SkipValidateParams: true, SkipValidateBody: true, MaxBodyBytes: maxBody,
		Summary: "The same, with no id in the URL", Responses: reportAnswers(api)}
	huma.Register(api, post, func(ctx context.Context, in *deadlinesBody) (*huma.StreamResponse, error) {
		var q DeadlineQuery
		err := question(in.RawBody, &q)
		var o *huma.StreamResponse
		if err == nil {
			o, err = s.report(ctx, post.OperationID, in.App, in.Accept, q, nil)
		}
		return o, s.fail(ctx, post.OperationID, err)
	})
	documentBody[DeadlineQuery](api, http.MethodPost, path)
	s.lateRoute(api)
}

func reportAnswers(api huma.API) map[string]*huma.Response {
	file := &huma.MediaType{Schema: aFile}
	content := map[string]*huma.MediaType{"application/json": {Schema: huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeFor[Obligations]())}}
	for _, f := range []report.Form{report.CSV, report.XLSX, report.ICS} {
		content[strings.Split(f.ContentType(), ";")[0]] = file
	}
	return map[string]*huma.Response{"200": {Description: "The report", Content: content}}
}

func (s *server) obligations(ctx context.Context, app string, d DeadlineQuery) (*out[Obligations], error) {
	if form, err := formOf(d.Format, ""); err != nil {
		return nil, err
	} else if form != "json" {
		return nil, bad("format: this list is JSON; the deadline report has csv, xlsx and ics")
	}

	q, err := s.deadlineQuery(ctx, app, d, 100)
	if err != nil {
		return nil, err
	}

	list, next, asOf, err := s.Requests.Page(ctx, q)
	if err != nil {
		return nil, behind(err)
	}
	return ok(obligationsOf(q, d, list, next, asOf))
}

func obligationsOf(
	q requests.Query, d DeadlineQuery, list []requests.Obligation, next requests.Place, asOf eventstore.Position,
) Obligations {
	a := Obligations{
		App:         string(q.App),
		At:          q.At.String(),
		Obligations: []report.Obligation{},
		AsOf:        wire.FormatPosition(asOf),
	}
	if known, err := deadline.ParseInstant(d.KnownAt); err == nil {
		a.KnownAt = known.String()
	}

	for _, o := range list {
		a.Obligations = append(a.Obligations, report.Of(o))
	}
	if next != (requests.Place{}) {
		a.Next = formatCursor(q, d, next, asOf)
	}
	return a
}

// behind says of a position that is not applied yet that it will be.
func behind(err error) error {
	if errors.Is(err, requests.ErrAhead) {
		return failure{plain(http.StatusServiceUnavailable, "the answer is not as far as that position yet; ask again")}
	}
	return err
}

// report answers with the whole report in a form, or with a page of it, which says where
// the next one begins if the question has an address.
func (s *server) report(
	ctx context.Context, operation, app, accept string, d DeadlineQuery, asked *url.URL,
) (*huma.StreamResponse, error) {
	form, err := formOf(d.Format, accept)
	if err != nil {
		return nil, err
	}

	q, err := s.deadlineQuery(ctx, app, d, 100)
	if err != nil {
		return nil, err
	}

	if form != "json" {
		return s.file(ctx, operation, q, form)
	}

	list, next, sum, asOf, err := s.Requests.Report(ctx, q)
	if err != nil {
		return nil, behind(err)
	}
	a, summary := obligationsOf(q, d, list, next, asOf), report.SummaryOf(sum)
	a.Summary = &summary
	q.Known, q.Limit = requests.Known{Past: true, At: asOf}, maxRows
	answered := []report.LateYes{}
	if _, err := s.Requests.EachLateAnswer(ctx, q, func(y requests.LateAnswer) error {
		answered = append(answered, report.LateYesOf(y))
		return nil
	}); err != nil {
		return nil, behind(err)
	}
	a.Answered = &answered

	body, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/json")
		if asked != nil {
			for _, link := range links(paged[operation], *asked, a.Next) {
				c.AppendHeader("Link", link)
			}
		}
		_, _ = c.BodyWriter().Write(body) // whoever went away asks again
	}}, nil
}

// file sends a file of all that q asks for, from one snapshot.
func (s *server) file(
	ctx context.Context, operation string, q requests.Query, form report.Form,
) (*huma.StreamResponse, error) {
	lang, err := s.langOf(ctx, q.App)
	if err != nil {
		return nil, err
	}
	q.Limit = 0
	name := "deadlines-" + string(q.App) + "." + string(form)
	return s.send(ctx, operation, sentFile{form.ContentType(), name, func(to io.Writer) error {
		return s.writeFile(ctx, to, q, form, lang)
	}}), nil
}

// writeFile writes all that q asks for in a form.
func (s *server) writeFile(ctx context.Context, to io.Writer, q requests.Query, form report.Form, lang string) error {
	w, err := writer(form, to, q, lang)
	if err != nil {
		return err
	}
	if _, err := s.Requests.Each(ctx, q, func(o requests.Obligation) error { return w.Write(report.Of(o)) }); err != nil {
		return behind(err)
	}
	return w.Close()
}

// writer returns the writer of a form. A calendar speaks a language.
func writer(form report.Form, to io.Writer, q requests.Query, lang string) (report.Writer, error) {
	if form == report.ICS {
		return report.NewCalendar(to, q.App, lang), nil
	}
	return report.New(form, to, q.At)
}

// langOf returns the language of an app.
func (s *server) langOf(ctx context.Context, app ident.AppName) (string, error) {
	ref, err := s.Ledger.App(ctx, app)
	if err != nil {
		return "", err
	}
	if locales := ref.Service.App.Locales; len(locales) > 0 {
		return locales[0], nil
	}
	return "en", nil
}

// formOf returns the form that is asked for: by name, or by the first media
// type of Accept that we have.
func formOf(name, accept string) (report.Form, error) {
	switch name {
	case "json", "csv", "xlsx", "ics":
		return report.Form(name), nil
	case "":
	default:
		return "", bad("a report has the format json, csv, xlsx or ics")
	}

	for _, part := range strings.Split(accept, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		for _, f := range []report.Form{report.CSV, report.XLSX, report.ICS} {
			if have, _, _ := strings.Cut(f.ContentType(), ";"); kind == have {
				return f, nil
			}
		}
		if kind == "application/json" {
			break
		}
	}
	return "json", nil
}
