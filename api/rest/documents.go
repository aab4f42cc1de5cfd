package rest

import (
	"context"
	"io"
	"net/http"

	"consentledger/api/query"
	"consentledger/api/report/auditreport"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"

	"github.com/danielgtaylor/huma/v2"
)

// Documents makes the audit report and the registers; see package auditreport.
type Documents interface {
	Audit(ctx context.Context, app ident.AppName, from, to deadline.Instant) (auditreport.Report, error)
	Register(ctx context.Context, app ident.AppName, name string, at deadline.Instant) (auditreport.Register, error)
}

type auditIn struct {
	App    string `path:"app"`
	From   string `query:"from" doc:"RFC 3339; absent: from the beginning"`
	To     string `query:"to" doc:"RFC 3339, not included; absent: until now"`
	Format string `query:"format" doc:"json (the default), csv (a zip), md or html"`
	Lang   string `query:"lang" doc:"en (the default) or zh; JSON has codes alone"`
	AccessorIn
}

type registerIn struct {
	App      string `path:"app"`
	Register string `path:"register" doc:"processing, recipients, assessments or retention"`
	At       string `query:"at" doc:"RFC 3339; absent: now"`
	Format   string `query:"format" doc:"json (the default), csv (a zip), md or html"`
	Lang     string `query:"lang" doc:"en (the default) or zh; JSON has codes alone"`
}

func (s *server) documentRoutes(api huma.API) {
	answers := func(schema *huma.Schema) map[string]*huma.Response {
		file := &huma.MediaType{Schema: aFile}
		return map[string]*huma.Response{"200": {Description: "The report", Content: map[string]*huma.MediaType{
			"application/json": {Schema: schema}, "application/zip": file, "text/markdown": file, "text/html": file,
		}}}
	}

	schemas := api.OpenAPI().Components.Schemas
	audit := huma.Operation{OperationID: "report-audit", Method: http.MethodGet, Path: "/v1/apps/{app}/reports/audit",
		SkipValidateParams: true,
		Summary:            "The audit report of a span; it reads the log",
		Responses: answers(huma.SchemaFromType(schemas,
			typeFor[auditreport.Report]()))}
	huma.Register(api, audit, func(ctx context.Context, in *auditIn) (*huma.StreamResponse, error) {
		o, err := s.audit(ctx, in)
		return o, s.fail(ctx, audit.OperationID, err)
	})
	isRecorded(api, audit.Path)
	register := huma.Operation{OperationID: "get-register", Method: http.MethodGet,
		Path: "/v1/apps/{app}/registers/{register}", SkipValidateParams: true,
		Summary: "A register as of a moment; it reads the log", Responses: answers(huma.SchemaFromType(schemas,
			typeFor[auditreport.Register]()))}
	huma.Register(api, register, func(ctx context.Context, in *registerIn) (*huma.StreamResponse, error) {
		o, err := s.register(ctx, in)
		return o, s.fail(ctx, register.OperationID, err)
	})
}

func (s *server) audit(ctx context.Context, in *auditIn) (*huma.StreamResponse, error) {
	form, err := auditreport.ParseForm(in.Format)
	if err != nil {
		return nil, bad("format: " + err.Error())
	}

	who, err := in.accessor()
	if err != nil {
		return nil, err
	}

	name, to, err := s.document(ctx, in.App, in.Lang, "to", in.To)
	if err != nil {
		return nil, err
	}

	from := deadline.Instant(0)
	if in.From != "" {
		if from, err = s.past("from", in.From); err != nil {
			return nil, err
		}
	}

	if to <= from {
		return nil, bad("to: is not after from")
	}
	if err := s.reach(ctx, to-1); err != nil {
		return nil, err
	}

	r, err := s.Documents.Audit(ctx, name, from, to)
	if err != nil {
		return nil, behind(err)
	}

	a := wire.AccessOf(who, domain.AccessReplay)
	a.From, a.To, a.Records = from, to, r.Records()
	if err := s.recordReading(ctx, name, a); err != nil {
		return nil, err
	}
	return s.written(ctx, "report-audit", r, form, in.Lang, "audit-"+in.App), nil
}

func (s *server) register(ctx context.Context, in *registerIn) (*huma.StreamResponse, error) {
	form, err := auditreport.ParseForm(in.Format)
	if err != nil {
		return nil, bad("format: " + err.Error())
	}

	name, at, err := s.document(ctx, in.App, in.Lang, "at", in.At)
	if err != nil {
		return nil, err
	}
	if err := s.reach(ctx, at); err != nil {
		return nil, err
	}

	r, err := s.Documents.Register(ctx, name, in.Register, at)
	if err != nil {
		return nil, behind(err)
	}
	return s.written(ctx, "get-register", r, form, in.Lang, in.Register+"-"+in.App), nil
}

// document reads what every report is asked with.
func (s *server) document(
	ctx context.Context, app, lang, member, text string,
) (ident.AppName, deadline.Instant, error) {
	if lang != "" && lang != "en" && lang != "zh" {
		return "", 0, bad("lang: is en or zh")
	}
	name, err := s.app(ctx, app)
	if err != nil || text == "" {
		return name, s.Ledger.Now(), err
	}
	at, err := s.past(member, text)
	return name, at, err
}

// past reads a moment that a question is about, see [query.HasCome].
func (s *server) past(member, text string) (deadline.Instant, error) {
	at, err := deadline.ParseInstant(text)
	if err != nil {
		return 0, bad(member + ": " + err.Error())
	}
	return query.HasCome(member, at, s.Ledger.Now())
}

// knownAt reads a moment that is past, and returns up to which position the ledger knew anything then.
func (s *server) knownAt(
	ctx context.Context, text string,
) (at deadline.Instant, until eventstore.Position, err error) {
	if at, err = s.past("known_at", text); err == nil {
		until, err = s.Ledger.KnownAt(ctx, at)
	}
	return at, until, err
}

// reach waits until projections answer for all that was known at a moment.
func (s *server) reach(ctx context.Context, at deadline.Instant) error {
	var p eventstore.Position
	p, err := s.Ledger.KnownAt(ctx, at)
	if err != nil || p == 0 || s.Wait == nil {
		return err
	}
	return s.waitFor(ctx, p)
}

// written sends a document while it is written.
func (s *server) written(
	ctx context.Context, operation string, p auditreport.Documenter, f auditreport.Form, lang, name string,
) *huma.StreamResponse {
	if name += "." + f.Ending(); f == auditreport.JSON || f == auditreport.HTML {
		name = ""
	}
	return s.send(ctx, operation, sentFile{f.ContentType(), name, func(to io.Writer) error {
		return auditreport.Write(to, p, f, lang)
	}})
}
