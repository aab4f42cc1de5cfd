package domain_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/rounds"
)

const (
	t0    deadline.Instant = 1767225600000 // 2026-01-01
	noon                   = t0 + 12*3600e3
	later                  = noon + 3600e3
)

var v1 = content.Hash{1}

// ref is a policy with a purpose of each sort.
func ref() Reference {
	doc := policy.Document{
		Name: "privacy",
		Purposes: []policy.Purpose{
			{ID: "ads", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Collect, policy.Use}},
			{ID: "net", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}},
			{ID: "face", Basis: policy.BasisConsent, Separate: true, Actions: []policy.Action{policy.Use}},
			{ID: "tax", Basis: policy.BasisLegalDuty, Actions: []policy.Action{policy.Use}},
		},
		Permissions: []policy.Permission{{ID: "network", Purposes: []policy.PurposeID{"net"}}},
		Acts:        []policy.Act{{ID: "agree", Counts: policy.GeneralConsent}, {ID: "use", Counts: policy.NoConsent}, {ID: "tick", Counts: policy.SeparateConsent}},
	}
	var p Policies
	p = p.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	return Reference{Policies: p}
}

func yes(id byte, at, recorded deadline.Instant) Fact {
	return Fact{ID: ident.EventID{id}, At: at, Recorded: recorded, Event: ConsentGiven{Policy: "privacy", Version: v1, Items: []Item{{Purpose: "ads"}}}}
}

func no(id byte, at, recorded deadline.Instant) Fact {
	return Fact{ID: ident.EventID{id}, At: at, Recorded: recorded, Event: ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}}}
}

func refused(id byte, at, recorded deadline.Instant) Fact {
	return Fact{ID: ident.EventID{id}, At: at, Recorded: recorded, Event: ConsentRefused{Scope: policy.Scope{All: true}}}
}

func numbered(f Fact, seq uint64) Fact {
	f.Source, f.Sequence, f.Rules = Source{1}, seq, Rules
	return f
}

// before returns f as it was recorded before the rules had a version.
func before(f Fact) Fact {
	f.Rules = 0
	return f
}

func voidOf(ids ...byte) Fact {
	e := RecordVoided{Reason: "wrong-build", By: [2]string{"a", "b"}}
	for _, id := range ids {
		e.Records = append(e.Records, ident.EventID{id})
	}
	return Fact{ID: ident.EventID{99}, At: later, Recorded: later, Event: e}
}

func fold(facts ...Fact) (s Subject) {
	for _, f := range facts {
		s = s.Evolve(f)
	}
	return s
}

func TestStanding(t *testing.T) {
	until := func(f Fact, i deadline.Instant) Fact {
		e := f.Event.(ConsentGiven)
		e.Until = i
		f.Event = e
		return f
	}
	for _, tt := range []struct {
		name  string
		given []Fact
		at    deadline.Instant
		want  Status
		since deadline.Instant
	}{
		{"nobody asked", nil, later, NeverAsked, 0},
		{"a yes is given", []Fact{yes(1, t0, t0)}, noon, Given, t0},
		{"a yes counts from the later of its times", []Fact{yes(1, t0, noon)}, noon - 1, NeverAsked, 0},
		{"a no counts from the earlier of its times", []Fact{yes(1, t0, t0), no(2, noon, later)}, noon, Withdrawn, noon},
		{"a no that comes late leaves what was before it", []Fact{yes(1, t0, t0), no(2, noon, later)}, noon - 1, Given, t0},
		{"a no needs no yes before it", []Fact{no(1, noon, noon)}, later, Withdrawn, noon},
		{"a yes later in both times brings it back", []Fact{no(1, t0, t0), yes(2, noon, noon)}, later, Given, noon},
		{"a yes from before, delivered after, does not", []Fact{no(1, noon, noon), yes(2, t0, later)}, later, AskAgain, noon},
		{"a yes from a fast clock, delivered before, does not", []Fact{yes(1, later, t0), no(2, noon, noon)}, later, AskAgain, noon},
		{"at the same moment the no wins", []Fact{yes(1, noon, noon), no(2, noon, noon)}, later, Withdrawn, noon},
		{"of two nos at once it is withdrawn", []Fact{no(1, noon, noon), refused(2, noon, noon)}, later, Withdrawn, noon},
		{"the source's numbers beat late delivery", []Fact{numbered(no(1, noon, noon), 1), numbered(yes(2, t0, later), 2)}, later, Given, later},
		{"the source's numbers beat a wrong clock", []Fact{numbered(no(1, t0, t0), 2), numbered(yes(2, noon, noon), 1)}, later, AskAgain, t0},
		{"of two at once the source's numbers tell the order", []Fact{numbered(no(1, noon, noon), 1), numbered(yes(2, noon, noon+1), 2)}, later, Given, noon + 1},
		{"a no that is later in both times stands, whatever its number", []Fact{numbered(yes(1, t0, t0), 5000), numbered(no(2, t0+1000, t0+1000), 3)}, later, Withdrawn, t0 + 1000},
		{"so does a refusal", []Fact{numbered(yes(1, t0, t0), 5000), numbered(refused(2, t0+1000, t0+1000), 3)}, later, Refused, t0 + 1000},
		{"and one of the same number", []Fact{numbered(yes(1, t0, t0), 3), numbered(no(2, t0+1000, t0+1000), 3)}, later, Withdrawn, t0 + 1000},
		{"a clock ahead of the ledger's does not make a yes the later one", []Fact{numbered(yes(1, t0+180000, t0), 5000), numbered(no(2, t0+1000, t0+1000), 3)}, later, AskAgain, t0 + 1000},
		{"after such a no the source's next yes counts", []Fact{numbered(yes(1, t0, t0), 5000), numbered(no(2, t0+1000, t0+1000), 3), numbered(yes(3, noon, noon), 4)}, later, Given, noon},
		{"what was recorded before the rule folds as it did", []Fact{before(numbered(yes(1, t0, t0), 5000)), before(numbered(no(2, t0+1000, t0+1000), 3))}, later, Given, t0},
		{"a yes runs out", []Fact{until(yes(1, t0, t0), noon)}, noon, Expired, noon},
		{"a newer yes goes on when the older ran out", []Fact{yes(1, t0, t0), until(yes(2, t0+1, t0+1), noon)}, later, Given, t0},
		{"voiding a yes removes it", []Fact{yes(1, t0, t0), voidOf(1)}, later, NeverAsked, 0},
		{"voiding a no never restores a yes", []Fact{yes(1, t0, t0), no(2, noon, noon), voidOf(2)}, later, AskAgain, 0},
		{"after a voided no a newer yes counts", []Fact{no(1, t0, t0), voidOf(1), yes(2, later, later)}, later, Given, later},
		{"a refusal of everything covers every purpose", []Fact{yes(1, t0, t0), refused(2, noon, noon)}, later, Refused, noon},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := fold(tt.given...).Standing("ads", tt.at, ref())
			if got.Status != tt.want || got.Since != tt.since {
				t.Errorf("got %v since %v, want %v since %v", got.Status, got.Since, tt.want, tt.since)
			}
			if got.Status != NeverAsked && len(got.Because) == 0 {
				t.Error("no fact proves it")
			}
		})
	}
}

// bare is the evidence of a grant that says nothing but itself.
var bare = Evidence{Weak, []Lack{"presentation", "surface", "text", "control", "initial-state", "locale", "authoritative-text", "principal"}}

func TestDecide(t *testing.T) {
	given := func(items ...Item) []Event {
		return []Event{ConsentGiven{Policy: "privacy", Version: v1, Act: "agree", Kind: policy.GeneralConsent, Items: items, Evidence: bare}}
	}
	ads := policy.Scope{Purposes: []policy.PurposeID{"ads"}}
	for _, tt := range []struct {
		name string
		when Command
		at   deadline.Instant
		then []Event
		code refusal.Code
	}{
		{"agree covers what general consent can", GiveConsent{Act: "agree"}, noon, given(Item{"ads", ""}, Item{"net", ""}), ""},
		{"agree never covers a separate consent", GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"face"}}, noon, given(Item{"face", NeedsSeparate}), ""},
		{"use of the service gives none", GiveConsent{Act: "use", Purposes: []policy.PurposeID{"ads"}}, noon, []Event{ConsentGiven{Policy: "privacy", Version: v1, Act: "use", Items: []Item{{"ads", ActGivesNone}}, Evidence: bare}}, ""},
		{"a yes to an unknown purpose", GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"x"}}, noon, nil, refusal.UnknownPurpose},
		{"a yes by an unknown act", GiveConsent{Act: "wink"}, noon, nil, refusal.UnknownAct},
		{"a yes from the future", GiveConsent{Act: "agree"}, noon + 6*60e3, nil, refusal.AtInFuture},
		{"a yes a little ahead", GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}}, noon + 4*60e3, given(Item{"ads", ""}), ""},
		{"a yes too late", GiveConsent{Act: "agree"}, noon - 31*86400e3, nil, refusal.AtTooLate},
		{"a yes that is over", GiveConsent{Act: "agree", Until: t0}, noon, nil, refusal.AlreadyOver},
		{"a yes that came late, and is over by now", GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}, Until: noon - 1}, noon - 2, []Event{func() Event {
			e := given(Item{"ads", ""})[0].(ConsentGiven)
			e.Until = noon - 1
			return e
		}()}, ""},
		{"a withdrawal however old", WithdrawConsent{Scope: ads}, 1, []Event{ConsentWithdrawn{Scope: ads}}, ""},
		{"a withdrawal of nothing", WithdrawConsent{}, noon, nil, refusal.NothingNamed},
		{"a withdrawal of an unknown purpose is loud", WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"adz"}}}, noon, nil, refusal.UnknownPurpose},
		{"a permission taken away withdraws", ChangePermission{Permission: "network", Change: Revoked}, noon, []Event{PermissionRevoked{Permission: "network", Withdraws: []policy.PurposeID{"net"}}}, ""},
		{"a permission granted gives nothing", ChangePermission{Permission: "network", Change: Granted}, noon, []Event{PermissionGranted{Permission: "network"}}, ""},
		{"voiding takes two", VoidRecords{Records: []ident.EventID{{1}}, Reason: "r", By: [2]string{"a", "a"}}, noon, nil, refusal.TwoPersons},
		{"voiding what is not there", VoidRecords{Records: []ident.EventID{{7}}, Reason: "r", By: [2]string{"a", "b"}}, noon, nil, refusal.UnknownRecord},
	} {
		t.Run(tt.name, func(t *testing.T) {
			then, err := fold(yes(1, t0, t0)).Decide(tt.when, ref(), tt.at, noon)
			var r refusal.Refusal
			if errors.As(err, &r); r.Code != tt.code || !reflect.DeepEqual(then, tt.then) {
				t.Errorf("got %+v, %v; want %+v, %v", then, err, tt.then, tt.code)
			}
		})
	}
}

func TestMay(t *testing.T) {
	for _, tt := range []struct {
		name    string
		given   []Fact
		purpose policy.PurposeID
		action  policy.Action
		allowed bool
		why     Why
	}{
		{"consent given", []Fact{yes(1, t0, t0)}, "ads", policy.Use, true, WhyConsent},
		{"nobody asked", nil, "ads", policy.Use, false, WhyStatus},
		{"withdrawn", []Fact{yes(1, t0, t0), no(2, noon, noon)}, "ads", policy.Use, false, WhyStatus},
		{"an action that the policy does not declare", []Fact{yes(1, t0, t0)}, "ads", policy.Export, false, WhyNoAction},
		{"another basis needs no consent", nil, "tax", policy.Use, true, WhyOtherBasis},
		{"a purpose that nobody declared", nil, "x", policy.Use, false, WhyNoPurpose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := May(fold(tt.given...), ref(), Question{Purpose: tt.purpose, Action: tt.action, At: later})
			if got.Allowed != tt.allowed || got.Why != tt.why {
				t.Errorf("got %v because %v", got.Allowed, got.Why)
			}
		})
	}
	if got := May(Subject{}, Reference{}, Question{Purpose: "ads", Action: policy.Use, At: later}); got.Allowed || got.Why != WhyNoPolicy {
		t.Errorf("without a policy: %v because %v", got.Allowed, got.Why)
	}
}

// Whatever the clocks of the grants say, and in whatever order their facts
// arrive before it, the opt-out that the ledger took last stands.
func TestNoWrongClockTurnsANoIntoAYes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	any := func() deadline.Instant { return t0 + deadline.Instant(r.Int64N(100)) }
	for range rounds.Of(t, 4000) {
		var facts []Fact
		recorded := t0
		for id := range byte(r.IntN(6)) {
			recorded += deadline.Instant(r.IntN(3))
			f := yes(id, any(), recorded)
			if r.IntN(3) == 0 {
				f = no(id, min(any(), recorded), recorded)
			}
			facts = append(facts, f)
		}
		recorded += deadline.Instant(r.IntN(3))
		facts = append(facts, no(50, min(any(), recorded), recorded))
		if r.IntN(3) == 0 {
			facts = append(facts, voidOf(50))
		}
		s := fold(facts...)
		for at := recorded; at < t0+200; at += 7 {
			if got := s.Standing("ads", at, ref()); got.Status == Given {
				t.Fatalf("at %v given by %v, after %+v", at, got.Because, facts)
			}
		}
	}
}

func TestEvolveLeavesOlderStatesAlone(t *testing.T) {
	base := fold(yes(1, t0, t0))
	a, b := base.Evolve(no(2, noon, noon)), base.Evolve(yes(3, noon, noon))
	if got := a.Standing("ads", later, ref()); got.Status != Withdrawn {
		t.Errorf("one future changed the other: %v", got)
	}
	if got := b.Standing("ads", later, ref()); got.Status != Given || got.Because[0] != (ident.EventID{3}) {
		t.Errorf("one future changed the other: %v", got)
	}
}
