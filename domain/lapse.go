package domain

import (
	"slices"
	"strings"

	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// A Lapse is a consent that expired or went stale, for some of its purposes.
type Lapse struct {
	Status   Status // Expired or Stale
	Grant    ident.EventID
	Since    deadline.Instant
	Purposes []policy.PurposeID

	// Of a stale consent: the first version of the policy that made it so.
	Policy  string
	Version content.Hash
}

// Lapses returns the consents of s that have expired or are stale at the moment at. Of
// each purpose it is the consent that decides; see [Subject.Standing].
func (s Subject) Lapses(at deadline.Instant, ref Reference) (all []Lapse) {
	for _, p := range s.granted() {
		st := s.standing(p, at, &ref)
		if st.Status != Expired && st.Status != Stale {
			continue
		}

		l := Lapse{Status: st.Status, Grant: st.Because[0], Since: st.Since}
		if stale := s.staleOf(st, p, at, &ref); stale != nil {
			l.Policy, l.Version = stale.By.Document.Name, stale.By.Version
		}
		i := slices.IndexFunc(all, func(o Lapse) bool {
			return o.Status == l.Status && o.Grant == l.Grant && o.Since == l.Since && o.Version == l.Version
		})
		if i < 0 {
			i, all = len(all), append(all, l)
		}
		all[i].Purposes = append(all[i].Purposes, p)
	}
	return all
}

// LapseOf returns how a consent to a purpose lapses that is given by the fact f: when it
// ends by itself, zero if it does not, and whether it is expired or stale at the moment
// at. It looks at nothing else that the person said.
func LapseOf(
	f Fact, p policy.PurposeID, at deadline.Instant, policies Policies,
) (ends deadline.Instant, status Status) {
	e := f.Event.(ConsentGiven)
	st := Standing{
		Status: Given, Until: e.Until, Policy: e.Policy, Version: e.Version, Rules: f.Rules, Alone: e.Alone(),
	}
	for _, end := range e.Ends {
		if end.Purpose == p && (st.Until == 0 || end.Until < st.Until) {
			st.Until = end.Until
		}
	}
	return st.Until, st.By(at, p, policies)
}

// checkLapse refuses to say of a consent that it expired or is stale if it is not.
func (s Subject) checkLapse(n Noted, ref Reference, at deadline.Instant) error {
	want := Expired
	switch n.Kind {
	case catalog.ConsentExpired:
	case catalog.ConsentStale:
		want = Stale
	default:
		return nil
	}

	for name := range strings.SplitSeq(n.Field("purposes"), ",") {
		if s.standing(policy.PurposeID(name), at, &ref).Status != want {
			return refusal.At(refusal.IllegalMove, "data.purposes",
				"the consent to "+refusal.Quote(name)+" is not "+want.String()+" any more")
		}
	}
	return nil
}

// noteOfPerson answers Noted about a person.
func (s Subject) noteOfPerson(n Noted, ref Reference, at deadline.Instant) error {
	if r, _ := catalog.NoteRuleOf(n.Kind); r.Own && (ref.By.App || ref.By.Principal != ident.Ledger) {
		return ErrOwnNote
	}
	if err := n.check(true); err != nil {
		return err
	}
	return s.checkLapse(n, ref, at)
}
