package rest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"

	"consentledger/api/approval"
	"consentledger/api/audit"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"

	"github.com/danielgtaylor/huma/v2"
)

// A ProofDecision is what two principals decided about the proof that is kept of somebody.
type ProofDecision struct {
	ID       string   `json:"id,omitempty" doc:"names the decision: with the same id it is taken once; absent: a random one"`
	Subject  string   `json:"subject,omitempty" doc:"account:ID, device:ID or ID, as the person was known: of everybody who had it"`
	Person   string   `json:"person,omitempty" doc:"instead: the pseudonym, which is in the certificate and in the person's receipts"`
	Reason   string   `json:"reason" example:"claim" doc:"a code; kept in the clear"`
	To       string   `json:"to,omitempty" example:"court" doc:"of a disclosure: who is shown it, a code; kept in the clear"`
	By       []string `json:"by,omitempty" minItems:"2" maxItems:"2" doc:"two principals who decide it; kept in the clear. Where principals are authenticated it is proposed instead, and names nobody"`
	Evidence string   `json:"evidence,omitempty" doc:"sha256:... of the request or the decision"`
}

// A KeptProof is what became of the proof of somebody who is erased.
type KeptProof struct {
	Person      string       `json:"person" doc:"the pseudonym"`
	Duty        string       `json:"duty" doc:"for which it is kept"`
	Law         string       `json:"law"`
	Reason      string       `json:"reason"`
	Until       string       `json:"until" format:"date" doc:"the last day, in the time zone of the app"`
	State       string       `json:"state" enum:"kept,destroyed"`
	Erasure     string       `json:"erasure" doc:"the event id of the order to erase the person"`
	Disclosures []Disclosure `json:"disclosures" doc:"decisions to disclose it"`
	Destruction string       `json:"destruction,omitempty" doc:"the event id of the order to destroy it"`
	Destroyed   string       `json:"destroyed,omitempty" doc:"the event id of the record that it is done"`
	DestroyedAt string       `json:"destroyed_at,omitempty" format:"date-time"`
}

// A Disclosure is a decision to disclose a proof.
type Disclosure struct {
	Event    string   `json:"event"`
	At       string   `json:"at" format:"date-time"`
	Until    string   `json:"until" format:"date-time" doc:"until when it opens the proof"`
	Reason   string   `json:"reason"`
	To       string   `json:"to"`
	By       []string `json:"by"`
	Evidence string   `json:"evidence,omitempty"`
}

// KeptProofs are the proofs that an app keeps.
type KeptProofs struct {
	Proofs []KeptProof `json:"proofs" doc:"in the order of the pseudonyms"`
	Next   string      `json:"next,omitempty" doc:"give it as after, for those that follow"`
}

type keptProofsIn struct {
	App   string `path:"app"`
	After string `query:"after" doc:"a pseudonym: those that follow it"`
	Limit string `query:"limit" doc:"1 to 1000 (default 100)"`
}

type keptProofIn struct {
	App    string `path:"app"`
	Person string `path:"person" doc:"the pseudonym"`
}

type keptProofBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) keptProofRoutes(api huma.API) {
	const all = "/v1/apps/{app}/proofs"
	route(s, api, "list-kept-proofs", http.MethodGet, all,
		"Proofs that are kept of persons who are erased: for which duty, and up to which day. They name nobody",
		s.listKeptProofs)
	route(s, api, "get-kept-proof", http.MethodGet, all+"/{person}",
		"What became of one proof, of one that is destroyed, too", s.getKeptProof)
	bodied[ProofDecision](s, api, "disclose-proof", http.MethodPost, all+"/disclose",
		"Record that two decided to disclose a proof. For seven days one of the two opens it then", maxBody,
		s.decideOnProof(approval.Disclose, "proof.disclosed"))
	bodied[ProofDecision](s, api, "destroy-proof", http.MethodPost, all+"/destroy",
		"Destroy a proof before its last day. It cannot be undone", maxBody,
		s.decideOnProof(approval.Destroy, "destruction.ordered"))
	if s.Proofs != nil {
		bodied[audit.OpenProof](s, api, "open-proof", http.MethodPost, all+"/open",
			"Open a proof, by a decision to disclose it. That somebody looked is recorded first", maxBody, s.openProof)
	}
}

func (s *server) listKeptProofs(ctx context.Context, in *keptProofsIn) (*out[KeptProofs], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	limit := 100
	if in.Limit != "" {
		if limit, err = strconv.Atoi(in.Limit); err != nil || limit < 1 || limit > 1000 {
			return nil, bad("limit is a number from 1 to 1000")
		}
	}
	var after vault.Pseudonym
	if in.After != "" {
		if after, err = vault.ParsePseudonym(in.After); err != nil {
			return nil, bad("after: " + err.Error())
		}
	}

	list, err := s.Ledger.KeptProofs(ctx, app, after, limit)
	if err != nil {
		return nil, err
	}
	a := KeptProofs{Proofs: []KeptProof{}}
	for _, p := range list {
		a.Proofs = append(a.Proofs, keptProof(p))
	}
	if len(list) == limit {
		a.Next = list[limit-1].Person
	}
	return ok(a)
}

func (s *server) getKeptProof(ctx context.Context, in *keptProofIn) (*out[KeptProof], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	name, err := vault.ParsePseudonym(in.Person)
	if err != nil {
		return nil, bad("person: " + err.Error())
	}
	p, err := s.Ledger.ProofNamed(ctx, app, name)
	if err != nil {
		return nil, err
	}
	return ok(keptProof(p))
}

// eventID writes an event id; empty: there is none.
func eventID(id ident.EventID) string {
	if id == (ident.EventID{}) {
		return ""
	}
	return eventstore.EventID(id).String()
}

func keptProof(p ledger.NamedProof) KeptProof {
	a := KeptProof{
		Person: p.Person, Duty: p.Duty, Law: p.Law, Reason: p.Reason, Until: p.Until.String(), State: "kept",
		Erasure: eventID(p.Erasure), Disclosures: []Disclosure{}, Destruction: eventID(p.Ordered),
		Destroyed: eventID(p.Destroyed),
	}
	if p.Destroyed != (ident.EventID{}) {
		a.State, a.DestroyedAt = "destroyed", p.DestroyedAt.String()
	}
	for _, d := range p.Disclosures {
		one := Disclosure{
			Event: eventID(d.ID), At: d.At.String(), Until: (d.At + domain.DisclosureLasts).String(), Reason: d.Reason,
			To: d.To, By: d.By[:],
		}
		if d.Evidence != (content.Hash{}) {
			one.Evidence = "sha256:" + hex.EncodeToString(d.Evidence[:])
		}
		a.Disclosures = append(a.Disclosures, one)
	}
	return a
}

// decideOnProof records what two decided about a proof.
func (s *server) decideOnProof(
	do, kind string,
) func(ctx context.Context, in *keptProofBody) (*out[wire.Receipt], error) {
	return func(ctx context.Context, in *keptProofBody) (*out[wire.Receipt], error) {
		app, err := ident.ParseAppName(in.App)
		if err != nil {
			return nil, bad(err.Error())
		}
		var b ProofDecision
		if err := strict(in.RawBody, &b); err != nil {
			return nil, err
		}
		if len(b.By) != 2 {
			return nil, s.orProposed(app, kind, refusal.Refusal{Code: refusal.TwoPersons, Path: "by",
				Text: "what becomes of a proof takes two different persons"})
		}

		decision := approval.Proof{ID: cmp.Or(b.ID, rand.Text()), Do: do, Subject: b.Subject, Person: b.Person,
			Reason: b.Reason, To: b.To, Evidence: b.Evidence}
		req, err := decision.Decided(ctx, app, [2]string(b.By), s.Ledger)
		if err != nil {
			return nil, err
		}
		req.RecordedBy = s.principal(ctx)
		receipt, err := s.Ledger.DecideOnProof(ctx, req)
		if err != nil {
			return nil, err
		}
		return ok(wire.ReceiptOf(receipt))
	}
}

func (s *server) openProof(ctx context.Context, in *keptProofBody) (*out[audit.ProofOpened], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	var ask audit.OpenProof
	if err := strict(in.RawBody, &ask); err != nil {
		return nil, err
	}
	opened, err := s.Proofs.OpenProof(ctx, app, ask, s.principal(ctx))
	if err != nil {
		return nil, s.failEvidence(ctx, "open-proof", err)
	}
	return ok(opened)
}
