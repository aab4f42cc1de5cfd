package domain

import (
	"slices"

	"consentledger/domain/policy"
)

// Ends returns for which purposes a fact of the history takes away a grant that
// was said before it, when it is no withdrawal: a refusal after a grant, a void of
// a grant, an age at which a guardian's grant lapses. That a guardian is one no more
// takes nothing away: their grant stands until the child is of age, or somebody
// withdraws it. A purpose may be named whose grant was over already.
func (s Subject) Ends(f Fact) []policy.PurposeID {
	var ids []policy.PurposeID
	for _, y := range s.said {
		if y.ID == f.ID {
			break
		}
		if y.no == 0 && y.Recorded <= f.Recorded && s.endsGrant(y, f) {
			for _, item := range y.items {
				if item.Short == "" && !slices.Contains(ids, item.Purpose) && s.endsPurpose(item.Purpose, f) {
					ids = append(ids, item.Purpose)
				}
			}
		}
	}
	return ids
}

func (s Subject) endsGrant(y *said, f Fact) bool {
	switch e := f.Event.(type) {
	case ConsentRefused:
		return true
	case RecordVoided:
		return slices.Contains(e.Records, y.ID)
	case AgeRecorded:
		return e.Band > ChildUnder14 && y.kind == policy.GuardianConsent && !s.grownBefore(f)
	}
	return false
}

func (s Subject) endsPurpose(p policy.PurposeID, f Fact) bool {
	e, refused := f.Event.(ConsentRefused)
	return !refused || e.Scope.Covers(p)
}

// grownBefore reports whether an earlier fact said that the person is no child.
func (s Subject) grownBefore(f Fact) bool {
	for _, a := range s.ages {
		if a.ID == f.ID {
			return false
		}
		if a.band > ChildUnder14 {
			return true
		}
	}
	return false
}
