package rest

import (
	"context"
	"net/http"
	"strings"

	"consentledger/api/problems"

	"github.com/danielgtaylor/huma/v2"
)

// ErrorList is every code of a problem.
type ErrorList struct {
	Errors []problems.ErrorCode `json:"errors"`
}

type errorIn struct {
	Code   string `path:"code" doc:"as a problem has it"`
	Accept string `header:"Accept" doc:"text/html for a page"`
}

func (s *server) errorRoutes(api huma.API) {
	route(s, api, "list-errors", http.MethodGet, strings.TrimSuffix(problems.Base, "/"),
		"Every code of a problem, what it means, and what to do",
		func(context.Context, *none) (*out[ErrorList], error) { return ok(ErrorList{problems.Table}) })

	op := huma.Operation{
		OperationID: "explain-error", Method: http.MethodGet, Path: problems.Base + "{code}", SkipValidateParams: true,
		Summary: "What the code of a problem means, and what to do",
		Responses: map[string]*huma.Response{"200": {
			Description: "What it means",
			Content: map[string]*huma.MediaType{
				"application/json": {
					Schema: api.OpenAPI().Components.Schemas.Schema(typeFor[problems.ErrorCode](), true, ""),
				},
				"text/html": {Schema: aText},
			},
		}},
	}
	huma.Register(api, op, func(ctx context.Context, in *errorIn) (*schemaOut, error) {
		row, known := problems.Of(in.Code)
		if !known {
			return nil, s.fail(ctx, op.OperationID,
				failure{plain(http.StatusNotFound, "there is no such code; /v1/errors lists them")})
		}
		if strings.Contains(in.Accept, "text/html") {
			return &schemaOut{"text/html; charset=utf-8", row.Page()}, nil
		}
		var b strings.Builder
		if err := marshal(&b, row); err != nil {
			return nil, s.fail(ctx, op.OperationID, err)
		}
		return &schemaOut{"application/json", []byte(b.String())}, nil
	})
}

// helpOf says in a header where a problem is explained.
func helpOf(ctx huma.Context, _ string, answer any) (any, error) {
	if f, is := answer.(failure); is {
		ctx.AppendHeader("Link", problems.Link(f.Code))
	}
	return answer, nil
}
