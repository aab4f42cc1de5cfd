package domain

// A Question is: may we do this, for this purpose, at this moment?
type Question struct {
	Purpose PurposeID
	Action  Action
	At      Instant
}

// An Answer is yes or no, and why.
type Answer struct {
	Allowed  bool
	Why      Why
	Basis    LegalBasis // of the purpose; zero if it is not declared
	Policy   string     // the version that answers, if there is one
	Version  Hash
	Standing Standing
}

// A Why is the reason for an answer, for programs. It is never renamed.
type Why string

const (
	WhyConsent     Why = "consent-given"
	WhyOtherBasis  Why = "other-legal-basis" // PIPL 13(2) to (7)
	WhyNoPolicy    Why = "no-policy-in-force"
	WhyNoPurpose   Why = "purpose-not-declared"
	WhyNoAction    Why = "action-not-declared"
	WhyStatus      Why = "no-consent-in-force" // see the status
	WhyActionIsNew Why = "action-not-consented-to"
)

// May answers q from what the person said and the policy promised.
func May(s Subject, ref Reference, q Question) Answer {
	v, purpose, ok := ref.Policies.declaring(q.Purpose, q.At)
	if !ok {
		why := WhyNoPurpose
		if _, any := ref.Policies.InForce("", q.At); !any {
			why = WhyNoPolicy
		}
		return Answer{Why: why, Standing: s.Standing(q.Purpose, q.At, ref.Policies)}
	}
	a := Answer{Basis: purpose.Basis, Policy: v.Document.Name, Version: v.Version}
	a.Standing = s.Standing(q.Purpose, q.At, ref.Policies)
	switch {
	case !purpose.allows(q.Action):
		a.Why = WhyNoAction
	case purpose.Basis != BasisConsent:
		a.Allowed, a.Why = true, WhyOtherBasis
	case a.Standing.Status != Given:
		a.Why = WhyStatus
	case !ref.agreedTo(a.Standing, q):
		a.Why = WhyActionIsNew
	default:
		a.Allowed, a.Why = true, WhyConsent
	}
	return a
}

// agreedTo reports whether the version that was agreed to declared the action:
// a yes covers what its policy said, not what a later one adds.
func (ref Reference) agreedTo(st Standing, q Question) bool {
	v, ok := ref.Policies.Version(st.Version)
	if !ok {
		return false
	}
	p, ok := v.Document.Purpose(q.Purpose)
	return ok && p.allows(q.Action)
}

func (p Purpose) allows(a Action) bool {
	for _, b := range p.Actions {
		if a == b {
			return true
		}
	}
	return false
}
