package domain

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

var ageBands = codes{"", "under-14", "14", "15-17", "adult"}

func (b AgeBand) String() string { return ageBands.name(uint8(b)) }

// ParseAgeBand reads what [AgeBand.String] writes.
func ParseAgeBand(s string) (AgeBand, error) { return parseCode[AgeBand](s, ageBands, "an age band") }

// Minor reports whether the band is below 18.
func (b AgeBand) Minor() bool { return b != AgeUnknown && b != Adult }

// Band returns the band that is known at the moment at, and the fact that says
// so. A younger band counts from the earlier of its fact's times, an older one
// from the later, so that no wrong clock makes a child an adult.
func (s Subject) Band(at Instant) (AgeBand, EventID) {
	var known aged
	for _, a := range s.ages {
		from := a.yesFrom()
		if a.band == ChildUnder14 {
			from = a.noFrom()
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
	band AgeBand
}

// A Guardianship is a span in which somebody is a person's guardian.
type Guardianship struct {
	Guardian    GuardianRef
	From, Until Instant // Until zero: it goes on
	Because     EventID
}

// GuardianAt reports whether somebody is the person's guardian at the moment
// at. From 18 on nobody is.
func (s Subject) GuardianAt(g GuardianRef, at Instant) bool {
	if band, _ := s.Band(at); band == Adult {
		return false
	}
	for _, h := range s.guardians {
		if h.Guardian == g && h.From <= at && (h.Until == 0 || at < h.Until) {
			return true
		}
	}
	return false
}

// Guardians returns everybody who is or was the person's guardian.
func (s Subject) Guardians() []Guardianship { return s.guardians }

// lapsed reports whether y is a guardian's yes that no longer counts at the
// moment at, because the child is 14 by then. It returns since when.
func (s *Subject) lapsed(y *said, at Instant) (Instant, bool) {
	if y.kind != GuardianConsent {
		return 0, false
	}
	for _, a := range s.ages {
		if a.band > ChildUnder14 && a.yesFrom() <= at {
			return a.yesFrom(), true
		}
	}
	return 0, false
}

// tooYoung reports whether y is a yes of one's own from before one was 14, as
// far as is known at the moment at: who is found to be a child was one before.
func (s *Subject) tooYoung(y *said, at Instant) bool {
	if y.kind == GuardianConsent {
		return false
	}
	child, until := false, Instant(0) // until zero: to this day
	for _, a := range s.ages {
		switch {
		case a.band == ChildUnder14 && a.noFrom() <= at:
			child, until = true, 0
		case a.band > ChildUnder14 && a.yesFrom() <= at && until == 0:
			until = a.yesFrom()
		}
	}
	return child && (until == 0 || y.yesFrom() < until)
}

// recordAge answers AgeRecorded. A child's data that no guardian consented to
// are found by it.
func (s Subject) recordAge(e AgeRecorded, ref Reference, at Instant) ([]Event, error) {
	if e.Band == AgeUnknown || !isName(e.Basis, 64) {
		return nil, refuse(Incomplete, "say the band of age and, by a code, how it is known")
	}
	events := []Event{e}
	if e.Band == ChildUnder14 && s.processed() && !s.guarded(ref, at) {
		events = append(events, MinorDataFound{e.Band})
	}
	return events, nil
}

// processed reports whether the person's data may have been processed: they
// said yes to something once.
func (s Subject) processed() bool {
	for _, y := range s.said {
		if y.no == 0 {
			return true
		}
	}
	return false
}

// guarded reports whether a guardian's consent stands for anything.
func (s Subject) guarded(ref Reference, at Instant) bool {
	for _, y := range s.said {
		if y.no != 0 || y.Event.(ConsentGiven).Kind != GuardianConsent {
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
