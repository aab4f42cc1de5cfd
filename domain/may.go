package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// A Question is: may we do this, for this purpose, at this moment? Category,
// Recipient and Version may be left out.
type Question struct {
	Purpose   policy.PurposeID
	Action    policy.Action
	At        deadline.Instant
	Category  policy.CategoryID
	Recipient policy.RecipientID
	Version   content.Hash // of the policy that the processing goes by; zero: the one in force
}

// An Answer is yes or no, and why.
type Answer struct {
	Allowed  bool
	Why      Why
	Basis    policy.LegalBasis // of the purpose; zero if it is not declared
	Policy   string            // the version that answers, if there is one
	Version  content.Hash
	Standing Standing
	Band     AgeBand
	Doubtful bool            // allowed on a ground that the law does not clearly admit
	Because  []ident.EventID // what proves the answer, besides the standing
}

// A Why is the reason for an answer, for programs. It is never renamed.
type Why string

const (
	WhyConsent      Why = "consent-given"
	WhyOldScope     Why = "consent-given-to-the-old-scope"
	WhyOtherBasis   Why = "other-legal-basis" // PIPL 13(2) to (7)
	WhyExempt       Why = "exemption-invoked"
	WhyCeased       Why = "service-ceased"
	WhyHold         Why = "legal-hold"
	WhyRestricted   Why = "storage-only"
	WhyGuardian     Why = "guardian-consent-missing"
	WhyNoPolicy     Why = "no-policy-in-force"
	WhyNoPurpose    Why = "purpose-not-declared"
	WhyNoAction     Why = "action-not-declared"
	WhyNoCategory   Why = "category-not-declared"
	WhyNoRecipient  Why = "recipient-not-declared"
	WhySeparate     Why = "separate-consent-missing"
	WhyStatus       Why = "no-consent-in-force" // see the status
	WhyActionIsNew  Why = "action-not-consented-to"
	WhyCategoryNew  Why = "category-not-consented-to"
	WhyRecipientNew Why = "recipient-not-consented-to"
)

// May answers q from what the person said and the policy promised. The first
// that applies decides: the service is over; the data are held or restricted;
// a child's guardian is missing; the purpose is not declared so; the purpose's
// basis; the consent. An exemption comes last and never overrides an opt-out.
//
// A version that q names may only restrict: what the version in force does not
// allow is allowed by no other.
func May(s Subject, ref Reference, q Question) Answer {
	v, purpose, declared := ref.Policies.Declaring(q.Purpose, q.At)
	now := s.may(ref, q, v, purpose, declared)
	if q.Version == (content.Hash{}) || q.Version == v.Version {
		return now
	}
	v, purpose, declared = ref.Policies.Named(q.Version, q.Purpose, q.At)
	if then := s.may(ref, q, v, purpose, declared); now.Allowed || !then.Allowed {
		return then
	}
	return now
}

// may answers q by one version, if it declares the purpose.
func (s Subject) may(ref Reference, q Question, v published.Policy, purpose policy.Purpose, declared bool) Answer {
	a := Answer{Basis: purpose.Basis, Policy: v.Document.Name, Version: v.Version}
	a.Standing = s.Standing(q.Purpose, q.At, ref)
	a.Band, _ = s.Band(q.At)
	switch {
	case s.barred(&a, ref, q):
	case !declared:
		a.Why = WhyNoPurpose
		if _, any := ref.Policies.InForce("", q.At); !any {
			a.Why = WhyNoPolicy
		}
	case s.unguarded(&a, ref, q, purpose):
	case lacks(purpose, q, v.Document) != "":
		a.Why = lacks(purpose, q, v.Document)
	case purpose.Basis != policy.BasisConsent:
		a.Allowed, a.Why = true, WhyOtherBasis
	default:
		s.consented(&a, ref, q, purpose)
	}
	return a
}

// barred answers for what nothing is allowed for.
func (s Subject) barred(a *Answer, ref Reference, q Question) bool {
	if c := ref.Service.ceased; c != 0 && c <= q.At {
		a.Why, a.Because = WhyCeased, []ident.EventID{ref.Service.ceasedBy}
		return true
	}

	for _, h := range s.holds {
		if h.holds(q.At) {
			a.Why, a.Because = WhyHold, []ident.EventID{h.id}
			return true
		}
	}

	for _, l := range s.limits {
		if l.holds(q.At) {
			a.Why, a.Because = WhyRestricted, []ident.EventID{l.id}
			return true
		}
	}
	return false
}

// unguarded answers for a child whose guardian did not consent. What the law
// itself orders, and rescue, need nobody's consent. A guardian's consent that
// grew stale still covers the old scope, as anybody's does.
func (s Subject) unguarded(a *Answer, ref Reference, q Question, p policy.Purpose) bool {
	if a.Band != ChildUnder14 || p.Basis == policy.BasisLegalDuty || p.Basis == policy.BasisEmergency {
		return false
	}
	st := a.Standing
	if st.Guardian != "" && (st.Status == Given || ref.oldScope(st, s.staleOf(st, q.Purpose, q.At, &ref), q)) {
		return false
	}
	a.Why = WhyGuardian
	return true
}

// lacks returns why the policy does not declare what q asks about; empty: it
// does.
func lacks(p policy.Purpose, q Question, d policy.Document) Why {
	switch r, known := d.Recipient(q.Recipient); {
	case !slices.Contains(p.Actions, q.Action):
		return WhyNoAction
	case q.Category != "" && !slices.Contains(p.Categories, q.Category):
		return WhyNoCategory
	case q.Recipient != "" && (!known || !slices.Contains(r.Purposes, p.ID)):
		return WhyNoRecipient
	}
	return ""
}

// consented answers for a purpose whose basis is consent.
func (s Subject) consented(a *Answer, ref Reference, q Question, p policy.Purpose) {
	st, stale := a.Standing, s.staleOf(a.Standing, q.Purpose, q.At, &ref)
	switch {
	case st.Status == Given:
		if a.Why = ref.agreedTo(st, q); a.Why == "" {
			a.Allowed, a.Why = true, WhyConsent
			return
		}
	case ref.oldScope(st, stale, q):
		a.Allowed, a.Why = true, WhyOldScope
		return
	case p.Separate && st.Short == NeedsSeparate && st.Status == NeverAsked, stale != nil && stale.Separate:
		a.Why = WhySeparate
	default:
		a.Why = WhyStatus
	}

	if st.Status == Refused || st.Status == Withdrawn || st.Status == AskAgain ||
		s.declined(q.Purpose, st.Version, q.At, ref) != 0 {
		return
	}

	for _, all := range [][]exemption{s.exemptions, ref.Service.exemptions} {
		if e, ok := exempt(all, q); ok {
			a.Allowed, a.Why, a.Doubtful, a.Because = true, WhyExempt, e.Doubtful, []ident.EventID{e.id}
			return
		}
	}
}

// agreedTo returns why the grant does not cover what q asks about; empty: it
// does. A grant covers what its policy said, not what a later one adds.
func (ref Reference) agreedTo(st Standing, q Question) Why {
	v, _ := ref.Policies.Version(st.Version)
	p, _ := v.Document.Purpose(q.Purpose)
	switch lacks(p, q, v.Document) {
	case WhyNoAction:
		return WhyActionIsNew
	case WhyNoCategory:
		return WhyCategoryNew
	case WhyNoRecipient:
		return WhyRecipientNew
	}

	if q.Recipient != "" && q.Version != st.Version && st.Rules >= again &&
		ref.Policies.LeftOut(q.Recipient, q.Purpose, v.Version, q.At) {
		return WhyRecipientNew
	}
	return ""
}

// oldScope reports whether q asks about what a stale consent still covers:
// what its own version said, and no later one changed the meaning of. If a
// later one changed the purpose as a whole, only who goes by the old version,
// and says so, goes by the old meaning; where a specific policy prevails nobody
// does.
func (ref Reference) oldScope(st Standing, s *published.Staleness, q Question) bool {
	switch {
	case s == nil || ref.agreedTo(st, q) != "":
		return false
	case s.Whole:
		return q.Version == st.Version && !s.Specific
	case q.Version == st.Version && !s.Specific:
		return true
	default:
		return !slices.Contains(s.Added.Actions, q.Action) &&
			(q.Category == "" || !slices.Contains(s.Added.Categories, q.Category))
	}
}
