package requests_test

import (
	"fmt"
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// What a fact says is owed since is in the view with the fact, and what becomes of it
// in its stream goes on from there; in whatever batches they come.
func TestWhatAFactSaysIsOwed(t *testing.T) {
	d := projectiontest.Document("owing")
	d.Recipients = []policy.Recipient{{ID: "ads", Title: "Ads", Purposes: []policy.PurposeID{"marketing"}}, {ID: "mail", Title: "Mail", Purposes: []policy.PurposeID{"marketing"}}}
	d.Duties = []policy.DutyRule{
		{ID: "reply", Section: "1", On: []string{"consent.withdrawn"}, Kind: policy.DutyReply, Rules: []deadline.RuleID{"d15", "law20"}},
		{ID: "stop", Section: "1", On: []string{"consent.withdrawn"}, Kind: policy.DutyStop, Rules: []deadline.RuleID{"d15"}, Each: policy.DutyEachSystem},
	}
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(d)
	for _, who := range []string{"ada", "bo"} {
		w.Tell(who, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
		w.Tell(who, domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	}
	stream := func(who string) ident.StreamID {
		return ident.OwedStream(ident.SubjectStream(projectiontest.App, w.Pseudonym(who)), 2)
	}
	w.TellOn(stream("ada"), domain.MeetObligation{ID: "stop.ads.d15"})
	w.TellOn(stream("bo"), domain.VoidObligation{ID: "reply.d15", Reason: "no-data"})

	all := w.Entries()
	for _, size := range []int{1, 2, 3, len(all)} {
		v, err := requests.Open(t.Context(), projectiontest.Place(t))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for i := 0; i < len(all); i += size {
			if err := v.Apply(t.Context(), all[i:min(i+size, len(all))]); err != nil {
				t.Fatal(err)
			}
		}
		list, _, _, _, err := v.Report(t.Context(), requests.Query{App: projectiontest.App, At: w.Time(), Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, o := range list {
			who := map[string]string{stream("ada").String(): "ada", stream("bo").String(): "bo"}[o.Stream]
			got[who+" "+o.ID] = fmt.Sprint(o.State, " binds ", o.Binding, " by ", len(o.Events))
		}
		want := map[string]string{
			"ada reply.d15": "open binds true by 1", "ada reply.law20": "open binds false by 1", "ada stop.ads.d15": "met binds true by 2", "ada stop.mail.d15": "open binds true by 1",
			"bo reply.d15": "void binds false by 2", "bo reply.law20": "open binds true by 1", "bo stop.ads.d15": "open binds true by 1", "bo stop.mail.d15": "open binds true by 1",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("in batches of %d: %v\nwant %v", size, got, want)
		}
	}
}
