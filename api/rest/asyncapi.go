package rest

import (
	"context"
	"net/http"
	"sync"

	"consentledger/api/asyncapi"

	"github.com/danielgtaylor/huma/v2"
)

// asyncRoute describes NATS, from the description of HTTP when that is complete.
func (s *server) asyncRoute(api huma.API) {
	document := sync.OnceValues(func() ([]byte, error) { return asyncapi.Document(described(s.Version), s.Version) })
	op := huma.Operation{
		OperationID: "get-asyncapi", Method: http.MethodGet, Path: "/asyncapi.json", SkipValidateParams: true,
		Summary: "What goes over NATS, as AsyncAPI 3 describes it",
	}
	huma.Register(api, op, func(ctx context.Context, _ *none) (*schemaOut, error) {
		text, err := document()
		if err != nil {
			return nil, s.fail(ctx, op.OperationID, err)
		}
		return &schemaOut{"application/json", text}, nil
	})
	answers(api.OpenAPI().Paths[op.Path].Get, "The document", "application/json", anObject)
}

// AsyncAPI returns the document that is served at /asyncapi.json.
func AsyncAPI(version string) ([]byte, error) { return asyncapi.Document(described(version), version) }

// described returns the description of every route that there may be. Its handlers have
// nothing to stand on, and are never asked.
func described(version string) *huma.OpenAPI {
	s := &server{Config: Config{
		Version:   version,
		Policies:  struct{ Policies }{},
		Requests:  struct{ Requests }{},
		Documents: struct{ Documents }{},
		Evidence:  struct{ Evidence }{},
		Rejected:  struct{ Rejected }{},
		Webhooks:  struct{ Webhooks }{},
		Erasures:  struct{ Erasures }{},
		Consents:  struct{ Consents }{},
		Activity:  struct{ Activity }{},
		Rebuild:   func(context.Context) (Rebuilt, error) { panic("rest: a description is asked") },
	}}
	return s.routes(http.NewServeMux()).OpenAPI()
}
