package rest

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"

	"consentledger/api/approval"
	"consentledger/api/auth"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A NewProposal is what somebody proposes, and another principal approves or declines.
type NewProposal struct {
	Event   map[string]any    `json:"event,omitempty" doc:"an operator's CloudEvent; its data name neither of the two who decide"`
	Erasure *approval.Erasure `json:"erasure,omitempty" doc:"instead: the order to erase a person"`
	Proof   *approval.Proof   `json:"proof,omitempty" doc:"instead: what is to become of the proof that is kept of somebody who is erased"`
	Reason  string            `json:"reason,omitempty" doc:"for whoever decides, in the clear; absent: what the command itself says in the clear"`
	Until   string            `json:"until,omitempty" format:"date-time" doc:"when it expires, 31 days from now at most; absent: in seven days"`
}

// A ProposalAnswer is a proposal, and what became of it.
type ProposalAnswer struct {
	ID        string `json:"id"`
	Command   string `json:"command" example:"record.voided" doc:"the type of event that is to be recorded"`
	Digest    string `json:"digest" doc:"keyed, of the exact command: another command has another one"`
	Reason    string `json:"reason"`
	State     string `json:"state" enum:"open,approved,done,declined,withdrawn,lapsed,expired" doc:"approved: it is about to be recorded; lapsed: what it is about changed, and it has to be proposed anew"`
	By        string `json:"by" doc:"the pseudonym of who proposed it"`
	At        string `json:"at" format:"date-time"`
	Until     string `json:"until" format:"date-time" doc:"when it expires, if nobody decides"`
	Subject   string `json:"subject,omitempty" doc:"the pseudonym of the person that it is about"`
	DecidedBy string `json:"decided_by,omitempty" doc:"the pseudonym of who approved, declined or withdrew it"`
	DecidedAt string `json:"decided_at,omitempty" format:"date-time"`
	Answer    string `json:"answer,omitempty" doc:"why it was decided so; of one that has lapsed, the code"`
	Record    string `json:"record,omitempty" doc:"the event id of what was recorded"`

	Proposed jsontext.Value `json:"proposed,omitempty" doc:"the command as it was sent; of one proposal alone, while the person is not erased"`
	May      []string       `json:"may,omitempty" doc:"what whoever asks may do with it: approve, decline, withdraw"`
}

// ProposalList is the newest proposals of an app.
type ProposalList struct {
	KnownAt       string           `json:"known_at,omitzero" format:"date-time" doc:"only what was known then is there, and each stands as it did then"`
	Authenticated bool             `json:"authenticated" doc:"false: nobody is authenticated here, and two names as they are given count as two persons"`
	Proposals     []ProposalAnswer `json:"proposals" doc:"the newest first"`
}

// A ProposalDecision says why somebody decides so.
type ProposalDecision struct {
	Reason string `json:"reason,omitempty" doc:"in the clear, 1 to 500 bytes; needed to decline"`
}

type proposalsIn struct {
	App     string `path:"app"`
	State   string `query:"state" doc:"only those in this state"`
	KnownAt string `query:"known_at" doc:"RFC 3339; as they stood then, by what was known then (default: now)"`
}

type proposalIn struct {
	App     string `path:"app"`
	ID      string `path:"id"`
	KnownAt string `query:"known_at" doc:"RFC 3339; as it stood then, by what was known then (default: now)"`
}

type newProposalBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

type decisionBody struct {
	App     string `path:"app"`
	ID      string `path:"id"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) proposalRoutes(api huma.API) {
	const all, one = "/v1/apps/{app}/proposals", "/v1/apps/{app}/proposals/{id}"
	route(s, api, "list-proposals", http.MethodGet, all,
		"What was proposed lately and takes two persons, and what became of it", s.listProposals)
	route(s, api, "show-proposal", http.MethodGet, one,
		"One proposal with the command; that somebody looked is recorded", s.showProposal)
	isRecorded(api, one)
	bodied[NewProposal](s, api, "propose", http.MethodPost, all,
		"Propose what takes two persons. The same event, or erasure, under its id is one proposal", maxBody, s.propose)
	for _, step := range []struct {
		id, verb, summary string
		do                func(approval.Approvals, context.Context, ledger.Decision) (proposal.Proposal, error)
	}{
		{"approve-proposal", "approve", "Approve what another principal proposed, and record it. It is refused if " +
			"what it is about has changed", approval.Approvals.Approve},
		{"decline-proposal", "decline", "Decline what another principal proposed", approval.Approvals.Decline},
		{"withdraw-proposal", "withdraw", "Take back what one proposed oneself", approval.Approvals.TakeBack},
	} {
		bodied[ProposalDecision](s, api, step.id, http.MethodPost, one+"/"+step.verb, step.summary, maxBody,
			func(ctx context.Context, in *decisionBody) (*out[ProposalAnswer], error) {
				return s.decideProposal(ctx, in, step.do)
			})
	}
}

// errNobodyKnown refuses proposals where nobody is authenticated.
func errNobodyKnown() error {
	p := plain(http.StatusConflict,
		"nobody is authenticated here, so that nobody can be another principal: name two in the command itself (by, "+
			"approver, approved_by), or start serve with --authenticate")
	p.Type, p.Title, p.Code = "urn:consentledger:problem:not-authenticating", "Nobody is authenticated here",
		"not-authenticating"
	return failure{p}
}

// proposalsOf returns the app of a route of proposals.
func (s *server) proposalsOf(ctx context.Context, name string) (ident.AppName, error) {
	app, err := s.app(ctx, name)
	if err == nil && s.Approvals == nil {
		err = errNobodyKnown()
	}
	return app, err
}

func (s *server) listProposals(ctx context.Context, in *proposalsIn) (*out[ProposalList], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	state := proposal.State(0)
	if in.State != "" {
		if state, err = proposal.ParseState(in.State); err != nil || state == 0 {
			return nil, bad("state is open, approved, done, declined, withdrawn, lapsed or expired")
		}
	}
	at, until := s.Ledger.Now(), eventstore.Position(0)
	if in.KnownAt != "" {
		if at, until, err = s.knownAt(ctx, in.KnownAt); err != nil {
			return nil, err
		}
	}
	a := ProposalList{KnownAt: in.KnownAt, Authenticated: s.Approvals != nil, Proposals: []ProposalAnswer{}}
	if !a.Authenticated {
		return ok(a)
	}

	var list []proposal.Proposal
	if in.KnownAt != "" {
		list, err = s.Approvals.Ledger.ProposalsAt(ctx, app, until)
	} else {
		list, err = s.Approvals.Ledger.Proposals(ctx, app)
	}
	if err != nil {
		return nil, err
	}

	for _, p := range slices.Backward(list) {
		switch {
		case state != 0 && p.State(at) != state:
		case in.KnownAt != "":
			a.Proposals = append(a.Proposals, proposalAt(p, at))
		default:
			a.Proposals = append(a.Proposals, s.proposalAnswer(ctx, app, p, at))
		}
	}
	return ok(a)
}

// proposalAt returns how a proposal stands at a moment. Of one that is past, nobody may do anything
// with it.
func proposalAt(p proposal.Proposal, at deadline.Instant) ProposalAnswer {
	a := ProposalAnswer{
		ID:        p.ID,
		Command:   p.Command,
		Digest:    p.Digest,
		Reason:    p.Reason,
		State:     p.State(at).String(),
		By:        p.By,
		At:        p.At.String(),
		Until:     p.Until.String(),
		Subject:   p.Subject,
		DecidedBy: p.DecidedBy,
		Answer:    p.Answer,
		Record:    p.Record,
	}
	if p.DecidedAt != 0 {
		a.DecidedAt = p.DecidedAt.String()
	}
	return a
}

// proposalAnswer returns how a proposal stands now, and what whoever asks may do with it.
func (s *server) proposalAnswer(
	ctx context.Context, app ident.AppName, p proposal.Proposal, now deadline.Instant,
) ProposalAnswer {
	a := proposalAt(p, now)
	if p.State(now) != proposal.Proposed {
		return a
	}

	who, _ := auth.From(ctx)
	switch {
	case s.principal(ctx) == p.By:
		a.May = []string{"withdraw"}
	case auth.Decides(who, app, p.By, s.Approvals.Same):
		a.May = []string{"approve", "decline"}
	}
	return a
}

func (s *server) showProposal(ctx context.Context, in *proposalIn) (*out[ProposalAnswer], error) {
	app, err := s.proposalsOf(ctx, in.App)
	if err != nil {
		return nil, err
	}

	p, a, err := s.proposed(ctx, app, in)
	if err != nil {
		return nil, err
	}

	kept, there, err := s.Approvals.Ledger.Command(ctx, app, p, ledger.Access{
		ID: rand.Text(), Actor: string(ident.Operator), RecordedBy: s.principal(ctx),
		DataAccessed: domain.DataAccessed{
			Reason: "proposal",
			Name:   domain.Personal(s.principal(ctx)),
			Words:  domain.Personal("to see what was proposed: " + p.ID),
		},
	})
	if err != nil {
		return nil, err
	}
	if there {
		a.Proposed = kept
	}
	return ok(a)
}

// proposed returns a proposal, and how it stands now or stood at the moment that is asked for.
func (s *server) proposed(
	ctx context.Context, app ident.AppName, in *proposalIn,
) (p proposal.Proposal, a ProposalAnswer, err error) {
	if in.KnownAt == "" {
		if p, err = s.Approvals.Ledger.Proposed(ctx, app, in.ID); err != nil {
			return p, a, err
		}
		return p, s.proposalAnswer(ctx, app, p, s.Ledger.Now()), nil
	}

	at, until, err := s.knownAt(ctx, in.KnownAt)
	if err != nil {
		return p, a, err
	}
	list, err := s.Approvals.Ledger.ProposalsAt(ctx, app, until)
	if err != nil {
		return p, a, err
	}
	p, known := proposal.Proposals(list).Find(in.ID)
	if !known {
		return p, a, refusal.Refusal{Code: refusal.UnknownProposal, Text: "there was no such proposal in this app by then"}
	}
	return p, proposalAt(p, at), nil
}

func (s *server) propose(ctx context.Context, in *newProposalBody) (*out[ProposalAnswer], error) {
	app, err := s.proposalsOf(ctx, in.App)
	if err != nil {
		return nil, err
	}
	var w approval.Wish
	if err := strict(in.RawBody, &w); err != nil {
		return nil, err
	}
	p, err := s.Approvals.Propose(ctx, app, w, s.principal(ctx))
	if err != nil {
		return nil, err
	}
	return ok(s.proposalAnswer(ctx, app, p, s.Ledger.Now()))
}

func (s *server) decideProposal(
	ctx context.Context, in *decisionBody,
	do func(approval.Approvals, context.Context, ledger.Decision) (proposal.Proposal, error),
) (*out[ProposalAnswer], error) {
	app, err := s.proposalsOf(ctx, in.App)
	if err != nil {
		return nil, err
	}

	var b ProposalDecision
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}

	if len(b.Reason) > proposal.MaxReason || ident.HoldsPersonal(b.Reason) {
		return nil, bad("reason has at most 500 bytes, and is kept in the clear: no phone number, identity-card " +
			"number or e-mail address")
	}

	p, err := do(*s.Approvals, ctx, ledger.Decision{App: app, ID: in.ID, By: s.principal(ctx), Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return ok(s.proposalAnswer(ctx, app, p, s.Ledger.Now()))
}

// orProposed returns what whoever sent an event that cannot be read is told, if events of
// its type take two persons: they need not name the two, and hear that it is proposed.
func (s *server) orProposed(app ident.AppName, kind string, err error) error {
	if err == nil || s.Approvals == nil || !s.Approvals.Needs(app, parse.Canonical(kind)) {
		return err
	}
	return refusal.Refusal{Code: refusal.ApprovalNeeded, Path: "type",
		Text: parse.Canonical(kind) +
			" takes two authenticated principals here: propose it (POST /v1/apps/{app}/proposals), without names of " +
			"the two, and let another approve it"}
}

// typeIn returns the type that an event in the structured form says; empty: it says none.
func typeIn(event []byte) string {
	var says struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(event, &says) // what cannot be read is refused as an event
	return says.Type
}
