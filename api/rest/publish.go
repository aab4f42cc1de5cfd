package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"consentledger/api/wire"
	"consentledger/api/wire/tag"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// nothingRecorded ends the note of an answer to what was no news: the same
// answer without it looks like one to what was recorded.
const nothingRecorded = "nothing was recorded"

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

	r, err := s.executeKeyed(ctx, in.Key, ledger.Request{
		App: name, Body: bytes.Clone(in.RawBody), Actor: string(ident.Operator), Command: cmd,
	})
	if err != nil {
		return nil, err
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}

	v, _ := ref.Policies.Version(cmd.Version)
	a := versionAt(ref, v, s.Ledger.Now())
	a.Notes = publishNotes(ref.Policies, v, cmd.Effective)
	if r.Event == (eventstore.EventID{}) {
		a.Notes = append(a.Notes, "this version was published before: "+nothingRecorded)
		return ok(a)
	}

	got := wire.ReceiptOf(r)
	a.Receipt = &got
	return ok(a)
}

// publishNotes says what publishing v did not do, or will not last.
func publishNotes(all domain.Policies, v published.Policy, asked deadline.Instant) []string {
	var notes []string
	if asked != 0 && asked < v.Effective {
		notes = append(notes, "it binds from "+v.Effective.String()+": no version binds before it is published")
	}
	for _, next := range all.Overtakes(v.Version) {
		notes = append(notes, fmt.Sprintf("%s, which was published before, takes its place at %s: to prevent that, "+
			"publish a version that binds from then or later",
			next.Version, next.Effective))
	}
	return notes
}

// parsePublication reads a body and checks the document and the hashes of the
// texts that came with it.
func parsePublication(body []byte) (domain.PublishPolicy, map[content.Hash]string, error) {
	var b publication
	if err := strict(body, &b); err != nil {
		return domain.PublishPolicy{}, nil, err
	}

	cmd, err := parseDocument(b.Document)
	if err != nil {
		return cmd, nil, err
	}

	if b.Effective != "" {
		if cmd.Effective, err = deadline.ParseInstant(b.Effective); err != nil {
			return cmd, nil, bad("effective: " + err.Error())
		}
	}

	for i, kind := range b.Material {
		if cmd.Material = append(cmd.Material, kind); refusal.QuoteCode(kind) != `"`+kind+`"` {
			return cmd, nil, bad(fmt.Sprintf("material[%d]: a kind of material change is a code as in MAT-1, of A-Z, "+
				"0-9 and \"-\"", i))
		}
	}

	for _, id := range b.Stale {
		p, err := policy.ParsePurposeID(id)
		if err != nil {
			return cmd, nil, bad("stale: " + err.Error())
		}
		if _, declared := cmd.Document.Purpose(p); !declared {
			return cmd, nil, refusal.Refusal{Code: refusal.UnknownPurpose,
				Text: "stale names a purpose that this version does not declare"}
		}
		cmd.Stale = append(cmd.Stale, p)
	}

	if cmd.Scopes, err = parseScopes(b.Scopes); err != nil {
		return cmd, nil, err
	}

	texts, err := parseTexts(b.Texts, cmd.Document.Texts)
	return cmd, texts, err
}

func parseScopes(scopes []Scope) ([]policy.StaleScope, error) {
	var out []policy.StaleScope
	for i, s := range scopes {
		p, err := policy.ParsePurposeID(s.Purpose)
		if err != nil {
			return nil, bad(fmt.Sprintf("scopes[%d].purpose: %v", i, err))
		}
		x := policy.StaleScope{Purpose: p}
		for j, name := range s.Actions {
			a, err := policy.ParseAction(name)
			if err != nil {
				return nil, bad(fmt.Sprintf("scopes[%d].actions[%d]: %v", i, j, err))
			}
			x.Actions = append(x.Actions, a)
		}
		for j, name := range s.Categories {
			if _, err := policy.ParsePurposeID(name); err != nil {
				return nil, bad(fmt.Sprintf("scopes[%d].categories[%d] is no name of a category", i, j))
			}
			x.Categories = append(x.Categories, policy.CategoryID(name))
		}
		out = append(out, x)
	}
	return out, nil
}

func parseDocument(b []byte) (domain.PublishPolicy, error) {
	doc, err := policydoc.Unmarshal(b)
	if err != nil {
		where := ""
		if e, is := errors.AsType[*json.SemanticError](err); is {
			where = fmt.Sprintf(", at byte %d of it", e.ByteOffset)
		}
		return domain.PublishPolicy{},
			refusal.Refusal{Code: refusal.PolicyInvalid, Text: "document is not a policy/1 document" + where}
	}

	if problems := doc.Check(); len(problems) > 0 {
		return domain.PublishPolicy{}, refusal.Refusal{Code: refusal.PolicyInvalid, Text: fmt.Sprint(problems[0])}
	}

	for i, t := range doc.Texts {
		if !tag.IsLocale(t.Locale) {
			return domain.PublishPolicy{},
				refusal.Refusal{Code: refusal.PolicyInvalid,
					Text: fmt.Sprintf("texts[%d].locale must be a language tag, as in zh-CN", i)}
		}
	}

	h, err := policydoc.Hash(doc)
	return domain.PublishPolicy{Version: h, Document: doc}, err
}

func parseTexts(given map[string]string, named []policy.Text) (map[content.Hash]string, error) {
	texts := map[content.Hash]string{}
	for name, text := range given {
		h, err := content.ParseHash(name)
		if err != nil {
			return nil, bad("texts: " + err.Error())
		}
		if sha256.Sum256([]byte(text)) != h {
			return nil, bad("texts: a text does not have the hash that it stands under")
		}
		texts[h] = text
	}

	spare := len(texts)
	counted := map[content.Hash]bool{}
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
func (s *server) keep(ctx context.Context, doc policy.Document, texts map[content.Hash]string) error {
	for _, t := range doc.Texts {
		if _, given := texts[t.Hash]; given {
			continue
		}
		_, kept, err := s.Blobs.Get(ctx, blobs.Hash(t.Hash))
		if err != nil {
			return err
		}
		if !kept {
			return refusal.Refusal{Code: refusal.UnknownText,
				Text: "the document names a text that was neither sent nor is kept already"}
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
