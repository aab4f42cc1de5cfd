package cases_test

import (
	"slices"
	"strings"
	"testing"

	"consentledger/cmd/consentledger/law"
	. "consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// A request of a type that the policy does not promise is open all the same: by
// the law's date, or by none with the reason.
func TestARequestThatNoPolicyPromisesIsOwedByLawOrWithoutADate(t *testing.T) {
	for _, tt := range []struct {
		name, jurisdiction string
		asked              request.Type
		known              bool // who asks
		id, due, why       string
	}{
		{"deletion in China", "CN", request.Delete, false, "law.cn.app2019.manual_handling", "2026-01-22", ""},
		{"access in China, by somebody who is known", "CN", request.Access, true, "law.cn.gbt35273.request_reply", "2026-02-02", ""},
		{"access in China, by somebody who is not", "CN", request.Access, false, "law.cn.gbt35273.request_reply", "", "GB/T 35273"},
		{"a question in China", "CN", request.Question, false, "law.undated.question", "", "PIPL 50 gives no number"},
		{"access in Germany", "DE", request.Access, false, "law.eu.gdpr12_3.reply", "2026-02-02", ""},
		{"a complaint in Germany", "DE", request.Complaint, false, "law.undated.complaint", "", "articles 15 to 22"},
		{"access where no law is known", "US", request.Access, true, "law.undated.access", "", "no law of US"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &run{t: t, ref: promises()}
			doc := r.ref.Policies.Versions()[0].Document
			doc.Rights, doc.Jurisdiction = nil, tt.jurisdiction
			r.ref.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
			if err := r.do(OpenRequest{Types: []request.Type{tt.asked}, Channel: "email", Subject: "00ff", Authenticated: tt.known}, t0+deadline.Instant(deadline.Hour)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Received.Unpromised, []request.Type{tt.asked}) || !r.Marks.Has(catalog.Open) {
				t.Errorf("unpromised %v, marks %v", r.Received.Unpromised, r.Marks)
			}
			x, ok := r.Duties.Find("reply." + tt.id)
			if !ok || len(r.Duties.All()) != 1 || x.Due.Date.String() != tt.due || !x.Rule.Law || x.Version != (content.Hash{}) {
				t.Fatalf("owed: %+v", r.Duties.All())
			}
			if tt.why != "" && !strings.Contains(x.Rule.Source, tt.why) {
				t.Errorf("because %q", x.Rule.Source)
			}
			// Whatever happens to it, it is answered in the end.
			steps := []string{"request.acknowledged channel=email", "request.withdrawn", "request.reopened reason=mistake", "request.answered outcome=full channel=email"}
			if !r.Marks.Has(catalog.IdentityKnown) {
				steps = slices.Insert(steps, 0, "identity.passed elements=IDE-4 checked_by=desk")
			}
			for i, step := range steps {
				if err := r.step(step, t0+deadline.Instant(deadline.Day)*deadline.Instant(i+1)); err != nil {
					t.Fatal(step, err)
				}
			}
			if again, ok := r.Duties.Find("reply." + tt.id + ".2"); !ok || again.State != obligation.StateMet {
				t.Errorf("answered: %+v", again)
			}
		})
	}
}

func TestWhatIsPromisedForOneTypeLeavesTheOtherToTheLaw(t *testing.T) {
	r := &run{t: t, ref: promises()}
	doc := r.ref.Policies.Versions()[0].Document
	doc.Jurisdiction = "CN"
	doc.Rights = append(doc.Rights, policy.Right{ID: "port", Deadlines: []deadline.RuleID{"d15"}}) // as some policies call portability
	r.ref.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	if err := r.do(OpenRequest{Types: []request.Type{request.Question, request.Delete, request.Portability}, Channel: "email", Subject: "00ff"}, t0); err != nil {
		t.Fatal(err)
	}
	if got := r.states(); got != "d15 running, law.cn.app2019.manual_handling running" {
		t.Error(got)
	}
}

// What the law says where nobody promises is what the program ships.
func TestTheLawsRepliesAreTheShippedRules(t *testing.T) {
	rules, err := law.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, jurisdiction := range []string{"CN", "DE", "EU", "US"} {
		for _, asked := range request.Types() {
			r := request.LawReply(jurisdiction, "Europe/Berlin", asked)
			if r.ID.Undated() {
				if r.Source == "" || r.Length != 0 {
					t.Errorf("%s %s: %+v", jurisdiction, asked, r)
				}
				continue
			}
			i := slices.IndexFunc(rules, func(s deadline.Rule) bool { return "law."+s.ID == r.ID })
			if i < 0 {
				t.Fatalf("%s is not shipped", r.ID)
			}
			if s := rules[i]; s.Unit != r.Unit || s.Length != r.Length || s.ExtendedLength != r.ExtendedLength || s.Roll != r.Roll || s.ClockStart != r.ClockStart || !slices.Equal(s.Pause, r.Pause) {
				t.Errorf("%s: %+v, shipped %+v", r.ID, r, s)
			}
		}
	}
}
