package domain_test

import (
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
)

// BenchmarkWhole is a person who logged in to a device, and out, a thousand
// times, and one with a single link.
func BenchmarkWhole(b *testing.B) {
	for name, logins := range map[string]int{"one login": 1, "a thousand logins": 1000} {
		b.Run(name, func(b *testing.B) {
			var own, device []Fact
			for i := range logins {
				at := t0 + deadline.Instant(i)*1000
				for other, facts := range map[string]*[]Fact{"device": &own, "own": &device} {
					in, out := fact(1, at, SubjectLinked{Other: other, Proof: "login"}), fact(2, at+500, SubjectUnlinked{Other: other, Reason: "logout"})
					in.Rules = Rules
					*facts = append(*facts, in, out)
				}
			}
			s, other := fold(own...), fold(append(device, no(3, t0, t0))...)
			for b.Loop() {
				if _, err := s.Whole("own", func(string) (Subject, error) { return other, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Whoever is linked in a ring, many times over, is read once in one walk, and the
// person's own history not at all.
func TestEveryLinkedHistoryIsReadOnce(t *testing.T) {
	names := []string{"own", "phone", "tablet", "tv"}
	all := map[string]Subject{}
	for i, name := range names {
		var facts []Fact
		for round := range 50 {
			for _, other := range []string{names[(i+1)%len(names)], names[(i+3)%len(names)]} {
				at := t0 + deadline.Instant(round)*1000
				facts = append(facts, fact(1, at, SubjectLinked{Other: other, Proof: "login"}), fact(2, at+500, SubjectUnlinked{Other: other, Reason: "logout"}))
			}
		}
		all[name] = fold(facts...)
	}
	reads := map[string]int{}
	if _, err := all["own"].Whole("own", func(name string) (Subject, error) { reads[name]++; return all[name], nil }); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if want := map[bool]int{true: 0, false: 1}[name == "own"]; reads[name] != want {
			t.Errorf("%s was read %d times, want %d", name, reads[name], want)
		}
	}
}
