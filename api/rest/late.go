package rest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/eventstore"
	"consentledger/projections/requests"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

// LateYeses is every answer "you may" between the two times of a withdrawal that
// came late.
type LateYeses struct {
	App      string           `json:"app"`
	KnownAt  string           `json:"known_at,omitzero" format:"date-time" doc:"only what was known then counts"`
	Answered []report.LateYes `json:"answered_after_withdrawal" doc:"as far as answers are logged, see log_checks of a purpose"`
	AsOf     string           `json:"as_of"`
}

// A LateQuery asks for them in a body, so that no id stands in a URL.
type LateQuery struct {
	Subject string `json:"subject,omitzero" doc:"account:ID, device:ID or ID"`
	Person  string `json:"person,omitzero" doc:"a pseudonym"`
	KnownAt string `json:"known_at,omitzero"`
	Format  string `json:"format,omitzero" doc:"json (the default) or csv"`
	Min     string `json:"min_position,omitzero"`
}

type lateBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) lateRoute(api huma.API) {
	const path = "/v1/apps/{app}/reports/late-withdrawals"
	op := huma.Operation{OperationID: "report-late-withdrawals", Method: http.MethodPost, Path: path,
		SkipValidateParams: true, SkipValidateBody: true, MaxBodyBytes: maxBody,
		Summary: "Every yes that was answered between the two times of a late withdrawal",
		Responses: map[string]*huma.Response{"200": {Description: "The list", Content: map[string]*huma.MediaType{
			"application/json": {Schema: huma.SchemaFromType(api.OpenAPI().Components.Schemas,
				typeFor[LateYeses]())}, "text/csv": {Schema: aFile}}}}}
	huma.Register(api, op, func(ctx context.Context, in *lateBody) (*huma.StreamResponse, error) {
		var q LateQuery
		err := question(in.RawBody, &q)
		var o *huma.StreamResponse
		if err == nil {
			o, err = s.late(ctx, op.OperationID, in.App, q)
		}
		return o, s.fail(ctx, op.OperationID, err)
	})
	documentBody[LateQuery](api, http.MethodPost, path)
}

func (s *server) late(ctx context.Context, operation, app string, l LateQuery) (*huma.StreamResponse, error) {
	if l.Format != "" && l.Format != "json" && l.Format != "csv" {
		return nil, bad("this report has the format json or csv")
	}

	q, err := s.deadlineQuery(ctx, app, DeadlineQuery{
		Subject: l.Subject,
		Person:  l.Person,
		KnownAt: l.KnownAt,
		Min:     l.Min,
	}, 0)
	if err != nil {
		return nil, err
	}

	if l.Format == "csv" {
		name := "late-withdrawals-" + string(q.App) + ".csv"
		return s.send(ctx, operation, sentFile{report.CSV.ContentType(), name, func(to io.Writer) error {
			t := report.NewLateTable(to)
			if _, err := s.Requests.EachLateAnswer(ctx, q, t.Write); err != nil {
				return behind(err)
			}
			return t.Close()
		}}), nil
	}

	a := LateYeses{App: string(q.App), Answered: []report.LateYes{}}
	if l.KnownAt != "" {
		a.KnownAt = q.At.String()
	}
	return s.send(ctx, operation, sentFile{"application/json", "", func(to io.Writer) error {
		return writeLate(to, a, func(do func(requests.LateAnswer) error) (eventstore.Position, error) {
			asOf, err := s.Requests.EachLateAnswer(ctx, q, do)
			return asOf, behind(err)
		})
	}}), nil
}

// writeLate writes a as JSON, with the answers that each gives, one by one, and the position that
// it says in the end.
func writeLate(
	to io.Writer, a LateYeses, each func(do func(requests.LateAnswer) error) (eventstore.Position, error),
) error {
	head, err := json.Marshal(a)
	if err != nil {
		return err
	}
	head, _, _ = bytes.Cut(head, []byte(`],"as_of"`))
	if _, err := to.Write(head); err != nil {
		return err
	}

	comma := ""
	asOf, err := each(func(y requests.LateAnswer) error {
		text, err := json.Marshal(report.LateYesOf(y))
		if err == nil {
			_, err = to.Write(append([]byte(comma), text...))
		}
		comma = ","
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, `],"as_of":%q}`, wire.FormatPosition(asOf))
	return err
}
