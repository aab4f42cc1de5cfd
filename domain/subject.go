package domain

import "fmt"

// A Subject is what one person said to one app, by its facts. The zero Subject
// said nothing.
type Subject struct {
	said        []said
	permissions []PermissionState
	notices     []EventID
	known       []EventID // every fact, for record.voided
}

// said is a yes or a no.
type said struct {
	Fact
	no     Status // Refused or Withdrawn; zero for a yes
	scope  Scope  // of a no
	voided bool
}

// A PermissionState is the last word on an OS permission.
type PermissionState struct {
	Permission PermissionID
	Change     PermissionChange
	Since      Instant
	Because    EventID
}

// Permissions returns the last word on every OS permission that was heard of.
func (s Subject) Permissions() []PermissionState { return s.permissions }

// yesFrom is when a yes begins to count: the later of its two times.
func (f Fact) yesFrom() Instant { return max(f.At, f.Recorded) }

// noFrom is when a no begins to count: the earlier of its two times.
func (f Fact) noFrom() Instant { return min(f.At, f.Recorded) }

// overrides reports whether the yes y was said after the no n, so that no
// wrong clock can make it seem so. If one source numbered both, its numbers
// decide: they are the only order in which no clock takes part. A source that
// starts numbering anew must take a new name, or its yes stays behind its no.
// Otherwise y must be later in both of its times.
func (y Fact) overrides(n Fact) bool {
	if y.Source == n.Source && y.Sequence != 0 && n.Sequence != 0 {
		return y.Sequence > n.Sequence
	}
	return y.At > n.At && y.Recorded > n.Recorded
}

// Evolve returns s as it is after f. It never fails: a fact cannot be refused.
func (s Subject) Evolve(f Fact) Subject {
	s.known = add(s.known, f.ID)
	switch e := f.Event.(type) {
	case ConsentGiven:
		s.said = add(s.said, said{Fact: f})
	case ConsentRefused:
		s.said = add(s.said, said{Fact: f, no: Refused, scope: e.Scope})
	case ConsentWithdrawn:
		s.said = add(s.said, said{Fact: f, no: Withdrawn, scope: e.Scope})
	case PermissionRevoked:
		if len(e.Withdraws) > 0 {
			s.said = add(s.said, said{Fact: f, no: Withdrawn, scope: Scope{Purposes: e.Withdraws}})
		}
		s.permissions = permit(s.permissions, PermissionState{e.Permission, Revoked, f.noFrom(), f.ID})
	case PermissionGranted:
		s.permissions = permit(s.permissions, PermissionState{e.Permission, Granted, f.yesFrom(), f.ID})
	case PermissionDenied:
		s.permissions = permit(s.permissions, PermissionState{e.Permission, Denied, f.noFrom(), f.ID})
	case NoticePresented:
		s.notices = add(s.notices, f.ID)
	case PolicyAcknowledged:
		// says nothing about consent
	case RecordVoided:
		s.said = void(s.said, e.Records)
	case AppRegistered, PolicyPublished:
		panic(fmt.Sprintf("domain: event %T is not about a subject", e))
	default:
		panic(fmt.Sprintf("domain: event %T has no case in Subject.Evolve", e))
	}
	return s
}

// add appends without touching the array that s shares with older states.
func add[T any](s []T, v T) []T { return append(s[:len(s):len(s)], v) }

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

func void(all []said, ids []EventID) []said {
	out := append([]said(nil), all...)
	for i := range out {
		for _, id := range ids {
			out[i].voided = out[i].voided || out[i].ID == id
		}
	}
	return out
}
