package domain_test

import (
	"fmt"
	"slices"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// to returns a document that shares ads with a partner, at home or abroad.
func to(abroad bool) func(*policy.Document) {
	return func(d *policy.Document) {
		d.Recipients = []policy.Recipient{{ID: "partner", Title: "Partner", Purposes: []policy.PurposeID{"ads"}, Abroad: abroad}}
	}
}

func provides(d *policy.Document) {
	d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
}

func faces(d *policy.Document) { d.Purposes[0].Categories = []policy.CategoryID{"faces"} }

// What one version drops and a later one declares again is not covered by a consent
// from before: a recipient, its place, an action, a category, the ground. A consent
// from before the rule covers recipients as it did.
func TestWhatWasDroppedAndIsDeclaredAgainIsNotCovered(t *testing.T) {
	ask := Question{Purpose: "ads", Action: policy.Use, At: july}
	partner, provide, face := ask, ask, ask
	partner.Recipient, provide.Action, face.Category = "partner", policy.Provide, "faces"
	plain := title("x")
	for _, tt := range []struct {
		name     string
		versions [3]func(*policy.Document)
		q        Question
		rules    uint8
		want     Why
	}{
		{"a recipient", [3]func(*policy.Document){to(false), plain, to(false)}, partner, 2, WhyRecipientNew},
		{"a recipient, by a consent from before the rule", [3]func(*policy.Document){to(false), plain, to(false)}, partner, 1, WhyConsent},
		{"a recipient that was never dropped", [3]func(*policy.Document){to(false), func(d *policy.Document) { to(false)(d); plain(d) }, to(false)}, partner, 2, WhyConsent},
		{"a recipient that goes abroad", [3]func(*policy.Document){to(false), plain, to(true)}, partner, 2, WhyRecipientNew},
		{"one that is abroad again", [3]func(*policy.Document){to(true), to(false), to(true)}, partner, 2, WhyRecipientNew},
		{"one that came home", [3]func(*policy.Document){to(true), to(false), func(d *policy.Document) { to(false)(d); plain(d) }}, partner, 2, WhyConsent},
		{"an action", [3]func(*policy.Document){provides, plain, provides}, provide, 2, WhyStatus},
		{"a category", [3]func(*policy.Document){faces, plain, faces}, face, 2, WhyStatus},
		{"the ground", [3]func(*policy.Document){nil, func(d *policy.Document) { d.Purposes[0].Basis = policy.BasisContract }, title("z")}, ask, 2, WhyStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			versions := []PublishPolicy{}
			for i, at := range []deadline.Instant{0, may, june} {
				versions = append(versions, PublishPolicy{Version: content.Hash{byte(i + 1)}, Document: first(tt.versions[i]), Effective: at, Material: anyKind})
			}
			r := history(t, versions...)
			old := given(1, april+9, v1, policy.GeneralConsent)
			old.Rules = tt.rules
			if got := May(fold(old), r, tt.q); got.Why != tt.want {
				t.Errorf("got %v (%+v), want %v", got.Why, got.Standing, tt.want)
			}
		})
	}
}

// A comparison over versions in between has what they made stale, so that whom it
// touches is counted.
func TestAComparisonGoesOverTheVersionsInBetween(t *testing.T) {
	for _, tt := range []struct {
		name     string
		versions [3]func(*policy.Document)
		want     string
	}{
		{"an action", [3]func(*policy.Document){provides, title("x"), provides}, "[] [{ads [provide] []}]"},
		{"a category", [3]func(*policy.Document){faces, func(d *policy.Document) { d.Purposes[0].Categories = nil }, faces}, "[] [{ads [] [faces]}]"},
		{"the ground", [3]func(*policy.Document){nil, func(d *policy.Document) { d.Purposes[0].Basis = policy.BasisContract }, title("z")}, "[ads] []"},
		{"the meaning", [3]func(*policy.Document){nil, func(d *policy.Document) { d.Purposes[0].Title = "Sell" }, title("z")}, "[ads] []"},
		{"an action that only came in between", [3]func(*policy.Document){nil, provides, title("z")}, "[] []"},
		{"nothing", [3]func(*policy.Document){nil, title("x"), title("z")}, "[] []"},
	} {
		last := PublishPolicy{Version: v3, Document: first(tt.versions[2]), Effective: june, Material: anyKind}
		versions := []PublishPolicy{
			{Version: v1, Document: first(tt.versions[0])}, {Version: v2, Document: first(tt.versions[1]), Effective: may, Material: anyKind},
		}
		for name, r := range map[string]Reference{"published": history(t, append(versions, last)...), "not yet published": history(t, versions...)} {
			c := r.Policies.Compare(v1, last.Document, june)
			if got := fmt.Sprint(c.Stale, " ", c.Scopes); got != tt.want {
				t.Errorf("%s, %s: %s, want %s", tt.name, name, got, tt.want)
			}
		}
	}
}

// The first specific policy is told which purposes the general one gave up before.
func TestASpecificPolicyDeclaresAgainWhatTheGeneralOneGaveUp(t *testing.T) {
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: first(withoutAds), Effective: may, Material: anyKind})
	special := first(func(d *policy.Document) { d.Name, d.Over, d.Purposes = "special", "privacy", d.Purposes[:1] })
	for v, want := range map[content.Hash]string{v1: "[] []", v2: "[ads] []"} {
		c := r.Policies.CompareSpecific(v, special)
		if got := fmt.Sprint(c.Stale, " ", c.Material); got != want {
			t.Errorf("after version %d: %s, want %s", v[0], got, want)
		}
		for _, d := range c.Differences {
			if d.Material != "" {
				t.Errorf("after version %d: %+v is material", v[0], d)
			}
		}
	}
}

// A purpose that moves between the general policy and a specific one keeps its
// consents if it is the same and some policy declared it all the time.
func TestAPurposeThatMovesKeepsItsConsentsOnlyWithoutAGap(t *testing.T) {
	special := func(f func(*policy.Document)) policy.Document {
		return first(func(d *policy.Document) {
			d.Name, d.Over, d.Permissions, d.Purposes, d.Acts = "special", "privacy", nil, d.Purposes[:1], d.Acts[:5]
			for i := range d.Acts {
				d.Acts[i].Purposes = nil
			}
			if f != nil {
				f(d)
			}
		})
	}
	withoutIt := special(func(d *policy.Document) {
		d.Purposes = []policy.Purpose{{ID: "other", Title: "Other", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}}}
	})
	publish := func(v byte, at deadline.Instant, d policy.Document) PublishPolicy {
		return PublishPolicy{Version: content.Hash{v}, Document: d, Effective: at, Material: anyKind}
	}
	sold := func(d *policy.Document) { d.Purposes[0].Title = "Sell" }
	for _, tt := range []struct {
		name     string
		versions []PublishPolicy
		by       string // whose first version was consented to
		rules    uint8
		want     Status
	}{
		{"to a specific one at once", []PublishPolicy{publish(1, 0, first(nil)), publish(2, may, first(withoutAds)), publish(3, may, special(nil))}, "privacy", 2, Given},
		{"to a specific one after a gap", []PublishPolicy{publish(1, 0, first(nil)), publish(2, may, first(withoutAds)), publish(3, june, special(nil))}, "privacy", 2, Stale},
		{"the same by a consent from before the rule", []PublishPolicy{publish(1, 0, first(nil)), publish(2, may, first(withoutAds)), publish(3, june, special(nil))}, "privacy", 1, Given},
		{"to the general one at once", []PublishPolicy{publish(2, 0, first(withoutAds)), publish(1, 0, special(nil)), publish(3, may, first(nil)), publish(4, june, withoutIt)}, "special", 2, Given},
		{"to the general one after a gap", []PublishPolicy{publish(2, 0, first(withoutAds)), publish(1, 0, special(nil)), publish(4, may, withoutIt), publish(3, june, first(nil))}, "special", 2, Stale},
		{"to the general one, which means something else", []PublishPolicy{publish(2, 0, first(withoutAds)), publish(1, 0, special(nil)), publish(3, may, first(sold)), publish(4, june, withoutIt)}, "special", 2, Stale},
		{"the last two by a consent from before the rule", []PublishPolicy{publish(2, 0, first(withoutAds)), publish(1, 0, special(nil)), publish(4, may, withoutIt), publish(3, june, first(sold))}, "special", 1, Given},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := history(t, tt.versions...)
			old := fact(1, april+9, ConsentGiven{Policy: tt.by, Version: v1, Kind: policy.GeneralConsent, Items: []Item{{Purpose: "ads"}}})
			old.Rules = tt.rules
			st := fold(old).Standing("ads", july, r)
			if st.Status != tt.want {
				t.Errorf("got %v, want %v", st.Status, tt.want)
			}
			if by := st.By(july, "ads", r.Policies); by != tt.want {
				t.Errorf("by what is kept of it %v, want %v", by, tt.want)
			}
		})
	}
}

// A comparison over the versions in between names a recipient that one of them
// dropped: check says that it is new, so the comparison must not say nothing.
func TestAComparisonTellsWhichRecipientsAreDeclaredAgain(t *testing.T) {
	plain := title("x")
	for name, tt := range map[string]struct {
		between func(*policy.Document)
		want    bool
	}{
		"dropped on the way":  {plain, true},
		"declared throughout": {func(d *policy.Document) { to(false)(d); plain(d) }, false},
	} {
		r := history(t,
			PublishPolicy{Version: v1, Document: first(to(false)), Material: anyKind},
			PublishPolicy{Version: v2, Document: first(tt.between), Effective: may, Material: anyKind})
		c := r.Policies.Compare(v1, first(to(false)), july)
		named := slices.ContainsFunc(c.Differences, func(d policy.Difference) bool {
			return d.Section == "recipients declared again" && d.Name == "partner" && d.Material == policy.MaterialRecipients
		})
		if named != tt.want || slices.Contains(c.Material, policy.MaterialRecipients) != tt.want {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
