package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/link"
	"consentledger/domain/policy"
)

// news returns what a signal says that the same signal did not say before: all
// of its scope, or those of its purposes that are new. If nothing is, it returns
// the fact that said the last of it. A signal that was recorded by mistake said
// nothing; one about everything is news to one about some purposes.
func (s Subject) news(
	act policy.ActID, scope policy.Scope, g GuardianRef, ref Reference,
) (fresh policy.Scope, said ident.EventID) {
	left := slices.Clone(scope.Purposes)
	for _, n := range s.said {
		if n.no == 0 || n.crossed || n.more().guardian != g || !policy.SameSignal(actOf(n.Event), act) ||
			isVoided(n, &ref) {
			continue
		}
		if left = slices.DeleteFunc(left, n.more().scope.Covers); n.more().scope.All || !scope.All && len(left) == 0 {
			return policy.Scope{}, n.ID
		}
	}
	return policy.Scope{All: scope.All, Purposes: left}, ident.EventID{}
}

// actOf returns how an opt-out was said; empty: not known.
func actOf(e Event) policy.ActID {
	switch e := e.(type) {
	case ConsentRefused:
		return e.Act
	case ConsentWithdrawn:
		return e.Act
	}
	return ""
}

// Repeats returns the fact that a command repeats, if it is a signal that says
// nothing new, or a link that is open already. Nothing follows from it, and it leaves
// no fact: its answer is the receipt of that fact.
func (s Subject) Repeats(cmd Command, ref Reference) (ident.EventID, bool) {
	var act policy.ActID
	var scope policy.Scope
	var g GuardianRef
	switch cmd := cmd.(type) {
	case RefuseConsent:
		control, _ := s.controlOf(cmd.Notice, cmd.Control, ref)
		act, scope, g = cmd.Act, cmd.about(control), cmd.Guardian
	case WithdrawConsent:
		act, scope, g = cmd.Act, cmd.Scope, cmd.Guardian
	case Say:
		if e, is := cmd.Event.(SubjectLinked); is {
			if i, open := link.Open(s.links, e.Other); open {
				return s.links[i].Because, true
			}
		}
		return ident.EventID{}, false
	default:
		return ident.EventID{}, false
	}

	if !ref.Policies.IsSignal(act) {
		return ident.EventID{}, false
	}

	known := scope.Purposes[:0:0]
	for _, id := range scope.Purposes {
		if ref.Policies.Declares(id) {
			known = append(known, id)
		}
	}

	if scope.Purposes = known; !scope.All && len(known) == 0 {
		return ident.EventID{}, false
	}

	_, of := s.news(act, scope, g, ref)
	return of, of != ident.EventID{}
}

// isSignal reports whether an opt-out is a machine's signal, by which act.
func isSignal(e Event) (policy.ActID, bool) {
	switch e := e.(type) {
	case ConsentRefused:
		return e.Act, e.Signal
	case ConsentWithdrawn:
		return e.Act, e.Signal
	}
	return "", false
}

// signalBehind returns the signal by which the opt-out was said that a standing rests
// on; empty: it rests on none.
func (s *Subject) signalBehind(st Standing) policy.ActID {
	if st.Status != Refused && st.Status != Withdrawn && st.Status != AskAgain {
		return ""
	}
	for _, n := range s.said {
		if act, signal := isSignal(n.Event); signal && slices.Contains(st.Because, n.ID) {
			return act
		}
	}
	return ""
}

// An Opposition is a machine's signal that opts out where the person granted, by
// a deliberate act: before it, so that it stands in the way, or after it.
type Opposition struct {
	Signal  policy.ActID // empty: there is none
	Because ident.EventID
}

// opposed returns the newest signal that is at odds with what the person said of
// a purpose themselves.
func (s *Subject) opposed(p policy.PurposeID, at deadline.Instant, ref *Reference) (o Opposition) {
	optOuts := s.optOuts(nil, p, at)
	for _, n := range optOuts {
		if act, signal := isSignal(n.Event); signal && !isVoided(n, ref) {
			o = Opposition{act, n.ID}
		}
	}
	agrees := func(y *said) bool { return y.agrees(p, at) && !isVoided(y, ref) && unrefused(y, optOuts, p, ref) }
	if o.Signal == "" || !slices.ContainsFunc(s.said, agrees) {
		return Opposition{}
	}
	return o
}

// agrees reports whether y is a grant to a purpose that counts by itself.
func (y *said) agrees(p policy.PurposeID, at deadline.Instant) bool {
	if y.no != 0 || y.Later() > at {
		return false
	}
	item := y.item(p)
	return item != nil && item.Short == ""
}

// unrefused reports whether of those who said no to a purpose nobody but
// machines did after a grant, beyond doubt or not.
func unrefused(y *said, optOuts []*said, p policy.PurposeID, ref *Reference) bool {
	for _, n := range slices.Backward(optOuts) {
		if _, signal := isSignal(n.Event); signal {
			continue
		}
		if !y.overrides(&n.Fact) && !n.leaves(y, p, ref) {
			return false
		}
	}
	return true
}
