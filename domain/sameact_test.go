package domain

import (
	"slices"
	"testing"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

func TestSameAct(t *testing.T) {
	seen, other := ident.EventID{9}, ident.EventID{8}
	one, two := Source{1}, Source{2}
	yes := func(id byte, at deadline.Instant, of Source, notice ident.EventID) Fact {
		return Fact{ID: ident.EventID{id}, At: at, Recorded: at + 5, Source: of, Event: ConsentGiven{Items: []Item{{Purpose: "ads"}}, Notice: notice}}
	}
	no := func(id byte, at deadline.Instant, of Source, notice ident.EventID) Fact {
		return Fact{ID: ident.EventID{id}, At: at, Recorded: at + 9, Source: of, Event: ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"offers"}}, Notice: notice}}
	}
	for _, tt := range []struct {
		name  string
		facts []Fact
		want  []ident.EventID
	}{
		{"a refusal to the same presentation is of the same act, whenever it was recorded", []Fact{yes(1, 100, one, seen), no(2, 300, one, seen)}, []ident.EventID{{2}}},
		{"a refusal to another presentation is not", []Fact{yes(1, 100, one, seen), no(2, 100, one, other)}, nil},
		{"one that names no presentation is not of an act that does", []Fact{yes(1, 100, one, seen), no(2, 100, one, ident.EventID{})}, nil},
		{"where none is named the moment decides", []Fact{yes(1, 100, one, ident.EventID{}), no(2, 100, one, ident.EventID{}), no(3, 101, one, ident.EventID{})}, []ident.EventID{{2}}},
		{"two sources do not act together", []Fact{yes(1, 100, one, ident.EventID{}), no(2, 100, two, ident.EventID{})}, nil},
		{"of a refusal these are the others", []Fact{no(1, 100, one, seen), no(2, 100, one, seen), yes(3, 100, one, seen)}, []ident.EventID{{2}}},
		{"what is not known was no act", []Fact{no(2, 100, one, seen)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Subject
			for _, f := range tt.facts {
				s = s.Evolve(f)
			}
			var got []ident.EventID
			for _, f := range s.SameAct(ident.EventID{1}) {
				got = append(got, f.ID)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
