package domain_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

const (
	april deadline.Instant = 1775001600000 // 2026-04-01
	may                    = april + 30*86400e3
	june                   = may + 31*86400e3
	july                   = june + 30*86400e3
)

var v3 = content.Hash{3}

// history publishes versions in order, each as its document is and when it says,
// and fails where one is refused.
func history(t *testing.T, list ...PublishPolicy) Reference {
	t.Helper()
	r := Reference{}
	for i, cmd := range list {
		then, err := r.Policies.Decide(cmd, ident.By{}, april+deadline.Instant(i))
		if err != nil {
			t.Fatalf("version %d: %v", i, err)
		}
		for _, e := range then {
			r.Policies = r.Policies.Evolve(fact(byte(100+i), april+deadline.Instant(i), e))
		}
	}
	return r
}

// first is a whole document, and changed by f.
func first(f func(*policy.Document)) policy.Document {
	d := complete(ref().Policies.Versions()[0].Document)
	d.Acts = append(d.Acts, policy.Act{ID: "confirm", Title: "Confirm", Counts: policy.ExplicitConsent},
		policy.Act{ID: "own-face", Title: "Faces", Counts: policy.SeparateConsent, Purposes: []policy.PurposeID{"face"}},
		policy.Act{ID: "own-ads", Title: "Ads", Counts: policy.SeparateConsent, Purposes: []policy.PurposeID{"ads"}})
	if f != nil {
		f(&d)
	}
	return d
}

var anyKind = []string{"MAT-1", "MAT-2", "MAT-3", "MAT-4", "MAT-5"}

func given(id byte, at deadline.Instant, v content.Hash, kind policy.ConsentKind, items ...Item) Fact {
	if len(items) == 0 {
		items = []Item{{Purpose: "ads"}}
	}
	return fact(id, at, ConsentGiven{Policy: "privacy", Version: v, Kind: kind, Items: items})
}

func TestANoWinsWhateverVersionIsNamed(t *testing.T) {
	contract := first(func(d *policy.Document) { d.Purposes[0].Basis = policy.BasisContract })
	consent := first(nil)
	gone := first(func(d *policy.Document) { d.Purposes, d.Acts, d.Permissions = d.Purposes[1:], d.Acts[:4], nil })
	more := first(func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	})
	for _, tt := range []struct {
		name     string
		old, new policy.Document
		given    []Fact
		q        Question
		allowed  bool
		why      Why
	}{
		{"a contract's version does not undo a withdrawal", contract, consent, []Fact{given(1, june, v2, policy.GeneralConsent), no(2, june+1, june+1)}, Question{Version: v1}, false, WhyStatus},
		{"nor does it spare the asking", contract, consent, nil, Question{Version: v1}, false, WhyStatus},
		{"a consent's version restricts a contract", consent, contract, []Fact{no(2, june+1, june+1)}, Question{Version: v1}, false, WhyStatus},
		{"and without it the contract decides", consent, contract, []Fact{no(2, june+1, june+1)}, Question{}, true, WhyOtherBasis},
		{"a purpose that was given up stays so", consent, gone, []Fact{given(1, april, v1, policy.GeneralConsent)}, Question{Version: v1}, false, WhyNoPurpose},
		{"an action that was given up stays so", more, consent, []Fact{given(1, april, v1, policy.GeneralConsent)}, Question{Version: v1, Action: policy.Provide}, false, WhyNoAction},
		{"what both allow is allowed", consent, more, []Fact{given(1, april, v1, policy.GeneralConsent)}, Question{Version: v1}, true, WhyOldScope},
		{"a version that is not known allows nothing", consent, more, []Fact{given(1, april, v1, policy.GeneralConsent)}, Question{Version: v3}, false, WhyNoPurpose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := history(t, PublishPolicy{Version: v1, Document: tt.old}, PublishPolicy{Version: v2, Document: tt.new, Effective: may, Material: anyKind})
			tt.q.Purpose, tt.q.At = "ads", july
			if tt.q.Action == 0 {
				tt.q.Action = policy.Use
			}
			if got := May(fold(tt.given...), r, tt.q); got.Allowed != tt.allowed || got.Why != tt.why {
				t.Errorf("got %v because %v (%v)", got.Allowed, got.Why, got.Standing.Status)
			}
		})
	}
}

func TestASpecificPolicyDemandsItsOwnConsent(t *testing.T) {
	special := func(f func(*policy.Purpose)) policy.Document {
		d := first(nil)
		d.Name, d.Over, d.Permissions = "special", "privacy", nil
		d.Purposes = d.Purposes[:1]
		d.Acts = d.Acts[:4]
		f(&d.Purposes[0])
		return d
	}
	separate := special(func(p *policy.Purpose) { p.Separate = true })
	toSpecial := fact(3, june, ConsentGiven{Policy: "special", Version: v2, Kind: policy.SeparateConsent, Items: []Item{{Purpose: "ads"}}})
	general := given(1, april, v1, policy.GeneralConsent)
	for _, tt := range []struct {
		name    string
		special policy.Document
		given   []Fact
		q       Question
		allowed bool
		why     Why
	}{
		{"a general yes is no separate one", separate, []Fact{general}, Question{}, false, WhySeparate},
		{"naming the general version makes it none", separate, []Fact{general}, Question{Version: v1}, false, WhySeparate},
		{"a general yes that comes later is none either", separate, []Fact{given(1, june, v1, policy.GeneralConsent)}, Question{}, false, WhySeparate},
		{"a yes to it counts", separate, []Fact{general, toSpecial}, Question{}, true, WhyConsent},
		{"a later general yes takes nothing from it", separate, []Fact{toSpecial, given(1, june+1, v1, policy.GeneralConsent)}, Question{}, true, WhyConsent},
		{"a separate yes to the general one is as strong", separate, []Fact{given(1, april, v1, policy.SeparateConsent)}, Question{}, true, WhyConsent},
		{"one that was bundled is not", separate, []Fact{given(1, april, v1, policy.SeparateConsent, Item{"ads", ""}, Item{"net", ""})}, Question{}, false, WhySeparate},
		{"what means the same needs no new yes", special(func(*policy.Purpose) {}), []Fact{general}, Question{}, true, WhyConsent},
		{"what means something else does", special(func(p *policy.Purpose) { p.Automated = true }), []Fact{general}, Question{}, false, WhyStatus},
		{"what it adds is not covered", special(func(p *policy.Purpose) { p.Actions = append(p.Actions, policy.Provide) }), []Fact{general}, Question{Action: policy.Provide}, false, WhyStatus},
		{"and the rest is", special(func(p *policy.Purpose) { p.Actions = append(p.Actions, policy.Provide) }), []Fact{general}, Question{}, true, WhyOldScope},
		{"before it was in force the general yes counted", separate, []Fact{general}, Question{At: may - 1}, true, WhyConsent},
		{"its other basis needs no yes", special(func(p *policy.Purpose) { p.Basis = policy.BasisContract }), nil, Question{}, true, WhyOtherBasis},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: tt.special, Effective: may})
			tt.q.Purpose = "ads"
			if tt.q.At == 0 {
				tt.q.At = july
			}
			if tt.q.Action == 0 {
				tt.q.Action = policy.Use
			}
			if got := May(fold(tt.given...), r, tt.q); got.Allowed != tt.allowed || got.Why != tt.why {
				t.Errorf("got %v because %v (%v)", got.Allowed, got.Why, got.Standing.Status)
			}
		})
	}
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: separate, Effective: may})
	for act, want := range map[policy.ActID]Shortfall{"agree": NeedsSeparate, "own-ads": ""} {
		then, err := fold().Decide(GiveConsent{Act: act, Purposes: []policy.PurposeID{"ads"}}, r, june, june)
		if err != nil || then[0].(ConsentGiven).Items[0].Short != want {
			t.Errorf("agreeing to the general one by %s: %v, %v", act, then, err)
		}
	}
}

func TestVersionsTakeOverInTheOrderOfTheirEffect(t *testing.T) {
	title := func(s string) policy.Document { return first(func(d *policy.Document) { d.Purposes[0].Title = s }) }
	r := history(t, PublishPolicy{Version: v1, Document: title("ads")},
		PublishPolicy{Version: v2, Document: title("ads for all"), Effective: june, Material: anyKind},
		PublishPolicy{Version: v3, Document: title("ads for some"), Effective: may, Material: anyKind})
	for _, tt := range []struct {
		name string
		to   content.Hash
		at   deadline.Instant
		want Status
	}{
		{"the old text, before anything changed", v1, may - 1, Given},
		{"the old text, when the version that was published last takes over", v1, may, Stale},
		{"that version, while it is in force", v3, june - 1, Given},
		{"that version, when the one that was published before it takes over", v3, june, Stale},
		{"the version that takes over last", v2, july, Given},
	} {
		if got := fold(given(1, april, tt.to, policy.ExplicitConsent)).Standing("ads", tt.at, r).Status; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAVersionThatIsOvertakenSaysWhatChangesOfIt(t *testing.T) {
	middle := first(func(d *policy.Document) {
		d.Purposes[0].Title, d.Purposes[1].Title = "ads for some", "net"
		d.Purposes[1].Actions = []policy.Action{policy.Collect}
		d.Rights = []policy.Right{{ID: "copy", Title: "Copy"}}
	})
	// The second version was compared with the first, and changes nothing of it.
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: first(nil), Effective: june},
		PublishPolicy{Version: v3, Document: middle, Effective: may, Material: anyKind})
	both := func(v content.Hash) Subject {
		return fold(given(1, april+5, v, policy.ExplicitConsent, Item{"ads", ""}, Item{"net", ""}))
	}
	for _, tt := range []struct {
		name   string
		to     content.Hash
		p      policy.PurposeID
		action policy.Action
		at     deadline.Instant
		want   Why
	}{
		{"what the middle one meant, while it is in force", v3, "ads", policy.Use, june - 1, WhyConsent},
		{"what it meant means something else then", v3, "ads", policy.Use, june, WhyStatus},
		{"what it had left out is new then", v3, "net", policy.Use, june, WhyStatus},
		{"of the first one, who agreed to it goes through the middle one", v1, "ads", policy.Use, may, WhyStatus},
		{"the last one is as it was agreed to", v2, "ads", policy.Use, june, WhyConsent},
	} {
		if got := May(both(tt.to), r, Question{Purpose: tt.p, Action: tt.action, At: tt.at}); got.Why != tt.want {
			t.Errorf("%s: %v (%v)", tt.name, got.Why, got.Standing.Status)
		}
	}
	if got, _ := r.Promised(fold(given(1, may+5, v3, policy.GeneralConsent)), "", july); got.Version != v3 {
		t.Errorf("who was promised a copy is not any more: version %d", got.Version[0])
	}
}

func TestWhatALateYesNeeds(t *testing.T) {
	wide := first(func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	})
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: wide, Effective: may, Material: anyKind})
	for _, tt := range []struct {
		name  string
		given []Fact
		when  GiveConsent
		want  Shortfall
	}{
		{"to the old text, a general one", []Fact{given(1, april, v1, policy.GeneralConsent)}, GiveConsent{Act: "agree", Version: v1}, ""},
		{"to the new text, an explicit one", []Fact{given(1, april, v1, policy.GeneralConsent)}, GiveConsent{Act: "agree", Version: v2}, NeedsExplicit},
		{"which a general act is not, whatever it says of itself", []Fact{given(1, april, v1, policy.GeneralConsent)}, GiveConsent{Act: "agree", Version: v2, Kind: policy.ExplicitConsent}, NeedsExplicit},
		{"which an explicit act is", []Fact{given(1, april, v1, policy.GeneralConsent)}, GiveConsent{Act: "confirm", Version: v2}, ""},
		{"to the new text, a general one of who never agreed", nil, GiveConsent{Act: "agree", Version: v2}, ""},
		{"to the new text again, a general one", []Fact{given(1, june, v2, policy.ExplicitConsent)}, GiveConsent{Act: "agree", Version: v2}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.when.Purposes = []policy.PurposeID{"ads"}
			then, err := fold(tt.given...).Decide(tt.when, r, june+5, june+5)
			if err != nil || then[0].(ConsentGiven).Items[0].Short != tt.want {
				t.Fatalf("%v, %v; want %q", then, err, tt.want)
			}
			if e := then[0].(ConsentGiven); tt.when.Act == "agree" && e.Kind != policy.GeneralConsent {
				t.Errorf("a general act is recorded as %v", e.Kind)
			}
		})
	}
	s := fold(given(1, june, v2, policy.ExplicitConsent), given(2, june+5, v1, policy.GeneralConsent))
	if got := May(s, r, Question{Purpose: "ads", Action: policy.Provide, At: july}); !got.Allowed {
		t.Errorf("a late yes to the old text took away the new one: %v", got.Why)
	}
}

func TestRefusingWhatAVersionAdds(t *testing.T) {
	wide := first(func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	})
	wide.ExemptionsProvide = []policy.Ground{{Code: "EXC-S1", Title: "State security"}}
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: wide, Effective: may, Material: anyKind})
	old := given(1, april, v1, policy.GeneralConsent)
	refuse := func(s Subject, cmd RefuseConsent, at deadline.Instant) Fact {
		t.Helper()
		then, err := s.Decide(cmd, r, at, at)
		if err != nil {
			t.Fatal(err)
		}
		return fact(50, at, then[0])
	}
	ads := policy.Scope{Purposes: []policy.PurposeID{"ads"}}
	exempt := fact(7, june, ExemptionInvoked{List: ForProvision, Code: "EXC-S1", Purposes: []policy.PurposeID{"ads"}, Until: july + 1})
	for _, tt := range []struct {
		name     string
		before   []Fact
		no       RefuseConsent
		after    []Fact
		use, add bool
		status   Status
	}{
		{"leaves the old scope", []Fact{old}, RefuseConsent{Scope: ads}, nil, true, false, Stale},
		{"by the version's name too", []Fact{old}, RefuseConsent{Scope: ads, Version: v2}, nil, true, false, Stale},
		{"is not overridden by an exemption", []Fact{old, exempt}, RefuseConsent{Scope: ads}, nil, true, false, Stale},
		{"while the old text's own question refuses it all", []Fact{old}, RefuseConsent{Scope: ads, Version: v1}, nil, false, false, Refused},
		{"and refusing everything refuses it all", []Fact{old}, RefuseConsent{Scope: policy.Scope{All: true}}, nil, false, false, Refused},
		{"and so does refusing what one agreed to whole", []Fact{given(1, june, v2, policy.ExplicitConsent)}, RefuseConsent{Scope: ads}, nil, false, false, Refused},
		{"and so does a first no", nil, RefuseConsent{Scope: ads}, nil, false, false, Refused},
		{"a withdrawal after it ends all", []Fact{old}, RefuseConsent{Scope: ads}, []Fact{no(9, june+9, june+9)}, false, false, Withdrawn},
		{"a later yes to it brings the new scope", []Fact{old}, RefuseConsent{Scope: ads}, []Fact{given(9, june+9, v2, policy.ExplicitConsent)}, true, true, Given},
		{"a yes whose order nobody can prove does not", []Fact{old}, RefuseConsent{Scope: ads}, []Fact{{ID: ident.EventID{9}, At: june - 9, Recorded: june + 9, Event: given(9, june, v2, policy.ExplicitConsent).Event}}, true, false, Stale},
		{"voiding the old yes leaves the refusal", []Fact{old}, RefuseConsent{Scope: ads}, []Fact{fact(98, june+9, RecordVoided{Records: []ident.EventID{{1}}})}, false, false, Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(tt.before...)
			s = s.Evolve(refuse(s, tt.no, june+2))
			for _, f := range tt.after {
				s = s.Evolve(f)
			}
			use := May(s, r, Question{Purpose: "ads", Action: policy.Use, At: july})
			add := May(s, r, Question{Purpose: "ads", Action: policy.Provide, At: july})
			if use.Allowed != tt.use || add.Allowed != tt.add || use.Standing.Status != tt.status {
				t.Errorf("old scope %v (%v), new scope %v (%v), %v", use.Allowed, use.Why, add.Allowed, add.Why, use.Standing.Status)
			}
		})
	}
	s := fold(old)
	s = s.Evolve(refuse(s, RefuseConsent{Scope: ads}, june))
	for at, want := range map[deadline.Instant]deadline.Instant{june + 1: june.Add(policy.QuietPeriod), june.Add(policy.QuietPeriod): 0} {
		for _, a := range Prompt(s, r, "en", at) {
			if a.Purpose == "ads" && (a.Reason != PromptStale || !a.Explicit || a.NotBefore != want) {
				t.Errorf("at %v: %+v", at, a)
			}
		}
	}
}

func TestAGuardiansStaleConsentCoversTheOldScope(t *testing.T) {
	wide := first(func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	})
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: wide, Effective: may, Material: anyKind})
	s := fold(aged(ChildUnder14, april), fact(2, april, GuardianVerified{Guardian: "mother"}),
		fact(3, april+1, ConsentGiven{Policy: "privacy", Version: v1, Kind: policy.GuardianConsent, Guardian: "mother", Items: []Item{{Purpose: "ads"}}}))
	for action, want := range map[policy.Action]Why{policy.Use: WhyOldScope, policy.Provide: WhyGuardian} {
		if got := May(s, r, Question{Purpose: "ads", Action: action, At: july}); got.Why != want || got.Allowed != (want == WhyOldScope) {
			t.Errorf("%v: %v because %v", action, got.Allowed, got.Why)
		}
	}
}

func TestAPromiseIsKeptAcrossLaterVersions(t *testing.T) {
	v4 := content.Hash{4}
	right := func(ids ...policy.RightID) policy.Document {
		return first(func(d *policy.Document) {
			for _, id := range ids {
				d.Rights = append(d.Rights, policy.Right{ID: id, Title: string(id)})
			}
		})
	}
	r := history(t, PublishPolicy{Version: v1, Document: right("access", "copy")},
		PublishPolicy{Version: v2, Document: right("access"), Effective: may, Material: anyKind},
		PublishPolicy{Version: v3, Document: right("access", "port"), Effective: june, Material: anyKind},
		PublishPolicy{Version: v4, Document: right("access", "port", "correct"), Effective: july, Material: anyKind})
	old := given(1, april+5, v1, policy.GeneralConsent)
	built := given(2, june+1, v2, policy.ExplicitConsent)
	e := built.Event.(ConsentGiven)
	e.Build = "5.1"
	built.Event = e
	mistaken := r
	mistaken.Service = mistaken.Service.Evolve(fact(1, july, BuildVoided{Build: "5.1", From: june, To: july}))
	for _, tt := range []struct {
		name  string
		given []Fact
		ref   Reference
		at    deadline.Instant
		want  content.Hash
	}{
		{"before rights are reduced the newest binds", []Fact{old}, r, may - 1, v1},
		{"who was there keeps the old promise", []Fact{old}, r, may, v1},
		{"also when a later version reduces nothing", []Fact{old}, r, june, v1},
		{"and when another follows", []Fact{old}, r, july, v1},
		{"who agreed to the reduction is bound by what follows", []Fact{old, given(2, june+1, v2, policy.ExplicitConsent)}, r, july, v4},
		{"who agreed to a later version too", []Fact{old, given(2, june+1, v3, policy.ExplicitConsent)}, r, july, v4},
		{"who agreed in general is not", []Fact{old, given(2, june+1, v2, policy.GeneralConsent)}, r, july, v1},
		{"whose explicit yes falls short is not", []Fact{old, given(2, june+1, v2, policy.ExplicitConsent, Item{"ads", NeedsControl})}, r, july, v1},
		{"whose explicit yes was voided is not", []Fact{old, given(2, june+1, v2, policy.ExplicitConsent), fact(9, june+2, RecordVoided{Records: []ident.EventID{{2}}})}, r, july, v1},
		{"whose explicit yes was voided with its build is not", []Fact{old, built}, mistaken, july, v1},
		{"and was before that", []Fact{old, built}, r, july, v4},
		{"who came when rights were reduced already has no other promise", []Fact{given(1, may+1, v2, policy.GeneralConsent)}, r, july, v4},
		{"who is not known neither", nil, r, july, v4},
	} {
		if got, ok := tt.ref.Promised(fold(tt.given...), "", tt.at); !ok || got.Version != tt.want {
			t.Errorf("%s: version %d, want %d", tt.name, got.Version[0], tt.want[0])
		}
	}
}

func TestWhatIsASeparateConsent(t *testing.T) {
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)})
	paper := Proof{content.Hash{1}, "scan", "desk"}
	for _, tt := range []struct {
		name string
		when GiveConsent
		want Shortfall
		kind policy.ConsentKind
	}{
		{"an act of the policy for exactly that purpose", GiveConsent{Act: "own-face"}, "", policy.SeparateConsent},
		{"an act for another purpose", GiveConsent{Act: "own-ads"}, NeedsSeparate, policy.SeparateConsent},
		{"an act that says not for what", GiveConsent{Act: "tick"}, NeedsSeparate, policy.SeparateConsent},
		{"an explicit act that calls itself separate", GiveConsent{Act: "confirm", Kind: policy.SeparateConsent}, NeedsSeparate, policy.ExplicitConsent},
		{"a general act that does", GiveConsent{Act: "agree", Kind: policy.SeparateConsent}, NeedsSeparate, policy.GeneralConsent},
		{"an act for it, together with another purpose", GiveConsent{Act: "own-face", Purposes: []policy.PurposeID{"face", "ads"}}, NeedsSeparate, policy.SeparateConsent},
		{"a written consent with its paper", GiveConsent{Act: "confirm", Kind: policy.WrittenConsent, Proof: paper}, "", policy.WrittenConsent},
		{"a paper that nobody checked", GiveConsent{Act: "own-face", Kind: policy.WrittenConsent, Proof: Proof{Document: content.Hash{1}, Method: "scan"}}, NeedsSeparate, policy.WrittenConsent},
		{"a method without a paper", GiveConsent{Act: "own-face", Kind: policy.WrittenConsent, Proof: Proof{Method: "scan"}}, NeedsSeparate, policy.WrittenConsent},
	} {
		if tt.when.Purposes == nil {
			tt.when.Purposes = []policy.PurposeID{"face"}
		}
		then, err := Subject{}.Decide(tt.when, r, june, june)
		if err != nil || then[0].(ConsentGiven).Items[0].Short != tt.want || then[0].(ConsentGiven).Kind != tt.kind {
			t.Errorf("%s: %v, %v", tt.name, then, err)
		}
	}
	for _, proof := range []Proof{{}, {Method: "scan"}, {content.Hash{1}, "", "desk"}, {content.Hash{1}, "scan", ""}} {
		then, err := Subject{}.Decide(GiveConsent{Act: "confirm", Kind: policy.WrittenConsent, Proof: proof, Purposes: []policy.PurposeID{"ads"}}, r, june, june)
		if err != nil || then[0].(ConsentGiven).Items[0].Short != NeedsDocument {
			t.Errorf("a written consent with %+v: %v, %v", proof, then, err)
		}
	}
}

func TestAConsentLastsAsThePolicySays(t *testing.T) {
	r := history(t, PublishPolicy{Version: v1, Document: first(func(d *policy.Document) {
		d.Purposes[0].ConsentLasts, d.Purposes[1].ConsentLasts = 1, 6
	})})
	r.Service = r.Service.Evolve(fact(1, april, AppRegistered{App{Name: "demo", Environment: Test, TimeZone: "Asia/Shanghai"}}))
	instant := func(s string) deadline.Instant {
		i, err := deadline.ParseInstant(s)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	ads, net := End{"ads", instant("2026-07-01T00:00:00+08:00")}, End{"net", instant("2026-12-01T00:00:00+08:00")}
	said := instant("2026-05-31T23:30:00+08:00")
	for _, tt := range []struct {
		name  string
		when  GiveConsent
		until deadline.Instant
		ends  []End
	}{
		{"to the end of a month that is shorter", GiveConsent{Purposes: []policy.PurposeID{"ads"}}, ads.Until, nil},
		{"each purpose for itself", GiveConsent{Purposes: []policy.PurposeID{"ads", "net"}}, 0, []End{ads, net}},
		{"no longer than was asked for", GiveConsent{Purposes: []policy.PurposeID{"ads"}, Until: said + 1e6}, said + 1e6, nil},
		{"and no longer than the policy says", GiveConsent{Purposes: []policy.PurposeID{"ads"}, Until: net.Until}, ads.Until, nil},
		{"one before the rest", GiveConsent{Purposes: []policy.PurposeID{"ads", "net"}, Until: instant("2026-08-01T00:00:00Z")}, instant("2026-08-01T00:00:00Z"), []End{ads}},
		{"what does not count has no end", GiveConsent{Purposes: []policy.PurposeID{"face", "net"}}, net.Until, nil},
	} {
		tt.when.Act = "agree"
		then, err := Subject{}.Decide(tt.when, r, said, said)
		if err != nil {
			t.Fatal(err)
		}
		if e := then[0].(ConsentGiven); e.Until != tt.until || !reflect.DeepEqual(e.Ends, tt.ends) {
			t.Errorf("%s: until %v, %v", tt.name, e.Until, e.Ends)
		}
		s := fold(fact(1, said, then[0]))
		if st := s.Standing("ads", ads.Until, r); tt.until == 0 && (st.Status != Expired || st.Since != ads.Until || st.Until != ads.Until) {
			t.Errorf("%s: %+v", tt.name, st)
		}
		if st := s.Standing("net", ads.Until, r); tt.until == 0 && (st.Status != Given || st.Until != net.Until) {
			t.Errorf("%s: %+v", tt.name, st)
		}
	}
	if st := fold(given(1, april, v1, policy.GeneralConsent)).Standing("ads", july, r); st.Status != Given {
		t.Errorf("a consent from before the rule was kept ended: %v", fmt.Sprint(st))
	}
}

func TestWhoIsAskedAboutAChangedPolicy(t *testing.T) {
	moved := first(func(d *policy.Document) { d.Handler.Name = "Another" })
	reworded := first(func(d *policy.Document) { d.Texts[0].Hash = content.Hash{77} })
	refusal := fact(2, june, ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"net"}}, Policy: "privacy", Version: v2})
	voidedBy := func(id byte) Fact { return fact(99, june+1, RecordVoided{Records: []ident.EventID{{id}}}) }
	old := given(1, april+5, v1, policy.GeneralConsent)
	quiet := june.Add(policy.QuietPeriod)
	for _, tt := range []struct {
		name      string
		next      policy.Document
		given     []Fact
		at        deadline.Instant
		want      PromptReason
		notBefore deadline.Instant
	}{
		{"who knew the old owner is asked about the new", moved, []Fact{old}, july, PromptMaterial, 0},
		{"who agreed explicitly is not", moved, []Fact{old, given(2, june, v2, policy.ExplicitConsent)}, july, "", 0},
		{"who agreed in general is", moved, []Fact{old, given(2, june, v2, policy.GeneralConsent)}, july, PromptMaterial, 0},
		{"whose yes falls short is", moved, []Fact{old, given(2, june, v2, policy.ExplicitConsent, Item{"ads", NeedsControl})}, july, PromptMaterial, 0},
		{"whose yes was voided is", moved, []Fact{old, given(2, june, v2, policy.ExplicitConsent), voidedBy(2)}, july, PromptMaterial, 0},
		{"who only read it is", moved, []Fact{old, fact(2, june, PolicyAcknowledged{Policy: "privacy", Version: v2})}, july, PromptMaterial, 0},
		{"who refused is left alone for a while", moved, []Fact{old, refusal}, quiet - 1, PromptRefused, quiet},
		{"and may be asked after that", moved, []Fact{old, refusal}, quiet, PromptRefused, 0},
		{"a refusal that was voided is none", moved, []Fact{old, refusal, voidedBy(2)}, quiet - 1, PromptMaterial, 0},
		{"a new wording is to be read", reworded, []Fact{old}, july, PromptToRead, 0},
		{"by who did not read it", reworded, []Fact{old, fact(2, june, PolicyAcknowledged{Policy: "privacy", Version: v2})}, july, "", 0},
		{"nor agree to it", reworded, []Fact{old, given(2, june, v2, policy.GeneralConsent)}, july, "", 0},
		{"nor refuse it", reworded, []Fact{old, refusal}, july, "", 0},
		{"who never saw another version is not asked", moved, nil, july, "", 0},
	} {
		r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: tt.next, Effective: may, Material: policy.Compare(first(nil), tt.next).Material})
		var got Ask
		for _, a := range Prompt(fold(tt.given...), r, "en", tt.at) {
			if a.Purpose == "" {
				got = a
			}
		}
		if got.Reason != tt.want || got.NotBefore != tt.notBefore {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestWhoseOrderIsNotProvableIsLeftAloneForAWhile(t *testing.T) {
	s := fold(no(1, noon, noon), yes(2, t0, later))
	for at, want := range map[deadline.Instant]deadline.Instant{later: noon.Add(policy.QuietPeriod), noon.Add(policy.QuietPeriod): 0} {
		for _, a := range Prompt(s, ref(), "en", at) {
			if a.Purpose == "ads" && (a.Reason != PromptUnclear || a.NotBefore != want) {
				t.Errorf("at %v: %+v", at, a)
			}
		}
		then, err := s.Decide(RequestConsent{Purposes: []policy.PurposeID{"ads"}, Reason: "reminder"}, ref(), at, at)
		if err != nil || then[0].(ConsentRequested).TooSoon != (want != 0) {
			t.Errorf("asking at %v: %v, %v", at, then, err)
		}
	}
}

func TestAVersionIsPublishedOnce(t *testing.T) {
	doc, next := first(nil), first(func(d *policy.Document) { d.Purposes[0].Title = "ads for all" })
	r := history(t, PublishPolicy{Version: v1, Document: doc}, PublishPolicy{Version: v2, Document: next, Effective: june, Material: anyKind})

	for name, tt := range map[string]struct {
		cmd  PublishPolicy
		at   deadline.Instant
		code refusal.Code
	}{
		"the same again":                          {cmd: PublishPolicy{Version: v1, Document: doc}, at: may},
		"the same again, from before":             {cmd: PublishPolicy{Version: v1, Document: doc, Effective: 1}, at: may},
		"from another day":                        {cmd: PublishPolicy{Version: v1, Document: doc, Effective: june}, at: may, code: refusal.AlreadyPublished},
		"one that is to bind later, again":        {cmd: PublishPolicy{Version: v2, Document: next, Effective: june}, at: may},
		"one that is to bind later, now":          {cmd: PublishPolicy{Version: v2, Document: next}, at: may, code: refusal.AlreadyPublished},
		"one that is to bind later, still later":  {cmd: PublishPolicy{Version: v2, Document: next, Effective: july}, at: may, code: refusal.AlreadyPublished},
		"back to one that was replaced":           {cmd: PublishPolicy{Version: v1, Document: doc}, at: july, code: refusal.AlreadyReplaced},
		"one that binds by now, again":            {cmd: PublishPolicy{Version: v2, Document: next, Effective: june}, at: july},
		"with a material change that it has not":  {cmd: PublishPolicy{Version: v1, Document: doc, Material: []string{"MAT-2"}}, at: may, code: refusal.AlreadyPublished},
		"with a purpose asked that was not stale": {cmd: PublishPolicy{Version: v1, Document: doc, Stale: []policy.PurposeID{"ads"}}, at: may, code: refusal.AlreadyPublished},
	} {
		events, err := r.Policies.Decide(tt.cmd, ident.By{}, tt.at)
		if refused, _ := errors.AsType[refusal.Refusal](err); refused.Code != tt.code || len(events) != 0 {
			t.Errorf("%s: %v, %v, want %q", name, events, err, tt.code)
		}
	}

	// What was asked for that the version has not is named, if it is a code, and what
	// the version has.
	for kind, want := range map[string]string{"MAT-9": `the material change "MAT-9", as one that makes MAT-`, "mat-9": "[not shown]", "MAT-138001": "[not shown]"} {
		_, err := r.Policies.Decide(PublishPolicy{Version: v2, Document: next, Material: []string{kind}}, ident.By{}, july)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", kind, err, want)
		}
	}

	// The version in between binds at once, and is replaced by the one that was waiting.
	between := first(func(d *policy.Document) { d.Purposes[0].Title = "ads for some" })
	r = history(t, PublishPolicy{Version: v1, Document: doc}, PublishPolicy{Version: v2, Document: next, Effective: june, Material: anyKind},
		PublishPolicy{Version: v3, Document: between, Effective: may, Material: anyKind})
	if list := r.Policies.Overtakes(v3); len(list) != 1 || list[0].Version != v2 {
		t.Errorf("what replaces the version in between: %v", list)
	}
	for _, v := range []content.Hash{v1, v2, {99}} {
		if list := r.Policies.Overtakes(v); len(list) != 0 {
			t.Errorf("%v is replaced by what was published before it: %v", v, list)
		}
	}
}

// A permission that is taken away withdraws what it is bound to in every version that
// has begun to bind, also if a newer one binds it to less, or one that does not bind yet.
func TestAPermissionTakenAwayWithdrawsWhatAnyVersionBoundToIt(t *testing.T) {
	bound := func(v byte, name string, from deadline.Instant, to ...policy.PurposeID) Fact {
		d := first(func(d *policy.Document) {
			d.Name, d.Permissions = name, []policy.Permission{{ID: "network", Purposes: to}}
		})
		return Fact{Event: PolicyPublished{Version: content.Hash{v}, Document: d, Effective: from}}
	}
	for _, tt := range []struct {
		name     string
		versions []Fact
		want     []policy.PurposeID
	}{
		{"a newer version binds it to less", []Fact{bound(1, "privacy", t0, "ads", "net"), bound(2, "privacy", t0+1, "net")}, []policy.PurposeID{"ads", "net"}},
		{"a pending version binds it to less", []Fact{bound(1, "privacy", t0, "ads", "net"), bound(2, "privacy", later, "net")}, []policy.PurposeID{"ads", "net"}},
		{"a pending version binds it to more", []Fact{bound(1, "privacy", t0, "net"), bound(2, "privacy", later, "net", "ads")}, []policy.PurposeID{"net"}},
		{"a specific policy binds it to something else", []Fact{bound(1, "privacy", t0, "ads"), bound(2, "special", t0, "net")}, []policy.PurposeID{"ads", "net"}},
		{"only a pending version names it", []Fact{bound(1, "privacy", later, "net")}, []policy.PurposeID{"net"}},
	} {
		var p Policies
		for _, v := range tt.versions {
			p = p.Evolve(v)
		}
		events, err := Subject{}.Decide(ChangePermission{Permission: "network", Change: Revoked}, Reference{Policies: p}, noon, noon)
		if err != nil || len(events) != 1 || !slices.Equal(events[0].(PermissionRevoked).Withdraws, tt.want) {
			t.Errorf("%s: %+v, %v; want %v", tt.name, events, err, tt.want)
		}
	}
}
