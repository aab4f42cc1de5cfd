// Package rest is the ledger over HTTP: commands go to the ledger, "may we?"
// is answered from its fold, lists come from projections.
//
// An event may come in structured mode, in batches, and from apps in binary mode;
// see [wire.ModeOf].
//
// Bodies that mean something are read as bytes and parsed strictly: a name
// that stands twice is refused. What is wrong with a request is told without
// repeating what was sent, because ids are personal.
package rest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"consentledger/api/approval"
	"consentledger/api/edge"
	"consentledger/api/live"
	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"
	"consentledger/eventstore/vault"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Ledger is what rest uses of [ledger.Ledger].
type Ledger interface {
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	ExecuteTogether(ctx context.Context, wishes []ledger.Wish) []ledger.Result
	State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error)
	App(ctx context.Context, app ident.AppName) (domain.Reference, error)
	LogCheck(ctx context.Context, req ledger.Request, answered domain.CheckAnswered) error
	History(ctx context.Context, app ident.AppName, who ident.PersonKey) iter.Seq2[codec.Entry, error]
	SelectBy(ctx context.Context, s ledger.Selection, index ledger.Index) (iter.Seq2[codec.Entry, error], error)
	WithRecords(ctx context.Context, all iter.Seq2[codec.Entry, error]) iter.Seq2[ledger.Stored, error]
	Head(ctx context.Context) (eventstore.Position, error)
	Place(at eventstore.Position) error
	Pseudonym(ctx context.Context, app ident.AppName, who ident.PersonKey) (string, bool, error)
	Near(ctx context.Context, app ident.AppName, who ident.PersonKey) ([]ledger.NearMiss, error)
	KnownAt(ctx context.Context, at deadline.Instant) (eventstore.Position, error)
	Past(ctx context.Context, app ident.AppName) (*ledger.Past, error)
	Access(ctx context.Context, a ledger.Access) (ledger.Opened, error)
	Erase(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	ProofsOf(ctx context.Context, app ident.AppName, who ident.PersonKey) (ledger.ProofOf, error)
	DecideOnProof(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	KeptProofs(ctx context.Context, app ident.AppName, after vault.Pseudonym, most int) ([]ledger.NamedProof, error)
	ProofNamed(ctx context.Context, app ident.AppName, name vault.Pseudonym) (ledger.NamedProof, error)
	Whole(ctx context.Context, stream ident.StreamID) (domain.Subject, error)
	Subject(ctx context.Context, stream ident.StreamID) (domain.Subject, error)
	Case(ctx context.Context, stream ident.StreamID) (cases.Request, error)
	Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error]
	Rehearse(ctx context.Context) (*ledger.Rehearsal, error)
	Now() deadline.Instant
}

// Blobs keeps public texts under their hash; see package blobs.
type Blobs interface {
	Put(ctx context.Context, b []byte) (blobs.Hash, error)
	Get(ctx context.Context, h blobs.Hash) ([]byte, bool, error)
}

// A Config is what the handler stands on.
type Config struct {
	Ledger   Ledger
	Blobs    Blobs
	Consents Consents
	Policies Policies
	Activity Activity
	Places   ledger.Index // nil: records of one type are looked for in the whole log
	Requests Requests     // nil: no routes of requests, incidents and obligations
	Law      Law          // for questions by when something is owed
	// whose digest of an app's name opens its calendar feed; nil: there is no feed
	FeedKey   []byte
	Rejected  Rejected                                   // nil: there is no NATS, and so no routes of rejected messages
	Evidence  Evidence                                   // nil: no routes of bundles and receipts
	Proofs    ProofOpener                                // nil: no proof of who is erased is opened
	Documents Documents                                  // nil: no audit report and no registers
	Rebuild   func(ctx context.Context) (Rebuilt, error) // nil: projections are not compared
	Approvals *approval.Approvals                        // nil: nobody is authenticated, and so nobody approves
	Erasures  Erasures                                   // nil: persons are erased one by one
	Webhooks  Webhooks                                   // nil: apps are told nothing by HTTP
	Wait      Waiter                                     // nil: min_position is answered by what the projection has

	// Reads reports whether who asks may read persons of an app, of no app: of every one; nil:
	// they may.
	Reads func(ctx context.Context, app string) bool

	// Registered is called after an app was registered, or changed; nil: nobody wants to know.
	Registered func(ctx context.Context, app ident.AppName)

	Status    func(ctx context.Context) StatusReport
	Ready     func(ctx context.Context) []Check
	Alarms    func(ctx context.Context) []Alarm // nil: there are none
	Principal func(ctx context.Context) string  // who was authenticated; nil or empty: "unauthenticated"
	Described []Described                       // what others answer beside this package
	Version   string
	Log       *slog.Logger    // nil: nothing is logged
	Traces    *tracing.Traces // nil: nothing is traced

	Keys    Keys                           // nil: no route that verifies
	Newest  Newest                         // nil: no route of what was recorded last
	Streams *live.Streams                  // those of this process
	Still   func(ctx context.Context) bool // whether who opened a stream may still hear it; nil: they may
}

// A Waiter waits until every projection has applied a position, or ctx ends.
type Waiter interface {
	Wait(ctx context.Context, p eventstore.Position) error
}

const (
	maxBody   = 1 << 20
	maxPolicy = 8 << 20
	maxRows   = 1000
	maxWait   = 10 * time.Second
)

type server struct {
	Config
	batches *gate
}

// Handler returns the routes. It may be called several times.
func Handler(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}

	c.Ledger, c.Blobs = stage{c.Ledger}, stagedBlobs{c.Blobs}
	if c.Approvals != nil {
		staged := *c.Approvals
		staged.Ledger = stagedProposals{staged.Ledger}
		c.Approvals = &staged
	}

	mux := http.NewServeMux()
	s := &server{c, newGate(batchesAtOnce, batchPatience)}
	api := s.routes(mux)
	return s.traced(s.guard(mux, routesOf(api.OpenAPI())))
}

// routes adds the routes to mux, and describes them.
func (s *server) routes(mux *http.ServeMux) huma.API {
	api := humago.New(mux, config(s.Version))
	api.OpenAPI().Components.Schemas.RegisterTypeAlias(typeFor[jsontext.Value](), typeFor[any]()) // JSON, and no Base64
	s.eventRoutes(api)
	s.subjectRoutes(api)
	s.countRoute(api)
	s.checkRoutes(api)
	s.appRoutes(api)
	s.policyRoutes(api)
	s.diffRoute(api)
	s.surfaceRoutes(api)
	s.calendarRoutes(api)
	s.computeRoute(api)
	s.promptRoutes(api)
	s.voidRoute(api)
	s.lawfulnessRoutes(api)
	s.eraseRoute(api)
	s.proposalRoutes(api)
	s.keptProofRoutes(api)
	if s.Erasures != nil {
		s.erasureRoutes(api)
	}
	if s.Policies != nil {
		s.groupRoute(api)
	}
	if s.Newest != nil {
		s.newestRoute(api)
	}
	if s.Keys != nil {
		s.verifyRoute(api)
	}

	if s.Requests != nil {
		s.deadlineRoutes(api)
		s.caseRoutes(api)
		s.revealRoute(api)
		s.nextRoutes(api)
		s.feedRoutes(api)
	}

	s.schemaRoutes(api)
	s.errorRoutes(api)
	s.logRoutes(api)
	if s.Documents != nil {
		s.documentRoutes(api)
	}
	if s.Rebuild != nil {
		s.rebuildRoute(api)
	}
	if s.Evidence != nil {
		s.evidenceRoutes(api)
	}
	if s.Rejected != nil {
		s.rejectedRoutes(api)
	}
	if s.Webhooks != nil {
		s.webhookRoutes(api)
	}

	s.healthRoutes(api, mux)
	s.asyncRoute(api)
	s.describeOthers(api.OpenAPI())
	describe(api.OpenAPI(), s.Ledger != nil) // over NATS, of the same description, dry runs have subjects of their own
	return api
}

// routesOf returns what every route takes, by its pattern: what it says in the
// description. A route that is not described takes nothing.
func routesOf(doc *huma.OpenAPI) map[string]edge.Route {
	routes := map[string]edge.Route{}
	for path, item := range doc.Paths {
		for method, op := range operations(item) {
			routes[method+" "+path] = routeOf(op)
		}
	}
	return routes
}

func operations(item *huma.PathItem) map[string]*huma.Operation {
	all := map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put}
	maps.DeleteFunc(all, func(_ string, op *huma.Operation) bool { return op == nil })
	return all
}

func routeOf(op *huma.Operation) edge.Route {
	r := edge.Route{
		Records: op.Metadata[records] == true, Events: op.Metadata[takesOptOuts] == true,
		Tagged: op.Metadata[tagged] == true,
	}
	r.NoDryRun = whyNoDryRun(op)
	if op.RequestBody != nil {
		r.Types = slices.Sorted(maps.Keys(op.RequestBody.Content))
	}

	for _, p := range op.Parameters {
		switch {
		case p.In == "query" && p.AllowEmptyValue:
			r.Flags = append(r.Flags, p.Name)
		case p.In == "query":
			r.Query = append(r.Query, p.Name)
		case p.In == "header":
			r.Headers = append(r.Headers, p.Name)
		}
	}
	return r
}

// takesOptOuts is the note of a route that takes events: what is wrong with a header
// beside them does not refuse an opt-out.
const takesOptOuts = "takes-opt-outs"

// records is the note of a GET that leaves a record of what it showed.
const records = "records"

// isRecorded notes it of a route that is registered.
func isRecorded(api huma.API, path string) {
	api.OpenAPI().Paths[path].Get.Metadata = map[string]any{records: true}
}

func config(version string) huma.Config {
	f := huma.Format{
		// the same answer is the same bytes
		Marshal:   marshal,
		Unmarshal: func(b []byte, v any) error { return json.Unmarshal(b, v) },
	}
	c := huma.DefaultConfig("consentledger", version)
	c.Formats = map[string]huma.Format{"application/json": f, "json": f}
	c.DefaultFormat = "application/json"
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil
	c.Transformers = append(c.Transformers, helpOf, linked)

	// Huma's limit stays on the connection when a body has come; guard's does not.
	c.OnAddOperation = append(c.OnAddOperation, func(_ *huma.OpenAPI, op *huma.Operation) { op.BodyReadTimeout = -1 })
	return c
}

// marshal writes an answer as a whole or not at all: Huma would call one that
// broke off a success.
func marshal(w io.Writer, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(unwritable(fmt.Sprintf("an answer that cannot be written down: %T", v)))
	}
	_, err = w.Write(b)
	return err
}

// An unwritable answer is a mistake in the program, and a panic: who asked is
// told that it is broken, and not what.
type unwritable string

func (u unwritable) Error() string { return string(u) }

func (s *server) principal(ctx context.Context) string {
	if s.Principal != nil {
		if p := s.Principal(ctx); p != "" {
			return p
		}
	}
	return "unauthenticated"
}

// An out is an answer: JSON, but for bytes, which are written as they are.
type out[T any] struct {
	Status int
	Body   T
}

func ok[T any](body T) (*out[T], error) { return &out[T]{http.StatusOK, body}, nil }

// route registers a GET or another route without a body.
func route[I, T any](
	s *server, api huma.API, id, method, path, summary string, h func(context.Context, *I) (*out[T], error),
) {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, SkipValidateParams: true}
	huma.Register(api, op, func(ctx context.Context, in *I) (*out[T], error) {
		ctx, span := s.span(ctx, op.Method, op.Path)
		defer span.End()
		o, err := h(ctx, in)
		return o, failed(span, s.fail(ctx, id, err))
	})
}

// bodied registers a route whose RawBody has the shape B, which is documented
// and not checked here.
func bodied[B, I, T any](s *server, api huma.API, id, method, path, summary string, limit int64,
	h func(context.Context, *I) (*out[T], error)) {
	op := huma.Operation{
		OperationID:        id,
		Method:             method,
		Path:               path,
		Summary:            summary,
		MaxBodyBytes:       limit,
		SkipValidateParams: true,
		SkipValidateBody:   true,
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*out[T], error) {
		ctx, span := s.span(ctx, op.Method, op.Path)
		defer span.End()
		o, err := h(ctx, in)
		return o, failed(span, s.fail(ctx, id, err))
	})
	documentBody[B](api, method, path)
}

// documentBody says that the body of a route has the shape B.
func documentBody[B any](api huma.API, method, path string) {
	item := api.OpenAPI().Paths[path]
	doc := item.Post
	if method == http.MethodPut {
		doc = item.Put
	}
	schema := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeFor[B]())
	doc.RequestBody.Required = true
	doc.RequestBody.Content = map[string]*huma.MediaType{"application/json": {Schema: schema}}
}
