package rest

import (
	"net/http"
	"strconv"
	"strings"

	"consentledger/api/auth"
	"consentledger/api/problems"
	"consentledger/api/wire"

	"github.com/danielgtaylor/huma/v2"
)

// What an answer is that has no members of its own.
var (
	aText = &huma.Schema{Type: huma.TypeString}
	// Huma's own format adds a word that 3.0 does not have
	aFile    = &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"format": "binary"}}
	anObject = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
)

// An Event is a CloudEvent as it is sent, for the description alone: package
// wire reads events.
type Event struct {
	SpecVersion     string         `json:"specversion" enum:"1.0"`
	ID              string         `json:"id" minLength:"1" maxLength:"512"`
	Source          string         `json:"source" minLength:"1" maxLength:"512"`
	Type            string         `json:"type" example:"consent.given"`
	Time            string         `json:"time,omitempty" doc:"RFC 3339; absent: when it came"`
	Subject         string         `json:"subject,omitempty" doc:"account:ID, device:ID or ID"`
	Actor           string         `json:"actor,omitempty" doc:"person, guardian, operator, system or authority"`
	Sequence        any            `json:"sequence,omitempty" doc:"the source's own number of the event: a text or an integer"`
	OnBehalfOf      string         `json:"onbehalfof,omitempty"`
	DataContentType string         `json:"datacontenttype,omitempty"`
	DataSchema      string         `json:"dataschema,omitempty"`
	Data            map[string]any `json:"data,omitempty" doc:"what it holds says the schema of the type, below /v1/schemas"`
	DataBase64      string         `json:"data_base64,omitempty" doc:"data as the Base64 of a JSON object, for SDKs that have bytes; an event has one of the two"`
}

// eventSchema returns the schema of an event of any type.
func eventSchema(api huma.API) *huma.Schema {
	schemas := api.OpenAPI().Components.Schemas
	ref := schemas.Schema(typeFor[Event](), true, "")
	event := schemas.Map()["Event"]
	event.AdditionalProperties = true // extensions of others
	event.Required = []string{"specversion", "source", "type"}
	event.Examples = []any{map[string]any{
		"specversion": "1.0", "id": "withdrawal-1", "source": "/shop/web", "type": "consent.withdrawn",
		"subject": "account:user-1", "data": map[string]any{"purposes": []string{"personalisation"}},
	}}
	event.Properties["id"].Description = "absent: Idempotency-Key names it"
	event.Properties["type"].Description = "one of the types in /v1/schemas"
	event.Properties["sequence"].OneOf = []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}}
	return ref
}

// answers says what the answer of a route is, where its Go type does not.
func answers(op *huma.Operation, description, kind string, is *huma.Schema) {
	op.Responses["200"] = &huma.Response{Description: description,
		Content: map[string]*huma.MediaType{kind: {Schema: is}}}
}

// bearer is what a request says who it is by.
const bearer = "key"

// describe says of the whole what no route says of itself: where it is, who may ask, and
// what is answered to what is wrong. Commands may be asked what they would do if rehearsing
// is set.
func describe(doc *huma.OpenAPI, rehearsing bool) {
	doc.Info.License = &huma.License{Name: "Apache-2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"}
	doc.Info.Description = "The consent ledger. A parameter that a route does not know, that stands twice or is " +
		"empty is refused. Bodies are JSON and say so in their Content-Type. Pages of other origins are not " +
		"answered. " +
		"Every problem has a code that never changes; " + problems.Base + "{code} says what it means and what to do. " +
		"A list that comes in pages says in the header Link where its first page and its next one are, if it is " +
		"asked by GET; where a body asks, next goes into its cursor."
	doc.Servers = []*huma.Server{{URL: "/", Description: "where this description is"}}

	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {
		Type: "http", Scheme: "bearer",
		Description: "a key, a token of the identity provider, or a subject token; nobody needs one where serve " +
			"has no --authenticate",
	}}
	doc.Security = []map[string][]string{{bearer: {}}, {}}

	problem := &huma.MediaType{Schema: doc.Components.Schemas.Schema(typeFor[wire.Problem](), true, "")}
	for path, item := range doc.Paths {
		for method, op := range operations(item) {
			describeErrors(op, method, path, problem)
			describePages(op, method)
			describeTag(doc, op, method)
			if route, _ := auth.RouteOf(method, path); route.Operation == auth.Public {
				op.Security = []map[string][]string{{}}
			}
		}
	}
	describeTopics(doc)
	describeNoDryRuns(doc)
	if rehearsing {
		describeDryRuns(doc)
	}
	openAnswers(doc)
	nothingBesideRefs(doc)
}

// describeErrors says which problems a route may answer with.
func describeErrors(op *huma.Operation, method, path string, problem *huma.MediaType) {
	content := map[string]*huma.MediaType{"application/problem+json": problem}
	if strings.HasPrefix(path, "/log/") {
		content["text/plain"] = &huma.MediaType{Schema: aText} // as every client of tiles expects
	}

	add := func(status int, description string) {
		if code := strconv.Itoa(status); op.Responses[code] == nil {
			op.Responses[code] = &huma.Response{Description: description, Content: content}
		}
	}

	add(http.StatusBadRequest, "Something is not as it has to be; detail says what")
	add(http.StatusUnauthorized, "Nobody is known by the key that was shown, or none was")
	add(http.StatusForbidden, "It comes from a page of another origin, or is not for who asks")
	add(http.StatusMisdirectedRequest, "The ledger is not asked under this name")
	add(http.StatusTooManyRequests,
		"Too much at once, and nothing of it was done: send it again after Retry-After seconds")
	add(http.StatusInternalServerError, "The program is mistaken; its log says where")
	add(http.StatusServiceUnavailable, "The ledger cannot tell now; ask again")

	if method != http.MethodGet || strings.Contains(path, "{") || len(op.Parameters) > 0 {
		add(http.StatusNotFound, "There is no such thing")
		add(http.StatusConflict, "It is not possible as things are now")
		add(http.StatusUnprocessableEntity, "It is refused; code and detail say why")
	}
	if op.RequestBody != nil {
		add(http.StatusRequestTimeout, "The body did not come, or not in time")
		add(http.StatusRequestEntityTooLarge, "It is larger than is taken")
		add(http.StatusUnsupportedMediaType, "The body is not of a type that is taken, or does not say so")
	}
}
