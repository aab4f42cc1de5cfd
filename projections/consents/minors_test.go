package consents_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
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
				list, last, _, err := v.Minors(t.Context(), app, consents.Now(w.Time()), after, 2)
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
			counts, _, _, err := v.Bands(t.Context(), app, consents.Now(w.Time()))
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

// At the end of each day of a history those were minors whom a view lists that has read no further, and
// stay it, however the log was cut into batches; but who is erased since is in no day, and is counted.
func TestWhoWasAMinorOnADayThatIsPast(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	age := func(who string, band domain.AgeBand) ident.EventID {
		return ident.EventID(w.Tell(who, domain.Say{Event: domain.AgeRecorded{Band: band, Basis: "declared"}}).Event)
	}
	proof := domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}
	guard := func(who string) { w.TellOf(who, "ma", domain.Say{Event: domain.GuardianVerified{Proof: proof}}) }
	agree := func(who string, until deadline.Instant) {
		w.TellOf(who, "ma", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}, Guardian: "ma",
			Proof: proof, Until: until})
	}
	void := func(who string, id ident.EventID) {
		w.Tell(who, domain.VoidRecords{Records: []ident.EventID{id}, Reason: "mistake", Evidence: content.Hash{9},
			By: [2]string{"eve", "bob"}})
	}
	gone := map[string]bool{}
	erase := func(who string) {
		gone[w.Pseudonym(who)] = true
		if _, err := w.Erase(t.Context(), ledger.Request{App: app, Person: ident.PersonKey{Kind: "account", ID: who},
			Source: "test", ID: "erase-" + who, Actor: "operator", RecordedBy: "desk",
			Command: domain.OrderErasure{Reason: "request", By: [2]string{"eve", "bob"}}}); err != nil {
			t.Fatal(err)
		}
	}

	var wrong ident.EventID
	for day := range 12 {
		switch day {
		case 0:
			age("bob", domain.ChildUnder14)
			guard("bob")
			agree("bob", w.Time().Add(5*deadline.Day+deadline.Hour))
			age("cai", domain.Aged14)
			age("dan", domain.ChildUnder14)
			wrong = age("eva", domain.ChildUnder14)
			age("fay", domain.ChildUnder14) // and grown before the day is over: on no day
			age("fay", domain.Adult)
		case 2:
			age("cai", domain.Adult)
			guard("dan")
			agree("dan", 0)
			w.TellOf("bob", "ma", domain.Say{Event: domain.GuardianEnded{Reason: "court-order"}})
			guard("bob") // on the same day: as before
		case 3:
			void("eva", wrong)
			age("robot", domain.Aged14)
		case 4:
			w.TellOf("dan", "ma", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"location"}},
				Guardian: "ma"})
			w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
			age("gil", domain.ChildUnder14)
		case 6:
			age("gil", domain.Aged14)
			erase("cai") // who is no minor any more
		case 8:
			w.Publish(projectiontest.Document("two"), "location")
			erase("gil")
		}
		w.Rest(deadline.Day)
	}

	all := w.Entries()
	whole, single := open(t, w), open(t, w)
	if err := whole.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	listed, missing, at := 0, int64(0), 0
	for day := dayOf(all[0].Recorded); day < dayOf(w.Time()); day = day.Add(deadline.Day) {
		end := day.Add(deadline.Day) - 1
		for ; at < len(all) && all[at].Recorded <= end; at++ {
			apply(t, single, all[at])
		}
		now, _, _, err := single.Minors(t.Context(), app, consents.Now(end), consents.MinorCursor{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(now), func(m consents.Minor) bool { return gone[m.Person] })
		listed += len(want)

		var then []consents.Minor
		for after, done := (consents.MinorCursor{}), false; !done; {
			page, last, _, err := whole.Minors(t.Context(), app, consents.EndOf(day), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			then, after, done = append(then, page...), last, len(page) < 2
		}
		if !slices.Equal(then, want) {
			t.Errorf("on %s %+v\nwant %+v", day, then, want)
		}

		bands, erased, _, err := whole.Bands(t.Context(), app, consents.EndOf(day))
		people := int64(0)
		for _, b := range bands {
			people += b.People
		}
		if err != nil || people != int64(len(want)) || erased != int64(len(now)-len(want)) {
			t.Errorf("on %s %v and %d erased, want %d of %d: %v", day, bands, erased, len(want), len(now), err)
		}
		missing += erased
	}
	if listed == 0 || missing != 6 {
		t.Errorf("%d minors, and %d who are erased since, of all days", listed, missing)
	}

	want, _, err := whole.Hash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := single.Hash(t.Context()); err != nil || !maps.Equal(got, want) {
		t.Errorf("a batch for each holds %v, one batch %v: %v", got, want, err)
	}
}

// Records of several processes, and of several requests, are not always in the order of their times: what
// was stamped just before midnight may follow what was stamped just after it.
func TestADayMayFollowTheNextOne(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	proof := domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}
	agree := func(build string) {
		w.TellOf("bob", "ma", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}, Guardian: "ma",
			Proof: proof, Build: build})
	}
	w.Tell("bob", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "declared"}})
	w.TellOf("bob", "ma", domain.Say{Event: domain.GuardianVerified{Proof: proof}})
	agree("1.0")
	first := dayOf(w.Time())
	w.Rest(deadline.Day)
	w.Publish(projectiontest.Document("two"))
	agree("2.0")
	w.Tell("", domain.Say{Event: domain.BuildVoided{Build: "2.0", From: projectiontest.Start, To: w.Time().Add(deadline.Day),
		Reason: "ticked", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}})

	entries := w.Entries()
	entries[len(entries)-1].Recorded = first.Add(deadline.Day) - 1
	v := open(t, w)
	if err := v.Apply(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	for day := first; day < w.Time(); day = day.Add(deadline.Day) {
		list, _, _, err := v.Minors(t.Context(), app, consents.EndOf(day), consents.MinorCursor{}, 10)
		if err != nil || len(list) != 1 || list[0].Consents != 1 {
			t.Errorf("on %s %+v: %v", day, list, err)
		}
		counts, _, err := v.Counts(t.Context(), app, consents.EndOf(day))
		if err != nil || len(counts) != 1 || counts[0].People != 1 || counts[0].Status != domain.Given {
			t.Errorf("on %s %+v: %v", day, counts, err)
		}
	}
}
