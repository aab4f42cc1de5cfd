package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/vault"
)

// horizon is how long an event of an earlier person may still be delivered:
// so long a tombstone tells it from the next one's.
const horizon = time.Duration(domain.Redelivery) * time.Millisecond

// executePerson executes what is about a person. Who was reassigned or closed
// is somebody new from then on, but for what was already answered.
func (l *Ledger) executePerson(ctx context.Context, req Request) (Receipt, error) {
	ref, err := l.lookUp(ctx, req)
	if err != nil {
		return Receipt{}, err
	}
	if ref.Erased, err = l.mustFilter(ctx, req); err != nil {
		return Receipt{}, err
	}
	for range tries {
		p, err := l.meet(ctx, req, ref)
		if err != nil {
			return Receipt{}, err
		}
		filled, err := l.fill(ctx, req, ref, p)
		if err != nil {
			return Receipt{}, err
		}

		receipt, err := l.settle(ctx, resolved{Request: filled, ref: ref, stream: subjectStream(p), key: p})
		if errors.Is(err, vault.ErrTaken) {
			continue // the same outside id was met twice, and the other was quicker
		}
		var ended endedError
		if !errors.As(err, &ended) {
			if err == nil && req.Person != (ident.PersonKey{}) {
				receipt.Near = l.offers(ctx, req, p, receipt)
			}
			return receipt, err
		}
		if err := l.detach(ctx, req.App, req.Person, p, deadline.Instant(ended)); err != nil {
			return Receipt{}, err
		}
	}
	return Receipt{}, fmt.Errorf("app %s: lost %d races on one person", req.App, tries)
}

// detach makes an outside id lead to nobody, whose history has ended.
func (l *Ledger) detach(
	ctx context.Context, app ident.AppName, who ident.PersonKey, p *vault.Person, ended deadline.Instant,
) error {
	at := ended.Time()
	return l.vault.Detach(ctx, p, lookup(app, who), at, at.Add(horizon))
}

// subjectStream returns the stream of a person's history.
func subjectStream(p *vault.Person) ident.StreamID {
	return ident.SubjectStream(ident.AppName(p.App), p.Pseudonym.String())
}

func lookup(app ident.AppName, who ident.PersonKey) vault.Lookup {
	return vault.Lookup{App: string(app), Kind: who.Kind, ID: who.ID}
}

// meet returns the person that a request is about. Who is not known yet gets a
// vault entry with their first record, unless the request would be refused: nobody
// is remembered for a mistake. If the record of somebody else is to name them, they
// get it at once.
func (l *Ledger) meet(ctx context.Context, req Request, ref domain.Reference) (*vault.Person, error) {
	who := lookup(req.App, req.Person)
	p, found, err := l.vault.Find(ctx, who)
	if err == nil && found {
		err = l.vault.Index(ctx, p, who)
	}
	if err != nil || found {
		return p, err
	}

	recorded := l.Now()
	at, _ := domain.Clamp(req.Command, req.At, recorded)
	if err := l.checkEarlier(ctx, req, domain.Subject{}, at); err != nil {
		return nil, err
	}
	if _, err := (domain.Subject{}).Decide(likely(req), ref, at, recorded); err != nil {
		return nil, err
	}

	heard := l.feed.heard()
	enrol := l.vault.Meet
	if req.Other != (ident.PersonKey{}) {
		enrol = l.vault.Enrol
	}

	p, fresh, err := enrol(ctx, who)
	if fresh {
		l.beginFold(subjectStream(p), heard)
	}
	return p, err
}

// likely returns the request's command with a name in the place of the other
// person's, who is not looked for yet.
func likely(req Request) domain.Command {
	if req.Other == (ident.PersonKey{}) {
		return req.Command
	}
	cmd, _ := named(req.Command, "somebody")
	return cmd
}

// checkEarlier refuses an event from before who had the outside id was ended or
// erased, or that a history which begins later can know nothing of: it is
// theirs, not the next one's. But an opt-out is never refused for its time:
// whether it comes late, or from a clock that is slow, nobody can tell.
func (l *Ledger) checkEarlier(ctx context.Context, req Request, s domain.Subject, at deadline.Instant) error {
	if domain.TakesAway(req.Command) {
		return nil
	}

	earlier, err := l.isEarlier(ctx, lookup(req.App, req.Person), at)
	if err != nil {
		return err
	}

	if earlier {
		return refusal.Refusal{Code: refusal.EarlierPerson, Path: "time",
			Text: "the event is from before this person's history was ended or erased: it is of whoever had the " +
				"id then"}
	}

	predates, err := l.predates(ctx, req, s, at)
	switch {
	case err != nil:
		return err
	case predates && s.Since() == 0:
		return refusal.Refusal{Code: refusal.EarlierPerson, Path: "time",
			Text: "the event is more than 30 days old, nothing is known of this person, and persons were erased from " +
				"this app: it may be of one of them"}
	case predates:
		return refusal.Refusal{Code: refusal.EarlierPerson, Path: "time",
			Text: "the event is from before this person's history began: whoever had the id then may have been " +
				"somebody else; import what is old oldest first, and before anything live"}
	}
	return nil
}

// isEarlier reports whether a moment is from before who had the outside id was
// ended or erased, as far as the vault still says so.
func (l *Ledger) isEarlier(ctx context.Context, who vault.Lookup, at deadline.Instant) (bool, error) {
	before, gone, err := l.vault.ErasedAt(ctx, who, l.Now().Time())
	return gone && at < deadline.At(before), err
}

// predates is [domain.Subject.Predates] of a person of the request's app.
func (l *Ledger) predates(ctx context.Context, req Request, s domain.Subject, at deadline.Instant) (bool, error) {
	now := l.Now()
	if !s.Predates(req.Command, at, now, true) || s.Since() != 0 {
		return s.Predates(req.Command, at, now, true), nil
	}
	erased, err := l.vault.AnyErased(ctx, string(req.App))
	return s.Predates(req.Command, at, now, erased), err
}

// mustFilter reports whether a request imports what may be of somebody who was
// erased.
func (l *Ledger) mustFilter(ctx context.Context, req Request) (bool, error) {
	if c, grant := req.Command.(domain.GiveConsent); !grant || !c.Import {
		return false, nil
	}
	return l.vault.AnyErased(ctx, string(req.App))
}

// overtaken returns the request as a history takes it that began later than
// the request says: an opt-out from before the end of an earlier person's is from now,
// and what it claimed is kept beside. It counts for whoever has the outside id
// now, even if it was the earlier one's and comes late: then the next one is
// asked once more than needed, which is less than an opt-out that is lost. Of an
// outside id that nobody has now it begins a history, so that a grant that was
// said before it and comes after it does not stand; also after an erasure, see
// the package's comment.
func (l *Ledger) overtaken(ctx context.Context, req Request, s domain.Subject) (Request, error) {
	if req.At == 0 || req.Person == (ident.PersonKey{}) || !domain.TakesAway(req.Command) ||
		s.Since() != 0 && req.At >= s.Since() {
		return req, nil
	}
	var err error
	if req.overtaken, err = l.isEarlier(ctx, lookup(req.App, req.Person), req.At); err != nil || req.overtaken {
		return req, err
	}
	req.overtaken, err = l.predates(ctx, req, s, req.At)
	return req, err
}

// fill puts into the command the pseudonym of the other person that the
// request names, and records a link on the other's side first: if what follows
// fails, only opt-outs have crossed.
func (l *Ledger) fill(ctx context.Context, req Request, ref domain.Reference, p *vault.Person) (Request, error) {
	if req.Other == (ident.PersonKey{}) {
		return req, nil
	}

	o, found, err := l.vault.Find(ctx, lookup(req.App, req.Other))
	if err != nil {
		return req, err
	}

	if found && o.Pseudonym == p.Pseudonym {
		return req, refusal.Refusal{Code: refusal.SamePerson, Text: "both names are of one person already",
			Path: "data.other"}
	}

	earlier, err := l.guardsEarlier(ctx, req, o)
	if err != nil {
		return req, err
	}

	if !found || earlier {
		if settled, err := l.refused(ctx, req, ref, p); err != nil || settled {
			return req, err
		}
	}

	if earlier {
		return req, refusal.Refusal{Code: refusal.EarlierPerson, Path: "data.guardian",
			Text: "the event is from before the history of whom it names as guardian was ended or erased: it is of " +
				"whoever had that id then"}
	}

	if mirror, linking := named(req.Command, p.Pseudonym.String()); linking {
		m := req
		m.Group = nil // one's own side has it, and follows
		m.Person, m.Other, m.ID, m.Command = req.Other, ident.PersonKey{}, "other side of "+req.ID, mirror
		if _, err := l.executePerson(ctx, m); err != nil {
			return req, err
		}
	}

	other, _, err := l.vault.Enrol(ctx, lookup(req.App, req.Other))
	if err != nil {
		return req, err
	}

	req.Command, _ = named(req.Command, other.Pseudonym.String())
	return req, nil
}

// guardsEarlier reports whether somebody is said to be a guardian by an outside id
// that led to another person when it was said. Whoever has the id now is nobody's
// guardian by that. O is whom the id leads to; nil: nobody. Once their history has
// ended, the id leads to nobody.
func (l *Ledger) guardsEarlier(ctx context.Context, req Request, o *vault.Person) (bool, error) {
	say, _ := req.Command.(domain.Say)
	if _, verified := say.Event.(domain.GuardianVerified); !verified {
		return false, nil
	}
	if o != nil {
		if _, err := l.goesOn(ctx, req.App, req.Other, o); err != nil {
			return false, err
		}
	}
	now := l.Now()
	return l.isEarlier(ctx, lookup(req.App, req.Other), atOf(req, now))
}

// refused returns the refusal of a request that names somebody who is not
// known, so that nobody is remembered for a mistake; or reports that the request
// needs nobody: it was answered before, or its person's history has ended.
func (l *Ledger) refused(
	ctx context.Context, req Request, ref domain.Reference, p *vault.Person,
) (settled bool, err error) {
	stream := subjectStream(p)
	unlock, err := l.lock(ctx, stream)
	if err != nil {
		return false, err
	}
	defer unlock()
	f, err := l.fold(ctx, stream)
	if err != nil || f.subject.Ended() != 0 {
		return true, err
	}
	if _, answered, err := l.answer(ctx, stream, f, p.RequestID(req.Source, req.ID)); err != nil || answered {
		return true, err
	}

	recorded := l.Now()
	at, _ := domain.Clamp(req.Command, req.At, recorded)
	_, err = f.subject.Decide(likely(req), ref, at, recorded)
	return false, err
}

// named returns the command with a pseudonym in it, and whether the command is
// recorded on the other's side too.
func named(cmd domain.Command, pseudonym string) (domain.Command, bool) {
	switch c := cmd.(type) {
	case domain.GiveConsent:
		c.Guardian = domain.GuardianRef(pseudonym)
		return c, false
	case domain.RefuseConsent:
		c.Guardian = domain.GuardianRef(pseudonym)
		return c, false
	case domain.WithdrawConsent:
		c.Guardian = domain.GuardianRef(pseudonym)
		return c, false
	case domain.OpenRequest:
		c.Guardian = domain.GuardianRef(pseudonym)
		return c, false
	case domain.Say:
		switch e := c.Event.(type) {
		case domain.SubjectLinked:
			e.Other = pseudonym
			return domain.Say{Event: e}, true
		case domain.SubjectUnlinked:
			e.Other = pseudonym
			return domain.Say{Event: e}, true
		case domain.GuardianVerified:
			e.Guardian = domain.GuardianRef(pseudonym)
			return domain.Say{Event: e}, false
		case domain.GuardianEnded:
			e.Guardian = domain.GuardianRef(pseudonym)
			return domain.Say{Event: e}, false
		}
	}
	return cmd, false
}

// repeated answers a machine's signal that says nothing new, or a link that is open
// already: by the receipt of the record that said it. So whoever is answered is answered by a record that is
// on disk, every time, and a browser that sends its signal with every page adds
// none.
func (l *Ledger) repeated(ctx context.Context, stream ident.StreamID, f *fold, of ident.EventID) (Receipt, error) {
	receipt, known, err := l.receiptOfFact(ctx, stream, f, of)
	if err != nil {
		return Receipt{}, err
	}
	if !known {
		receipt = Receipt{Event: eventstore.EventID(of), Position: f.position}
	}
	receipt.Repeats = true
	return receipt, nil
}

// answersOfLinked returns the grants in the histories that one is linked to.
func (l *Ledger) answersOfLinked(ctx context.Context, app ident.AppName, s domain.Subject) ([]ident.EventID, error) {
	var ids []ident.EventID
	for _, link := range s.Links() {
		if link.Voided != 0 {
			continue
		}
		other, err := l.fold(ctx, ident.SubjectStream(app, link.Other))
		if err != nil {
			return nil, err
		}
		ids = append(ids, other.subject.Answers()...)
	}
	return ids, nil
}

// LogCheck records an answer to "may we?", so that it can be asked later what
// was lawful. Of somebody who is not known nothing is recorded, see
// [policy.CheckLog]. The ids of answers are random, not derived: the same answer may be given twice.
func (l *Ledger) LogCheck(ctx context.Context, req Request, answered domain.CheckAnswered) error {
	p, found, err := l.find(ctx, req.App, req.Person)
	if err != nil || !found {
		return err
	}
	stream := ident.AccessStream(req.App, p.Pseudonym.String())
	_, err = l.settle(ctx, resolved{Request: req, stream: stream, key: p, said: answered})
	return err
}

// withLinks returns the subject of a stream with what crosses from every other
// history of the same person, as of the same moment.
func (l *Ledger) withLinks(
	ctx context.Context, stream ident.StreamID, s domain.Subject, past bool, until eventstore.Position,
) (domain.Subject, error) {
	return s.Whole(stream.ID, l.histories(ctx, stream.App, past, until))
}

// histories finds the histories of an app's persons, as of a moment.
func (l *Ledger) histories(
	ctx context.Context, app ident.AppName, past bool, until eventstore.Position,
) domain.Histories {
	return func(other string) (domain.Subject, error) {
		f, err := l.foldAsOf(ctx, ident.SubjectStream(app, other), past, until)
		if err != nil {
			return domain.Subject{}, err
		}
		return f.subject, nil
	}
}
