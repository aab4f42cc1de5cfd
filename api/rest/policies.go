package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Publication asks to publish a version of a policy.
type Publication struct {
	Document  any               `json:"document" doc:"the policy/1 document"`
	Texts     map[string]string `json:"texts,omitempty" doc:"the full texts by their sha256:..., unless they are kept already"`
	Effective string            `json:"effective,omitempty" format:"date-time" doc:"when it binds; absent: at once"`
	Material  []string          `json:"material,omitempty" doc:"the kinds of material change"`
	Stale     []string          `json:"stale,omitempty" doc:"purposes whose earlier consents must be asked for again"`
}

// publication is Publication with the document's bytes.
type publication struct {
	Document  jsontext.Value    `json:"document"`
	Texts     map[string]string `json:"texts"`
	Effective string            `json:"effective"`
	Material  []string          `json:"material"`
	Stale     []string          `json:"stale"`
}

// Version is a published version. Document is left out of lists.
type Version struct {
	Policy    string        `json:"policy"`
	Version   string        `json:"version"`
	Effective string        `json:"effective"`
	Material  []string      `json:"material,omitempty"`
	Stale     []string      `json:"stale,omitempty"`
	InForce   bool          `json:"in_force"`
	Document  any           `json:"document,omitempty"`
	Receipt   *wire.Receipt `json:"receipt,omitempty"`
}

// Versions is every version of an app's policies, in order of publication.
type Versions struct {
	App      string    `json:"app"`
	Policies []Version `json:"policies"`
	AsOf     string    `json:"as_of"`
}

type versionIn struct {
	App     string `path:"app"`
	Version string `path:"version" doc:"sha256:..."`
}

func (s *server) policyRoutes(api huma.API) {
	route(s, api, "list-policies", http.MethodGet, "/v1/apps/{app}/policies", "The versions of an app's policies", s.listPolicies)
	route(s, api, "get-policy", http.MethodGet, "/v1/apps/{app}/policies/{version}", "A version with its document", s.getPolicy)
	bodied[Publication](s, api, "publish-policy", http.MethodPost, "/v1/apps/{app}/policies", "Publish a version", maxPolicy, s.publish)
}

func (s *server) listPolicies(ctx context.Context, in *appIn) (*out[Versions], error) {
	name, err := domain.ParseAppName(in.App)
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
	a := Versions{App: in.App, Policies: []Version{}, AsOf: wire.FormatPosition(head)}
	for _, v := range ref.Policies.Versions() {
		a.Policies = append(a.Policies, s.version(ref, v))
	}
	return ok(a)
}

func (s *server) version(ref domain.Reference, v domain.PolicyPublished) Version {
	now, is := ref.Policies.InForce(v.Document.Name, s.Ledger.Now())
	a := Version{Policy: v.Document.Name, Version: v.Version.String(), Effective: v.Effective.String(), Material: v.Material, InForce: is && now.Version == v.Version}
	for _, id := range v.Stale {
		a.Stale = append(a.Stale, string(id))
	}
	return a
}

func (s *server) getPolicy(ctx context.Context, in *versionIn) (*out[Version], error) {
	name, err := domain.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}
	h, err := domain.ParseHash(in.Version)
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
	a := s.version(ref, v)
	a.Document = jsontext.Value(doc)
	return ok(a)
}

func (s *server) publish(ctx context.Context, in *appBody) (*out[Version], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	cmd, texts, err := parsePublication(in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := s.keep(ctx, cmd.Document, texts); err != nil {
		return nil, err
	}
	r, err := s.execute(ctx, ledger.Request{
		App: name, Source: "rest", ID: keyOr(in.Key), Body: bytes.Clone(in.RawBody), Actor: "operator", Command: cmd,
	})
	if err != nil {
		return nil, err
	}
	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}
	v, _ := ref.Policies.Version(cmd.Version)
	a := s.version(ref, v)
	if r.Event != (eventstore.EventID{}) { // else it was published before
		got := wire.ReceiptOf(r)
		a.Receipt = &got
	}
	return ok(a)
}

// parsePublication reads a body and checks the document and the hashes of the
// texts that came with it.
func parsePublication(body []byte) (domain.PublishPolicy, map[domain.Hash]string, error) {
	var b publication
	if err := strict(body, &b); err != nil {
		return domain.PublishPolicy{}, nil, err
	}
	cmd, err := parseDocument(b.Document)
	if err != nil {
		return cmd, nil, err
	}
	if b.Effective != "" {
		if cmd.Effective, err = domain.ParseInstant(b.Effective); err != nil {
			return cmd, nil, bad("effective: " + err.Error())
		}
	}
	cmd.Material = b.Material
	for _, id := range b.Stale {
		p, err := domain.ParsePurposeID(id)
		if err != nil {
			return cmd, nil, bad("stale: " + err.Error())
		}
		if _, declared := cmd.Document.Purpose(p); !declared {
			return cmd, nil, domain.Refusal{Code: domain.UnknownPurpose, Text: "stale names a purpose that this version does not declare"}
		}
		cmd.Stale = append(cmd.Stale, p)
	}
	texts, err := parseTexts(b.Texts, cmd.Document.Texts)
	return cmd, texts, err
}

func parseDocument(b []byte) (domain.PublishPolicy, error) {
	doc, err := policydoc.Unmarshal(b)
	if err != nil {
		where := ""
		if e, is := errors.AsType[*json.SemanticError](err); is {
			where = fmt.Sprintf(", at byte %d of it", e.ByteOffset)
		}
		return domain.PublishPolicy{}, domain.Refusal{Code: domain.PolicyInvalid, Text: "document is not a policy/1 document" + where}
	}
	if problems := doc.Check(); len(problems) > 0 {
		return domain.PublishPolicy{}, domain.Refusal{Code: domain.PolicyInvalid, Text: fmt.Sprint(problems[0])}
	}
	h, err := policydoc.Hash(doc)
	return domain.PublishPolicy{Version: h, Document: doc}, err
}

func parseTexts(given map[string]string, named []domain.Text) (map[domain.Hash]string, error) {
	texts := map[domain.Hash]string{}
	for name, text := range given {
		h, err := domain.ParseHash(name)
		if err != nil {
			return nil, bad("texts: " + err.Error())
		}
		if sha256.Sum256([]byte(text)) != h {
			return nil, bad("texts: a text does not have the hash that it stands under")
		}
		texts[h] = text
	}
	spare := len(texts)
	counted := map[domain.Hash]bool{}
	for _, t := range named {
		if _, has := texts[t.Hash]; has && !counted[t.Hash] {
			counted[t.Hash] = true
			spare--
		}
	}
	if spare > 0 {
		return nil, bad("texts: there is a text that the document does not name")
	}
	return texts, nil
}

// keep puts the texts and the document where everybody can read them, before
// the policy is published: a published hash always has its text.
func (s *server) keep(ctx context.Context, doc domain.Document, texts map[domain.Hash]string) error {
	for _, t := range doc.Texts {
		if _, given := texts[t.Hash]; given {
			continue
		}
		_, kept, err := s.Blobs.Get(ctx, blobs.Hash(t.Hash))
		if err != nil {
			return err
		}
		if !kept {
			return domain.Refusal{Code: domain.UnknownText, Text: "the document names a text that was neither sent nor is kept already"}
		}
	}
	canonical, err := policydoc.Marshal(doc)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if _, err := s.Blobs.Put(ctx, []byte(text)); err != nil {
			return err
		}
	}
	_, err = s.Blobs.Put(ctx, canonical)
	return err
}
