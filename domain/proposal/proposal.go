package proposal

import (
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// What takes two persons is proposed by one and approved by another. A proposal is told
// of in the stream of the app itself: who proposed what, until when it may be decided on,
// and what became of it. The command itself is sealed beside the record, for whom it is
// about.

// Proposals lapse: within how long they are decided on, if nobody says another time, and
// at most.
const (
	Lasts    deadline.Instant = 7 * 24 * 60 * 60 * 1000
	MaxLasts deadline.Instant = 31 * 24 * 60 * 60 * 1000
)

// MaxReason is how many bytes a reason of a proposal or of a decision has at most.
const MaxReason = 500

// maxProposals bounds how many proposals an app's fold keeps, open ones included. Older
// ones that are decided stand in the log.
const maxProposals = 1000

// A State is what became of a proposal.
type State uint8

const (
	Proposed      State = iota + 1 // nobody decided yet
	Approved                       // it is about to be recorded
	CarriedOut                     // it was recorded
	Declined                       // another principal said no
	TakenBack                      // by who made it
	Lapsed                         // what it is about changed
	ExpiredUnseen                  // nobody decided in time
)

var proposalStates = form.Codes{"", "open", "approved", "done", "declined", "withdrawn", "lapsed", "expired"}

func (s State) String() string { return proposalStates.Name(uint8(s)) }

// ParseState reads what [State.String] writes.
func ParseState(s string) (State, error) {
	return form.ParseCode[State](s, proposalStates, "a state of proposals")
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
	Made    ident.EventID    // the record of it

	Decided   State // zero: nobody has; else see [Proposal.State]
	DecidedBy string
	DecidedAt deadline.Instant
	Answer    string // the reason of the decision, or the code by which it lapsed
	Record    string // what it led to
}

// State returns what became of the proposal by a moment.
func (p Proposal) State(at deadline.Instant) State {
	switch {
	case p.Decided != 0:
		return p.Decided
	case at >= p.Until:
		return ExpiredUnseen
	}
	return Proposed
}

// Proposals are the newest proposals of an app, in the order in which they were made.
type Proposals []Proposal

// Find returns a proposal by its id, and whether there is one.
func (all Proposals) Find(id string) (Proposal, bool) {
	i := slices.IndexFunc(all, func(p Proposal) bool { return p.ID == id })
	if i < 0 {
		return Proposal{}, false
	}
	return all[i], true
}

// After returns all with what a note of a kind says of one of them, if it does: which
// record it is, and when it was recorded. The list is not changed.
func (all Proposals) After(
	kind catalog.Note, fields []policy.Field, record ident.EventID, recorded deadline.Instant,
) Proposals {
	if !catalog.IsProposal(kind) {
		return all
	}
	of := func(name string) string { return policy.FieldOf(fields, name) }
	if kind == catalog.ProposalMade {
		until, _ := deadline.ParseInstant(of("until"))
		made := Proposal{
			ID: of("proposal"), Command: of("command"), Digest: of("digest"), Basis: of("basis"),
			Subject: of("subject"),
			Reason:  of("reason"), By: of("by"), At: recorded, Until: until, Made: record,
		}
		return append(withRoom(all, recorded), made)
	}

	i := slices.IndexFunc(all, func(p Proposal) bool { return p.ID == of("proposal") })
	if i < 0 {
		return all
	}
	all = slices.Clone(all)
	p := &all[i]
	switch kind {
	case catalog.ProposalApproved:
		p.Decided, p.DecidedBy, p.DecidedAt, p.Answer = Approved, of("by"), recorded, of("reason")
	case catalog.ProposalDeclined:
		p.Decided, p.DecidedBy, p.DecidedAt, p.Answer = Declined, of("by"), recorded, of("reason")
	case catalog.ProposalWithdrawn:
		p.Decided, p.DecidedBy, p.DecidedAt, p.Answer = TakenBack, of("by"), recorded, of("reason")
	case catalog.ProposalLapsed:
		if p.Decided = Lapsed; p.DecidedAt == 0 {
			p.DecidedAt = recorded
		}
		p.Answer = of("why")
	case catalog.ProposalDone:
		p.Decided, p.Record = CarriedOut, of("record")
	}
	return all
}

// withRoom returns a copy of all with room for one more: the oldest one that nobody can
// decide on any more makes way.
func withRoom(all Proposals, at deadline.Instant) Proposals {
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

// Check refuses a note of a proposal of which more is asked than its fields: it is the one
// place that says who may decide on what. By is who says it.
func (all Proposals) Check(kind catalog.Note, fields []policy.Field, who ident.By, at deadline.Instant) error {
	id, by := policy.FieldOf(fields, "proposal"), policy.FieldOf(fields, "by")
	switch kind {
	case catalog.ProposalMade:
		return all.checkMade(id, by, policy.FieldOf(fields, "until"), who, at)
	case catalog.ProposalApproved, catalog.ProposalDeclined:
		return all.CheckDecision(id, by, who, at)
	case catalog.ProposalWithdrawn:
		return all.checkTakenBack(id, by, who, at)
	}
	return all.checkFollows(id, kind)
}

func (all Proposals) checkMade(id, by, until string, who ident.By, at deadline.Instant) error {
	ends, err := deadline.ParseInstant(until)
	switch {
	case who.Anonymous() || by != who.Principal:
		return errUnknownPrincipal
	case err != nil || ends <= at || ends > at+MaxLasts:
		return refusal.At(refusal.Malformed, "until",
			"until: a proposal is decided on within 31 days: name a time from now to then, as in 2026-03-02T09:30:00Z")
	}

	if _, known := all.Find(id); known {
		return refusal.New(refusal.IDReused,
			"this has been proposed before: see what became of it, or give the event an id of "+
				"its own")
	}

	if len(all) >= maxProposals &&
		!slices.ContainsFunc(all, func(p Proposal) bool { return !p.awaits(at) }) {
		return refusal.New(refusal.TooLarge,
			"a thousand proposals wait to be decided on: approve, decline or withdraw some of "+
				"them first")
	}
	return nil
}

// CheckDecision refuses to let somebody approve or decline a proposal at a moment.
func (all Proposals) CheckDecision(id, by string, who ident.By, at deadline.Instant) error {
	p, err := all.openTo(id, by, who, at)
	if err != nil {
		return err
	}
	if p.By == by {
		return refusal.New(refusal.SamePrincipal,
			"who proposed this may not decide on it: it takes another principal, and all keys of one holder are one; "+
				"to take it back, withdraw it")
	}
	return nil
}

func (all Proposals) checkTakenBack(id, by string, who ident.By, at deadline.Instant) error {
	p, err := all.openTo(id, by, who, at)
	if err != nil {
		return err
	}
	if p.By != by {
		return refusal.New(refusal.NotTheProposer, "only who proposed this may withdraw it: approve it or decline it")
	}
	return nil
}

// openTo returns a proposal that is open, to a principal who is known and speaks for themself.
func (all Proposals) openTo(id, by string, who ident.By, at deadline.Instant) (Proposal, error) {
	p, err := all.open(id, at)
	if err == nil && (who.Anonymous() || by != who.Principal) {
		err = errUnknownPrincipal
	}
	return p, err
}

// checkFollows refuses what the ledger says of a proposal if it does not follow.
func (all Proposals) checkFollows(id string, kind catalog.Note) error {
	p, known := all.Find(id)
	switch {
	case !known:
		return errNoProposal
	case p.Decided == Approved, p.Decided == 0 && kind == catalog.ProposalLapsed:
		return nil
	}
	return refusal.New(refusal.AlreadyDecided, "the proposal was decided on: it is "+p.Decided.String())
}

// open returns a proposal that can be decided on.
func (all Proposals) open(id string, at deadline.Instant) (Proposal, error) {
	p, known := all.Find(id)
	if !known {
		return Proposal{}, errNoProposal
	}
	switch state := p.State(at); state {
	case Proposed:
		return p, nil
	case ExpiredUnseen:
		return p, refusal.New(refusal.ProposalExpired,
			"the proposal was to be decided on before "+p.Until.String()+": propose it anew")
	default:
		return p, refusal.New(refusal.AlreadyDecided, "the proposal was decided on: it is "+state.String())
	}
}

var (
	errNoProposal       = refusal.New(refusal.UnknownProposal, "there is no such proposal in this app")
	errUnknownPrincipal = refusal.New(refusal.TwoPersons,
		"this takes two principals who are authenticated: names that nobody vouches for do not do")
)
