package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// What takes two persons goes in steps, each of which is a record: one principal proposes
// a command, another approves it, and then it is executed. A proposal holds for the state
// that it was made for. What the command would do, and where the person stands, is decided
// when it is proposed, and again where it is executed, under the lock of its stream: if
// the two differ, nothing is executed, and the proposal has lapsed.
//
// The approval is the commit point between the two. Whatever breaks after it is finished
// by [Ledger.FinishProposal]: the command keeps the identity that its sender gave it, so
// that executing it twice records it once.

// A Proposing is what somebody proposes.
type Proposing struct {
	App    ident.AppName
	Source string // of the command, as its sender names it
	ID     string
	Kind   string // the type of event that the command is
	Kept   []byte // the command as it was sent: sealed, and read again by [ReadCommand]
	By     string // the authenticated principal
	Reason string
	Until  deadline.Instant // zero: in [proposal.Lasts]
}

// ReadCommand makes a request of what was kept of a proposal, as the two principals record
// it.
type ReadCommand func(kept []byte, by [2]string) (Request, error)

// PendingApprover stands for the second principal as long as nobody has approved.
const PendingApprover = "approver-to-come"

// CommandRole is the role of the part that holds what was proposed.
const CommandRole = "command"

// proposalsSource is the source of what the ledger records of proposals. No sender may
// have it.
const proposalsSource = "consentledger/proposals"

// followUps is the principal of what follows from an event by rule.
const followUps = "react"

// Propose records that somebody proposes a command, which is decided on for the eyes of
// nobody first: what would be refused is refused now. The same command under the same name
// is one proposal, however often it is made.
func (l *Ledger) Propose(ctx context.Context, p Proposing, read ReadCommand) (proposal.Proposal, error) {
	cmd, err := read(p.Kept, [2]string{p.By, PendingApprover})
	if err != nil {
		return proposal.Proposal{}, err
	}
	if err := l.fresh.now(ctx); err != nil {
		return proposal.Proposal{}, err
	}
	k, err := l.vault.AppKey(ctx, string(p.App))
	if err != nil {
		return proposal.Proposal{}, err
	}
	name := k.RequestID(p.Source, p.ID)
	id := hex.EncodeToString(name[:10])
	owner, about, err := l.ownerOf(ctx, p.App, cmd)
	if err != nil {
		return proposal.Proposal{}, err
	}
	digest := owner.Digest(p.Kept)

	if was, err := l.Proposed(ctx, p.App, id); err == nil {
		if was.By == p.By && was.Digest == hex.EncodeToString(digest[:]) {
			return was, nil
		}
		return proposal.Proposal{}, refusal.Refusal{Code: refusal.IDReused,
			Text: "something else was proposed under this source and id; give every event an id of its own"}
	}
	basis, err := l.weigh(ctx, cmd, p.By)
	if err != nil {
		return proposal.Proposal{}, err
	}

	until := p.Until
	if until == 0 {
		until = l.Now() + proposal.Lasts
	}
	fields := map[string]string{
		"proposal": id, "command": p.Kind, "digest": hex.EncodeToString(digest[:]), "basis": basis,
		"until": until.String(), "by": p.By, "reason": p.Reason,
	}
	if about != "" {
		fields["subject"] = about
	}
	note := proposalNote(p.App, p.By, catalog.ProposalMade, id, fields)
	note.sealed = []codec.Plain{{Role: CommandRole, Text: p.Kept, Ref: owner.Pseudonym.String()}}
	if _, err := l.Execute(ctx, note); err != nil {
		return proposal.Proposal{}, err
	}
	return l.Proposed(ctx, p.App, id)
}

// ownerOf returns for whom a command is sealed, and the pseudonym of whom it is about. What
// is about nobody in particular is the app's, in an entry of its own.
func (l *Ledger) ownerOf(ctx context.Context, app ident.AppName, cmd Request) (*vault.Person, string, error) {
	if cmd.Person != (ident.PersonKey{}) {
		p, found, err := l.find(ctx, app, cmd.Person)
		if err == nil && !found {
			err = refusal.Refusal{Code: refusal.UnknownPerson, Text: "nothing is known of this person"}
		}
		if err != nil {
			return nil, "", err
		}
		return p, p.Pseudonym.String(), nil
	}

	if cmd.Stream.Noun == ident.RequestNoun && cmd.Stream.ID != "" {
		f, err := l.fold(ctx, cmd.Stream)
		if err != nil {
			return nil, "", err
		}
		if ref := f.request.Received.Subject; ref != "" {
			p, err := l.named(ctx, app, ref)
			if !errors.Is(err, vault.ErrErased) {
				return p, ref, err
			}
		}
	}
	p, _, err := l.vault.Enrol(ctx, vault.Lookup{App: string(app), Kind: "proposals", ID: string(app)})
	return p, "", err
}

// weigh returns the basis of a command that somebody proposes, as its stream stands now,
// and executes nothing.
func (l *Ledger) weigh(ctx context.Context, cmd Request, by string) (string, error) {
	cmd.approved = &approval{as: cmd.Command, by: [2]string{by, PendingApprover}}
	receipt, err := l.executeApproved(ctx, cmd)
	if err != nil {
		return "", err
	}
	if receipt.Event != (eventstore.EventID{}) || cmd.approved.found == "" {
		return "", refusal.Refusal{Code: refusal.IDReused,
			Text: "an event of this source and id is recorded already; give every event an id of its own"}
	}
	return cmd.approved.found, nil
}

func (l *Ledger) executeApproved(ctx context.Context, cmd Request) (Receipt, error) {
	switch cmd.Command.(type) {
	case domain.OrderErasure:
		return l.Erase(ctx, cmd)
	case domain.DiscloseProof, domain.DestroyProof:
		return l.DecideOnProof(ctx, cmd)
	}
	return l.Execute(ctx, cmd)
}

// proposalNote returns the request by which the ledger records a step of a proposal. Each
// principal takes a step once.
func proposalNote(app ident.AppName, by string, kind catalog.Note, id string, fields map[string]string) Request {
	actor := ident.Operator
	if by == ident.Ledger {
		actor = ident.System
	}
	fields["proposal"] = id
	name := stepName(kind, id, by)
	return Request{
		App: app, Source: proposalsSource, ID: name, Body: []byte(name), Actor: string(actor), RecordedBy: by,
		Command: domain.Say{Event: domain.Noted{Kind: kind, Fields: policy.Fields(fields)}},
	}
}

// stepName is the id by which a principal takes a step of a proposal.
func stepName(kind catalog.Note, id, by string) string { return string(kind) + " " + id + " " + by }

// Proposals returns the newest proposals of an app, in the order in which they were made.
func (l *Ledger) Proposals(ctx context.Context, app ident.AppName) ([]proposal.Proposal, error) {
	ref, err := l.App(ctx, app)
	return slices.Clone(ref.Service.Proposals()), err
}

// ProposalsAt returns the newest proposals of an app as they were known at a position, see
// [Ledger.KnownAt].
func (l *Ledger) ProposalsAt(
	ctx context.Context, app ident.AppName, until eventstore.Position,
) ([]proposal.Proposal, error) {
	if _, err := l.App(ctx, app); err != nil {
		return nil, err
	}
	then, err := l.foldAsOf(ctx, ident.ServiceStream(app), true, until)
	if err != nil {
		return nil, err
	}
	return slices.Clone(then.service.Proposals()), nil
}

// Proposed returns a proposal by its id.
func (l *Ledger) Proposed(ctx context.Context, app ident.AppName, id string) (proposal.Proposal, error) {
	ref, err := l.App(ctx, app)
	if err != nil {
		return proposal.Proposal{}, err
	}
	p, known := ref.Service.Proposals().Find(id)
	if !known {
		return p, refusal.Refusal{Code: refusal.UnknownProposal, Text: "there is no such proposal in this app"}
	}
	return p, nil
}

// A Decision is what a principal decides on a proposal.
type Decision struct {
	App    ident.AppName
	ID     string // of the proposal
	By     string // the authenticated principal
	Reason string
}

func (d Decision) note(kind catalog.Note) Request {
	fields := map[string]string{"by": d.By}
	if d.Reason != "" {
		fields["reason"] = d.Reason
	}
	return proposalNote(d.App, d.By, kind, d.ID, fields)
}

// Decline records that another principal says no to a proposal.
func (l *Ledger) Decline(ctx context.Context, d Decision) (proposal.Proposal, error) {
	if _, err := l.Execute(ctx, d.note(catalog.ProposalDeclined)); err != nil {
		return proposal.Proposal{}, err
	}
	return l.Proposed(ctx, d.App, d.ID)
}

// TakeBack records that who made a proposal withdraws it.
func (l *Ledger) TakeBack(ctx context.Context, d Decision) (proposal.Proposal, error) {
	if _, err := l.Execute(ctx, d.note(catalog.ProposalWithdrawn)); err != nil {
		return proposal.Proposal{}, err
	}
	return l.Proposed(ctx, d.App, d.ID)
}

// Approve records that another principal approves a proposal, and executes what was
// proposed. It is refused if what the proposal is about has changed; then the proposal has
// lapsed. Who approved may do so again: they get the same answer, and what was interrupted
// is finished.
func (l *Ledger) Approve(ctx context.Context, d Decision, read ReadCommand) (proposal.Proposal, error) {
	ref, err := l.App(ctx, d.App)
	if err != nil {
		return proposal.Proposal{}, err
	}
	p, _ := ref.Service.Proposals().Find(d.ID)
	if again := p.DecidedBy == d.By && (p.Decided == proposal.Approved || p.Decided == proposal.CarriedOut); !again {
		who := ident.By{Actor: ident.Operator, Principal: d.By}
		if err := ref.Service.Proposals().CheckDecision(d.ID, d.By, who, l.Now()); err != nil {
			return proposal.Proposal{}, err
		}

		// Before the approval is recorded: who approves what cannot be done is told so.
		if err := l.weighAgain(ctx, d.App, p, read); err != nil {
			return proposal.Proposal{}, l.notApproved(ctx, d, who, err)
		}
		if _, err := l.Execute(ctx, d.note(catalog.ProposalApproved)); err != nil {
			return proposal.Proposal{}, err
		}
	}
	return l.FinishProposal(ctx, d.App, d.ID, read)
}

// weighAgain refuses a proposal whose command would be decided otherwise now than when it
// was proposed.
func (l *Ledger) weighAgain(ctx context.Context, app ident.AppName, p proposal.Proposal, read ReadCommand) error {
	kept, err := l.keptCommand(ctx, app, p)
	if err != nil {
		return err
	}
	cmd, err := read(kept, [2]string{p.By, PendingApprover})
	if err != nil {
		return err
	}
	basis, err := l.weigh(ctx, cmd, p.By)
	if err == nil && basis != p.Basis {
		err = errOutdated
	}
	return err
}

// notApproved says why a proposal cannot be approved, and that it has lapsed if it has. What
// stands in the way may be what somebody else has just approved: then it is carried out by
// them and has not lapsed.
func (l *Ledger) notApproved(ctx context.Context, d Decision, who ident.By, why error) error {
	if err := l.fresh.now(ctx); err != nil {
		return err
	}
	ref, err := l.App(ctx, d.App)
	if err != nil {
		return err
	}
	if err := ref.Service.Proposals().CheckDecision(d.ID, d.By, who, l.Now()); err != nil {
		return err
	}
	return l.lapse(ctx, d.App, d.ID, why)
}

// FinishProposal executes what was approved, and records that it is done. What was done
// before is not done again.
func (l *Ledger) FinishProposal(
	ctx context.Context, app ident.AppName, id string, read ReadCommand,
) (proposal.Proposal, error) {
	p, err := l.Proposed(ctx, app, id)
	if err != nil || p.Decided != proposal.Approved {
		return p, err
	}
	record, err := l.carryOut(ctx, app, p, read)
	if err := l.lapse(ctx, app, id, err); err != nil {
		return proposal.Proposal{}, err
	}
	done := map[string]string{"record": record.String()}
	if _, err := l.Execute(ctx, proposalNote(app, ident.Ledger, catalog.ProposalDone, id, done)); err != nil {
		return proposal.Proposal{}, err
	}
	return l.Proposed(ctx, app, id)
}

// carryOut executes what was approved, and returns its record.
func (l *Ledger) carryOut(
	ctx context.Context, app ident.AppName, p proposal.Proposal, read ReadCommand,
) (eventstore.EventID, error) {
	if p.Command == "erasure.ordered" { // with the person goes what was proposed
		s, err := l.Subject(ctx, ident.SubjectStream(app, p.Subject))
		if err == nil && s.Ordered() != (ident.EventID{}) {
			return eventstore.EventID(s.Ordered()), nil
		}
	}

	kept, err := l.keptCommand(ctx, app, p)
	if err != nil {
		return eventstore.EventID{}, err
	}
	pending, err := read(kept, [2]string{p.By, PendingApprover})
	if err != nil {
		return eventstore.EventID{}, err
	}
	cmd, err := read(kept, [2]string{p.By, p.DecidedBy})
	if err != nil {
		return eventstore.EventID{}, err
	}
	cmd.approved = &approval{as: pending.Command, by: [2]string{p.By, p.DecidedBy}, basis: p.Basis}
	receipt, err := l.executeApproved(ctx, cmd)
	return receipt.Event, err
}

// lapse records that a proposal has lapsed, if err is a refusal, and returns what whoever
// approves is told. Another error is returned as it is.
func (l *Ledger) lapse(ctx context.Context, app ident.AppName, id string, err error) error {
	no, refused := errors.AsType[refusal.Refusal](err)
	if !refused {
		return err
	}

	if no == errUntold { // the proposal stands: it was a dry run
		return no
	}

	why := map[string]string{"why": string(no.Code)}
	if _, err := l.Execute(ctx, proposalNote(app, ident.Ledger, catalog.ProposalLapsed, id, why)); err != nil {
		return err
	}
	if no.Code == refusal.ProposalOutdated {
		return no
	}

	return refusal.Refusal{Code: refusal.ProposalOutdated, Path: no.Path,
		Text: "what was proposed is not possible any more, and has lapsed (" + string(no.Code) + ": " +
			no.Text + ")"}
}

// keptCommand returns what was kept of a proposal.
func (l *Ledger) keptCommand(ctx context.Context, app ident.AppName, p proposal.Proposal) ([]byte, error) {
	e, err := l.madeEntry(ctx, app, p)
	if err != nil {
		return nil, err
	}
	kept, there, err := l.reveal(ctx, e, CommandRole)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, refusal.Refusal{Code: refusal.EarlierPerson,
			Text: "the person whom the proposal was about was erased, and what was proposed with them"}
	}
	return []byte(kept.Reveal()), nil
}

// madeEntry returns the record of a proposal. Where it is in the app's stream says the fold,
// which knows of each record which request it answers.
func (l *Ledger) madeEntry(ctx context.Context, app ident.AppName, p proposal.Proposal) (codec.Entry, error) {
	stream := ident.ServiceStream(app)
	f, err := l.fold(ctx, stream)
	if err != nil {
		return codec.Entry{}, err
	}
	k, err := l.vault.AppKey(ctx, string(app))
	if err != nil {
		return codec.Entry{}, err
	}

	asked := markOf(k.RequestID(proposalsSource, stepName(catalog.ProposalMade, p.ID, p.By)))
	for i, m := range f.answered {
		if m != asked {
			continue
		}
		for e, err := range entries(l.store.ReadStream(ctx, eventstore.Stream(stream.String()),
			eventstore.Revision(i))) {
			if err != nil || ident.EventID(e.ID) == p.Made {
				return e, err
			}
			break
		}
	}
	return codec.Entry{}, fmt.Errorf("app %s: the record of a proposal was there, and is no more", app)
}

// Command returns what was proposed, as it was sent, to whoever has to decide on it; not
// ok: the person whom it was about was erased. First the access is recorded.
func (l *Ledger) Command(
	ctx context.Context, app ident.AppName, p proposal.Proposal, a Access,
) (kept []byte, ok bool, err error) {
	e, err := l.madeEntry(ctx, app, p)
	if err != nil {
		return nil, false, err
	}

	if _, has := e.Part(CommandRole); !has {
		return nil, false, unreadable(e, errors.New("a proposal without what was proposed"))
	}

	a.App, a.Kind, a.Subject = app, domain.AccessProposal, p.Subject
	a.Events, a.Roles = []ident.EventID{p.Made}, []string{CommandRole}
	a.Records, a.Parts = 1, 1
	opened, err := l.Access(ctx, a)
	if err != nil {
		return nil, false, err
	}

	text, ok, err := opened.Reveal(ctx, e, CommandRole)
	return []byte(text.Reveal()), ok, err
}
