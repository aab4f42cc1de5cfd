package rest

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// A Described route is answered by another package, and is described with those of this
// one: whoever reads the description finds every route that there is.
type Described struct {
	Pattern string // as [http.ServeMux] writes it
	ID      string // of the operation
	Summary string
	Query   map[string]string // what each parameter says, by its name
	Body    any               // a value of its shape; nil: it takes none
	Answer  any               // a value of its shape; nil: it is a file
	Kind    string            // of the answer; empty: JSON
	Headers map[string]string // of the answer: what each says, by its name

	DryRun   bool   // it can be asked what it would do
	NoDryRun string // why a command cannot
}

// operation returns the description of a route.
func (d Described) operation(schemas huma.Registry) *huma.Operation {
	method, path, _ := strings.Cut(d.Pattern, " ")
	op := &huma.Operation{OperationID: d.ID, Method: method, Path: path, Summary: d.Summary,
		Metadata: map[string]any{hasDryRun: d.DryRun, hasNoDryRun: d.NoDryRun}}

	for part := range strings.SplitSeq(path, "/") {
		if name, is := strings.CutPrefix(part, "{"); is {
			op.Parameters = append(op.Parameters, &huma.Param{
				Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: aText,
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Query)) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Description: d.Query[name],
			Schema: aText})
	}
	if d.Body != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: huma.SchemaFromType(schemas, reflect.TypeOf(d.Body))},
		}}
	}

	kind, answer := "application/json", aFile
	if d.Kind != "" {
		kind = d.Kind
	}
	if d.Answer != nil {
		answer = huma.SchemaFromType(schemas, reflect.TypeOf(d.Answer))
	}
	good := &huma.Response{Description: http.StatusText(http.StatusOK), Headers: map[string]*huma.Param{},
		Content: map[string]*huma.MediaType{kind: {Schema: answer}}}
	for name, says := range d.Headers {
		good.Headers[name] = &huma.Param{Description: says, Schema: aText}
	}
	op.Responses = map[string]*huma.Response{"200": good}
	return op
}

// describeOthers adds the routes that others answer.
func (s *server) describeOthers(doc *huma.OpenAPI) {
	for _, d := range s.Described {
		doc.AddOperation(d.operation(doc.Components.Schemas))
	}
}
