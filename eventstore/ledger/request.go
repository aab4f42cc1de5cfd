package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
	"consentledger/eventstore/vault"
)

// atOf returns when what is asked happened, as its source says.
func atOf(req Request, recorded deadline.Instant) deadline.Instant {
	at, _ := domain.Clamp(req.Command, req.At, recorded)
	return at
}

// caseStream names the stream that a request or an incident opens. It derives
// from who asked what, so that asking twice opens one.
func caseStream(noun ident.Noun, req Request, k key) ident.StreamID {
	id := k.RequestID(req.Source, req.ID)
	return ident.StreamID{Noun: noun, App: req.App, ID: hex.EncodeToString(id[:10])}
}

// StreamOf returns the stream of the request or incident that req opens, or
// has opened.
func (l *Ledger) StreamOf(ctx context.Context, req Request) (ident.StreamID, error) {
	noun := ident.RequestNoun
	if _, step := req.Command.(domain.TakeStep); step {
		noun = ident.IncidentNoun
	}

	if req.Person == (ident.PersonKey{}) {
		k, err := l.vault.AppKey(ctx, string(req.App))
		return caseStream(noun, req, k), err
	}

	p, found, err := l.find(ctx, req.App, req.Person)
	if err == nil && !found {
		err = refusal.Refusal{Code: refusal.UnknownPerson, Text: "nothing is known of this person"}
	}
	if err != nil {
		return ident.StreamID{}, err
	}
	return caseStream(noun, req, p), nil
}

// openRequest takes in a person's request. What it says of consent is recorded
// first, in the person's own history: an opt-out must not wait for anything. Then
// the history says where the request is told of, and at last the request itself is
// recorded. A crash in between leaves what the next delivery completes.
func (l *Ledger) openRequest(ctx context.Context, req Request) (Receipt, error) {
	cmd := req.Command.(domain.OpenRequest)
	ref, err := l.lookUp(ctx, req)
	if err != nil {
		return Receipt{}, err
	}

	p, err := l.asks(ctx, req, ref)
	if err != nil {
		return Receipt{}, err
	}
	if cmd.Guardian, err = l.guardianOf(ctx, req); err != nil {
		return Receipt{}, err
	}

	stream := caseStream(ident.RequestNoun, req, p)
	f, err := l.fold(ctx, stream)
	if err != nil {
		return Receipt{}, err
	}

	if f.revision > 0 { // the answer given before
		receipt, err := l.settle(ctx, resolved{Request: req, ref: ref, stream: stream, key: p})
		return l.withItsNo(ctx, p, f.request.Received.Cause, receipt, err)
	}

	before, err := l.history(ctx, p)
	if err == nil {
		err = before.CheckAsks(cmd, l.Now())
	}
	if err != nil {
		return Receipt{}, err
	}

	if cmd.Subject = p.Pseudonym.String(); slices.Contains(cmd.Types, request.Withdraw) {
		withdrawn, err := l.executePerson(ctx,
			beside(req, "withdrawal of ",
				domain.WithdrawConsent{Scope: policy.Scope{All: len(cmd.Purposes) == 0, Purposes: cmd.Purposes},
					Guardian: cmd.Guardian}))
		if err != nil {
			return Receipt{}, err
		}
		cmd.Cause = ident.EventID(withdrawn.Event)
	}
	if err := l.possible(cmd, ref, req); err != nil {
		return Receipt{}, err // before the history says that there is a request
	}
	if before, err = l.told(ctx, req, p, domain.RequestMade{Request: stream.ID, Types: cmd.Types}); err != nil {
		return Receipt{}, err
	}

	req.Command = cmd
	receipt, err := l.settle(ctx, resolved{Request: req, ref: ref, stream: stream, key: p,
		parties: cases.Parties{Person: &before}})
	return l.withItsNo(ctx, p, cmd.Cause, receipt, err)
}

// withItsNo returns the receipt of a request with what that of the withdrawal in it says
// of purposes: which nobody declares, and which go on, since they rest on something else.
func (l *Ledger) withItsNo(
	ctx context.Context, p *vault.Person, cause ident.EventID, receipt Receipt, err error,
) (Receipt, error) {
	if err != nil || cause == (ident.EventID{}) {
		return receipt, err
	}

	stream := subjectStream(p)
	f, err := l.fold(ctx, stream)
	if err != nil {
		return Receipt{}, err
	}

	no, known, err := l.receiptOfFact(ctx, stream, f, cause)
	if err != nil {
		return Receipt{}, err
	}
	if known {
		receipt.Unknown, receipt.Rests = no.Unknown, no.Rests
	}
	return receipt, nil
}

// guardianOf returns the name that the log has for the guardian who makes a
// request; empty if the person asks. Who is not known is nobody's guardian.
func (l *Ledger) guardianOf(ctx context.Context, req Request) (domain.GuardianRef, error) {
	if req.Other == (ident.PersonKey{}) {
		return "", nil
	}
	name, known, err := l.Pseudonym(ctx, req.App, req.Other)
	if err == nil && !known {
		name = "somebody"
	}
	return domain.GuardianRef(name), err
}

// history returns what is known of a person; nothing if their history has
// ended: whoever comes is somebody new.
func (l *Ledger) history(ctx context.Context, p *vault.Person) (domain.Subject, error) {
	s, err := l.Subject(ctx, subjectStream(p))
	if err != nil || s.Ended() != 0 {
		return domain.Subject{}, err
	}
	return s, nil
}

// asks returns who makes a request. Who is not known yet gets a vault entry,
// unless the request would be refused. Of whom whose history has ended is nothing
// but what was answered before: who asks now is somebody new, who is to be told
// nothing about them.
func (l *Ledger) asks(ctx context.Context, req Request, ref domain.Reference) (*vault.Person, error) {
	who := lookup(req.App, req.Person)
	p, found, err := l.vault.Find(ctx, who)
	if err != nil {
		return nil, err
	}

	if found {
		f, err := l.fold(ctx, caseStream(ident.RequestNoun, req, p))
		if err != nil || f.revision > 0 {
			return p, err
		}
		if found, err = l.goesOn(ctx, req.App, req.Person, p); err != nil {
			return nil, err
		}
	}

	recorded := l.Now()
	if err := l.checkAsksEarlier(ctx, req, atOf(req, recorded)); err != nil || found {
		return p, err
	}

	cmd := req.Command.(domain.OpenRequest)
	cmd.Subject = "new"
	if err := (domain.Subject{}).CheckAsks(likely(req).(domain.OpenRequest), recorded); err != nil {
		return nil, err
	}
	if err := l.possible(cmd, ref, req); err != nil && !keepsOptOut(cmd, err) {
		return nil, err
	}

	p, _, err = l.vault.Enrol(ctx, who)
	return p, err
}

// goesOn reports whether the history of whom an outside id leads to goes on. If it
// has ended, the id leads to nobody from then on.
func (l *Ledger) goesOn(ctx context.Context, app ident.AppName, who ident.PersonKey, p *vault.Person) (bool, error) {
	f, err := l.fold(ctx, subjectStream(p))
	if err != nil || f.subject.Ended() == 0 {
		return true, err
	}
	return false, l.detach(ctx, app, who, p, f.subject.Ended())
}

// checkAsksEarlier refuses a request from before who had the outside id was ended
// or erased. A letter that was long on its way is a request like any other.
func (l *Ledger) checkAsksEarlier(ctx context.Context, req Request, at deadline.Instant) error {
	earlier, err := l.isEarlier(ctx, lookup(req.App, req.Person), at)
	if err != nil || !earlier || domain.TakesAway(req.Command) {
		return err
	}
	return refusal.Refusal{Code: refusal.EarlierPerson, Path: "time",
		Text: "the request is from before this person's history was ended or erased: it is of whoever had the id then"}
}

// possible returns why a request would be refused, whoever makes it.
func (l *Ledger) possible(cmd domain.OpenRequest, ref domain.Reference, req Request) error {
	recorded := l.Now()
	_, err := (cases.Request{}).Decide(cmd, cases.Reference{Reference: ref}, atOf(req, recorded), recorded)
	return err
}

// keepsOptOut reports whether there is an opt-out in a request that cannot be taken since
// nobody promised anything: the opt-out needs no promise.
func keepsOptOut(cmd domain.OpenRequest, err error) bool {
	no, ok := errors.AsType[refusal.Refusal](err)
	return ok && no.Code == refusal.NoPolicy && slices.Contains(cmd.Types, request.Withdraw)
}

// told records in the person's history where a request is told of, and returns
// the history as it was before.
func (l *Ledger) told(
	ctx context.Context, req Request, p *vault.Person, made domain.RequestMade,
) (domain.Subject, error) {
	stream := subjectStream(p)
	before, err := l.fold(ctx, stream)
	if err != nil || before.subject.Ended() != 0 || slices.Contains(before.subject.Requests(), made.Request) {
		return before.subjectOrNone(), err
	}

	tell := beside(req, "request of ", domain.Say{Event: made})
	if req.At != 0 {
		earlier, err := l.isEarlier(ctx, lookup(req.App, req.Person), req.At)
		if err == nil && !earlier {
			earlier, err = l.predates(ctx, tell, before.subject, req.At)
		}
		if err != nil {
			return before.subject, err
		}
		if earlier {
			tell.At = 0 // the request has its date; the history says where it is told of
		}
	}

	tell.Group, tell.Unread = nil, Unread{} // the request itself has them
	tell.Actor, tell.RecordedBy, tell.FromApp, tell.Other = string(ident.System), "ledger", false, ident.PersonKey{}
	_, err = l.executePerson(ctx, tell)
	return before.subject, err
}

func (f *fold) subjectOrNone() domain.Subject {
	if f == nil {
		return domain.Subject{}
	}
	return f.subject
}

// beside returns a request that is made together with another.
func beside(req Request, name string, cmd domain.Command) Request {
	req.ID, req.Command, req.Signed = name+req.ID, cmd, nil
	return req
}

// tryCase executes on the stream of a request, an incident or obligations that
// has begun, or begins now: obligations follow from a fact.
func (l *Ledger) tryCase(
	ctx context.Context, stream ident.StreamID, req Request, ref domain.Reference,
) (Receipt, error) {
	f, err := l.fold(ctx, stream)
	if err != nil {
		return Receipt{}, err
	}
	parties, err := l.parties(ctx, stream, f, req.Command)
	if err != nil {
		return Receipt{}, err
	}

	if f.revision == 0 && stream.Noun != ident.ObligationNoun || f.ahead(stream) {
		return Receipt{}, refusal.Refusal{Code: refusal.UnknownRequest,
			Text: "there is no " + string(stream.Noun) + " of that id"}
	}

	k, err := l.caseKey(ctx, stream, f)
	if err != nil {
		return Receipt{}, err
	}
	return l.settle(ctx, resolved{Request: req, ref: ref, stream: stream, key: k, parties: parties})
}

// parties returns the other request that one is, or is said to be, a duplicate of,
// and the persons whom the two are of. It is read from the store: another process may
// have opened it.
func (l *Ledger) parties(
	ctx context.Context, stream ident.StreamID, f *fold, cmd domain.Command,
) (p cases.Parties, err error) {
	id := ""
	switch cmd := cmd.(type) {
	case domain.OweAgain:
		id = cmd.Original
	case domain.TakeStep:
		switch cmd.Kind {
		case "request.duplicate":
			id = domain.Stepped(cmd).Field("of")
		case "request.reopened":
			id = f.request.GoesOnIn()
		}
	}
	of := ident.RequestStream(stream.App, id)
	if _, err := ident.ParseStreamID(of.String()); err != nil || of == stream {
		return p, nil
	}

	original, err := l.foldUntil(ctx, of, 0)
	if err != nil {
		return p, err
	}
	p.Original = &original.request
	if p.Person, err = l.asker(ctx, stream.App, &f.request); err == nil {
		p.Asker, err = l.asker(ctx, stream.App, p.Original)
	}
	return p, err
}

// asker returns whom a request is of; nil: nobody who is known.
func (l *Ledger) asker(ctx context.Context, app ident.AppName, r *cases.Request) (*domain.Subject, error) {
	if r.Received.Subject == "" {
		return nil, nil
	}
	s, err := l.Subject(ctx, ident.SubjectStream(app, r.Received.Subject))
	return &s, err
}

// caseKey returns the key of whom a request is of, or the app's: of somebody
// who was erased nothing personal is kept any more, but what was promised to
// them still runs.
func (l *Ledger) caseKey(ctx context.Context, stream ident.StreamID, f *fold) (key, error) {
	if ref := f.request.Received.Subject; ref != "" {
		p, err := l.living(ctx, ident.SubjectStream(stream.App, ref))
		if err == nil || !errors.Is(err, errGone) {
			return p, err
		}
	}
	return l.vault.AppKey(ctx, string(stream.App))
}

// Case returns what is known of a request.
func (l *Ledger) Case(ctx context.Context, stream ident.StreamID) (cases.Request, error) {
	f, err := l.fold(ctx, stream)
	if err != nil {
		return cases.Request{}, err
	}
	return f.request, nil
}

// Duties returns the obligations of the stream of a request, or of a fact.
func (l *Ledger) Duties(ctx context.Context, stream ident.StreamID) (cases.Duties, error) {
	f, err := l.fold(ctx, stream)
	if err != nil || stream.Noun == ident.ObligationNoun {
		return f.dutiesOrNone(), err
	}
	return f.request.Duties, nil
}

func (f *fold) dutiesOrNone() cases.Duties {
	if f == nil {
		return cases.Duties{}
	}
	return f.duties
}
