package domain_test

import (
	"errors"
	"reflect"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

var v2 = content.Hash{2}

// changed is ref with a second version that f made of the first.
func changed(t *testing.T, f func(*policy.Document), material ...string) Reference {
	t.Helper()
	r := ref()
	doc := complete(r.Policies.Versions()[0].Document)
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	next := complete(doc)
	f(&next)
	then, err := r.Policies.Decide(PublishPolicy{Version: v2, Document: next, Material: material}, ident.By{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range then {
		r.Policies = r.Policies.Evolve(fact(91, noon, e))
	}
	return r
}

// complete returns a copy of d that can be published.
func complete(d policy.Document) policy.Document {
	d.Title = []policy.LocalText{{Locale: "en", Text: "Privacy"}}
	d.Jurisdiction, d.TimeZone = "CN", "Asia/Shanghai"
	d.Categories = []policy.Category{{ID: "clicks", Title: "Clicks"}, {ID: "faces", Title: "Faces"}}
	d.Purposes = append([]policy.Purpose(nil), d.Purposes...)
	for i := range d.Purposes {
		d.Purposes[i].Title = string(d.Purposes[i].ID)
	}
	d.Acts = append([]policy.Act(nil), d.Acts...)
	for i := range d.Acts {
		d.Acts[i].Title = string(d.Acts[i].ID)
	}
	d.Permissions = []policy.Permission{{ID: "network", Title: "Network", Purposes: []policy.PurposeID{"net"}}}
	d.Minors = policy.Minors{AdultAge: 18, ChildBelowPolicy: 15, ChildBelowLaw: 14}
	d.Texts = []policy.Text{{Locale: "en", Hash: content.Hash{8}, Force: policy.Authoritative}}
	return d
}

func TestAMaterialChange(t *testing.T) {
	r := changed(t, func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
		d.Purposes[0].Categories = []policy.CategoryID{"faces"}
	}, policy.MaterialService)
	old := yes(1, t0, t0)
	for _, tt := range []struct {
		name    string
		given   []Fact
		q       Question
		allowed bool
		why     Why
	}{
		{"the old scope stays allowed", []Fact{old}, Question{Action: policy.Use}, true, WhyOldScope},
		{"the new method is denied", []Fact{old}, Question{Action: policy.Provide}, false, WhyStatus},
		{"the new kind of data is denied", []Fact{old}, Question{Action: policy.Use, Category: "faces"}, false, WhyStatus},
		{"until a yes to the new version", []Fact{old, toNew(2, later)}, Question{Action: policy.Provide, Category: "faces"}, true, WhyConsent},
		{"a late agree to the old text is consent to the old text", []Fact{yes(2, later, later)}, Question{Action: policy.Provide}, false, WhyStatus},
		{"before it took effect nothing was new", []Fact{old}, Question{Action: policy.Use, At: noon - 1}, true, WhyConsent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Purpose = "ads"
			if tt.q.At == 0 {
				tt.q.At = later
			}
			got := May(fold(tt.given...), r, tt.q)
			if got.Allowed != tt.allowed || got.Why != tt.why {
				t.Errorf("got %v because %v (%v)", got.Allowed, got.Why, got.Standing.Status)
			}
		})
	}
	for act, want := range map[policy.ActID]Shortfall{"agree": NeedsExplicit, "tick": ""} {
		then, err := fold(old).Decide(GiveConsent{Act: act, Purposes: []policy.PurposeID{"ads"}}, r, later, later)
		if err != nil || then[0].(ConsentGiven).Items[0].Short != want {
			t.Errorf("agreeing again by %s: %v, %v", act, then, err)
		}
	}
}

func toNew(id byte, at deadline.Instant) Fact {
	f := yes(id, at, at)
	e := f.Event.(ConsentGiven)
	e.Version = v2
	f.Event = e
	return f
}

func TestAPurposeThatMeansSomethingElse(t *testing.T) {
	r := changed(t, func(d *policy.Document) { d.Purposes[0].Title = "Ads of everybody" }, policy.MaterialService)
	q := Question{Purpose: "ads", Action: policy.Use, At: later}
	if got := May(fold(yes(1, t0, t0)), r, q); got.Allowed || got.Standing.Status != Stale {
		t.Errorf("under the new meaning: %v because %v", got.Allowed, got.Why)
	}
	q.Version = v1
	if got := May(fold(yes(1, t0, t0)), r, q); !got.Allowed || got.Why != WhyOldScope {
		t.Errorf("under the old meaning: %v because %v", got.Allowed, got.Why)
	}
}

func TestThePublisherMayNotDropAMaterialChange(t *testing.T) {
	doc := complete(ref().Policies.Versions()[0].Document)
	p := Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	next := complete(doc)
	next.Handler.Name = "Another"
	for _, tt := range []struct {
		material []string
		code     refusal.Code
	}{{nil, refusal.MaterialDropped}, {[]string{"MAT-2"}, ""}, {[]string{"MAT-2", "MAT-6"}, ""}} {
		_, err := p.Decide(PublishPolicy{Version: v2, Document: next, Material: tt.material}, ident.By{}, noon)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("declared %v: %v, want %v", tt.material, err, tt.code)
		}
	}
}

func TestPublishingAndTakingEffectAreTwoEvents(t *testing.T) {
	doc := complete(ref().Policies.Versions()[0].Document)
	then, err := Policies{}.Decide(PublishPolicy{Version: v1, Document: doc}, ident.By{}, noon)
	if err != nil || len(then) != 2 || then[1] != (PolicyEffective{v1}) {
		t.Fatalf("at once: %v, %v", then, err)
	}
	then, err = Policies{}.Decide(PublishPolicy{Version: v1, Document: doc, Effective: later}, ident.By{}, noon)
	if err != nil || len(then) != 1 {
		t.Fatalf("later: %v, %v", then, err)
	}
	p := Policies{}.Evolve(fact(1, noon, then[0]))
	for at, want := range map[deadline.Instant]refusal.Code{later - 1: refusal.AtInFuture, later: ""} {
		_, err := p.Decide(Say{PolicyEffective{v1}}, ident.By{}, at)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != want {
			t.Errorf("at %v: %v, want %v", at, err, want)
		}
	}
}

func TestWhoDidNotAgreeKeepsTheOldPromise(t *testing.T) {
	r := changed(t, func(d *policy.Document) {
		d.DeadlineRules = nil
		d.Handler.Name = "x"
	}, policy.MaterialOwner)
	// the second version also reduces rights, says its publisher
	e := r.Policies.Versions()[1]
	e.RightsReduced = true
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished(r.Policies.Versions()[0])}).Evolve(Fact{Event: PolicyPublished(e)})
	explicit := toNew(2, later)
	g := explicit.Event.(ConsentGiven)
	g.Kind = policy.ExplicitConsent
	explicit.Event = g
	for _, tt := range []struct {
		name  string
		given []Fact
		want  content.Hash
	}{
		{"who was there before", []Fact{yes(1, t0, t0)}, v1},
		{"who agreed to it in general", []Fact{yes(1, t0, t0), toNew(2, later)}, v1},
		{"who agreed to it explicitly", []Fact{yes(1, t0, t0), explicit}, v2},
		{"who came after", []Fact{toNew(1, later)}, v2},
		{"who is not known", nil, v2},
	} {
		if got, ok := r.Promised(fold(tt.given...), "", later+1); !ok || got.Version != tt.want {
			t.Errorf("%s: %v", tt.name, got.Version)
		}
	}
}

func TestASpecificPolicyPrevails(t *testing.T) {
	r := ref()
	special := policy.Document{Name: "face", Over: "privacy", Purposes: []policy.Purpose{{ID: "ads", Basis: policy.BasisLegalDuty, Actions: []policy.Action{policy.Use}}}}
	r.Policies = r.Policies.Evolve(fact(2, t0, PolicyPublished{Version: v2, Document: special, Effective: t0}))
	if got := May(Subject{}, r, Question{Purpose: "ads", Action: policy.Use, At: later}); got.Version != v2 || !got.Allowed {
		t.Errorf("its own purpose: %+v", got)
	}
	if got := May(Subject{}, r, Question{Purpose: "net", Action: policy.Use, At: later}); got.Version != v1 {
		t.Errorf("a gap: %+v", got)
	}
}

// What the comparison says of a specific policy is what becomes of a consent to
// the general one.
func TestAComparisonForesaysWhatASpecificPolicyDemands(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*policy.Purpose)
		stale  bool
		added  []policy.Action
	}{
		{"the same", func(*policy.Purpose) {}, false, nil},
		{"less", func(p *policy.Purpose) { p.Actions = []policy.Action{policy.Use} }, false, nil},
		{"another use", func(p *policy.Purpose) { p.Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide} }, false, []policy.Action{policy.Provide}},
		{"another meaning", func(p *policy.Purpose) { p.Title = "Ads of everybody" }, true, nil},
		{"a consent of its own", func(p *policy.Purpose) { p.Separate = true }, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ref()
			general := complete(r.Policies.Versions()[0].Document)
			r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: general, Effective: t0}})
			special := complete(general)
			special.Name, special.Over = "special", "privacy"
			special.Purposes = special.Purposes[:1]
			tt.change(&special.Purposes[0])
			c := policy.CompareSpecific(general, special)
			if has := len(c.Stale) == 1; has != tt.stale || len(c.Material) != 0 || c.RightsReduced {
				t.Errorf("%+v", c)
			}
			var added []policy.Action
			for _, s := range c.Scopes {
				added = append(added, s.Actions...)
			}
			if !reflect.DeepEqual(added, tt.added) {
				t.Errorf("added %v, want %v", added, tt.added)
			}
			for _, d := range c.Differences {
				if d.Material != "" || d.Name == "net" || d.Name == "face" {
					t.Errorf("%+v", d)
				}
			}
			r.Policies = r.Policies.Evolve(fact(92, noon, PolicyPublished{Version: v2, Document: special, Effective: noon}))
			use := May(fold(yes(1, t0, t0)), r, Question{Purpose: "ads", Action: policy.Use, At: later})
			provide := May(fold(yes(1, t0, t0)), r, Question{Purpose: "ads", Action: policy.Provide, At: later})
			if use.Allowed == tt.stale || provide.Allowed || use.Version != v2 {
				t.Errorf("use %v because %v, provide %v", use.Allowed, use.Why, provide.Allowed)
			}
		})
	}
	general := complete(ref().Policies.Versions()[0].Document)
	special := complete(general)
	special.Over, special.Purposes = "privacy", special.Purposes[2:3]
	special.Purposes[0].Separate = false
	if c := policy.CompareSpecific(general, special); len(c.Stale)+len(c.Scopes) != 0 {
		t.Errorf("a separate consent is more than is demanded: %+v", c)
	}
}

func TestMayInOrder(t *testing.T) {
	exempt := func(e ExemptionInvoked) Event {
		e.List, e.Code, e.Purposes, e.Until = ForCollection, "EXC-C4", []policy.PurposeID{"ads"}, later+1e6
		return e
	}
	ceased := ref()
	ceased.Service = ceased.Service.Evolve(fact(1, noon, ServiceCeased{}))
	for _, tt := range []struct {
		name  string
		given []Fact
		ref   Reference
		want  Why
	}{
		{"the service is over, before anything else", []Fact{fact(2, t0, HoldPlaced{Reason: "court"})}, ceased, WhyCeased},
		{"a hold comes before a restriction", []Fact{fact(2, t0, RestrictionApplied{}), fact(3, t0, HoldPlaced{})}, ref(), WhyHold},
		{"a hold that was released", []Fact{fact(2, t0, HoldPlaced{}), fact(3, noon, HoldReleased{}), yes(4, t0, t0)}, ref(), WhyConsent},
		{"a restriction comes before a child", []Fact{aged(ChildUnder14, t0), fact(3, t0, RestrictionApplied{})}, ref(), WhyRestricted},
		{"a child comes before the status", []Fact{aged(ChildUnder14, t0)}, ref(), WhyGuardian},
		{"an exemption, where nobody was asked", []Fact{fact(2, t0, exempt(ExemptionInvoked{}))}, ref(), WhyExempt},
		{"an exemption never overrides a withdrawal", []Fact{no(1, t0, t0), fact(2, noon, exempt(ExemptionInvoked{}))}, ref(), WhyStatus},
		{"an exemption that was ended", []Fact{fact(2, t0, exempt(ExemptionInvoked{})), fact(3, noon, ExemptionEnded{ident.EventID{2}})}, ref(), WhyStatus},
		{"an exemption is for its own actions", []Fact{fact(2, t0, exempt(ExemptionInvoked{Actions: []policy.Action{policy.Collect}}))}, ref(), WhyStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := May(fold(tt.given...), tt.ref, Question{Purpose: "ads", Action: policy.Use, At: later}); got.Why != tt.want || got.Allowed != (tt.want == WhyExempt || tt.want == WhyConsent) {
				t.Errorf("got %v because %v", got.Allowed, got.Why)
			}
		})
	}
}

func TestInvokingAnExemption(t *testing.T) {
	r := ref()
	doc := r.Policies.Versions()[0].Document
	doc.ExemptionsCollect = []policy.Ground{{Code: "EXC-C8", Doubtful: true}}
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	r.By = ident.By{Actor: ident.Operator, Principal: "clerk"}
	good := ExemptionInvoked{List: ForCollection, Code: "EXC-C8", Purposes: []policy.PurposeID{"ads"}, Reason: "fault", Approver: "officer", Until: later}
	change := func(f func(*ExemptionInvoked)) ExemptionInvoked { e := good; f(&e); return e }
	for _, tt := range []struct {
		name string
		e    ExemptionInvoked
		by   ident.Actor
		code refusal.Code
	}{
		{"by an operator", good, ident.Operator, ""},
		{"by an app", good, ident.Person, refusal.NotForApps},
		{"without an end", change(func(e *ExemptionInvoked) { e.Until = 0 }), ident.Operator, refusal.Incomplete},
		{"approved by who invokes it", change(func(e *ExemptionInvoked) { e.Approver = "clerk" }), ident.Operator, refusal.SamePrincipal},
		{"from the other list", change(func(e *ExemptionInvoked) { e.List = ForProvision }), ident.Operator, refusal.UnknownGround},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.By.Actor = tt.by
			then, err := Subject{}.Decide(Say{tt.e}, r, noon, noon)
			got, _ := errors.AsType[refusal.Refusal](err)
			if got.Code != tt.code {
				t.Fatalf("got %v, want %v", err, tt.code)
			}
			if err == nil && !then[0].(ExemptionInvoked).Doubtful {
				t.Error("the ground is doubtful, and nobody says so")
			}
		})
	}
}

func TestPromptAsksForWhatIsOpen(t *testing.T) {
	asked := func(s Subject, at deadline.Instant) map[policy.PurposeID]Ask {
		m := map[policy.PurposeID]Ask{}
		for _, a := range Prompt(s, ref(), "en", at) {
			m[a.Purpose] = a
		}
		return m
	}
	got := asked(Subject{}, later)
	if len(got) != 3 || got["ads"].Reason != PromptFirst || !got["face"].Separate {
		t.Errorf("at first: %+v", got)
	}
	s := fold(yes(1, t0, t0), fact(2, noon, ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"face"}}}))
	got = asked(s, later)
	if _, again := got["ads"]; again || got["face"].NotBefore != noon.Add(policy.QuietPeriod) {
		t.Errorf("after a refusal: %+v", got)
	}
	if got = asked(s, noon.Add(policy.QuietPeriod)); got["face"].NotBefore != 0 {
		t.Errorf("after the quiet period: %+v", got)
	}
	for at, want := range map[deadline.Instant]bool{later: true, noon.Add(policy.QuietPeriod): false} {
		then, err := s.Decide(RequestConsent{Purposes: []policy.PurposeID{"face"}, Reason: "reminder"}, ref(), at, at)
		if err != nil || then[0].(ConsentRequested).TooSoon != want {
			t.Errorf("asking at %v: %v, %v", at, then, err)
		}
	}
}

func TestNotesAreHeldToTheirRules(t *testing.T) {
	seen := map[catalog.Note]bool{}
	for _, r := range catalog.NoteRules {
		if seen[r.Kind] || r.Source == "" || r.Says == "" || !r.Fields[0].Required {
			t.Errorf("%s: the rule is not one", r.Kind)
		}
		seen[r.Kind] = true
	}
	ok := []policy.Field{{Name: "change", Value: "moved"}, {Name: "recipient", Value: "acme"}, {Name: "categories", Value: "clicks"}, {Name: "purposes", Value: "ads"}}
	for _, tt := range []struct {
		name string
		n    Noted
		code refusal.Code
	}{
		{"as it should be", Noted{Kind: "recipient.changed", Fields: ok}, ""},
		{"without a required field", Noted{Kind: "recipient.changed", Fields: ok[:3]}, refusal.Incomplete},
		{"with a field of another kind", Noted{Kind: "recipient.changed", Fields: append(ok[:4:4], policy.Field{Name: "x", Value: "y"})}, refusal.Malformed},
		{"with a name that is none", Noted{Kind: "recipient.removed", Fields: []policy.Field{{Name: "recipient", Value: "A B"}, {Name: "reason", Value: "over"}}}, refusal.Malformed},
		{"of no kind", Noted{Kind: "x"}, refusal.Incomplete},
		{"about a person", Noted{Kind: "cookies.set", Fields: []policy.Field{{Name: "choice", Value: "none"}}}, refusal.WrongStream},
	} {
		_, err := Service{}.Decide(Say{tt.n}, Reference{}, 1, 1)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
		}
	}
}
