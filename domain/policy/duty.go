package policy

import (
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
)

// A DutyRule says what is owed when something happened, beside replies to
// requests, which [Right] says.
type DutyRule struct {
	ID      string
	Section string   // of the policy or the law
	On      []string // the kinds of facts that open it: "consent.withdrawn"
	When    []Field  // members that such a fact must have; "|" stands between values
	Kind    DutyKind
	Rules   []deadline.RuleID // all open; the earliest binds
	Start   string            // when the clock starts, see [StartOwn]
	Each    DutyEach
	MetBy   []string // the facts that meet it, see [MeetsBy]
	Renews  bool     // a fact that opens it takes the place of the one before: what that opened is void
}

// When the clock of a duty starts. A name with a dot in it is a kind of fact:
// the first of that kind in the stream, as when an incident was detected; any
// other is the member with the date.
const (
	StartOwn    = ""       // at the time of the fact that opens it
	StartStream = "stream" // at that of the first fact of its stream
)

// Opens reports whether a fact of a kind, with these members, opens the duty.
func (d DutyRule) Opens(kind string, members []Field) bool {
	if !slices.Contains(d.On, kind) {
		return false
	}

	return !slices.ContainsFunc(d.When, func(w Field) bool {
		return !slices.Contains(strings.Split(w.Value, "|"), FieldOf(members, w.Name))
	})
}

// MeetsBy reports whether a fact of a kind, with these members, is one of those
// that meet a duty. Each of them is a kind, and after it the members that such a
// fact must have: "audit.finished minors=yes".
func MeetsBy(metBy []string, kind string, members []Field) bool {
	return slices.ContainsFunc(metBy, func(one string) bool {
		name, wants, _ := strings.Cut(one, " ")
		if name != kind {
			return false
		}

		return !slices.ContainsFunc(strings.Fields(wants), func(want string) bool {
			member, value, _ := strings.Cut(want, "=")
			return FieldOf(members, member) != value
		})
	})
}

// DutyEach says how often a duty is owed for one fact.
type DutyEach uint8

const (
	DutyOnce       DutyEach = iota
	DutyEachSystem          // by every system and recipient that has the purposes' data
)

var dutyEaches = form.Codes{"once", "system"}

func (e DutyEach) String() string { return dutyEaches.Name(uint8(e)) }

// ParseDutyEach reads what [DutyEach.String] writes.
func ParseDutyEach(s string) (DutyEach, error) {
	return form.ParseCode[DutyEach](s, dutyEaches, "how often a duty is owed")
}

// A DutyKind is what is owed: "reply", "stop", "delete". It is a name.
type DutyKind string

// The duties that the ledger itself knows. A policy may name others.
const (
	DutyReply  DutyKind = "reply"
	DutyStop   DutyKind = "stop"
	DutyDelete DutyKind = "delete"
	DutyKeep   DutyKind = "keep" // until its date: done when the date has come
)
