package cases_test

import (
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

func TestALetterIsAContactWhateverItAsksFor(t *testing.T) {
	for _, tt := range []struct {
		channel policy.ChannelID
		types   []request.Type
		want    string
	}{
		{"email", []request.Type{request.Access}, "d30 running, id30 not_started, d15 running"},
		{"written", []request.Type{request.Access}, "d30 running, id30 not_started, d15 running"}, // whose kind is letter
		{"app", []request.Type{request.Access}, "d30 running, id30 not_started"},
		{"feedback", []request.Type{request.Copy}, "pausable running, eu running"},
		{"email", []request.Type{request.Question}, "d15 running"}, // once, and not twice
		{"email", []request.Type{request.Complaint}, "facts15 not_started, d15 running"},
	} {
		r := &run{t: t, ref: promises()}
		doc := r.ref.Policies.Versions()[0].Document
		for i := range doc.Rights {
			if doc.Rights[i].ID == "contact" {
				doc.Rights[i].Channels = []string{"email", "letter"}
			}
		}
		doc.Channels = []policy.Channel{{ID: "written", Kind: policy.ChannelLetter}, {ID: "feedback", Kind: policy.ChannelInApp}}
		r.ref.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
		if err := r.do(OpenRequest{Types: tt.types, Channel: tt.channel, Subject: "00ff"}, t0+deadline.Instant(deadline.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := r.states(); got != tt.want {
			t.Errorf("%v by %s: %s, want %s", tt.types, tt.channel, got, tt.want)
		}
		for _, d := range r.Duties.All() {
			if strings.HasSuffix(d.ID, "d15") && len(d.Types) != 1 {
				t.Errorf("%v by %s: the contact's clock answers %v", tt.types, tt.channel, d.Types)
			}
		}
	}
}
