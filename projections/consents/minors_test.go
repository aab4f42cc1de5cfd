package consents_test

import (
	"fmt"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// Whoever is a minor by the newest record of their age that was no mistake has a row, and nobody
// else; guardians who are guardians no more, and consents that hold no more, do not count.
func TestWhoIsAMinorFollowsFromTheRecords(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	age := func(who string, band domain.AgeBand, basis string) ident.EventID {
		return ident.EventID(w.Tell(who, domain.Say{Event: domain.AgeRecorded{Band: band, Basis: basis}}).Event)
	}
	void := func(who string, id ident.EventID) {
		w.Tell(who, domain.VoidRecords{Records: []ident.EventID{id}, Reason: "mistake", Evidence: content.Hash{9},
			By: [2]string{"eve", "bob"}})
	}
	proof := domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}
	guard := func(who, guardian string) {
		w.TellOf(who, guardian, domain.Say{Event: domain.GuardianVerified{Proof: proof}})
	}
	agree := func(who, guardian string) {
		w.TellOf(who, guardian, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"},
			Guardian: domain.GuardianRef(guardian), Proof: proof})
	}

	age("ada", domain.Aged15To17, "birthday")
	age("bob", domain.ChildUnder14, "declared")
	guard("bob", "ma")
	agree("bob", "ma")
	age("cai", domain.ChildUnder14, "declared")
	grown := age("cai", domain.Adult, "identity-check")
	age("dan", domain.Aged14, "birthday")
	guard("dan", "pa")
	w.TellOf("dan", "pa", domain.Say{Event: domain.GuardianEnded{Reason: "court-order"}})
	void("eva", age("eva", domain.ChildUnder14, "declared"))
	age("fay", domain.Aged14, "declared")
	w.Tell("fay", domain.Say{Event: domain.SubjectClosed{Reason: "account-deleted"}})
	age("gil", domain.ChildUnder14, "declared")
	guard("gil", "ma")
	agree("gil", "ma")
	w.TellOf("gil", "ma", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"location"}},
		Guardian: "ma"})
	age("robot", domain.ChildUnder14, "declared")
	mark := ident.EventID(w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}}).Event)
	young := len(w.Entries())
	void("cai", grown)
	void("robot", mark)

	for _, c := range []struct {
		name string
		upTo int
		want []string
	}{
		{"who is grown, closed, a mistake or a test is none", young,
			[]string{"dan 14 0 0", "ada 15-17 0 0", "bob under-14 1 1", "gil under-14 1 0"}},
		{"an adult and a test by mistake are minors again", len(w.Entries()),
			[]string{"dan 14 0 0", "ada 15-17 0 0", "bob under-14 1 1", "cai under-14 0 0", "gil under-14 1 0",
				"robot under-14 0 0"}},
	} {
		for _, each := range []int{1, 1000} {
			v := open(t, w)
			for list := range slices.Chunk(w.Entries()[:c.upTo], each) {
				if err := v.Apply(t.Context(), list); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			bands := map[domain.AgeBand]int64{}
			for after, done := (consents.MinorCursor{}), false; !done; {
				list, last, _, err := v.Minors(t.Context(), app, w.Time(), after, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range list {
					bands[m.Band]++
					got = append(got, fmt.Sprint(nameOf(w, m.Person), " ", m.Band, " ", m.Guardians, " ", m.Consents))
					if years := map[domain.AgeBand]int{domain.ChildUnder14: 14, domain.Aged14: 1, domain.Aged15To17: 3}; m.Next != deadline.At(m.Since.Time().AddDate(years[m.Band], 0, 0)) {
						t.Errorf("%s: from %s to %s", got[len(got)-1], m.Since, m.Next)
					}
				}
				after, done = last, len(list) < 2
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, batches of %d:\n%q\nwant\n%q", c.name, each, got, c.want)
			}
			counts, _, err := v.Bands(t.Context(), app)
			if err != nil || len(counts) != len(bands) {
				t.Errorf("%s: %v, want %v, %v", c.name, counts, bands, err)
			}
			for _, b := range counts {
				if bands[b.Band] != b.People {
					t.Errorf("%s: %d of %s, want %d", c.name, b.People, b.Band, bands[b.Band])
				}
			}
		}
	}
}

// nameOf returns by which name a pseudonym was told of.
func nameOf(w *projectiontest.Teller, person string) string {
	for _, name := range []string{"ada", "bob", "cai", "dan", "eva", "fay", "gil", "robot"} {
		if w.Pseudonym(name) == person {
			return name
		}
	}
	return person
}
