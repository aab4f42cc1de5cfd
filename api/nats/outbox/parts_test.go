package outbox

import (
	"strconv"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go/jetstream"
)

// say records something of a person, or of nobody.
func (w *world) say(person string, cmd domain.Command) {
	w.t.Helper()
	req := ledger.Request{App: "demo", Source: "test", ID: strconv.FormatInt(w.n.Add(1), 10), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: cmd}
	if person != "" {
		req.Person = ident.PersonKey{Kind: "account", ID: person}
	}
	if _, err := w.Execute(w.t.Context(), req); err != nil {
		w.t.Fatal(err)
	}
}

// promise publishes a policy by which a withdrawal lets three obligations be owed.
func (w *world) promise() {
	w.t.Helper()
	d := policy.Document{
		Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Title: []policy.LocalText{{Locale: "en", Text: "Privacy"}},
		Purposes:      []policy.Purpose{{ID: "ads", Title: "Ads", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}}},
		Categories:    []policy.Category{{ID: "clicks", Title: "Clicks"}},
		Acts:          []policy.Act{{ID: "agree", Title: "Agree", Counts: policy.GeneralConsent}},
		Recipients:    []policy.Recipient{{ID: "adhouse", Title: "Ad house", Purposes: []policy.PurposeID{"ads"}}, {ID: "shop", Title: "Shop", Purposes: []policy.PurposeID{"ads"}}},
		Minors:        policy.Minors{AdultAge: 18, ChildBelowPolicy: 15, ChildBelowLaw: 14},
		Texts:         []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Sample}},
		DeadlineRules: []deadline.Rule{{ID: "d15", Source: "1", Unit: deadline.UnitCalendarDay, Length: 15, TimeZone: "Asia/Shanghai", ClockStart: "Withdrawn"}},
		Duties: []policy.DutyRule{
			{ID: "reply", Section: "1", On: []string{"consent.withdrawn"}, Kind: policy.DutyReply, Rules: []deadline.RuleID{"d15"}, MetBy: []string{"withdrawal.confirmed"}},
			{ID: "stop", Section: "1", On: []string{"consent.withdrawn"}, Kind: policy.DutyStop, Rules: []deadline.RuleID{"d15"}, Each: policy.DutyEachSystem, MetBy: []string{"processing.stopped"}},
		},
	}
	version, err := policydoc.Hash(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.say("", domain.PublishPolicy{Version: version, Document: d})
}

// What a record says of several obligations is told by a message each, and goes on in
// the middle.
func TestOneRecordIsToldInParts(t *testing.T) {
	for told := range 4 {
		t.Run(strconv.Itoa(told)+" were told before", func(t *testing.T) {
			w := newWorld(t)
			w.promise()
			w.owe()
			w.say("ada", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
			w.owe()

			var log []codec.Entry
			for e, err := range w.Replay(t.Context(), 0) {
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, e)
			}
			o := Outbox{Ledger: w.Ledger}
			js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.CreateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			left := 3 + told // another process ended after so many
			for m, err := range o.messages(t.Context(), log, place{}) {
				if err != nil {
					t.Fatal(err)
				}
				if left--; left < 0 {
					break
				}
				if _, err := js.PublishMsg(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}

			w.tell()
			w.until("nine are told", func() bool { return len(w.told()) >= 9 })
			w.check()
			for i, out := range w.told()[3:6] {
				id := []string{"reply.d15", "stop.adhouse.d15", "stop.shop.d15"}[i]
				if out.Type != "obligation.opened" || out.Data.Obligation != id || out.Data.Cause != "consent.withdrawn" || out.ID != out.Data.CauseEvent+"/"+strconv.Itoa(i+1) {
					t.Errorf("%d: %+v", i, out)
				}
			}
		})
	}
}
