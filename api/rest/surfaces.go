package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"consentledger/api/wire"
	"consentledger/api/wire/tag"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/surfacedoc"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SurfaceAnswer is a published surface. The surface itself is left out of
// lists.
type SurfaceAnswer struct {
	ID        string        `json:"id" doc:"the hash of the surface, for the events that name it"`
	Build     string        `json:"build"`
	Screen    string        `json:"screen"`
	Policy    string        `json:"policy"`
	Version   string        `json:"version"`
	Publisher string        `json:"publisher" doc:"the principal as it was authenticated; unauthenticated: nobody was"`
	Signer    string        `json:"signer,omitempty" doc:"the registered signer whose signature over the document was verified"`
	Surface   any           `json:"surface,omitempty" doc:"the surface/1 document"`
	Pictures  []Picture     `json:"pictures,omitempty" doc:"those of its screenshots that are kept; of others there is the hash alone"`
	Receipt   *wire.Receipt `json:"receipt,omitempty" doc:"absent: it was published before"`
	Notes     []string      `json:"notes,omitempty" doc:"what publishing it did not do"`
}

// Surfaces is every surface of an app, in order of publication.
type Surfaces struct {
	App      string          `json:"app"`
	Surfaces []SurfaceAnswer `json:"surfaces"`
	AsOf     string          `json:"as_of"`
}

type surfaceBody struct {
	App       string `path:"app"`
	Key       string `header:"Idempotency-Key" doc:"names the request: sent again with the same body it gets the receipt that it got before; with another body, 422. Absent: each request is a new one"`
	Signature string `header:"Consent-Signature" doc:"a registered signer's name, a semicolon, and its Ed25519 signature over the bytes of the body, in base64. Who signs this may sign no consent to it"`
	RawBody   []byte `contentType:"application/json"`
}

type surfaceIn struct {
	App     string `path:"app"`
	Surface string `path:"surface" doc:"sha256:..."`
}

func (s *server) surfaceRoutes(api huma.API) {
	const path = "/v1/apps/{app}/surfaces"
	route(s, api, "list-surfaces", http.MethodGet, path, "The screens that an app's builds show", s.listSurfaces)
	route(s, api, "get-surface", http.MethodGet, path+"/{surface}", "A surface with its document", s.getSurface)
	bodied[map[string]any](s, api, "publish-surface", http.MethodPost, path,
		"Publish what a screen of a build shows: a surface/1 document", maxBody, s.publishSurface)
	s.pictureRoute(api)
}

func surfaceOf(p domain.SurfacePublished) SurfaceAnswer {
	return SurfaceAnswer{
		ID: p.ID.String(), Build: p.Surface.Build, Screen: p.Surface.Screen, Policy: p.Surface.Policy,
		Version: p.Surface.Version.String(), Publisher: p.Publisher, Signer: p.Signer,
	}
}

func (s *server) listSurfaces(ctx context.Context, in *appIn) (*out[Surfaces], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}

	a := Surfaces{App: in.App, Surfaces: []SurfaceAnswer{}, AsOf: wire.FormatPosition(head)}
	for _, p := range ref.Surfaces.All() {
		a.Surfaces = append(a.Surfaces, surfaceOf(p))
	}
	return ok(a)
}

func (s *server) getSurface(ctx context.Context, in *surfaceIn) (*out[SurfaceAnswer], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}
	id, err := content.ParseHash(in.Surface)
	if err != nil {
		return nil, bad(err.Error())
	}
	a, err := s.surface(ctx, name, id)
	if err != nil {
		return nil, err
	}
	return ok(a)
}

func (s *server) surface(ctx context.Context, app ident.AppName, id content.Hash) (SurfaceAnswer, error) {
	ref, err := s.Ledger.App(ctx, app)
	if err != nil {
		return SurfaceAnswer{}, err
	}

	p, found := ref.Surfaces.Surface(id)
	if !found {
		return SurfaceAnswer{}, failure{plain(http.StatusNotFound, "this app has no such surface")}
	}

	doc, err := surfacedoc.Marshal(p.Surface)
	if err != nil {
		return SurfaceAnswer{}, err
	}

	a := surfaceOf(p)
	a.Surface = doc
	a.Pictures, err = s.kept(ctx, p)
	return a, err
}

func (s *server) publishSurface(ctx context.Context, in *surfaceBody) (*out[SurfaceAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	body := bytes.Clone(in.RawBody)
	cmd, err := parseSurface(body)
	if err != nil {
		return nil, err
	}

	signed, err := signature(in.Signature, body)
	if err != nil {
		return nil, err
	}

	r, err := s.executeKeyed(ctx, in.Key, ledger.Request{
		App: name, Body: body, Actor: string(ident.Operator), Signed: signed, Command: cmd,
	})
	if err != nil {
		return nil, err
	}

	a, err := s.surface(ctx, name, cmd.ID)
	if err != nil {
		return nil, err
	}

	a.Surface = nil
	if r.Event == (eventstore.EventID{}) {
		a.Notes = []string{"this surface was published before: " + nothingRecorded}
		return ok(a)
	}

	got := wire.ReceiptOf(r)
	a.Receipt = &got
	return ok(a)
}

// parseSurface reads a surface/1 document.
func parseSurface(b []byte) (domain.PublishSurface, error) {
	var names struct {
		Schema string                    `json:"schema"`
		Rest   map[string]jsontext.Value `json:",inline"`
	}
	if err := json.Unmarshal(b, &names); err != nil || names.Schema != surfacedoc.Schema {
		return domain.PublishSurface{},
			bad("the body is not a surface: a JSON object with the schema " + surfacedoc.Schema)
	}

	surface, err := surfacedoc.Unmarshal(b)
	if e, is := errors.AsType[*json.SemanticError](err); is {
		return domain.PublishSurface{}, bad(fmt.Sprintf("the surface has a member that does not fit at byte %d",
			e.ByteOffset))
	}
	if err != nil {
		return domain.PublishSurface{}, bad(err.Error()) // which says what would be right, and not what was sent
	}

	if surface.Build != "" && !tag.IsBuild(surface.Build) {
		return domain.PublishSurface{},
			bad(`build is a version as in 5.2.1+1203: a digit is in it, and nothing that looks personal`)
	}

	for i, l := range surface.Locales {
		if !tag.IsLocale(l.Locale) {
			return domain.PublishSurface{},
				bad(fmt.Sprintf("locales[%d].locale must be a language tag, as in zh-CN", i))
		}
	}

	id, err := surfacedoc.Hash(surface)
	return domain.PublishSurface{ID: id, Surface: surface}, err
}
