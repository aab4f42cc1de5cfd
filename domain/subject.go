package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/link"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
)

// A Subject is what one person said to one app, and what was found out about
// them, by its facts. The zero Subject said nothing.
type Subject struct {
	said        []*said // shared: none is changed
	permissions []PermissionState
	notices     []Fact
	read        []content.Hash  // the versions acknowledged
	readBy      []ident.EventID // and by which facts
	known       []known         // every fact, for record.voided
	disputes    []dispute
	since       deadline.Instant // when the first fact was recorded
	began       deadline.Instant // the earlier of its times
	ages        []aged
	guardians   []Guardianship
	links       []link.Link
	exemptions  []exemption
	holds       []span
	limits      []span           // storage only
	tests       []ident.EventID  // that say that this is no person
	ended       deadline.Instant // zero: the history goes on
	requests    []made
	ordered     ident.EventID // to erase the person; zero: nobody did
	erased      deadline.Instant
	proof       *ProofState // of who is erased; nil: none was kept; shared
	signals     bool        // some no is a machine's signal
}

// said is a grant or an opt-out. There is one for nearly every record of everybody who is in
// memory, so what few say lies apart.
type said struct {
	Fact
	items   Derived // of a grant, as its event has them
	kind    policy.ConsentKind
	no      Status // Refused or Withdrawn; zero for a grant
	crossed bool   // it was said in a linked history
	ended   bool   // nobody said it: the history ended
	rest    *rest  // nil: all of it is zero; shared: it is never changed
}

// Derived are the purposes of a grant. They stand in its event, and beside it for speed:
// whoever keeps a state leaves them out, and calls [Subject.Derive] on what was kept.
type Derived []Item

// Derive adds what is derived to a state that nobody else has yet.
func (s Subject) Derive() {
	for _, x := range s.said {
		if e, yes := x.Event.(ConsentGiven); yes && x.no == 0 {
			x.items = e.Items
		}
	}
}

// A rest is what most answers do not say.
type rest struct {
	scope  policy.Scope       // of an opt-out
	added  []policy.PurposeID // of an opt-out: those of which only what a version added is refused
	until  deadline.Instant   // of a grant
	ends   []End
	voided deadline.Instant // zero: not
	used   deadline.Instant // of a single-use grant; zero: not yet

	guardian GuardianRef // who said it; empty: the person
}

var noRest rest

// more returns the rest of an answer, which is not to be changed.
func (x *said) more() *rest {
	if x.rest == nil {
		return &noRest
	}
	return x.rest
}

// alter changes the rest of an answer that is the caller's.
func (x *said) alter(change func(*rest)) {
	r := *x.more()
	change(&r)
	x.rest = &r
}

// yesOf returns what the fact of a consent says.
func yesOf(f Fact, e ConsentGiven) *said {
	y := &said{Fact: f, items: e.Items, kind: e.Kind}
	if e.Until != 0 || len(e.Ends) > 0 || e.Guardian != "" {
		y.rest = &rest{until: e.Until, ends: e.Ends, guardian: e.Guardian}
	}
	return y
}

// A span is from one fact to another.
type span struct {
	from, until deadline.Instant // until zero: it goes on
	id          ident.EventID
	endedBy     ident.EventID
}

func (s span) holds(at deadline.Instant) bool { return s.from <= at && (s.until == 0 || at < s.until) }

// Ended returns when the history was ended, zero if it goes on: the outside id
// is somebody else's from then on.
func (s Subject) Ended() deadline.Instant { return s.ended }

// Since returns when the first fact of the history was recorded, zero if there
// is none.
func (s Subject) Since() deadline.Instant { return s.since }

// Began returns when the history began: when the first fact happened, or was
// recorded if that was earlier; zero if there is none. Nothing that is dated
// before it joins the history, see [Predates].
func (s Subject) Began() deadline.Instant { return s.began }

// AgreedBefore reports whether the history holds a grant that was recorded
// before the statement of that id.
func (s Subject) AgreedBefore(id ident.EventID) bool {
	for _, x := range s.said {
		if x.ID == id {
			return false
		}
		if x.no == 0 {
			return true
		}
	}
	return false
}

// IsTest reports whether this is no person but a test.
func (s Subject) IsTest() bool { return len(s.tests) > 0 }

// A PermissionState is the last word on an OS permission.
type PermissionState struct {
	Permission policy.PermissionID
	Change     PermissionChange
	Since      deadline.Instant
	Because    ident.EventID
}

// Permissions returns the last word on every OS permission that was heard of.
func (s Subject) Permissions() []PermissionState { return s.permissions }

// Later is when a grant begins to count: the later of its two times.
func (f *Fact) Later() deadline.Instant { return max(f.At, f.Recorded) }

// Earlier is when an opt-out begins to count: the earlier of its two times.
func (f *Fact) Earlier() deadline.Instant { return min(f.At, f.Recorded) }

// saidAfter reports whether both times of a grant are after the moment at which
// something was found to be a mistake: no fast clock makes a grant of before it
// one of after it.
func (f *Fact) saidAfter(at deadline.Instant) bool { return f.Earlier() > at }

// overrides reports whether the grant y was said after the opt-out n, so that no
// wrong clock can make it seem so. If one source numbered both, its numbers
// decide, unless both times say that the opt-out is later: then the source counted
// anew, or two devices count under one name, and the opt-out stands. A grant with the
// lower number stays behind its opt-out, whatever the clocks say: a source that
// counts anew takes a new name, or the person is asked again. Without numbers y
// must be later in both of its times.
func (y *Fact) overrides(n *Fact) bool {
	if y.Source == n.Source && y.Sequence != 0 && n.Sequence != 0 {
		return y.Sequence > n.Sequence && !y.outdated(n)
	}
	return y.At > n.At && y.Recorded > n.Recorded
}

// outdated reports whether both times say that the opt-out n is later than the grant
// y. A clock that is ahead of the ledger's proves nothing: y was said no later
// than it was recorded. Facts of before the rule are outdated by nothing.
func (y *Fact) outdated(n *Fact) bool {
	return max(y.Rules, n.Rules) > 0 && n.At > y.Earlier() && n.Recorded > y.Recorded
}

// follows reports whether the grant y was said after the grant z, or with it and
// recorded after it.
func (y *Fact) follows(z *Fact) bool {
	numbered := y.Source == z.Source && y.Sequence != 0 && z.Sequence != 0
	return y.overrides(z) || !numbered && y.At == z.At && y.Recorded > z.Recorded
}

// Evolve returns s as it is after f. It never fails: a fact cannot be refused.
func (s Subject) Evolve(f Fact) Subject { return s.Fold(f, lists.Shared) }

// Fold is [Subject.Evolve] for a caller who owns as much of s as it says.
func (s Subject) Fold(f Fact, own lists.Own) Subject {
	s.known = lists.Add(own, s.known, known{f.ID, RuleOf(f.Event).lasts})
	if s.since == 0 {
		s.since, s.began = f.Recorded, f.Earlier()
	}

	switch e := f.Event.(type) {
	case ConsentGiven:
		s.said = lists.Add(own, s.said, yesOf(f, e))
	case ConsentRefused:
		s.said = lists.Add(own, s.said, &said{Fact: f, no: Refused,
			rest: &rest{scope: e.Scope, added: e.Added, guardian: e.Guardian}})
		s.signals = s.signals || e.Signal
	case ConsentWithdrawn:
		s.said = lists.Add(own, s.said, &said{Fact: f, no: Withdrawn,
			rest: &rest{scope: e.Scope, guardian: e.Guardian}})
		s.signals = s.signals || e.Signal
	case SubjectReassigned, SubjectClosed:
		s.ended = f.Recorded
		s.said = lists.Add(own, s.said,
			&said{Fact: f, no: Withdrawn, rest: &rest{scope: policy.Scope{All: true}}, ended: true})
	case ConsentUsed:
		s.said = use(own, s.said, e.Consents, f.Earlier())
	case PermissionRevoked:
		if len(e.Withdraws) > 0 {
			s.said = lists.Add(own, s.said,
				&said{Fact: f, no: Withdrawn, rest: &rest{scope: policy.Scope{Purposes: e.Withdraws}}})
		}
		s.permissions = permit(s.permissions, PermissionState{e.Permission, Revoked, f.Earlier(), f.ID})
	case PermissionGranted:
		s.permissions = permit(s.permissions, PermissionState{e.Permission, Granted, f.Later(), f.ID})
	case PermissionDenied:
		s.permissions = permit(s.permissions, PermissionState{e.Permission, Denied, f.Earlier(), f.ID})
	case NoticePresented:
		s.notices = lists.Add(own, s.notices, f)
	case PolicyAcknowledged:
		s.read, s.readBy = lists.Add(own, s.read, e.Version), lists.Add(own, s.readBy, f.ID)
	case RecordVoided:
		return s.void(e.Records, f, own)
	case RecordDisputed:
		s.disputes = lists.Add(own, s.disputes, dispute{f.ID, e.Records})
	default:
		return s.foldPerson(f, own)
	}
	return s
}

// foldPerson is Fold for what is not an answer.
func (s Subject) foldPerson(f Fact, own lists.Own) Subject {
	switch e := f.Event.(type) {
	case AgeRecorded:
		s.ages = lists.Add(own, s.ages, aged{f, e.Band, 0})
	case GuardianVerified:
		s.guardians = lists.Add(own, s.guardians, Guardianship{Guardian: e.Guardian, From: f.Later(), Because: f.ID})
	case GuardianEnded:
		s.guardians = endGuardian(own, s.guardians, e.Guardian, f.Earlier())
	case SubjectLinked:
		s.links = lists.Add(own, s.links, link.Link{Other: e.Other, From: f.Earlier(), Because: f.ID, Rules: f.Rules})
	case SubjectUnlinked:
		s.links = link.End(own, s.links, e.Other, f.Later(), f.ID)
	case ExemptionInvoked:
		s.exemptions = lists.Add(own, s.exemptions, exemption{e, f.Later(), 0, f.ID})
	case ExemptionEnded:
		s.exemptions = endExemption(own, s.exemptions, e, f)
	case HoldPlaced:
		s.holds = lists.Add(own, s.holds, span{from: f.Earlier(), id: f.ID})
	case HoldReleased:
		s.holds = endSpans(own, s.holds, f)
	case RestrictionApplied:
		s.limits = lists.Add(own, s.limits, span{from: f.Earlier(), id: f.ID})
	case RestrictionLifted:
		s.limits = endSpans(own, s.limits, f)
	case SubjectMarkedTest:
		s.tests = lists.Add(own, s.tests, f.ID)
	case ErasureOrdered:
		s.ordered, s.proof = f.ID, s.foldProof(f)
		if s.ended == 0 {
			s.ended = f.Recorded
		}
		s.said = lists.Add(own, s.said, &said{Fact: f, no: Withdrawn, rest: &rest{scope: policy.Scope{All: true}}})
	case SubjectErased:
		s.erased = f.Recorded
	case ProofDisclosed, DestructionOrdered, ProofDestroyed:
		s.proof = s.foldProof(f)
	case RequestMade:
		s.requests = lists.Add(own, s.requests, made{e, f.Earlier()})
	case Noted:
		// nothing that is answered follows from it
	default:
		MustBeIdle(e, ident.SubjectNoun)
	}
	return s
}

// notice returns the fact that a notice was presented.
func (s Subject) notice(id ident.EventID) (Fact, bool) {
	for _, f := range s.notices {
		if f.ID == id {
			return f, true
		}
	}
	return Fact{}, false
}

// permit replaces the word on a permission unless the older word is newer.
func permit(states []PermissionState, p PermissionState) []PermissionState {
	out := make([]PermissionState, 0, len(states)+1)
	for _, q := range states {
		if q.Permission != p.Permission {
			out = append(out, q)
		} else if q.Since > p.Since {
			p = q
		}
	}
	return append(out, p)
}

// use marks consents as used. Nearly always they are among the newest.
func use(own lists.Own, all []*said, ids []ident.EventID, at deadline.Instant) []*said {
	copied := own == lists.Alone
	for i, left := len(all)-1, len(ids); i >= 0 && left > 0; i-- {
		if !slices.Contains(ids, all[i].ID) {
			continue
		}
		if left--; all[i].no != 0 {
			continue
		}
		if !copied {
			all, copied = slices.Clone(all), true
		}
		all[i] = all[i].owned(own)
		all[i].alter(func(r *rest) { r.used = at })
	}
	return all
}

// owned returns x as it may be changed.
func (x *said) owned(own lists.Own) *said {
	if own == lists.Alone {
		return x
	}
	y := *x
	return &y
}

func endGuardian(own lists.Own, all []Guardianship, g GuardianRef, at deadline.Instant) []Guardianship {
	return lists.Altered(own, all, func(h *Guardianship) {
		if h.Guardian == g && h.Until == 0 {
			h.Until = at
		}
	})
}

func endSpans(own lists.Own, all []span, f Fact) []span {
	return lists.Altered(own, all, func(s *span) {
		if s.until == 0 {
			s.until, s.endedBy = f.Later(), f.ID
		}
	})
}
