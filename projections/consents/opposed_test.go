package consents_test

import (
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// Whoever a machine's signal is at odds with is counted once, by where they stand,
// and listed, page by page. A signal alone is no conflict, and a test is nobody.
func TestWhomASignalOpposesIsCountedAndListed(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	marketing := policy.Scope{Purposes: []policy.PurposeID{"marketing"}}
	agree := domain.GiveConsent{Act: "click", Purposes: marketing.Purposes}
	gpc := domain.RefuseConsent{Act: "gpc", Scope: marketing}
	for _, s := range []struct {
		who string
		cmd domain.Command
	}{
		{"before", agree}, {"before", gpc}, {"before", gpc},
		{"after", gpc}, {"after", agree}, {"after", gpc},
		{"alone", gpc},
		{"own", agree}, {"own", domain.WithdrawConsent{Scope: marketing}}, {"own", gpc},
		{"dnt", agree}, {"dnt", domain.RefuseConsent{Act: "dnt", Scope: marketing}},
		{"robot", gpc}, {"robot", agree}, {"robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}}},
		{"phone", gpc}, {"account", agree},
	} {
		w.Tell(s.who, s.cmd)
	}
	w.TellOf("account", "phone", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})

	for _, each := range []int{1, 1000} {
		v := open(t, w)
		for list := range slices.Chunk(w.Entries(), each) {
			if err := v.Apply(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
		one := func(s domain.Status, n int64, signal policy.ActID) consents.OpposedCount {
			return consents.OpposedCount{Count: consents.Count{Purpose: "marketing", Status: s, People: n}, Signal: signal}
		}
		counts, _, err := v.OpposedCounts(t.Context(), app, w.Time())
		if want := []consents.OpposedCount{one(domain.Given, 2, "gpc"), one(domain.Refused, 1, "dnt"), one(domain.Refused, 1, "gpc")}; err != nil || !slices.Equal(counts, want) {
			t.Errorf("batches of %d: %v, want %v, %v", each, counts, want, err)
		}
		var who []string
		for after, done := (consents.Cursor{}), false; !done; {
			rows, next, _, err := v.Opposed(t.Context(), app, w.Time(), after, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				who = append(who, r.Person)
				got, err := v.Rows(t.Context(), app, w.Time())
				i := slices.IndexFunc(got, func(g consents.Row) bool { return g.Person == r.Person && g.Purpose == r.Purpose })
				if err != nil || got[i].Opposed != r.Opposed || got[i].Status != r.Status {
					t.Errorf("listed %+v, is %+v, %v", r, got[i], err)
				}
			}
			after, done = next, len(rows) < 3
		}
		var want []string
		for _, name := range []string{"before", "after", "dnt", "account"} {
			want = append(want, w.Pseudonym(name))
		}
		if !slices.Equal(who, want) {
			t.Errorf("batches of %d: listed %v, want %v", each, who, want)
		}
	}
}
