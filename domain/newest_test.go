package domain_test

import (
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// grantOf is a grant to the ads as it is recorded now, changed by f.
func grantOf(id byte, at, recorded deadline.Instant, f func(*ConsentGiven)) Fact {
	e := ConsentGiven{Policy: "privacy", Version: v1, Items: []Item{{Purpose: "ads"}}}
	if f != nil {
		f(&e)
	}
	return Fact{ID: ident.EventID{id}, At: at, Recorded: recorded, Rules: Rules, Event: e}
}

func untilThen(at deadline.Instant) func(*ConsentGiven) {
	return func(e *ConsentGiven) { e.Until = at }
}

func TestTheNewestAnswerCounts(t *testing.T) {
	once := func(e *ConsentGiven) { e.Once = true }
	used := fact(70, noon, ConsentUsed{Consents: []ident.EventID{{2}}})
	endsForAds := func(e *ConsentGiven) { e.Ends = []End{{"ads", noon}} }
	short := func(e *ConsentGiven) { e.Until, e.Items[0].Short = noon, NeedsSeparate }
	for _, tt := range []struct {
		name  string
		given []Fact
		at    deadline.Instant
		want  Status
		since deadline.Instant
		until deadline.Instant
	}{
		{"a newer, shorter grant counts while it lasts", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, untilThen(noon))}, noon - 1, Given, t0 + 9, noon},
		{"when it ends, the older one does not take over", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, untilThen(noon))}, noon, Expired, noon, noon},
		{"nor does one that ends later", []Fact{grantOf(1, t0, t0, untilThen(later+9)), grantOf(2, t0+9, t0+9, untilThen(noon))}, later, Expired, noon, noon},
		{"a newer grant that ends for this purpose alone is over too", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, endsForAds)}, later, Expired, noon, noon},
		{"a newer grant of a single use that is used is over too", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, once), used}, later, Expired, noon, 0},
		{"a newer, longer one goes on", []Fact{grantOf(1, t0, t0, untilThen(noon)), grantOf(2, t0+9, t0+9, nil)}, later, Given, t0 + 9, 0},
		{"a grant after the end counts", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, untilThen(noon)), grantOf(3, noon+1, noon+1, nil)}, later, Given, noon + 1, 0},
		{"what was said before and comes after the end does not", []Fact{grantOf(2, t0+9, t0+9, untilThen(noon)), grantOf(1, t0, noon+9, nil)}, later, Expired, noon, noon},
		{"and while the newer one lasts it ends with it", []Fact{grantOf(2, t0+9, t0+9, untilThen(noon)), grantOf(1, t0, t0+50, nil)}, noon - 1, Given, t0 + 50, noon},
		{"said at one moment, what was recorded last is the newest", []Fact{grantOf(1, t0, t0+1, untilThen(noon)), grantOf(2, t0, t0+2, nil)}, later, Given, t0 + 2, 0},
		{"and the other way round", []Fact{grantOf(1, t0, t0+1, nil), grantOf(2, t0, t0+2, untilThen(noon))}, later, Expired, noon, noon},
		{"a newer one that falls short ends nothing", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, short)}, later, Given, t0, 0},
		{"one that was a mistake ends nothing", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, untilThen(noon)), voidOf(2)}, later, Given, t0, 0},
		{"of two ends the first counts", []Fact{grantOf(1, t0, t0, nil), grantOf(2, t0+9, t0+9, untilThen(noon+5)), grantOf(3, t0+5, t0+10, untilThen(noon))}, later, Expired, noon, noon},
		{"a fact from before this rule is folded as before", []Fact{grantOf(1, t0, t0, nil), before(grantOf(2, t0+9, t0+9, untilThen(noon)))}, later, Given, t0, 0},
		{"which ends nothing that is newer", []Fact{before(grantOf(1, t0, t0, untilThen(noon))), grantOf(2, t0+9, t0+9, nil)}, later, Given, t0 + 9, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := fold(tt.given...).Standing("ads", tt.at, ref())
			if got.Status != tt.want || got.Since != tt.since || got.Until != tt.until {
				t.Errorf("got %v since %v until %v, want %v since %v until %v", got.Status, got.Since, got.Until, tt.want, tt.since, tt.until)
			}
		})
	}
}

func TestALateGrantToTheOldTextEndsWhatItEnds(t *testing.T) {
	wide := first(func(d *policy.Document) {
		d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	})
	r := history(t, PublishPolicy{Version: v1, Document: first(nil)}, PublishPolicy{Version: v2, Document: wide, Effective: may, Material: anyKind})
	toNew := grantOf(1, june, june, func(e *ConsentGiven) { e.Version = v2 })
	toOld := grantOf(2, june+9, june+9, untilThen(july))
	s := fold(toNew, toOld)
	if got := s.Standing("ads", july-1, r); got.Status != Given || got.Version != v2 || got.Until != july {
		t.Errorf("while it lasts: %+v", got)
	}
	if got := s.Standing("ads", july, r); got.Status != Expired || got.Since != july {
		t.Errorf("when it ends: %+v", got)
	}
}
