package domain_test

import (
	"fmt"
	"reflect"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

var ads = policy.Scope{Purposes: []policy.PurposeID{"ads"}}

// signalled is what a browser's signal leaves, if anybody hears it for the first time.
func signalled(id byte, at deadline.Instant, scope policy.Scope) Fact {
	return fact(id, at, ConsentRefused{Scope: scope, Act: "gpc", Signal: true})
}

func TestASignalIsNoStatement(t *testing.T) {
	gpc := RefuseConsent{Act: "gpc", Scope: ads}
	all := policy.Scope{All: true}
	named := ref()
	doc := named.Policies.Versions()[0].Document
	doc.Acts = append(doc.Acts, policy.Act{ID: "browser", Counts: policy.GeneralConsent, Signal: true})
	named.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	for _, tt := range []struct {
		name   string
		given  []Fact
		when   Command
		then   []policy.PurposeID // of the opt-out that is recorded; nil: nothing is
		repeat byte               // of which fact it is a repeat; zero: of none
	}{
		{"the first is a no", nil, gpc, []policy.PurposeID{"ads"}, 0},
		{"after a consent too", []Fact{yes(1, t0, t0)}, gpc, []policy.PurposeID{"ads"}, 0},
		{"the second is no news", []Fact{signalled(1, t0, ads)}, gpc, nil, 1},
		{"nor is it after a consent that was given in spite of it", []Fact{signalled(1, t0, ads), yes(2, t0+9, t0+9)}, gpc, nil, 1},
		{"as a withdrawal it is the same signal", []Fact{signalled(1, t0, ads)}, WithdrawConsent{Act: "gpc", Scope: ads}, nil, 1},
		{"another signal is news", []Fact{signalled(1, t0, ads)}, RefuseConsent{Act: "dnt", Scope: ads}, []policy.PurposeID{"ads"}, 0},
		{"the same signal by another of its names is no news", []Fact{fact(1, t0, ConsentRefused{Scope: ads, Act: "gpc", Signal: true})}, RefuseConsent{Act: "sec-gpc", Scope: ads}, nil, 1},
		{"nor is it by the property's", []Fact{fact(1, t0, ConsentWithdrawn{Scope: ads, Act: "sec-gpc", Signal: true})}, RefuseConsent{Act: "globalprivacycontrol", Scope: ads}, nil, 1},
		{"do not track neither", []Fact{fact(1, t0, ConsentRefused{Scope: ads, Act: "dnt", Signal: true})}, RefuseConsent{Act: "do-not-track", Scope: ads}, nil, 1},
		{"the same signal in another spelling is no news", []Fact{fact(1, t0, ConsentRefused{Scope: ads, Act: "sec-gpc", Signal: true})}, RefuseConsent{Act: "secgpc", Scope: ads}, nil, 1},
		{"about another purpose it is news of that alone", []Fact{signalled(1, t0, ads)}, RefuseConsent{Act: "gpc", Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "net"}}}, []policy.PurposeID{"net"}, 0},
		{"what was said of everything was said of each", []Fact{signalled(1, t0, all)}, RefuseConsent{Act: "gpc", Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "face"}}}, nil, 1},
		{"what several said together, the last of them said", []Fact{signalled(1, t0, ads), signalled(2, t0+1, policy.Scope{Purposes: []policy.PurposeID{"net"}}), signalled(3, t0+2, all)},
			RefuseConsent{Act: "gpc", Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "net"}}}, nil, 2},
		{"a signal that was recorded by mistake said nothing", []Fact{signalled(1, t0, ads), voidOf(1)}, gpc, []policy.PurposeID{"ads"}, 0},
		{"a purpose that nobody declares is left out", []Fact{signalled(1, t0, ads)}, RefuseConsent{Act: "gpc", Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "typo"}}}, nil, 1},
		{"one from before signals were a kind is the same", []Fact{fact(1, t0, ConsentRefused{Scope: ads, Act: "gpc"})}, gpc, nil, 1},
		{"a person's own word is always news", []Fact{signalled(1, t0, ads), refused(2, t0+1, t0+1)}, RefuseConsent{Act: "agree", Scope: ads}, []policy.PurposeID{"ads"}, 0},
		{"an act that the policy calls a signal is one", []Fact{fact(1, t0, ConsentRefused{Scope: ads, Act: "browser", Signal: true})}, RefuseConsent{Act: "browser", Scope: ads}, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(tt.given...)
			then, err := s.Decide(tt.when, named, noon, noon)
			if err != nil {
				t.Fatal(err)
			}
			var got []policy.PurposeID
			for _, e := range then {
				if e, ok := e.(ConsentRefused); ok {
					got = e.Scope.Purposes
				}
			}
			of, repeats := s.Repeats(tt.when, named)
			if !reflect.DeepEqual(got, tt.then) || repeats != (tt.then == nil) || of != (ident.EventID{tt.repeat}) {
				t.Errorf("recorded %v, repeats %v %v", then, repeats, of[0])
			}
		})
	}
	for _, act := range []policy.ActID{"browser", "agree"} {
		then, err := Subject{}.Decide(GiveConsent{Act: act, Purposes: ads.Purposes}, named, noon, noon)
		if err != nil || (then[0].(ConsentGiven).Items[0].Short == ActGivesNone) != (act == "browser") {
			t.Errorf("a consent by %s: %v, %v", act, then, err)
		}
	}
}

// A thousand pages after a consent that was given in spite of the signal undo
// nothing and leave nothing.
func TestAThousandSignalsUndoNoConsent(t *testing.T) {
	s, facts := fold(), 0
	say := func(at deadline.Instant, cmd Command) {
		t.Helper()
		then, err := s.Decide(cmd, ref(), at, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range then {
			facts++
			s = s.Evolve(Fact{ID: ident.EventID{byte(facts)}, At: at, Recorded: at, Event: e})
		}
	}
	gpc := RefuseConsent{Act: "gpc", Scope: policy.Scope{All: true}}
	say(t0, gpc)
	say(t0+10, GiveConsent{Act: "agree", Purposes: ads.Purposes})
	for i := range 1000 {
		say(t0+20+deadline.Instant(i), gpc)
	}
	st := s.Standing("ads", later, ref())
	if facts != 2 || st.Status != Given || st.Opposed != (Opposition{"gpc", ident.EventID{1}}) || st.Signal != "" {
		t.Errorf("%d facts, %+v", facts, st)
	}
	say(noon, WithdrawConsent{Scope: ads})
	if st := s.Standing("ads", later, ref()); st.Status != Withdrawn || st.Signal != "" || st.Opposed.Signal != "" {
		t.Errorf("after the person's own no: %+v", st)
	}
}

func TestASignalAgainstAPersonsWordIsShown(t *testing.T) {
	for _, tt := range []struct {
		name    string
		given   []Fact
		status  Status
		signal  policy.ActID
		opposed ident.EventID
		ask     PromptReason
	}{
		{"a signal alone is no conflict", []Fact{signalled(1, t0, ads)}, Refused, "gpc", ident.EventID{}, PromptSignal},
		{"a first signal after a consent is a no, and a conflict", []Fact{yes(1, t0, t0), signalled(2, t0+9, ads)}, Refused, "gpc", ident.EventID{2}, PromptSignal},
		{"a consent after the signal counts, and is a conflict", []Fact{signalled(1, t0, ads), yes(2, t0+9, t0+9)}, Given, "", ident.EventID{1}, ""},
		{"what the person took back themselves is none", []Fact{yes(1, t0, t0), no(2, t0+5, t0+5), signalled(3, t0+9, ads)}, Refused, "gpc", ident.EventID{}, PromptSignal},
		{"a consent that was a mistake is none", []Fact{yes(1, t0, t0), signalled(2, t0+9, ads), voidOf(1)}, Refused, "gpc", ident.EventID{}, PromptSignal},
		{"a person's own no is called what it is", []Fact{no(1, t0, t0)}, Withdrawn, "", ident.EventID{}, PromptWithdrawn},
		{"and so is a refusal", []Fact{refused(1, t0, t0)}, Refused, "", ident.EventID{}, PromptRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(tt.given...)
			st := s.Standing("ads", noon, ref())
			if st.Status != tt.status || st.Signal != tt.signal || st.Opposed.Because != tt.opposed || (st.Opposed.Signal != "") != (tt.opposed != ident.EventID{}) {
				t.Errorf("%+v", st)
			}
			var asked PromptReason
			for _, a := range Prompt(s, ref(), "en", noon) {
				if a.Purpose == "ads" {
					asked = a.Reason
				}
			}
			if asked != tt.ask {
				t.Errorf("asked because of %q, want %q", asked, tt.ask)
			}
		})
	}
}

func TestANoSaysWhatGoesOn(t *testing.T) {
	r := history(t, PublishPolicy{Version: v1, Document: first(func(d *policy.Document) { d.Purposes[1].Basis = policy.BasisContract })})
	law := policy.Rest{Purpose: "tax", Basis: policy.BasisLegalDuty}
	for _, tt := range []struct {
		scope policy.Scope
		want  []policy.Rest
	}{
		{policy.Scope{Purposes: []policy.PurposeID{"tax"}}, []policy.Rest{law}},
		{policy.Scope{Purposes: []policy.PurposeID{"ads", "tax"}}, []policy.Rest{law}},
		{policy.Scope{Purposes: []policy.PurposeID{"ads"}}, nil},
		{policy.Scope{All: true}, []policy.Rest{{Purpose: "net", Basis: policy.BasisContract}, law}},
	} {
		for _, cmd := range []Command{WithdrawConsent{Scope: tt.scope}, RefuseConsent{Scope: tt.scope}} {
			then, err := Subject{}.Decide(cmd, r, june, june)
			if err != nil {
				t.Fatal(err)
			}
			var got []policy.Rest
			switch e := then[0].(type) {
			case ConsentWithdrawn:
				got = e.Rests
			case ConsentRefused:
				got = e.Rests
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%T of %v: %v, want %v", cmd, tt.scope, got, tt.want)
			}
		}
	}
	then, err := Subject{}.Decide(ChangePermission{Permission: "network", Change: Revoked}, r, june, june)
	if err != nil || fmt.Sprint(then[0].(PermissionRevoked).Rests) != "[{net contract}]" {
		t.Errorf("%v, %v", then, err)
	}
	for kind, want := range map[string]string{
		"consent.withdrawn": "[net tax]", "permission.revoked": "[net tax]", "consent.refused": "[net tax]", "subject.closed": "[tax]", "minor.found": "[tax]", "retention.ended": "[]",
	} {
		if got := fmt.Sprint(r.Policies.Kept(kind, policy.Scope{All: true}, june)); got != want {
			t.Errorf("%s keeps %s, want %s", kind, got, want)
		}
	}
}

func TestAConsentSaysWhatHindersIt(t *testing.T) {
	contract := first(func(d *policy.Document) { d.Purposes[1].Basis = policy.BasisContract })
	wide := first(func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	})
	one := history(t, PublishPolicy{Version: v1, Document: contract})
	two := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: wide, Effective: may, Material: anyKind})
	for _, tt := range []struct {
		name  string
		ref   Reference
		given []Fact
		when  GiveConsent
		at    deadline.Instant // when it was said; recorded in june
		want  string
	}{
		{"nothing", one, nil, GiveConsent{Act: "agree", Purposes: ads.Purposes}, june, "[]"},
		{"another basis", one, nil, GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads", "net"}}, june, "[{net other-legal-basis}]"},
		{"an opt-out that it is not later than", one, []Fact{no(1, june-5, june-5)}, GiveConsent{Act: "agree", Purposes: ads.Purposes}, june - 9, "[{ads opt-out-stands}]"},
		{"no opt-out that it is later than", one, []Fact{no(1, june-5, june-5)}, GiveConsent{Act: "agree", Purposes: ads.Purposes}, june, "[]"},
		{"an older version", two, nil, GiveConsent{Act: "agree", Version: v1, Purposes: ads.Purposes}, june, "[{ads policy-changed}]"},
		{"a newer consent that ended", one, []Fact{grantOf(1, june-5, june-5, untilThen(june-2))}, GiveConsent{Act: "agree", Purposes: ads.Purposes}, june - 9, "[{ads newer-consent-ended}]"},
		{"it came late, and is over", one, nil, GiveConsent{Act: "agree", Purposes: ads.Purposes, Until: june - 1}, june - 9, "[{ads consent-over}]"},
		{"the same after an older one without end", one, []Fact{grantOf(1, june-20, june-20, nil)}, GiveConsent{Act: "agree", Purposes: ads.Purposes, Until: june - 1}, june - 9, "[{ads consent-over}]"},
		{"what falls short says so itself", one, nil, GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"face"}}, june, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(tt.given...)
			then, err := s.Decide(tt.when, tt.ref, tt.at, june)
			if err != nil {
				t.Fatal(err)
			}
			e := s.Weigh(Fact{At: tt.at, Recorded: june, Rules: Rules, Event: then[0]}, tt.ref).(ConsentGiven)
			if got := fmt.Sprint(e.Hindered); got != tt.want {
				t.Errorf("hindered %s, want %s", got, tt.want)
			}
		})
	}
}

// A program writes the name of a header or a property in lower case: a header has
// no hyphens then, and a property has no capitals.
func TestASignalIsOneInLowerCase(t *testing.T) {
	for act, want := range map[policy.ActID]bool{
		"gpc": true, "sec-gpc": true, "secgpc": true, "globalprivacycontrol": true, "global-privacycontrol": true, "donottrack": true, "dnt": true,
		"gpcs": false, "privacycontrol": false, "agree": false, "": false,
	} {
		then, err := Subject{}.Decide(RefuseConsent{Act: act, Scope: ads}, ref(), noon, noon)
		if err != nil {
			t.Fatal(err)
		}
		if e := then[0].(ConsentRefused); e.Signal != want || e.Act != act {
			t.Errorf("%q: signal %v, recorded as %q", act, e.Signal, e.Act)
		}
		if then, err = (Subject{}).Decide(WithdrawConsent{Act: act, Scope: ads}, ref(), noon, noon); err != nil || then[0].(ConsentWithdrawn).Signal != want {
			t.Errorf("%q withdraws: %v, %v", act, then, err)
		}
	}
	for _, act := range []policy.ActID{"secgpc", "globalprivacycontrol", "donottrack"} {
		then, err := Subject{}.Decide(GiveConsent{Act: act, Purposes: ads.Purposes}, ref(), noon, noon)
		if err == nil && then[0].(ConsentGiven).Items[0].Short != ActGivesNone {
			t.Errorf("%q gives consent: %v", act, then)
		}
	}
}
