package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"consentledger/api/audit"
	"consentledger/domain/ident"
	"consentledger/projections/transparency"

	"github.com/danielgtaylor/huma/v2"
)

// Evidence makes what leaves the organisation as evidence; see [audit.Exporter].
type Evidence interface {
	Export(ctx context.Context, app ident.AppName, ask audit.ExportRequest, principal string) (*os.File, error)
	Receipt(ctx context.Context, app ident.AppName, ask audit.ReceiptRequest, principal string) ([]byte, error)
}

// ProofOpener opens what is kept of persons who are erased; see package audit.
type ProofOpener interface {
	OpenProof(ctx context.Context, app ident.AppName, ask audit.OpenProof, principal string) (audit.ProofOpened, error)
}

type evidenceIn struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) evidenceRoutes(api huma.API) {
	op := func(id, path, summary, kind string, is *huma.Schema) huma.Operation {
		return huma.Operation{
			OperationID:        id,
			Method:             http.MethodPost,
			Path:               path,
			Summary:            summary,
			MaxBodyBytes:       maxBody,
			SkipValidateParams: true,
			SkipValidateBody:   true,
			Description: "Who reads and why is recorded before anything leaves. Personal texts are opened for " +
				"nobody who does not say so.",
			Responses: map[string]*huma.Response{"200": {Description: summary,
				Content: map[string]*huma.MediaType{kind: {Schema: is}}}},
		}
	}

	huma.Register(api, op("export", "/v1/apps/{app}/export", "An evidence bundle, which verifies offline",
		"application/zip", aFile), s.export)
	documentBody[audit.ExportRequest](api, http.MethodPost, "/v1/apps/{app}/export")
	huma.Register(api, op("make-receipt", "/v1/apps/{app}/receipts", "The receipt of a consent, with its proof",
		"application/json", anObject), s.receipt)
	documentBody[audit.ReceiptRequest](api, http.MethodPost, "/v1/apps/{app}/receipts")
	describeProof(api)
}

// describeProof lists a route that package audit serves: it is a route of the same
// server, and operators have it over NATS.
func describeProof(api huma.API) {
	param := func(name, in, doc string) *huma.Param {
		return &huma.Param{
			Name:        name,
			In:          in,
			Required:    in == "path",
			Description: doc,
			Schema:      &huma.Schema{Type: huma.TypeString},
		}
	}

	index := param("index", "query", "instead: the record's place in the log, from 0")
	index.Schema = &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: new(float64)}
	cosigned := param("cosigned", "query", "in the newest tree that a quorum of witnesses signed; needs no value")
	cosigned.AllowEmptyValue = true
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "prove",
		Method:      http.MethodGet,
		Path:        "/log/{app}/proof",
		Summary:     "The proof that a record is in its app's log, a c2sp.org/tlog-proof@v1",
		Parameters: []*huma.Param{
			param("app", "path", ""), param("event", "query", "the event id of a receipt"),
			index,
			cosigned,
			param("wait", "query", "until the record is under a checkpoint, at most 30s, as in 10s; 503 if it is not "+
				"by then"),
		},
		Responses: map[string]*huma.Response{"200": {Description: "The proof",
			Content: map[string]*huma.MediaType{"text/plain": {Schema: aText}}}},
	})
}

// read parses a request for evidence.
func (in *evidenceIn) read(into any) (ident.AppName, error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return "", bad(err.Error())
	}
	return app, question(in.RawBody, into)
}

// failEvidence is fail for what the logs may say too.
func (s *server) failEvidence(ctx context.Context, route string, err error) error {
	switch {
	case errors.Is(err, transparency.ErrNotThere):
		return failure{plain(http.StatusNotFound, transparency.ErrNotThere.Error())}
	case errors.Is(err, transparency.ErrNotReady):
		return huma.ErrorWithHeaders(failure{plain(http.StatusServiceUnavailable, transparency.ErrNotReady.Error())},
			http.Header{"Retry-After": {"1"}})
	}
	return s.fail(ctx, route, err)
}

func (s *server) export(ctx context.Context, in *evidenceIn) (*huma.StreamResponse, error) {
	var ask audit.ExportRequest
	app, err := in.read(&ask)
	if err != nil {
		return nil, s.fail(ctx, "export", err)
	}

	f, err := s.Evidence.Export(ctx, app, ask, s.principal(ctx))
	if err != nil {
		return nil, s.failEvidence(ctx, "export", err)
	}

	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer f.Close()
		c.SetHeader("Content-Type", "application/zip")
		c.SetHeader("Content-Disposition", `attachment; filename="evidence-`+string(app)+`.zip"`)
		if _, err := io.Copy(c.BodyWriter(), f); err != nil {
			s.Log.WarnContext(ctx, "an export broke off", "err", err)
		}
	}}, nil
}

func (s *server) receipt(ctx context.Context, in *evidenceIn) (*huma.StreamResponse, error) {
	var ask audit.ReceiptRequest
	app, err := in.read(&ask)
	if err != nil {
		return nil, s.fail(ctx, "make-receipt", err)
	}
	text, err := s.Evidence.Receipt(ctx, app, ask, s.principal(ctx))
	if err != nil {
		return nil, s.failEvidence(ctx, "make-receipt", err)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/json")
		_, _ = c.BodyWriter().Write(text)
	}}, nil
}
