package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// An Ask is something that an app must ask a person, or show to them, now.
type Ask struct {
	Purpose   policy.PurposeID // empty: of the policy as a whole
	Reason    PromptReason
	Separate  bool             // by a control of its own
	Explicit  bool             // by more than a general "Agree"
	NotBefore deadline.Instant // zero: now
	Policy    string
	Version   content.Hash
	Text      policy.Text // in the locale that was asked for, or the closest there is
}

// A PromptReason is why an app must ask, by a code that never changes.
type PromptReason string

const (
	PromptFirst     PromptReason = "never-asked"
	PromptRefused   PromptReason = "refused"   // may be asked again, not must
	PromptWithdrawn PromptReason = "withdrawn" // likewise
	PromptSignal    PromptReason = "signal"    // likewise: a machine's signal said no, and not the person
	PromptExpired   PromptReason = "expired"
	PromptStale     PromptReason = "policy-changed"     // not allowed until then
	PromptUnclear   PromptReason = "order-not-provable" // an opt-out and a grant
	PromptMaterial  PromptReason = "material-change"    // still allowed
	PromptToRead    PromptReason = "acknowledge"        // a change that is not material
	PromptGuardian  PromptReason = "guardian"
)

// Prompt returns what the app must ask the person now, in a locale.
func Prompt(s Subject, ref Reference, locale string, at deadline.Instant) []Ask {
	var asks []Ask
	inForce := ref.Policies.AllInForce(at)
	for _, v := range inForce {
		asks = append(asks, s.changes(*v, ref, locale, at)...)
		for _, p := range v.Document.Purposes {
			if p.Basis != policy.BasisConsent {
				continue
			}
			if w, _, ok := inForce.Declaring(p.ID); !ok || w.Version != v.Version {
				continue // another policy prevails
			}
			if a, ok := s.ask(p, *v, ref, at); ok {
				a.Text = v.Document.TextIn(locale)
				asks = append(asks, a)
			}
		}
	}
	return asks
}

// ask returns what must be asked about one purpose.
func (s Subject) ask(p policy.Purpose, v published.Policy, ref Reference, at deadline.Instant) (Ask, bool) {
	st := s.Standing(p.ID, at, ref)
	a := Ask{Purpose: p.ID, Separate: p.Separate, Policy: v.Document.Name, Version: v.Version}
	switch st.Status {
	case Given:
		return a, false
	case NeverAsked:
		a.Reason = PromptFirst
	case Refused:
		a.Reason, a.NotBefore = PromptRefused, st.Since.Add(v.Document.Quiet())
	case Withdrawn:
		a.Reason, a.NotBefore = PromptWithdrawn, st.Since.Add(v.Document.Quiet())
	case Expired:
		a.Reason = PromptExpired
	case Stale:
		a.Reason, a.Explicit = PromptStale, true
		if since := s.declined(p.ID, st.Version, at, ref); since != 0 {
			a.NotBefore = since.Add(v.Document.Quiet())
		}
	case AskAgain:
		a.Reason = PromptUnclear
		if st.Since != 0 {
			a.NotBefore = st.Since.Add(v.Document.Quiet())
		}
	}

	if st.Signal != "" && (st.Status == Refused || st.Status == Withdrawn) {
		a.Reason = PromptSignal
	}
	if band, _ := s.Band(at); band == ChildUnder14 {
		a.Reason = PromptGuardian
	}
	if a.NotBefore <= at {
		a.NotBefore = 0
	}
	return a, true
}

// changes returns what the person must be told of the version as a whole. Who
// refused is not asked again within the quiet period, and need not be after it.
func (s *Subject) changes(v published.Policy, ref Reference, locale string, at deadline.Instant) []Ask {
	if !s.knewBefore(v, ref) {
		return nil
	}

	a := Ask{Reason: PromptToRead, Policy: v.Document.Name, Version: v.Version, Text: v.Document.TextIn(locale)}
	refused := s.refusedVersion(v.Version, ref, at)
	switch {
	case len(v.Material) == 0 && (refused != 0 || s.heardOf(v, ref, at)):
		return nil
	case len(v.Material) == 0:
	case s.explicitlyAgreed(v.Version, ref, at):
		return nil
	case refused != 0:
		a.Reason, a.Explicit, a.NotBefore = PromptRefused, true, refused.Add(v.Document.Quiet())
	default:
		a.Reason, a.Explicit = PromptMaterial, true
	}

	if a.NotBefore <= at {
		a.NotBefore = 0
	}
	return []Ask{a}
}

// heardOf reports whether the person answered the version or says to have read
// it. That is no consent to what it changed.
func (s *Subject) heardOf(v published.Policy, ref Reference, at deadline.Instant) bool {
	for _, y := range s.said {
		if y.no == 0 && y.Later() <= at && y.given().Version == v.Version && !isVoided(y, &ref) {
			return true
		}
	}
	return slices.Contains(s.read, v.Version)
}

// refusedVersion returns when the person last refused something that was asked
// with a version, zero if they did not.
func (s *Subject) refusedVersion(v content.Hash, ref Reference, at deadline.Instant) (since deadline.Instant) {
	for _, n := range s.said {
		if e, ok := n.Event.(ConsentRefused); ok && e.Version == v && n.Earlier() <= at && !isVoided(n, &ref) {
			since = max(since, n.Earlier())
		}
	}
	return since
}

// knewBefore reports whether the person dealt with an older version of the
// same policy.
func (s Subject) knewBefore(v published.Policy, ref Reference) bool {
	for _, w := range ref.Policies.Versions() {
		if w.Version != v.Version && w.Document.Name == v.Document.Name && w.Effective < v.Effective && s.since != 0 &&
			s.since < v.Effective {
			return true
		}
	}
	return false
}

// request answers RequestConsent: the person was asked, perhaps too soon.
func (s Subject) request(cmd RequestConsent, ref Reference, at deadline.Instant) (Event, error) {
	if err := CheckReason(cmd.Reason); err != nil {
		return nil, err
	}
	if err := ref.checkScope(policy.Scope{Purposes: cmd.Purposes}); err != nil {
		return nil, err
	}

	e := ConsentRequested{Purposes: cmd.Purposes, Reason: cmd.Reason, Locale: cmd.Locale}
	inForce := ref.Policies.AllInForce(at)
	for _, id := range cmd.Purposes {
		v, p, ok := inForce.Declaring(id)
		if !ok {
			continue
		}
		a, ask := s.ask(p, *v, ref, at)
		e.TooSoon = e.TooSoon || ask && a.NotBefore > at
	}
	return e, nil
}
