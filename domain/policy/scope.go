package policy

// A Scope is which purposes an opt-out is about: those named, or all there are and
// will be.
type Scope struct {
	All      bool
	Purposes []PurposeID
}

func (s Scope) Covers(p PurposeID) bool {
	if s.All {
		return true
	}
	for _, q := range s.Purposes {
		if p == q {
			return true
		}
	}
	return false
}

// A Rest is a purpose and what it rests on, if that is not consent.
type Rest struct {
	Purpose PurposeID
	Basis   LegalBasis
}
