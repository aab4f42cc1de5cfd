package domain_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/surface"
)

// The pop-up, as a build shows it: a general agree, a switch for faces alone, a
// box that is ticked before, and a way out.
var popup = SurfacePublished{ID: content.Hash{7}, Publisher: "release", Surface: surface.Surface{
	Build: "5.2", Screen: "pop-up", Policy: "privacy", Version: v1, Approver: "officer",
	Signing: content.Hash{6},
	Locales: []surface.Locale{
		{Locale: "en", Text: content.Hash{8}, Screenshot: content.Hash{9}, Strings: []surface.String{{Key: "ok", Text: "Agree"}, {Key: "out", Text: "No"}}},
		{Locale: "zh", Text: content.Hash{10}, Strings: []surface.String{{Key: "ok", Text: "同意"}, {Key: "out", Text: "不同意"}}},
	},
	Controls: []surface.Control{
		{ID: "ok", Label: "ok", Act: "agree", Purposes: []policy.PurposeID{"ads", "net"}, Initial: surface.Button},
		{ID: "face", Label: "ok", Act: "tick", Purposes: []policy.PurposeID{"face"}, Initial: surface.Unticked},
		{ID: "both", Label: "ok", Act: "tick", Purposes: []policy.PurposeID{"face", "ads"}, Initial: surface.Unticked},
		{ID: "trap", Label: "ok", Act: "tick", Purposes: []policy.PurposeID{"face"}, Initial: surface.Ticked},
		{ID: "bare", Label: "ok", Act: "tick-net", Initial: surface.Unticked},
		{ID: "out", Label: "out", Refuses: true, Initial: surface.Button},
	},
}}

// shown is ref with the pop-up, a text that binds in English, in production.
func shown() Reference {
	r := ref()
	doc := r.Policies.Versions()[0].Document
	doc.Texts = []policy.Text{{Locale: "en", Hash: content.Hash{8}, Force: policy.Authoritative}, {Locale: "zh", Hash: content.Hash{10}, Force: policy.Translation}}
	doc.Acts = append(slices.Clone(doc.Acts),
		policy.Act{ID: "tick-net", Counts: policy.ExplicitConsent, Purposes: []policy.PurposeID{"net"}},
		policy.Act{ID: "show-face", Counts: policy.SeparateConsent, Purposes: []policy.PurposeID{"face"}})
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	r.Surfaces = r.Surfaces.Evolve(Fact{Event: popup})
	r.Service = r.Service.Evolve(Fact{Event: AppRegistered{App{Name: "demo", Environment: Production}}})
	r.By = ident.By{Actor: ident.Person, Principal: "backend"}
	return r
}

func presented(locale string) Fact {
	l, _ := popup.Surface.Locale(locale)
	return Fact{ID: ident.EventID{60}, At: t0, Recorded: t0, Event: NoticePresented{Policy: "privacy", Version: v1, Locale: locale, Text: l.Text, Surface: popup.ID, Build: "5.2"}}
}

func aged(band AgeBand, at deadline.Instant) Fact {
	return Fact{ID: ident.EventID{70, byte(band)}, At: at, Recorded: at, Event: AgeRecorded{Band: band, Basis: "declared"}}
}

func guarded() Fact {
	return Fact{ID: ident.EventID{71}, At: t0, Recorded: t0, Event: GuardianVerified{Guardian: "mother", Proof: Proof{content.Hash{1}, "id-card", "desk"}}}
}

func TestWhatCountsAsConsent(t *testing.T) {
	notice := ident.EventID{60}
	doc := Proof{content.Hash{3}, "scan", "desk"}
	covered := map[Shortfall]bool{}
	for _, tt := range []struct {
		name  string
		given []Fact
		when  GiveConsent
		want  []Item
	}{
		{"the pop-up covers what is on its control", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "ok"}, []Item{{"ads", ""}, {"net", ""}}},
		{"use of the service gives none", []Fact{presented("en")}, GiveConsent{Notice: notice, Act: "use", Purposes: []policy.PurposeID{"ads"}}, []Item{{"ads", ActGivesNone}}},
		{"a purpose that is not on the control", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "face", Purposes: []policy.PurposeID{"ads"}}, []Item{{"ads", NeedsControl}}},
		{"an act covers what it stands for, and nothing else", nil, GiveConsent{Act: "tick-net", Locale: "en"}, []Item{{"net", ""}}},
		{"a separate act covers its purpose", nil, GiveConsent{Act: "show-face", Locale: "en"}, []Item{{"face", ""}}},
		{"an act that stands for nothing in particular covers what may be agreed to together", nil, GiveConsent{Act: "agree", Locale: "en"}, []Item{{"ads", ""}, {"net", ""}}},
		{"a purpose that the act does not stand for", nil, GiveConsent{Act: "tick-net", Locale: "en", Purposes: []policy.PurposeID{"ads", "net"}}, []Item{{"ads", NeedsAct}, {"net", ""}}},
		{"a control that says no purposes covers those of its act", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "bare"}, []Item{{"net", ""}}},
		{"another purpose on a control that says none", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "bare", Purposes: []policy.PurposeID{"ads"}}, []Item{{"ads", NeedsAct}}},
		{"a separate consent on its own control", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "face"}, []Item{{"face", ""}}},
		{"a separate consent inside the agree", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "ok", Purposes: []policy.PurposeID{"face"}}, []Item{{"face", NeedsSeparate}}},
		{"a separate consent bundled with another", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "both"}, []Item{{"face", NeedsSeparate}, {"ads", ""}}},
		{"a box that was ticked before", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "trap"}, []Item{{"face", TickedBefore}}},
		{"a box that was ticked before, says the app", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "face", Initial: surface.Ticked}, []Item{{"face", TickedBefore}}},
		{"a written consent without its paper", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "face", Kind: policy.WrittenConsent}, []Item{{"face", NeedsDocument}}},
		{"a written consent", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "face", Kind: policy.WrittenConsent, Proof: doc}, []Item{{"face", ""}}},
		{"the tag of a language in another case", []Fact{presented("EN")}, GiveConsent{Notice: notice, Control: "ok"}, []Item{{"ads", ""}, {"net", ""}}},
		{"two cases of one", []Fact{presented("en")}, GiveConsent{Notice: notice, Control: "ok", Locale: "eN"}, []Item{{"ads", ""}, {"net", ""}}},
		{"a text that does not bind", []Fact{presented("zh")}, GiveConsent{Notice: notice, Control: "ok"}, []Item{{"ads", NoBindingText}, {"net", NoBindingText}}},
		{"a child alone", []Fact{presented("en"), aged(ChildUnder14, t0)}, GiveConsent{Notice: notice, Control: "face"}, []Item{{"face", NeedsGuardian}}},
		{"a child's guardian", []Fact{presented("en"), aged(ChildUnder14, t0), guarded()}, GiveConsent{Notice: notice, Control: "face", Guardian: "mother", Proof: doc}, []Item{{"face", ""}}},
		{"a guardian of who is 14", []Fact{presented("en"), aged(Aged14, t0), guarded()}, GiveConsent{Notice: notice, Control: "face", Guardian: "mother", Proof: doc}, []Item{{"face", GuardianLapsed}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			then, err := fold(tt.given...).Decide(tt.when, shown(), noon, noon)
			if err != nil {
				t.Fatal(err)
			}
			got := then[0].(ConsentGiven).Items
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for _, i := range got {
				covered[i.Short] = true
			}
		})
	}
	covered[NoVersionThen] = true // see TestAConsentFromBeforeAnyVersionNamesItsVersion
	for _, r := range CountRules {
		if !covered[r.Short] && r.Short != NeedsExplicit { // see TestAMaterialChange
			t.Errorf("no case shows %s", r.Short)
		}
	}
}

func TestEvidence(t *testing.T) {
	strong := GiveConsent{Notice: ident.EventID{60}, Control: "ok"}
	for _, tt := range []struct {
		name  string
		given []Fact
		when  GiveConsent
		by    ident.By
		want  Evidence
	}{
		{"strong", []Fact{presented("en")}, strong, ident.By{Principal: "backend"}, Evidence{Quality: Strong}},
		{"signed, by nobody that is authenticated", []Fact{presented("en")}, strong, ident.By{Principal: ident.Unauthenticated, Signer: "phone"}, Evidence{Quality: Strong}},
		{"nobody vouches for it", []Fact{presented("en")}, strong, ident.By{Principal: ident.Unauthenticated}, Evidence{Partial, []Lack{"principal"}}},
		{"its weak twin", nil, GiveConsent{Act: "agree", Locale: "en", Text: content.Hash{8}, Initial: surface.Button}, ident.By{Principal: "backend"}, Evidence{Weak, []Lack{"presentation", "surface", "control"}}},
		{"no picture of the screen", []Fact{presented("zh")}, strong, ident.By{Principal: "backend"}, Evidence{Partial, []Lack{"screenshot", "authoritative-text"}}},
		{"an import", nil, GiveConsent{Act: "agree", Import: true}, ident.By{Principal: "backend"}, Evidence{Quality: Imported}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := shown()
			r.By = tt.by
			then, err := fold(tt.given...).Decide(tt.when, r, noon, noon)
			if err != nil {
				t.Fatal(err)
			}
			if got := then[0].(ConsentGiven).Evidence; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhatWasShownCannotBeContradicted(t *testing.T) {
	notice := ident.EventID{60}
	for _, tt := range []struct {
		name string
		when Command
		by   string
		code refusal.Code
	}{
		{"a presentation of nobody", GiveConsent{Notice: ident.EventID{61}, Act: "agree"}, "backend", refusal.UnknownNotice},
		{"another text", GiveConsent{Notice: notice, Control: "ok", Text: content.Hash{99}}, "backend", refusal.Contradicts},
		{"another build", GiveConsent{Notice: notice, Control: "ok", Build: "5.3"}, "backend", refusal.Contradicts},
		{"another act", GiveConsent{Notice: notice, Control: "ok", Act: "tick"}, "backend", refusal.Contradicts},
		{"a control that is not there", GiveConsent{Notice: notice, Control: "x"}, "backend", refusal.UnknownControl},
		{"a control that refuses", GiveConsent{Notice: notice, Control: "out"}, "backend", refusal.Contradicts},
		{"a control that says it was not ticked", GiveConsent{Notice: notice, Control: "ok", Initial: surface.Unticked}, "backend", refusal.Contradicts},
		{"who published the surface", GiveConsent{Notice: notice, Control: "ok"}, "release", refusal.SamePrincipal},
		{"a surface of another app", PresentNotice{Surface: content.Hash{1}, Locale: "en"}, "backend", refusal.UnknownSurface},
		{"a language that the surface has not", PresentNotice{Surface: popup.ID, Locale: "fr"}, "backend", refusal.Contradicts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := shown()
			r.By.Principal = tt.by
			_, err := fold(presented("en")).Decide(tt.when, r, noon, noon)
			if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
				t.Errorf("got %v, want %v", err, tt.code)
			}
		})
	}
}

// What is misspelt is told with what there is.
func TestAnUnknownActOrPurposeIsToldWithThoseThatThereAre(t *testing.T) {
	for _, tt := range []struct {
		when GiveConsent
		want string
	}{
		{GiveConsent{Act: "tick-nett"}, `the policy names no act "tick-nett"; it names agree, use, tick, tick-net, show-face`},
		{GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"nett"}}, `the policy declares no purpose "nett"; it names ads, net, face, tax`},
	} {
		_, err := fold().Decide(tt.when, shown(), noon, noon)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Text != tt.want {
			t.Errorf("%q, want %q", got.Text, tt.want)
		}
	}
}

// A refusal says what a grant says of what was touched, and none is refused for
// what it says of that.
func TestARefusalNamesTheControlThatWasUsed(t *testing.T) {
	r := shown()
	for _, tt := range []struct {
		name    string
		when    RefuseConsent
		want    []policy.PurposeID
		initial surface.State
		code    refusal.Code
	}{
		{"the purposes of its control", RefuseConsent{Notice: ident.EventID{60}, Control: "both"}, []policy.PurposeID{"face", "ads"}, surface.Unticked, ""},
		{"its own purposes before those", RefuseConsent{Notice: ident.EventID{60}, Control: "both", Scope: policy.Scope{Purposes: []policy.PurposeID{"net"}}}, []policy.PurposeID{"net"}, surface.Unticked, ""},
		{"a way out that is about nothing in particular", RefuseConsent{Notice: ident.EventID{60}, Control: "out"}, nil, 0, refusal.NothingNamed},
		{"everything, by the way out", RefuseConsent{Notice: ident.EventID{60}, Control: "out", Scope: policy.Scope{All: true}}, nil, surface.Button, ""},
		{"another state than the surface's is kept as it was said", RefuseConsent{Notice: ident.EventID{60}, Control: "both", Initial: surface.Ticked}, []policy.PurposeID{"face", "ads"}, surface.Ticked, ""},
		{"a control that the surface has not", RefuseConsent{Notice: ident.EventID{60}, Control: "x", Scope: policy.Scope{All: true}}, nil, 0, ""},
		{"a presentation that nobody knows", RefuseConsent{Notice: ident.EventID{61}, Control: "both", Initial: surface.Button, Scope: policy.Scope{All: true}}, nil, surface.Button, ""},
	} {
		then, err := fold(presented("en")).Decide(tt.when, r, noon, noon)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
		if tt.code != "" {
			continue
		}
		if e := then[0].(ConsentRefused); !slices.Equal(e.Scope.Purposes, tt.want) || e.Initial != tt.initial || e.Control != tt.when.Control {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}

// A key is a principal as a name is that was authenticated; nobody is nobody.
func TestWhoPublishesASurfaceRecordsNoConsentToIt(t *testing.T) {
	key := [32]byte{1}
	for _, tt := range []struct {
		name          string
		published, by ident.By
		code          refusal.Code
	}{
		{"another principal", ident.By{Principal: "release"}, ident.By{Principal: "backend"}, ""},
		{"the same principal", ident.By{Principal: "backend"}, ident.By{Principal: "backend"}, refusal.SamePrincipal},
		{"the same principal, by a key", ident.By{Principal: "backend"}, ident.By{Principal: "backend", Signer: "phone"}, refusal.SamePrincipal},
		{"a token of the same principal", ident.By{Principal: "backend"}, ident.By{Principal: "backend-token"}, refusal.SamePrincipal},
		{"a token of another principal", ident.By{Principal: "release"}, ident.By{Principal: "backend-token"}, ""},
		{"another key", ident.By{Principal: ident.Unauthenticated, Signer: "release"}, ident.By{Principal: ident.Unauthenticated, Signer: "backend"}, ""},
		{"the same key", ident.By{Principal: ident.Unauthenticated, Signer: "backend"}, ident.By{Principal: ident.Unauthenticated, Signer: "backend"}, refusal.SamePrincipal},
		{"the same key, sent by another", ident.By{Principal: "release", Signer: "backend"}, ident.By{Principal: "relay", Signer: "backend"}, refusal.SamePrincipal},
		{"a key, and nobody", ident.By{Principal: ident.Unauthenticated, Signer: "backend"}, ident.By{Principal: ident.Unauthenticated}, ""},
		{"nobody that is known", ident.By{Principal: ident.Unauthenticated}, ident.By{Principal: ident.Unauthenticated}, ""},
		{"nobody at all", ident.By{}, ident.By{}, ""},
	} {
		r := shown()
		r.By = tt.published
		then, err := Surfaces{}.Decide(PublishSurface{popup.ID, popup.Surface}, r)
		if err != nil {
			t.Fatal(err)
		}
		r.Surfaces, r.By = Surfaces{}.Evolve(Fact{Event: then[0]}), tt.by
		_, err = fold(presented("en")).Decide(GiveConsent{Notice: ident.EventID{60}, Control: "ok"}, r, noon, noon)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
		for _, control := range []surface.ControlID{"ok", ""} { // without a presentation, by the build alone
			_, err = Subject{}.Decide(GiveConsent{Act: "agree", Build: popup.Surface.Build, Control: control}, r, noon, noon)
			if got, _ := errors.AsType[refusal.Refusal](err); (got.Code == refusal.SamePrincipal) != (tt.code == refusal.SamePrincipal) {
				t.Errorf("%s, by the build and the control %q: %v, want %q", tt.name, control, err, tt.code)
			}
		}
		if _, err = fold(presented("en")).Decide(RefuseConsent{Scope: policy.Scope{All: true}, Notice: ident.EventID{60}}, r, noon, noon); err != nil {
			t.Errorf("%s: a refusal: %v", tt.name, err)
		}
	}
	s := Service{}.Evolve(Fact{Event: SignerRegistered{Name: "backend", Key: key}}).Evolve(Fact{Event: SignerRegistered{Name: "backend", Key: [32]byte{2}, Retired: true}})
	for name, code := range map[string]refusal.Code{"backend": "", "release": refusal.SamePrincipal} {
		_, err := s.Decide(Say{SignerRegistered{Name: name, Key: key}}, Reference{}, noon, noon)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != code {
			t.Errorf("a key that was backend's, as %s: %v", name, err)
		}
	}
}

func TestPublishingASurface(t *testing.T) {
	change := func(f func(*surface.Surface)) surface.Surface {
		s := popup.Surface
		s.Controls, s.Locales = slices.Clone(s.Controls), slices.Clone(s.Locales)
		f(&s)
		return s
	}
	for _, tt := range []struct {
		name    string
		surface surface.Surface
		code    refusal.Code
	}{
		{"as it is", popup.Surface, ""},
		{"of no version", change(func(s *surface.Surface) { s.Version = content.Hash{5} }), refusal.UnknownVersion},
		{"approved by who publishes it", change(func(s *surface.Surface) { s.Approver = "backend" }), refusal.SamePrincipal},
		{"approved by whose key signs it", change(func(s *surface.Surface) { s.Approver = "phone" }), refusal.SamePrincipal},
		{"approved by nobody", change(func(s *surface.Surface) { s.Approver = "" }), refusal.Incomplete},
		{"with an act that is not the policy's", change(func(s *surface.Surface) { s.Controls[0].Act = "wink" }), refusal.UnknownAct},
		{"with a purpose that is not the policy's", change(func(s *surface.Surface) { s.Controls[0].Purposes = []policy.PurposeID{"x"} }), refusal.UnknownPurpose},
		{"with one control twice", change(func(s *surface.Surface) { s.Controls[1].ID = "ok" }), refusal.Incomplete},
		{"of a build that is not known by its signature", change(func(s *surface.Surface) { s.Signing = content.Hash{} }), refusal.Incomplete},
		{"with a control without a label", change(func(s *surface.Surface) { s.Controls[1].Label = "" }), refusal.Incomplete},
		{"with a label that one language lacks", change(func(s *surface.Surface) { s.Locales[1].Strings = s.Locales[1].Strings[1:] }), refusal.Incomplete},
		{"with no way to refuse", change(func(s *surface.Surface) { s.Controls = s.Controls[:4] }), refusal.Incomplete},
		{"with no way to refuse, and says so", change(func(s *surface.Surface) { s.Controls, s.NoRefusal = s.Controls[:4], true }), ""},
		{"with a way to refuse, and says that there is none", change(func(s *surface.Surface) { s.NoRefusal = true }), refusal.Contradicts},
		{"with a refusal at no distance that there is", change(func(s *surface.Surface) { s.Controls[4].Steps = -1 }), refusal.Incomplete},
		{"with a box of unknown state", change(func(s *surface.Surface) { s.Controls[1].Initial = surface.Unknown }), refusal.Incomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := shown()
			r.By.Signer = "phone"
			then, err := Surfaces{}.Decide(PublishSurface{content.Hash{7}, tt.surface}, r)
			if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code || (err == nil) != (len(then) == 1) {
				t.Errorf("got %v, %v; want %v", then, err, tt.code)
			}
		})
	}
}

func TestAScreenWithoutAWayOutIsWeakerEvidence(t *testing.T) {
	r := shown()
	trap := popup
	trap.Surface.Controls, trap.Surface.NoRefusal = trap.Surface.Controls[:4], true
	r.Surfaces = Surfaces{}.Evolve(Fact{Event: trap})
	then, err := fold(presented("en")).Decide(GiveConsent{Notice: ident.EventID{60}, Control: "ok"}, r, noon, noon)
	if want := (Evidence{Partial, []Lack{"refuse-option"}}); err != nil || !reflect.DeepEqual(then[0].(ConsentGiven).Evidence, want) {
		t.Errorf("got %v, %v; want %v", then, err, want)
	}
}

// Who says no version means the one in force then. If there was none, the one that
// was published first is a guess, and nothing counts by a guess.
func TestAConsentFromBeforeAnyVersionNamesItsVersion(t *testing.T) {
	const minute, day = deadline.Instant(deadline.Minute), deadline.Instant(deadline.Day)
	agree := GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}, Locale: "en"}
	imported := func(h content.Hash) GiveConsent { cmd := agree; cmd.Import, cmd.Version = true, h; return cmd }
	pending := shown() // of a version that is published, and binds later
	pending.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: shown().Policies.Versions()[0].Document, Effective: noon + 9*day}})
	for _, tt := range []struct {
		name string
		when GiveConsent
		ref  Reference
		at   deadline.Instant
		want Shortfall
	}{
		{"an import from years before", imported(content.Hash{}), shown(), t0 - 900*day, NoVersionThen},
		{"an import that names its version", imported(v1), shown(), t0 - 900*day, ""},
		{"an import from after it", imported(content.Hash{}), shown(), t0, ""},
		{"a late one from the day before", agree, shown(), t0 - day, NoVersionThen},
		{"a late one by a clock that is behind", agree, shown(), t0 - 4*minute, ""},
		{"what is said now, before the version binds", agree, pending, noon - 4*minute, ""},
		{"what was said before, when it may not have been published", agree, pending, noon - 6*minute, NoVersionThen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			then, err := Subject{}.Decide(tt.when, tt.ref, tt.at, noon)
			if err != nil {
				t.Fatal(err)
			}
			if got := then[0].(ConsentGiven).Items; !reflect.DeepEqual(got, []Item{{"ads", tt.want}}) {
				t.Errorf("%v, want %q", got, tt.want)
			}
		})
	}

	for name, cmd := range map[string]Command{"a notice": PresentNotice{Locale: "en"}, "an acknowledgement": AcknowledgePolicy{Locale: "en"}} {
		_, err := Subject{}.Decide(cmd, shown(), t0-day, noon)
		if r, refused := errors.AsType[refusal.Refusal](err); !refused || r.Code != refusal.UnknownVersion || r.Path != "data.version" {
			t.Errorf("%s from before any version: %v", name, err)
		}
		if _, err := (Subject{}).Decide(cmd, shown(), t0, noon); err != nil {
			t.Errorf("%s to the version in force: %v", name, err)
		}
	}
}
