package rest

import (
	"bytes"
	"context"
	"net/http"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/ident"

	"github.com/danielgtaylor/huma/v2"
)

type promptIn struct {
	App    string `path:"app"`
	ID     string `path:"id" doc:"account:ID, device:ID or ID"`
	Locale string `query:"locale" doc:"of the texts, as in zh-CN"`
}

func (s *server) promptRoutes(api huma.API) {
	route(s, api, "get-prompt", http.MethodGet, "/v1/apps/{app}/subjects/{id}/prompt",
		"What to ask a person, or show to them, now; an item with not_before never before it",
		func(ctx context.Context, in *promptIn) (*out[wire.PromptAnswer], error) {
			return s.prompt(ctx, in.App, wire.PromptRequest{Subject: in.ID, Locale: in.Locale})
		})
	bodied[wire.PromptRequest](s, api, "query-prompt", http.MethodPost, "/v1/apps/{app}/subjects/prompt",
		"The same, with no id in the URL", maxBody,
		func(ctx context.Context, in *checkBody) (*out[wire.PromptAnswer], error) {
			r, err := parse.Prompt(bytes.Clone(in.RawBody))
			if err != nil {
				return nil, err
			}
			return s.prompt(ctx, in.App, r)
		})
}

func (s *server) prompt(ctx context.Context, app string, r wire.PromptRequest) (*out[wire.PromptAnswer], error) {
	name, err := ident.ParseAppName(app)
	if err != nil {
		return nil, bad(err.Error())
	}
	if err := mayAsk(ctx, r.Subject); err != nil {
		return nil, err
	}
	a, err := query.Prompt(ctx, s.Ledger, name, r, s.Ledger.Now())
	if err != nil {
		return nil, err
	}
	return ok(a)
}
