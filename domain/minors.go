package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// An AgeBand is how old a person is, as far as rules differ. At 14 exactly the
// policy and the law differ: the policy's children are "under 14 (including)",
// the law's are under 14. Both are kept.
type AgeBand uint8

const (
	AgeUnknown AgeBand = iota
	ChildUnder14
	Aged14 // a child by policy, none by law
	Aged15To17
	Adult
)

var ageBands = form.Codes{"", "under-14", "14", "15-17", "adult"}

func (b AgeBand) String() string { return ageBands.Name(uint8(b)) }

// ParseAgeBand reads what [AgeBand.String] writes.
func ParseAgeBand(s string) (AgeBand, error) {
	return form.ParseCode[AgeBand](s, ageBands, "an age band")
}

// Minor reports whether the band is below 18.
func (b AgeBand) Minor() bool { return b != AgeUnknown && b != Adult }

// Band returns the band that is known at the moment at, and the fact that says
// so. A younger band counts from the earlier of its fact's times, an older one
// from the later, so that no wrong clock makes a child an adult.
func (s Subject) Band(at deadline.Instant) (AgeBand, ident.EventID) {
	var known aged
	for _, a := range s.ages {
		if a.voided != 0 {
			continue
		}
		from := a.Later()
		if a.band == ChildUnder14 {
			from = a.Earlier()
		}
		if from <= at {
			known = a
		}
	}
	return known.band, known.ID
}

// aged is a fact about a person's age.
type aged struct {
	Fact
	band   AgeBand
	voided deadline.Instant // zero: not
}

// A Guardianship is a span in which somebody is a person's guardian.
type Guardianship struct {
	Guardian    GuardianRef
	From, Until deadline.Instant // Until zero: it goes on
	Because     ident.EventID
	Voided      deadline.Instant // it was a mistake; zero: not
}

// GuardianAt reports whether somebody is the person's guardian at the moment
// at. From 18 on nobody is.
func (s Subject) GuardianAt(g GuardianRef, at deadline.Instant) bool {
	if band, _ := s.Band(at); band == Adult {
		return false
	}
	for _, h := range s.guardians {
		if h.Guardian == g && h.Voided == 0 && h.From <= at && (h.Until == 0 || at < h.Until) {
			return true
		}
	}
	return false
}

// CheckAsks refuses a guardian's request by somebody who is not verified as the
// person's guardian at the moment at: from the 18th birthday on nobody is. Of
// nobody who is known, as in a letter, a guardian may ask unverified.
func (s Subject) CheckAsks(cmd OpenRequest, at deadline.Instant) error {
	if cmd.Guardian == "" && !slices.Contains(cmd.Types, request.Guardian) || s.GuardianAt(cmd.Guardian, at) {
		return nil
	}
	return errNoGuardian
}

// Guardians returns everybody who is or was the person's guardian.
func (s Subject) Guardians() []Guardianship { return s.guardians }

// lapsed reports whether y is a guardian's grant that no longer counts at the
// moment at, because the child is 14 by then. It returns since when. An age that
// was voided restores no grant from before it was.
func (s *Subject) lapsed(y *said, at deadline.Instant) (deadline.Instant, bool) {
	if y.kind != policy.GuardianConsent {
		return 0, false
	}
	for _, a := range s.ages {
		if a.band > ChildUnder14 && a.Later() <= at && (a.voided == 0 || !y.saidAfter(a.voided)) {
			return a.Later(), true
		}
	}
	return 0, false
}

// tooYoung reports whether y is a grant of one's own from before one was 14, as
// far as is known at the moment at: who is found to be a child was one before.
// If that was a mistake, what was said by then is asked for again.
func (s *Subject) tooYoung(y *said, at deadline.Instant) bool {
	if y.kind == policy.GuardianConsent {
		return false
	}
	// until zero: to this day; or until it was found to be a mistake
	child, until, mistake := false, deadline.Instant(0), false
	for _, a := range s.ages {
		switch {
		case a.band == ChildUnder14 && a.Earlier() <= at:
			child, until, mistake = true, a.voided, a.voided != 0
		case a.band > ChildUnder14 && a.Later() <= at && a.voided == 0 && (until == 0 || a.Later() < until):
			until, mistake = a.Later(), false
		}
	}
	return child && (until == 0 || y.Later() < until || mistake && !y.saidAfter(until))
}

// unfounded reports whether y is the grant of somebody whose verification as the
// person's guardian was a mistake.
func (s *Subject) unfounded(y *said) bool {
	mistaken := false
	for _, h := range s.guardians {
		if y.more().guardian == "" || h.Guardian != y.more().guardian || h.From > y.Later() {
			continue
		}
		if h.Voided == 0 {
			return false
		}
		mistaken = true
	}
	return mistaken
}

// mayLift reports whether the grant y can bring back what the opt-out n took, apart
// from when they were said: whoever opted out for a child is who grants. A
// guardian's opt-out stands until the same guardian grants too; it lapses when the
// child is 14, if it is from before that, and when the child is an adult. After
// the child's own opt-out, a guardian's grant takes the child's own beside it.
func (s *Subject) mayLift(y, n *said, p policy.PurposeID, at deadline.Instant, ref *Reference) bool {
	switch {
	case y.more().guardian == n.more().guardian, n.more().voided != 0 && y.saidAfter(n.more().voided):
		return true
	case n.more().guardian == "":
		return s.assented(n, p, at, ref)
	}
	then, _ := s.Band(n.Earlier())
	now, _ := s.Band(y.Later())
	if y.more().guardian == "" && (now == Adult || then == ChildUnder14 && now.Minor() && now != ChildUnder14) {
		return true
	}
	return s.mistaken(n.more().guardian, y) || s.assented(n, p, at, ref)
}

// assented reports whether who said the opt-out n granted later, even by a grant that
// does not count by itself because of the person's age.
func (s *Subject) assented(n *said, p policy.PurposeID, at deadline.Instant, ref *Reference) bool {
	for _, y := range s.said {
		if y.no != 0 || y.more().guardian != n.more().guardian || y.Later() > at || !y.overrides(&n.Fact) ||
			isVoided(y, ref) || s.unfounded(y) {
			continue
		}
		if item := y.item(p); item != nil &&
			(item.Short == "" || item.Short == NeedsGuardian || item.Short == GuardianLapsed) {
			return true
		}
	}
	return false
}

// mistaken reports whether every verification of a guardian was voided before
// the grant y was said.
func (s *Subject) mistaken(g GuardianRef, y *said) bool {
	any := false
	for _, h := range s.guardians {
		if h.Guardian != g {
			continue
		}
		if h.Voided == 0 || !y.saidAfter(h.Voided) {
			return false
		}
		any = true
	}
	return any
}

// recordAge answers AgeRecorded. A child's data that no guardian consented to
// are found by it.
func (s Subject) recordAge(e AgeRecorded, ref Reference, at deadline.Instant) ([]Event, error) {
	if e.Band == AgeUnknown || !form.IsName(e.Basis, 64) {
		return nil, refusal.New(refusal.Incomplete, "say the band of age and, by a code, how it is known")
	}
	events := []Event{e}
	if e.Band == ChildUnder14 && s.processed() && !s.guarded(ref, at) {
		events = append(events, MinorDataFound{e.Band})
	}
	return events, nil
}

// processed reports whether the person's data may have been processed: they
// granted something once.
func (s Subject) processed() bool {
	for _, y := range s.said {
		if y.no == 0 {
			return true
		}
	}
	return false
}

// guarded reports whether a guardian's consent stands for anything.
func (s Subject) guarded(ref Reference, at deadline.Instant) bool {
	for _, y := range s.said {
		if y.no != 0 || y.Event.(ConsentGiven).Kind != policy.GuardianConsent {
			continue
		}
		for _, item := range y.Event.(ConsentGiven).Items {
			if st := s.Standing(item.Purpose, at, ref); st.Status == Given && st.Guardian != "" {
				return true
			}
		}
	}
	return false
}
