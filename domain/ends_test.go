package domain_test

import (
	"slices"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

func TestWhichYesesAFactTakesAway(t *testing.T) {
	fact := func(id byte, e Event) Fact {
		at := t0 + deadline.Instant(id)*1000
		return Fact{ID: ident.EventID{id}, At: at, Recorded: at, Event: e}
	}
	own := fact(1, ConsentGiven{Items: []Item{{Purpose: "ads"}, {Purpose: "face", Short: NeedsGuardian}}})
	parents := fact(2, ConsentGiven{Kind: policy.GuardianConsent, Guardian: "aa", Items: []Item{{Purpose: "net"}}})
	for _, tt := range []struct {
		name   string
		before []Fact
		then   Event
		want   []policy.PurposeID
	}{
		{"a refusal of all, of what counted", []Fact{own, parents}, ConsentRefused{Scope: policy.Scope{All: true}}, []policy.PurposeID{"ads", "net"}},
		{"a refusal of one", []Fact{own, parents}, ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"net"}}}, []policy.PurposeID{"net"}},
		{"a refusal of what nobody said yes to", []Fact{own}, ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"net"}}}, nil},
		{"a void of a yes", []Fact{own, parents}, RecordVoided{Records: []ident.EventID{{2}}}, []policy.PurposeID{"net"}},
		{"a birthday at which a guardian's yes lapses", []Fact{own, parents}, AgeRecorded{Band: Aged14}, []policy.PurposeID{"net"}},
		{"the next one, after which nothing is left to lapse", []Fact{own, parents, fact(3, AgeRecorded{Band: Aged14})}, AgeRecorded{Band: Adult}, nil},
		{"news that somebody is a child", []Fact{own, parents}, AgeRecorded{Band: ChildUnder14}, nil},
		{"the end of a guardianship, whose yes stands", []Fact{parents}, GuardianEnded{Guardian: "aa"}, nil},
	} {
		s := Subject{}
		for _, f := range tt.before {
			s = s.Evolve(f)
		}
		then := fact(9, tt.then)
		s = s.Evolve(then).Evolve(fact(10, ConsentGiven{Items: []Item{{Purpose: "later"}}}))
		if got := s.Ends(then); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
