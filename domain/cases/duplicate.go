package cases

import (
	"slices"
	"strconv"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/link"
	"consentledger/domain/lists"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// GoesOnIn returns the request in which this one goes on, as its duplicate;
// empty if it goes on in none.
func (r Request) GoesOnIn() string {
	if r.Outcome != "request.duplicate" {
		return ""
	}
	return r.closed.of
}

// endedWithoutAnswer reports whether nothing is owed any more, though nobody
// had an answer: to what has none yet, nobody will give one.
func (r Request) endedWithoutAnswer() bool {
	return r.Outcome == "request.withdrawn" || r.Outcome == "request.duplicate"
}

// answered reports whether a type had its answer, and no sooner than another
// request came in: what was said before cannot have answered that one.
func (r Request) answered(t request.Type, since Request) bool {
	return slices.ContainsFunc(r.answers, func(a answer) bool {
		return a.of == t && a.at >= since.At && a.recorded >= since.Recorded
	})
}

// MayGoOnIn refuses what request.duplicate would refuse: that the request goes on in the original
// of p. Whoever chooses among several requests is offered only those that it takes.
func (r Request) MayGoOnIn(p Parties) error { return r.checkOriginal(Reference{Parties: p}) }

// checkOriginal refuses to let a request go on in another one unless that is
// the same question of the same person, and is owed an answer there no later
// than here. A duplicate is owed nothing of its own, so whatever the other one
// lacks would be lost.
func (r Request) checkOriginal(ref Reference) error {
	o := ref.Original
	no := func(code refusal.Code, text string) error { return refusal.At(code, "data.of", text) }

	switch {
	case o == nil || o.Recorded == 0:
		return no(refusal.UnknownRequest, "the app has no other request of that id")
	case o.endedWithoutAnswer():
		return no(refusal.IllegalMove, "that request was withdrawn, or is a duplicate itself: nothing is owed there")
	case !r.sameAsker(*o, ref):
		return no(refusal.IllegalMove, "that request is not known to be of the same person, asking by the same "+
			"guardian or without one: answer each of the two")
	case o.At > r.At:
		return no(refusal.IllegalMove, "that request came in later than this one: let the later one go on in the "+
			"earlier")
	case !covers(o.Received.Purposes, r.Received.Purposes):
		return no(refusal.IllegalMove, "that request is about other purposes: what this one asks of the rest "+
			"would have no answer")
	case r.Marks.Has(catalog.IdentityKnown) && !o.Marks.Has(catalog.IdentityKnown):
		return no(refusal.IllegalMove, "this is the only one of the two of which it is known who asks: record "+
			"identity.passed there first")
	}

	for _, t := range r.left() {
		if err := r.checkOwedThere(t, *o); err != nil {
			return err
		}
	}
	return nil
}

// sameAsker reports whether two requests are known to be of the same person: of
// one history, or of two that are linked. Of who is not known, only the same
// letter is the same. A link has a record in each of the two histories; that it was a
// mistake may be told in one alone.
func (r Request) sameAsker(o Request, ref Reference) bool {
	a, b := r.Received, o.Received
	if a.Guardian != b.Guardian {
		return false
	}
	if a.Subject == "" || b.Subject == "" {
		return a.Subject == b.Subject && a.Document == b.Document && a.Document != (content.Hash{})
	}
	if a.Subject == b.Subject {
		return true
	}
	_, here := link.Open(ref.person().Links(), b.Subject)
	_, there := link.Open(ref.asker().Links(), a.Subject)
	return here && there
}

// mistaken reports whether two requests were taken to be of one person by links that
// were mistakes, all of them.
func (r Request) mistaken(o Request, ref Reference) bool {
	a, b := r.Received.Subject, o.Received.Subject
	if a == b || a == "" || b == "" {
		return false
	}
	return link.OnlyMistakes(ref.person().Links(), b) || link.OnlyMistakes(ref.asker().Links(), a)
}

// covers reports whether purposes include others. None named means all.
func covers(purposes, others []policy.PurposeID) bool {
	if len(purposes) == 0 {
		return true
	}
	return len(others) > 0 && !slices.ContainsFunc(others,
		func(p policy.PurposeID) bool { return !slices.Contains(purposes, p) })
}

// checkOwedThere refuses that a type goes on in a request that did not ask for
// it, that had its answer before, or where its answer is owed later.
func (r Request) checkOwedThere(t request.Type, o Request) error {
	switch {
	case !slices.Contains(o.Received.Types, t):
		return refusal.At(refusal.IllegalMove, "data.of",
			"that request does not ask for "+t.String()+": it would have no answer")
	case o.answered(t, r):
		return nil
	case !slices.Contains(o.left(), t):
		return refusal.At(refusal.IllegalMove, "data.of",
			"that request had its answer to "+t.String()+" before this one came in: this one asks again")
	case slices.Contains(o.Received.Unpromised, t) && !slices.Contains(r.Received.Unpromised, t):
		return refusal.At(refusal.IllegalMove, "data.of", "no date was promised there for "+t.String())
	}

	here, running := r.Duties.Binding(t)
	there, owed := o.Duties.Binding(t)
	if running && len(o.Duties.All()) > 0 && (!owed || there.Until > here.Until) {
		return refusal.At(refusal.IllegalMove, "data.of",
			"the answer to "+t.String()+" is owed later there, or its clock stands still: here it is owed by "+
				lastOf(here))
	}
	return nil
}

// lastOf returns the last day of a due date, or for hours its last instant.
func lastOf(d deadline.Due) string {
	if d.Date == 0 {
		return d.Until.String()
	}
	return d.Date.String()
}

// oweAgain answers OweAgain: what had no answer is owed again, by its own date.
func (r Request) oweAgain(cmd domain.OweAgain, ref Reference) ([]domain.Event, error) {
	if err := domain.CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}
	o := ref.Original
	if o == nil || r.GoesOnIn() != cmd.Original || cmd.Original == "" {
		return nil, nil
	}

	types, reason := r.left(), "original-of-another"
	if !r.mistaken(*o, ref) {
		if !o.endedWithoutAnswer() {
			return nil, nil
		}
		types, reason = lists.Without(types, func(t request.Type) bool { return o.answered(t, r) }),
			"original-unanswered"
	}
	if len(types) == 0 {
		return nil, nil
	}
	step := domain.Stepped{Kind: catalog.Reopened,
		Fields: policy.Fields(map[string]string{"reason": reason, "of": cmd.Original, "types": request.NamesOf(types)})}
	restored, err := r.restore(types, ref.Calendars)
	return append([]domain.Event{step}, restored...), err
}

// restore opens what was owed for some types when the request was closed
// without an answer, as if it had not been closed: the clocks began when they
// began, and stood still only as long as the request was there to stop them.
func (r Request) restore(types []request.Type, k deadline.Calendars) ([]domain.Event, error) {
	var events []domain.Event
	for _, x := range r.Duties.All() {
		left := lists.Without(x.Types, func(t request.Type) bool { return !slices.Contains(types, t) })
		if x.State != obligation.StateVoid || x.Voided != r.closed.recorded || len(left) == 0 {
			continue
		}

		again, resumed, err := x.Restore("."+strconv.Itoa(r.rounds+1), left, r.closed.at, k)
		if err != nil {
			return nil, err
		}
		events = append(events, domain.ObligationOpened(again))
		for _, m := range resumed {
			events = append(events, domain.ObligationMoved(m))
		}
	}
	return events, nil
}
