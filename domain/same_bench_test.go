package domain_test

import (
	"testing"

	. "consentledger/domain"
)

// BenchmarkWhole is a person who logged in to a device, and out, a thousand
// times, and one with a single link.
func BenchmarkWhole(b *testing.B) {
	for name, logins := range map[string]int{"one login": 1, "a thousand logins": 1000} {
		b.Run(name, func(b *testing.B) {
			var own, device []Fact
			for i := range logins {
				at := t0 + Instant(i)*1000
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
