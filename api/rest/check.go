package rest

import (
	"bytes"
	"context"
	"net/http"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

type checkIn struct {
	App     string `path:"app"`
	ID      string `path:"id" doc:"account:ID, device:ID or ID"`
	Purpose string `path:"purpose"`
	Action  string `query:"action" doc:"collect, use (the default), provide, publish or export"`
	ValidAt string `query:"valid_at" doc:"RFC 3339; absent: now"`
	KnownAt string `query:"known_at" doc:"RFC 3339; what the ledger knew then"`

	Category  string `query:"category" doc:"which data"`
	Recipient string `query:"recipient" doc:"who gets them"`
	Version   string `query:"version" doc:"of the policy that the processing goes by; absent: the one in force"`
}

type checkBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

// Checks is a batch of questions.
type Checks struct {
	Checks []wire.CheckRequest `json:"checks"`
}

// CheckRow is the answer to one question of a batch. Everything but
// answer.allowed = true means no. Status 503 comes with the answer "unknown".
type CheckRow struct {
	Status  int               `json:"status"`
	Answer  *wire.CheckAnswer `json:"answer,omitempty"`
	Problem *wire.Problem     `json:"problem,omitempty"`
}

// CheckRows is the answer to a batch, in its order.
type CheckRows struct {
	Results []CheckRow `json:"results"`
}

func (s *server) checkRoutes(api huma.API) {
	route(s, api, "check", http.MethodGet, "/v1/apps/{app}/subjects/{id}/purposes/{purpose}/check",
		"May we do this, for this purpose?",
		func(ctx context.Context, in *checkIn) (*out[any], error) {
			name, err := ident.ParseAppName(in.App)
			if err != nil {
				return nil, bad(err.Error())
			}
			return s.checkOne(ctx, "check", name,
				wire.CheckRequest{Subject: in.ID, Purpose: in.Purpose, Action: in.Action, ValidAt: in.ValidAt,
					KnownAt:  in.KnownAt,
					Category: in.Category, Recipient: in.Recipient, Version: in.Version})
		})
	isRecorded(api, "/v1/apps/{app}/subjects/{id}/purposes/{purpose}/check") // where the policy says so
	const path = "/v1/apps/{app}/check"
	bodied[wire.CheckRequest](s, api, "check-many", http.MethodPost, path,
		`The same with no id in the URL: one question, or {"checks": [...]} with up to 1000`, maxBody, s.checkMany)
	for _, op := range []*huma.Operation{api.OpenAPI().Paths["/v1/apps/{app}/subjects/{id}/purposes/{purpose}/check"].Get, api.OpenAPI().Paths[path].Post} {
		documentAnswers(api, op)
	}

	media := api.OpenAPI().Paths[path].Post.RequestBody.Content["application/json"]
	many := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeFor[Checks]())
	media.Schema = &huma.Schema{OneOf: []*huma.Schema{media.Schema, many}}
}

func (s *server) checkMany(ctx context.Context, in *checkBody) (*out[any], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	var shape struct {
		Checks []jsontext.Value `json:"checks"`
	}
	body := bytes.Clone(in.RawBody)
	if err := json.Unmarshal(body, &shape); err != nil || shape.Checks == nil {
		q, err := parse.Check(body) // which says what is wrong
		if err != nil {
			return nil, err
		}
		return s.checkOne(ctx, "check-many", name, q)
	}

	if len(shape.Checks) == 0 || len(shape.Checks) > maxRows || strict(body, &shape) != nil {
		return nil, bad(`a batch is {"checks": [...]} with 1 to 1000 questions and nothing else`)
	}

	rows := make([]CheckRow, len(shape.Checks))
	now := s.Ledger.Now()
	for i, v := range shape.Checks {
		rows[i] = s.checkRow(ctx, name, v, now)
	}
	return ok[any](CheckRows{rows})
}

func (s *server) checkRow(ctx context.Context, app ident.AppName, v []byte, now deadline.Instant) CheckRow {
	q, err := parse.Check(v)
	if err != nil {
		p := s.problem(ctx, "check-many", err)
		return CheckRow{Status: p.Status, Problem: &p}
	}
	a, status, err := s.answer(ctx, "check-many", app, q, now)
	if err != nil {
		p := s.problem(ctx, "check-many", err)
		return CheckRow{Status: p.Status, Problem: &p}
	}
	return CheckRow{Status: status, Answer: &a}
}

// checkOne answers one question.
func (s *server) checkOne(
	ctx context.Context, route string, app ident.AppName, q wire.CheckRequest,
) (*out[any], error) {
	a, status, err := s.answer(ctx, route, app, q, s.Ledger.Now())
	if err != nil {
		return nil, err
	}
	return &out[any]{status, a}, nil
}

// answer asks the ledger. What it cannot tell is the answer "unknown" with
// status 503; the error is only of a question that is wrong.
func (s *server) answer(
	ctx context.Context, route string, app ident.AppName, q wire.CheckRequest, now deadline.Instant,
) (wire.CheckAnswer, int, error) {
	if err := mayAsk(ctx, q.Subject); err != nil {
		return wire.CheckAnswer{}, 0, err
	}
	a, err := query.Check(ctx, s.Ledger, app, q, s.principal(ctx), now)
	switch {
	case err == nil:
		return a, http.StatusOK, nil
	case wire.IsRefusal(err):
		return a, 0, err
	}
	return a, s.problem(ctx, route, err).Status, nil // which logs what broke
}

// documentAnswers says what a question is answered with, and that the ledger
// may not know.
func documentAnswers(api huma.API, op *huma.Operation) {
	one := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeFor[wire.CheckAnswer]())
	shape := one
	if op.RequestBody != nil {
		many := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeFor[CheckRows]())
		shape = &huma.Schema{OneOf: []*huma.Schema{one, many}}
	}
	op.Responses["200"].Content = map[string]*huma.MediaType{"application/json": {Schema: shape}}
	op.Responses["503"] = &huma.Response{
		Description: `The ledger cannot tell now: allowed is false and status "unknown". Ask again. A batch says so in its rows`,
		Content:     map[string]*huma.MediaType{"application/json": {Schema: one}},
	}
}
