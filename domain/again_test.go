package domain_test

import (
	"slices"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// without is a whole document that gives the purpose ads up.
func withoutAds(d *policy.Document) { d.Purposes, d.Acts = d.Purposes[1:], d.Acts[:5] }

func title(text string) func(*policy.Document) {
	return func(d *policy.Document) { d.Title = []policy.LocalText{{Locale: "en", Text: text}} }
}

func TestAPurposeThatIsDeclaredAgainIsAskedForAgain(t *testing.T) {
	v4 := content.Hash{4}
	publish := func(v content.Hash, at deadline.Instant, f func(*policy.Document)) PublishPolicy {
		return PublishPolicy{Version: v, Document: first(f), Effective: at, Material: anyKind}
	}
	old := []Fact{given(1, april+9, v1, policy.GeneralConsent)}
	for _, tt := range []struct {
		name     string
		versions []PublishPolicy
		given    []Fact
		at       deadline.Instant
		want     Status
	}{
		{"while nobody declares it, the consent is as it was", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, withoutAds)}, old, may, Given},
		{"declared again, it is stale", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, withoutAds), publish(v3, june, nil)}, old, june, Stale},
		{"two versions later too", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, withoutAds), publish(v3, may+9, func(d *policy.Document) { withoutAds(d); title("x")(d) }), publish(v4, june, nil)}, old, june, Stale},
		{"and under every version after that", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, withoutAds), publish(v3, june, nil), publish(v4, july, title("x"))}, old, july, Stale},
		{"a late consent to the first text is to the first text", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, withoutAds), publish(v3, june, nil)}, []Fact{given(1, june+5, v1, policy.GeneralConsent)}, july, Stale},
		{"a consent to the version that declares it again counts", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, withoutAds), publish(v3, june, nil)}, append(old, given(2, june+5, v3, policy.ExplicitConsent)), july, Given},
		{"what was published before the version that gives it up is told too", []PublishPolicy{publish(v1, 0, nil), publish(v3, june, title("x")), publish(v2, may, withoutAds)}, old, june, Stale},
		{"a purpose that is new makes nothing stale", []PublishPolicy{publish(v2, 0, withoutAds), publish(v3, may, nil)}, []Fact{given(1, may+1, v3, policy.GeneralConsent)}, june, Given},
		{"a purpose that was never given up stays", []PublishPolicy{publish(v1, 0, nil), publish(v2, may, title("x")), publish(v3, june, nil)}, old, july, Given},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := history(t, tt.versions...)
			if got := fold(tt.given...).Standing("ads", tt.at, r); got.Status != tt.want {
				t.Errorf("got %v, want %v", got.Status, tt.want)
			}
		})
	}
}

func TestAComparisonTellsWhatIsDeclaredAgain(t *testing.T) {
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)},
		PublishPolicy{Version: v2, Document: first(withoutAds), Effective: may, Material: anyKind},
		PublishPolicy{Version: v3, Document: first(title("x")), Effective: june, Material: anyKind})
	fresh := first(nil)
	fresh.Purposes = append(slices.Clone(fresh.Purposes), policy.Purpose{ID: "new", Title: "New", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}})
	for _, tt := range []struct {
		name  string
		old   content.Hash
		is    policy.Document
		until deadline.Instant
		want  []policy.PurposeID
	}{
		{"after the version that gave it up", v2, first(nil), may, []policy.PurposeID{"ads"}},
		{"over the version that gave it up", v1, first(title("x")), june, []policy.PurposeID{"ads"}},
		{"from before it was given up", v1, first(title("x")), may - 1, nil},
		{"after it was declared again", v3, first(title("y")), july, nil},
		{"and nothing that is new", v2, func() policy.Document { d := fresh; d.Purposes = d.Purposes[1:]; return d }(), may, nil},
		{"nor what rests on another basis", v2, first(func(d *policy.Document) { d.Purposes[0].Basis = policy.BasisContract }), may, nil},
	} {
		c := r.Policies.Compare(tt.old, tt.is, tt.until)
		if !slices.Equal(c.Stale, tt.want) {
			t.Errorf("%s: stale are %v, want %v", tt.name, c.Stale, tt.want)
		}
		if said := slices.ContainsFunc(c.Differences, func(d policy.Difference) bool { return d.Section == "purposes declared again" }); said != (tt.want != nil) {
			t.Errorf("%s: it is said: %v", tt.name, said)
		}
	}
}
