package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire/schema"

	"github.com/danielgtaylor/huma/v2"
)

// schemaPath is where the schemas are; their names follow.
const schemaPath = "/v1/schemas/"

// SchemaList names every schema.
type SchemaList struct {
	Schemas []string `json:"schemas" doc:"event is of any type; every type has one of its own; the others are of requests and answers"`
}

type schemaIn struct {
	Name string `path:"name" doc:"as the list shows it"`
}

type schemaOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *server) schemaRoutes(api huma.API) {
	route(s, api, "list-schemas", http.MethodGet, "/v1/schemas", "The names of the JSON Schemas",
		func(context.Context, *none) (*out[SchemaList], error) { return ok(SchemaList{schema.Names()}) })
	op := huma.Operation{OperationID: "get-schema", Method: http.MethodGet, Path: schemaPath + "{name}",
		SkipValidateParams: true,
		Summary:            "The JSON Schema (2020-12) of an event type, a request or an answer"}
	huma.Register(api, op, func(ctx context.Context, in *schemaIn) (*schemaOut, error) {
		text, has := schema.Of(in.Name)
		if !has {
			return nil, failure{plain(http.StatusNotFound, "there is no schema of that name; /v1/schemas lists them")}
		}
		return &schemaOut{"application/schema+json", text}, nil
	})
	api.OpenAPI().Paths[op.Path].Get.Responses["200"].Content = map[string]*huma.MediaType{"application/schema+json": {Schema: &huma.Schema{Type: huma.TypeObject}}}
}
