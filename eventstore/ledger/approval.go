package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/codec"
)

// An approval says for which state of its stream a request is executed.
type approval struct {
	as    domain.Command // the request's command, as it was when nobody had approved
	by    [2]string      // who proposed it, and who approved it; of one that is looked at, [PendingApprover]
	basis string         // hex; empty: nothing is executed, and found is set
	found string
}

// looks reports whether a request is only looked at: nothing of it is recorded.
func (r Request) looks() bool { return r.approved != nil && r.approved.basis == "" }

// AskTwo makes the ledger refuse commands of the kinds for which needs says so, unless
// they were approved. Still refuses what was approved, where it is executed, if one of the
// two may not propose or approve it any more; nil: nobody loses a role. It is called before
// the first request.
func (l *Ledger) AskTwo(
	needs func(app ident.AppName, kind string) bool,
	still func(ctx context.Context, app ident.AppName, by [2]string) error,
) {
	l.needsTwo, l.stillMay = needs, still
}

// KindOfCommand returns the type of event that a command is, if that may take two persons;
// else empty.
func KindOfCommand(cmd domain.Command) string {
	switch cmd := cmd.(type) {
	case domain.VoidRecords:
		return "record.voided"
	case domain.OrderErasure:
		return "erasure.ordered"
	case domain.DiscloseProof:
		return "proof.disclosed"
	case domain.DestroyProof:
		return "destruction.ordered"
	case domain.TakeStep:
		return string(cmd.Kind)
	case domain.MeetObligation:
		return "obligation.met"
	case domain.VoidObligation:
		return "obligation.voided"
	case domain.Say:
		return codec.Kind(cmd.Event)
	}
	return ""
}

// checkApproved refuses what takes two persons and was not approved, and what was approved
// for another state than the one that is found.
func (l *Ledger) checkApproved(
	ctx context.Context, r resolved, decide func(domain.Command) ([]domain.Event, error), f *fold,
	recorded deadline.Instant,
) error {
	if r.approved == nil {
		return l.checkNeedsTwo(r.Request)
	}

	if err := l.checkStillMay(ctx, r.Request); err != nil {
		return err
	}
	events, err := decide(r.approved.as)
	if err != nil {
		return err
	}
	if r.approved.found, err = basisOf(r, events, f, recorded); err != nil {
		return err
	}
	if r.approved.basis != "" && r.approved.basis != r.approved.found {
		return errOutdated
	}
	return nil
}

// checkNeedsTwo refuses what takes two persons and was not proposed.
func (l *Ledger) checkNeedsTwo(r Request) error {
	if r.approved != nil || r.RecordedBy == ident.Ledger || r.RecordedBy == followUps {
		return nil // what follows by rule: no transport lets anybody in by these names
	}
	if r.ApprovedBy != "" && r.ApprovedBy != r.RecordedBy {
		return nil
	}
	if kind := KindOfCommand(r.Command); kind != "" && l.needsTwo != nil && l.needsTwo(r.App, kind) {
		return refusal.Refusal{Code: refusal.ApprovalNeeded, Path: "type",
			Text: kind + " takes two authenticated principals here: propose it (POST /v1/apps/{app}/proposals, " +
				"or the verb of the command line, which does so), and let another approve it"}
	}
	return nil
}

// checkStillMay refuses what two decided of whom one may not do so any more.
func (l *Ledger) checkStillMay(ctx context.Context, r Request) error {
	if l.stillMay == nil || r.approved == nil {
		return nil
	}
	return l.stillMay(ctx, r.App, r.approved.by)
}

var errOutdated = refusal.Refusal{Code: refusal.ProposalOutdated,
	Text: "what this is about has changed since it was proposed, so that the decision would be another one: look at " +
		"it again, and propose it anew"}

// basisOf returns a keyed digest of a decision, and of the state that it is about: where a
// person stands, how far a request is, whether a build is voided already.
func basisOf(r resolved, events []domain.Event, f *fold, recorded deadline.Instant) (string, error) {
	b := new(bytes.Buffer)
	b.WriteString(r.stream.String())
	for i, e := range events {
		fmt.Fprintf(b, "\n%s", codec.Kind(e))
		if i > 0 {
			continue // what follows from the first by rule says when that was, which is another time now
		}
		public, err := codec.Public(timeless(e))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(b, " %s", public)
	}

	switch r.stream.Noun {
	case ident.SubjectNoun:
		describePerson(b, r, events, f.subject, recorded)
	case ident.RequestNoun:
		fmt.Fprintf(b, "\n%s %v %v", f.request.Outcome, f.request.Received.Types, f.request.Done)
	case ident.ServiceNoun:
		describeBuild(b, events, f.service)
	case ident.PolicyNoun, ident.SurfaceNoun, ident.AccessNoun, ident.IncidentNoun, ident.ObligationNoun,
		ident.CalendarNoun:
	}
	digest := r.key.Digest(b.Bytes())
	return hex.EncodeToString(digest[:]), nil
}

// timeless returns an event without what another day makes of it: a proof is kept for so
// many months from the order.
func timeless(e domain.Event) domain.Event {
	if order, erases := e.(domain.ErasureOrdered); erases && order.Proof != (domain.KeptProof{}) {
		order.Proof.Until = 1
		return order
	}
	return e
}

// describePerson writes where a person stands now with each purpose, and where they would
// stand after a decision.
func describePerson(b *bytes.Buffer, r resolved, events []domain.Event, s domain.Subject, recorded deadline.Instant) {
	after := s
	for _, e := range events {
		after = after.Evolve(domain.Fact{At: recorded, Recorded: recorded, Rules: domain.Rules, Event: e})
	}
	band, _ := s.Band(recorded)
	fmt.Fprintf(b, "\n%s %d", band, s.Ended())
	for _, id := range r.ref.Policies.Declared(recorded) {
		was, will := s.Standing(id, recorded, r.ref).Status, after.Standing(id, recorded, r.ref).Status
		fmt.Fprintf(b, "\n%s %s %s", id, was, will)
	}
}

// describeBuild writes whether the first and the last moment of a span are voided already.
func describeBuild(b *bytes.Buffer, events []domain.Event, s domain.Service) {
	for _, e := range events {
		v, voids := e.(domain.BuildVoided)
		if !voids {
			continue
		}
		for _, at := range []deadline.Instant{v.From, v.To - 1} {
			voided := s.Voids(domain.Fact{Recorded: at, Event: domain.ConsentWithdrawn{Build: v.Build}})
			b.WriteString("\n" + strconv.FormatBool(voided))
		}
	}
}
