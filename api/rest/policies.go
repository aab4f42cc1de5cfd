package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// Publication asks to publish a version of a policy.
type Publication struct {
	Document  any               `json:"document" doc:"the policy/1 document"`
	Texts     map[string]string `json:"texts,omitempty" doc:"the full texts by their sha256:..., unless they are kept already"`
	Effective string            `json:"effective,omitempty" format:"date-time" doc:"when it binds; absent: at once"`
	Material  []string          `json:"material,omitempty" doc:"the kinds of material change"`
	Stale     []string          `json:"stale,omitempty" doc:"purposes whose earlier consents must be asked for again"`
	Scopes    []Scope           `json:"scopes,omitempty" doc:"what this version adds to purposes: earlier consents do not cover it, and cover the rest"`
}

// A Scope is methods and data that a version adds to a purpose.
type Scope struct {
	Purpose    string   `json:"purpose"`
	Actions    []string `json:"actions,omitempty"`
	Categories []string `json:"categories,omitempty"`
}

// Added is a [Scope] as a published version shows it.
type Added Scope

// publication is Publication with the document's bytes.
type publication struct {
	Document  jsontext.Value    `json:"document"`
	Texts     map[string]string `json:"texts"`
	Effective string            `json:"effective"`
	Material  []string          `json:"material"`
	Stale     []string          `json:"stale"`
	Scopes    []Scope           `json:"scopes"`
}

// Version is a published version. Document is left out of lists.
type Version struct {
	Policy    string        `json:"policy"`
	Version   string        `json:"version"`
	Effective string        `json:"effective"`
	Material  []string      `json:"material,omitempty"`
	Stale     []string      `json:"stale,omitempty"`
	Scopes    []Added       `json:"scopes,omitempty"`
	Reduced   bool          `json:"rights_reduced,omitempty" doc:"who does not agree explicitly keeps the older promises"`
	InForce   bool          `json:"in_force"`
	Document  any           `json:"document,omitempty"`
	Receipt   *wire.Receipt `json:"receipt,omitempty"`
	Notes     []string      `json:"notes,omitempty" doc:"what publishing it did not do, or will not last"`
}

// Versions is every version of an app's policies, in order of publication.
type Versions struct {
	App      string    `json:"app"`
	KnownAt  string    `json:"known_at,omitzero" format:"date-time" doc:"only what was known then is there, and in_force is of then"`
	Policies []Version `json:"policies"`
	AsOf     string    `json:"as_of"`
}

type policiesIn struct {
	App     string `path:"app"`
	KnownAt string `query:"known_at" doc:"RFC 3339; only what was known then counts (default: now)"`
}

type versionIn struct {
	App     string `path:"app"`
	Version string `path:"version" doc:"sha256:..."`
}

func (s *server) policyRoutes(api huma.API) {
	route(s, api, "list-policies", http.MethodGet, "/v1/apps/{app}/policies", "The versions of an app's policies",
		s.listPolicies)
	route(s, api, "get-policy", http.MethodGet, "/v1/apps/{app}/policies/{version}",
		"A version with its document", s.getPolicy)
	bodied[Publication](s, api, "publish-policy", http.MethodPost, "/v1/apps/{app}/policies", "Publish a version",
		maxPolicy, s.publish)
}

func (s *server) listPolicies(ctx context.Context, in *policiesIn) (*out[Versions], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	ref, head, at, err := s.referenceAt(ctx, name, in.KnownAt)
	if err != nil {
		return nil, err
	}

	a := Versions{App: in.App, KnownAt: in.KnownAt, Policies: []Version{}, AsOf: wire.FormatPosition(head)}
	for _, v := range ref.Policies.Versions() {
		a.Policies = append(a.Policies, versionAt(ref, v, at))
	}
	return ok(a)
}

// referenceAt returns what is known of an app, up to which position that is, and as of when: a moment that
// is past, or now if none is said.
func (s *server) referenceAt(
	ctx context.Context, app ident.AppName, knownAt string,
) (ref domain.Reference, until eventstore.Position, at deadline.Instant, err error) {
	if knownAt == "" {
		if until, err = s.Ledger.Head(ctx); err != nil {
			return ref, 0, 0, err
		}
		ref, err = s.Ledger.App(ctx, app)
		return ref, until, s.Ledger.Now(), err
	}

	if at, until, err = s.knownAt(ctx, knownAt); err != nil {
		return ref, 0, 0, err
	}
	past, err := s.Ledger.Past(ctx, app)
	if err != nil {
		return ref, 0, 0, err
	}
	ref, err = past.Reference(ctx, until)
	return ref, until, at, err
}

// versionAt returns a version, and whether it is in force at a moment.
func versionAt(ref domain.Reference, v published.Policy, at deadline.Instant) Version {
	now, is := ref.Policies.InForce(v.Document.Name, at)
	a := Version{
		Policy:    v.Document.Name,
		Version:   v.Version.String(),
		Effective: v.Effective.String(),
		Material:  v.Material,
		InForce:   is && now.Version == v.Version,
	}
	a.Stale, a.Scopes, a.Reduced = words(v.Stale), scopesOf(v.Scopes), v.RightsReduced
	return a
}

// words returns names as plain text.
func words[N ~string](names []N) []string {
	var out []string
	for _, n := range names {
		out = append(out, string(n))
	}
	return out
}

func scopesOf(scopes []policy.StaleScope) []Added {
	var out []Added
	for _, s := range scopes {
		x := Added{Purpose: string(s.Purpose), Categories: words(s.Categories)}
		for _, a := range s.Actions {
			x.Actions = append(x.Actions, a.String())
		}
		out = append(out, x)
	}
	return out
}

func (s *server) getPolicy(ctx context.Context, in *versionIn) (*out[Version], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	h, err := content.ParseHash(in.Version)
	if err != nil {
		return nil, bad(err.Error())
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}

	v, found := ref.Policies.Version(h)
	if !found {
		return nil, failure{plain(http.StatusNotFound, "this app has no such version")}
	}

	doc, err := policydoc.Marshal(v.Document)
	if err != nil {
		return nil, err
	}

	a := versionAt(ref, v, s.Ledger.Now())
	a.Document = jsontext.Value(doc)
	return ok(a)
}
