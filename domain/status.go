package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// A Status is where a person stands with one purpose.
type Status uint8

const (
	NeverAsked Status = iota // nobody was asked, or no answer counts
	Given
	Refused
	Withdrawn
	Expired  // a grant ran out
	Stale    // a grant to a policy that has changed since
	AskAgain // an opt-out and a grant whose order no clock proves, or a voided opt-out
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
	return 0, form.Error("unknown status")
}

// A Standing is a status with its proof.
type Standing struct {
	Status   Status
	Since    deadline.Instant // from when on it holds; zero if never asked
	Until    deadline.Instant // when the grant ends, zero if it does not
	Policy   string
	Version  content.Hash // what the grant was given to
	Act      policy.ActID // how it was given
	Because  []ident.EventID
	Short    Shortfall    // why the newest grant does not count, if one falls short
	Guardian GuardianRef  // who gave the grant for the person; empty: the person
	Evidence Quality      // of the grant
	Disputed bool         // somebody says that a fact behind it is wrong
	Numbers  []uint64     // of the facts in Because, as their sources gave them; zero: none; nil: no fact has one
	Signal   policy.ActID // the machine's signal by which an opt-out was said; empty: the person said it
	Opposed  Opposition   // a signal that is at odds with the person's own word
	Rules    uint8        // of the grant, see [Rules]
	Alone    bool         // the grant is a separate consent to this purpose and nothing else
}

// By returns the status that a standing has come to by the moment at, by time
// and by what was published: its grant ran out, or grew stale.
func (st Standing) By(at deadline.Instant, p policy.PurposeID, policies Policies) Status {
	if st.Status != Given && st.Status != Stale {
		return st.Status
	}
	if st.Until != 0 && st.Until <= at {
		return Expired
	}

	if policies.Stale(st.agreement(), p, at) != nil {
		return Stale
	}
	return Given
}

// agreement returns what the consent was given to that a standing rests on.
func (st Standing) agreement() published.Agreement {
	return published.Agreement{Policy: st.Policy, Version: st.Version, Alone: st.Alone, GaveUp: st.Rules >= again}
}

// Standing returns where the person stands with purpose at the moment at, as
// far as the facts folded into s know. Facts that count from later on are left
// out; see [Fact] for when a grant and an opt-out count.
func (s Subject) Standing(p policy.PurposeID, at deadline.Instant, ref Reference) Standing {
	st := s.standing(p, at, &ref)
	if s.signals {
		st.Signal, st.Opposed = s.signalBehind(st), s.opposed(p, at, &ref)
	}
	for _, id := range st.Because {
		st.Disputed = st.Disputed || s.isDisputed(id) || s.disputedWithBuild(id, &ref)
	}
	st.Numbers = s.numbers(st.Because)
	return st
}

// numbers returns the numbers that the sources of answers gave them.
func (s *Subject) numbers(ids []ident.EventID) (numbers []uint64) {
	for i, id := range ids {
		for _, x := range s.said {
			if x.ID != id || x.Sequence == 0 {
				continue
			}
			if numbers == nil {
				numbers = make([]uint64, len(ids))
			}
			numbers[i] = x.Sequence
		}
	}
	return numbers
}

// disputedWithBuild reports whether an answer is disputed with all of its build.
func (s *Subject) disputedWithBuild(id ident.EventID, ref *Reference) bool {
	for _, x := range s.said {
		if len(ref.Service.disputes) > 0 && x.ID == id && ref.Service.disputed(&x.Fact) {
			return true
		}
	}
	return false
}

// standing looks at every answer once for every purpose that is asked about, on
// every grant: it copies none of them.
func (s *Subject) standing(p policy.PurposeID, at deadline.Instant, ref *Reference) Standing {
	var few [4]*said
	optOuts := s.optOuts(few[:0], p, at)
	last, voids := lastOptOut(optOuts, ref)
	var best, blocked *said    // the grant that counts longest; the newest that an opt-out stands in the way of
	var fell *said             // the newest that falls short
	var until deadline.Instant // when best ends, by itself or with a newer one
	var short Shortfall
	for _, y := range s.said {
		if y.no != 0 || y.Later() > at || isVoided(y, ref) {
			continue
		}
		item := y.item(p)
		switch {
		case item == nil:
		case item.Short != "" || s.tooYoung(y, at) || s.unfounded(y):
			if fell == nil || y.Later() >= fell.Later() {
				fell, short = y, item.Short
			}
			if short == "" {
				short = NeedsGuardian
			}
		case !stands(y, optOuts, p, ref):
			if blocked == nil || y.Later() >= blocked.Later() {
				blocked = y
			}
		case !s.speaks(y, optOuts, p, at, ref):
			// somebody else's opt-out still holds
		case best == nil || s.longer(y, best, p, at, ref):
			best = y
		}
	}

	if best != nil {
		best, until = s.newest(best, optOuts, p, at, ref)
	}

	switch {
	case best != nil:
		st := s.given(best, p, at, ref)
		st.Until = until
		if fell != nil && fell.Later() > best.Later() {
			st.Short = short
		}
		return st
	case last != nil && (blocked == nil || blocked.Later() <= last.Earlier()):
		return Standing{Status: last.no, Since: last.Earlier(), Because: []ident.EventID{last.ID}, Short: short}
	case last != nil:
		return Standing{Status: AskAgain, Since: last.Earlier(), Because: []ident.EventID{last.ID, blocked.ID},
			Short: short}
	case len(voids) > 0:
		return Standing{Status: AskAgain, Because: voids, Short: short}
	}
	return Standing{Short: short}
}

// optOuts appends the opt-outs about a purpose that count at the moment at, voided ones
// too. A history may hold thousands of answers: who looks for what stands in the
// way of each looks at these alone, and begins with the last.
func (s *Subject) optOuts(list []*said, p policy.PurposeID, at deadline.Instant) []*said {
	for i, n := range s.said {
		if n.no == 0 || n.Earlier() > at || !n.more().scope.Covers(p) {
			continue
		}
		if len(list) == cap(list) {
			list = slices.Grow(list, len(s.said)-i) // once: there may be as many
		}
		list = append(list, n)
	}
	return list
}

// lastOptOut returns the newest of optOuts, nil if there is none, and those that were
// voided.
func lastOptOut(optOuts []*said, ref *Reference) (last *said, voids []ident.EventID) {
	for _, n := range optOuts {
		if isVoided(n, ref) {
			voids = append(voids, n.ID)
		} else if last == nil || newerOptOut(n, last) {
			last = n
		}
	}
	return last, voids
}

// isVoided reports whether an answer was a mistake, by itself or with all of
// its build.
func isVoided(x *said, ref *Reference) bool {
	if x.more().voided != 0 || len(ref.Service.voids) == 0 {
		return x.more().voided != 0
	}
	_, bulk := ref.Service.void(&x.Fact)
	return bulk
}

// Voided reports whether an answer of the history was a mistake. The build's void
// is by what it was voided, with all that the build recorded; zero: by a fact of
// the history, which may be both.
func (s Subject) Voided(id ident.EventID, ref Reference) (build ident.EventID, is bool) {
	for _, x := range s.said {
		if x.ID != id {
			continue
		}
		if x.more().voided != 0 {
			return ident.EventID{}, true
		}
		return ref.Service.void(&x.Fact)
	}
	return ident.EventID{}, false
}

// stands reports whether none of the opt-outs that count is in the way of the grant y.
// A voided opt-out is: voiding it never restores a grant.
func stands(y *said, optOuts []*said, p policy.PurposeID, ref *Reference) bool {
	for _, n := range slices.Backward(optOuts) {
		if !y.overrides(&n.Fact) && !n.leaves(y, p, ref) {
			return false
		}
	}
	return true
}

// leaves reports whether the opt-out n leaves the grant y as it is: it refuses only
// what a version added, and y is to one from before.
func (n *said) leaves(y *said, p policy.PurposeID, ref *Reference) bool {
	return slices.Contains(n.more().added, p) &&
		ref.Policies.Precedes(y.given().Version, n.Event.(ConsentRefused).Version)
}

// declined returns since when what came after the version of a grant is refused,
// zero if it is not. An opt-out that was voided refuses nothing, and restores nothing.
func (s *Subject) declined(
	p policy.PurposeID, version content.Hash, at deadline.Instant, ref Reference,
) (since deadline.Instant) {
	for _, n := range s.said {
		if !slices.Contains(n.more().added, p) || n.Earlier() > at || isVoided(n, &ref) {
			continue
		}
		if ref.Policies.Precedes(version, n.Event.(ConsentRefused).Version) {
			since = max(since, n.Earlier())
		}
	}
	return since
}

// speaks reports whether whoever said the grant y may lift every opt-out before it:
// see [Subject.mayLift].
func (s *Subject) speaks(y *said, optOuts []*said, p policy.PurposeID, at deadline.Instant, ref *Reference) bool {
	for _, n := range slices.Backward(optOuts) {
		if n.more().guardian != y.more().guardian && !n.leaves(y, p, ref) && !s.mayLift(y, n, p, at, ref) {
			return false
		}
	}
	return true
}

// newerOptOut orders opt-outs by when they count from; of two at once a withdrawal
// comes before a refusal.
func newerOptOut(a, b *said) bool {
	if a.Earlier() != b.Earlier() {
		return a.Earlier() > b.Earlier()
	}
	return a.no == Withdrawn && b.no == Refused
}

// longer reports whether the grant a says more than b at the moment at: it has
// not run out and b has, or is not stale and b is, or else it is newer. A grant
// that comes late to an old text takes nothing from one to a newer text.
func (s *Subject) longer(a, b *said, p policy.PurposeID, at deadline.Instant, ref *Reference) bool {
	_, overA := s.over(a, p, at)
	_, overB := s.over(b, p, at)
	if overA != overB {
		return overB
	}
	if a.given().Version != b.given().Version {
		staleA, staleB := ref.Policies.Stale(a.agreement(), p, at) != nil,
			ref.Policies.Stale(b.agreement(), p, at) != nil
		if staleA != staleB {
			return staleB
		}
	}
	return a.Later() >= b.Later()
}

// newest returns the grant that decides in the end, and when it ends: y, which says
// the most, unless another one is over that was not said before y. For the
// newest answer counts: when it ends, none from before it takes its place. Of
// several that are over it is the first that ended.
func (s *Subject) newest(
	y *said, optOuts []*said, p policy.PurposeID, at deadline.Instant, ref *Reference,
) (decides *said, until deadline.Instant) {
	decides, until = y, y.endOf(p)
	ended, _ := s.over(y, p, at)
	for _, z := range s.said {
		if z == y || z.no != 0 || z.Rules == 0 || y.follows(&z.Fact) || !s.counts(z, optOuts, p, at, ref) {
			continue
		}
		if end := z.endOf(p); end != 0 && (until == 0 || end < until) {
			until = end
		}
		if since, over := s.over(z, p, at); over && (ended == 0 || since < ended) {
			decides, ended = z, since
		}
	}
	return decides, until
}

// counts reports whether a grant is one for a purpose at the moment at, whether it
// is over by then or not: it is no mistake, does not fall short, and no no is in
// its way.
func (s *Subject) counts(y *said, optOuts []*said, p policy.PurposeID, at deadline.Instant, ref *Reference) bool {
	item := y.item(p)
	return item != nil && item.Short == "" && y.Later() <= at && !isVoided(y, ref) && !s.tooYoung(y, at) &&
		!s.unfounded(y) &&
		stands(y, optOuts, p, ref) && s.speaks(y, optOuts, p, at, ref)
}

// over reports whether a grant ran out for a purpose by the moment at, was used
// up, or was a guardian's for who is a child no more; and since when.
func (s *Subject) over(y *said, p policy.PurposeID, at deadline.Instant) (since deadline.Instant, is bool) {
	if until := y.endOf(p); until != 0 && until <= at {
		since = until
	}
	if y.more().used != 0 && y.more().used <= at && (since == 0 || y.more().used < since) {
		since = y.more().used
	}
	if lapse, lapsed := s.lapsed(y, at); lapsed && (since == 0 || lapse < since) {
		since = max(lapse, y.Later())
	}
	return since, since != 0
}

// endOf returns when a grant ends for a purpose, zero if it does not.
func (y *said) endOf(p policy.PurposeID) deadline.Instant {
	for _, e := range y.more().ends {
		if e.Purpose == p && (y.more().until == 0 || e.Until < y.more().until) {
			return e.Until
		}
	}
	return y.more().until
}

// item returns what a grant says of a purpose, nil if nothing.
func (y *said) item(p policy.PurposeID) *Item {
	for i := range y.items {
		if y.items[i].Purpose == p {
			return &y.items[i]
		}
	}
	return nil
}

func (s *Subject) given(y *said, p policy.PurposeID, at deadline.Instant, ref *Reference) Standing {
	e := y.given()
	st := Standing{
		Status: Given, Since: y.Later(), Until: y.endOf(p), Policy: e.Policy, Version: e.Version, Act: e.Act,
		Because: []ident.EventID{y.ID}, Guardian: e.Guardian, Evidence: e.Evidence.Quality,
		Alone: alone(y.kind, y.items), Rules: y.Rules,
	}
	if since, over := s.over(y, p, at); over {
		st.Status, st.Since = Expired, since
	} else if stale := ref.Policies.Stale(y.agreement(), p, at); stale != nil {
		st.Status, st.Since = Stale, max(stale.By.Effective, st.Since)
	}
	return st
}
