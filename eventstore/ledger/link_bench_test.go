package ledger_test

import (
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
)

// BenchmarkGrant is a consent of a person with so many linked histories, each of
// which is read to say whether it counts.
func BenchmarkGrant(b *testing.B) {
	for _, links := range []int{0, 1, 10} {
		b.Run(fmt.Sprint(links, " links"), func(b *testing.B) {
			w := newWorld()
			l := w.open(b)
			begin(b, l)
			for i := range links {
				device := requestOf(fmt.Sprint("d", i), no)
				device.Person = ident.PersonKey{Kind: "device", ID: fmt.Sprint("phone", i)}
				must(b, l, device)
				link := requestOf(fmt.Sprint("l", i), domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
				link.Other = device.Person
				must(b, l, link)
			}
			n := 0
			for b.Loop() {
				n++
				w.now++
				must(b, l, requestOf(fmt.Sprint("y", n), yes))
			}
		})
	}
}
