package domain

import (
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
)

// What takes two persons is proposed by one and approved by another. A proposal is told
// of in the stream of the app itself: who proposed what, until when it may be decided on,
// and what became of it. The command itself is sealed beside the record, for whom it is
// about.

// Proposals lapse: within how long they are decided on, if nobody says another time, and
// at most.
const (
	ProposalLasts    deadline.Instant = 7 * 24 * 60 * 60 * 1000
	MaxProposalLasts deadline.Instant = 31 * 24 * 60 * 60 * 1000
)

// MaxReason is how many bytes a reason of a proposal or of a decision has at most.
const MaxReason = 500

// maxProposals bounds how many proposals an app's fold keeps, open ones included. Older
// ones that are decided stand in the log.
const maxProposals = 1000

// A ProposalState is what became of a proposal.
type ProposalState uint8

const (
	Proposed      ProposalState = iota + 1 // nobody decided yet
	Approved                               // it is about to be recorded
	CarriedOut                             // it was recorded
	Declined                               // another principal said no
	TakenBack                              // by who made it
	Lapsed                                 // what it is about changed
	ExpiredUnseen                          // nobody decided in time
)

var proposalStates = form.Codes{"", "open", "approved", "done", "declined", "withdrawn", "lapsed", "expired"}

func (s ProposalState) String() string { return proposalStates.Name(uint8(s)) }

// ParseProposalState reads what [ProposalState.String] writes.
func ParseProposalState(s string) (ProposalState, error) {
	return form.ParseCode[ProposalState](s, proposalStates, "a state of proposals")
}

// A Proposal is what one principal wants to record and another one has to approve.
type Proposal struct {
	ID      string
	Command string // the type of event that it is about
	Digest  string // keyed, of the exact command
	Basis   string // keyed, of the decision and of where the person stood: it holds for this state alone
	Subject string // the pseudonym of the person that it is about; empty: nobody in particular
	Reason  string
	By      string // who proposed it
	At      deadline.Instant
	Until   deadline.Instant // when it expires
	Made    EventID          // the record of it

	Decided   ProposalState // zero: nobody has; else see [Proposal.State]
	DecidedBy string
	DecidedAt deadline.Instant
	Answer    string // the reason of the decision, or the code by which it lapsed
	Record    string // what it led to
}

// State returns what became of the proposal by a moment.
func (p Proposal) State(at deadline.Instant) ProposalState {
	switch {
	case p.Decided != 0:
		return p.Decided
	case at >= p.Until:
		return ExpiredUnseen
	}
	return Proposed
}

// Proposals returns the newest proposals of the app, in the order in which they were made.
func (s Service) Proposals() []Proposal { return slices.Clone(s.proposals) }

// Proposal returns a proposal by its id.
func (s Service) Proposal(id string) (Proposal, bool) {
	i := slices.IndexFunc(s.proposals, func(p Proposal) bool { return p.ID == id })
	if i < 0 {
		return Proposal{}, false
	}
	return s.proposals[i], true
}

func isProposalNote(k catalog.Note) bool {
	return catalog.IsProposal(k)
}

// foldProposal returns all with what a note says of one of them. The list is not changed.
func foldProposal(all []Proposal, n Noted, f Fact) []Proposal {
	if !isProposalNote(n.Kind) {
		return all
	}
	of := func(name string) string { return policy.FieldOf(n.Fields, name) }
	if n.Kind == catalog.ProposalMade {
		until, _ := deadline.ParseInstant(of("until"))
		made := Proposal{
			ID: of("proposal"), Command: of("command"), Digest: of("digest"), Basis: of("basis"),
			Subject: of("subject"),
			Reason:  of("reason"), By: of("by"), At: f.Recorded, Until: until, Made: f.ID,
		}
		return append(withRoom(all, f.Recorded), made)
	}

	i := slices.IndexFunc(all, func(p Proposal) bool { return p.ID == of("proposal") })
	if i < 0 {
		return all
	}
	all = slices.Clone(all)
	p := &all[i]
	switch n.Kind {
	case catalog.ProposalApproved:
		p.Decided, p.DecidedBy, p.DecidedAt, p.Answer = Approved, of("by"), f.Recorded, of("reason")
	case catalog.ProposalDeclined:
		p.Decided, p.DecidedBy, p.DecidedAt, p.Answer = Declined, of("by"), f.Recorded, of("reason")
	case catalog.ProposalWithdrawn:
		p.Decided, p.DecidedBy, p.DecidedAt, p.Answer = TakenBack, of("by"), f.Recorded, of("reason")
	case catalog.ProposalLapsed:
		if p.Decided = Lapsed; p.DecidedAt == 0 {
			p.DecidedAt = f.Recorded
		}
		p.Answer = of("why")
	case catalog.ProposalDone:
		p.Decided, p.Record = CarriedOut, of("record")
	}
	return all
}

// withRoom returns a copy of all with room for one more: the oldest one that nobody can
// decide on any more makes way.
func withRoom(all []Proposal, at deadline.Instant) []Proposal {
	all = slices.Clone(all)
	if len(all) < maxProposals {
		return all
	}
	if i := slices.IndexFunc(all, func(p Proposal) bool { return !p.awaits(at) }); i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	return all
}

// awaits reports whether somebody still has to do something about the proposal.
func (p Proposal) awaits(at deadline.Instant) bool {
	s := p.State(at)
	return s == Proposed || s == Approved
}

// propose answers a note of a proposal: it is the one place that says who may decide on
// what.
func (s Service) propose(n Noted, ref Reference, at deadline.Instant) (Event, error) {
	if ref.By.App {
		return nil, ErrOwnNote
	}

	rule, _ := catalog.NoteRuleOf(n.Kind)
	if err := checkFields(string(n.Kind), rule.Fields, n.Fields); err != nil {
		return nil, err
	}

	id, by := policy.FieldOf(n.Fields, "proposal"), policy.FieldOf(n.Fields, "by")
	switch n.Kind {
	case catalog.ProposalMade:
		return n, s.checkMade(id, by, policy.FieldOf(n.Fields, "until"), ref.By, at)
	case catalog.ProposalApproved, catalog.ProposalDeclined:
		return n, s.CheckDecision(id, by, ref.By, at)
	case catalog.ProposalWithdrawn:
		return n, s.checkTakenBack(id, by, ref.By, at)
	case catalog.ProposalLapsed, catalog.ProposalDone:
		return n, s.checkFollows(id, n.Kind, ref.By)
	}
	return nil, ErrOwnNote
}

func (s Service) checkMade(id, by, until string, who By, at deadline.Instant) error {
	ends, err := deadline.ParseInstant(until)
	switch {
	case who.anonymous() || by != who.Principal:
		return errUnknownPrincipal
	case err != nil || ends <= at || ends > at+MaxProposalLasts:
		return refuseAt(Malformed, "until",
			"until: a proposal is decided on within 31 days: name a time from now to then, as in 2026-03-02T09:30:00Z")
	}

	if _, known := s.Proposal(id); known {
		return refuse(IDReused, "this has been proposed before: see what became of it, or give the event an id of "+
			"its own")
	}

	if len(s.proposals) >= maxProposals &&
		!slices.ContainsFunc(s.proposals, func(p Proposal) bool { return !p.awaits(at) }) {
		return refuse(TooLarge, "a thousand proposals wait to be decided on: approve, decline or withdraw some of "+
			"them first")
	}
	return nil
}

// CheckDecision refuses to let somebody approve or decline a proposal at a moment.
func (s Service) CheckDecision(id, by string, who By, at deadline.Instant) error {
	p, err := s.open(id, at)
	switch {
	case err != nil:
		return err
	case who.anonymous() || by != who.Principal:
		return errUnknownPrincipal
	case p.By == by:
		return refuse(SamePrincipal,
			"who proposed this may not decide on it: it takes another principal, and all keys of one holder are one; "+
				"to take it back, withdraw it")
	}
	return nil
}

func (s Service) checkTakenBack(id, by string, who By, at deadline.Instant) error {
	p, err := s.open(id, at)
	switch {
	case err != nil:
		return err
	case who.anonymous() || by != who.Principal:
		return errUnknownPrincipal
	case p.By != by:
		return refuse(NotTheProposer, "only who proposed this may withdraw it: approve it or decline it")
	}
	return nil
}

// checkFollows refuses what the ledger says of a proposal if it does not follow.
func (s Service) checkFollows(id string, kind catalog.Note, who By) error {
	if who.Principal != Ledger {
		return ErrOwnNote
	}
	p, known := s.Proposal(id)
	switch {
	case !known:
		return errNoProposal
	case p.Decided == Approved, p.Decided == 0 && kind == catalog.ProposalLapsed:
		return nil
	}
	return refuse(AlreadyDecided, "the proposal was decided on: it is "+p.Decided.String())
}

// open returns a proposal that can be decided on.
func (s Service) open(id string, at deadline.Instant) (Proposal, error) {
	p, known := s.Proposal(id)
	if !known {
		return Proposal{}, errNoProposal
	}
	switch state := p.State(at); state {
	case Proposed:
		return p, nil
	case ExpiredUnseen:
		return p, refuse(ProposalExpired,
			"the proposal was to be decided on before "+p.Until.String()+": propose it anew")
	default:
		return p, refuse(AlreadyDecided, "the proposal was decided on: it is "+state.String())
	}
}

var (
	errNoProposal       = refuse(UnknownProposal, "there is no such proposal in this app")
	errUnknownPrincipal = refuse(TwoPersons,
		"this takes two principals who are authenticated: names that nobody vouches for do not do")
)
