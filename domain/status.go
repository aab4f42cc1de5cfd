package domain

// A Status is where a person stands with one purpose.
type Status uint8

const (
	NeverAsked Status = iota // nobody was asked, or no answer counts
	Given
	Refused
	Withdrawn
	Expired  // a yes ran out
	Stale    // a yes to a policy that has changed since
	AskAgain // a no and a yes whose order no clock proves, or a voided no
)

var statusNames = [...]string{"never-asked", "given", "refused", "withdrawn", "expired", "stale", "ask-again"}

func (s Status) String() string { return statusNames[s] }

// ParseStatus reads what [Status.String] writes.
func ParseStatus(t string) (Status, error) {
	for i, name := range statusNames {
		if name == t {
			return Status(i), nil
		}
	}
	return 0, parseError("unknown status")
}

// A Standing is a status with its proof.
type Standing struct {
	Status  Status
	Since   Instant // from when on it holds; zero if never asked
	Until   Instant // when the yes ends, zero if it does not
	Policy  string
	Version Hash  // what the yes was given to
	Act     ActID // how it was given
	Because []EventID
}

// Standing returns where the person stands with purpose at the moment at, as
// far as the facts folded into s know. Facts that count from later on are left
// out; see [Fact] for when a yes and a no count.
func (s Subject) Standing(p PurposeID, at Instant, policies Policies) Standing {
	var yes, last said // the yes that counts longest; the newest no
	var blocked said   // the newest yes that a no stands in the way of
	var voids []EventID
	for _, n := range s.said {
		if n.no == 0 || n.noFrom() > at || !n.scope.covers(p) {
			continue
		}
		if n.voided {
			voids = append(voids, n.ID)
		} else if last.no == 0 || newerNo(n, last) {
			last = n
		}
	}
	for _, y := range s.said {
		if y.no != 0 || y.voided || y.yesFrom() > at || !covers(y, p) {
			continue
		}
		if s.stands(y, p, at) {
			if yes.Event == nil || longer(y, yes, at) {
				yes = y
			}
		} else if blocked.Event == nil || y.yesFrom() >= blocked.yesFrom() {
			blocked = y
		}
	}
	switch {
	case yes.Event != nil:
		return standing(yes, p, at, policies)
	case last.no != 0 && (blocked.Event == nil || blocked.yesFrom() <= last.noFrom()):
		return Standing{Status: last.no, Since: last.noFrom(), Because: []EventID{last.ID}}
	case last.no != 0:
		return Standing{Status: AskAgain, Since: last.noFrom(), Because: []EventID{last.ID, blocked.ID}}
	case len(voids) > 0:
		return Standing{Status: AskAgain, Because: voids}
	}
	return Standing{}
}

// stands reports whether no no that counts at the moment at is in the way of
// the yes y. A voided no is: voiding it never restores a yes.
func (s Subject) stands(y said, p PurposeID, at Instant) bool {
	for _, n := range s.said {
		if n.no != 0 && n.noFrom() <= at && n.scope.covers(p) && !y.overrides(n.Fact) {
			return false
		}
	}
	return true
}

// newerNo orders nos by when they count from; of two at once a withdrawal
// comes before a refusal.
func newerNo(a, b said) bool {
	if a.noFrom() != b.noFrom() {
		return a.noFrom() > b.noFrom()
	}
	return a.no == Withdrawn && b.no == Refused
}

// longer reports whether the yes a says more than b at the moment at: it has
// not run out and b has, or else it is newer.
func longer(a, b said, at Instant) bool {
	if ranOut(b, at) != ranOut(a, at) {
		return ranOut(b, at)
	}
	return a.yesFrom() >= b.yesFrom()
}

func ranOut(y said, at Instant) bool {
	until := y.Event.(ConsentGiven).Until
	return until != 0 && until <= at
}

func covers(y said, p PurposeID) bool {
	for _, item := range y.Event.(ConsentGiven).Items {
		if item.Purpose == p && item.Short == "" {
			return true
		}
	}
	return false
}

func standing(y said, p PurposeID, at Instant, policies Policies) Standing {
	e := y.Event.(ConsentGiven)
	st := Standing{Given, y.yesFrom(), e.Until, e.Policy, e.Version, e.Act, []EventID{y.ID}}
	if ranOut(y, at) {
		st.Status, st.Since = Expired, e.Until
	} else if by, stale := policies.staleBy(p, e.Version, at); stale {
		st.Status, st.Since = Stale, max(by.Effective, st.Since)
	}
	return st
}
