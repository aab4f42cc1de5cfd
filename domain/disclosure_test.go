package domain_test

import (
	"testing"

	. "consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

func TestADisclosureNeedsAGroundOfThePolicy(t *testing.T) {
	r := ref()
	doc := r.Policies.Versions()[0].Document
	doc.Disclosures = []policy.Ground{{Code: "DIS-1", Title: "consent"}, {Code: "DIS-3", Title: "fraud", Doubtful: true}}
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	note := func(ground string, more ...policy.Field) Noted {
		return Noted{Kind: "disclosure.made", Fields: append(more, policy.Field{Name: "ground", Value: ground}, policy.Field{Name: "what", Value: "names"})}
	}
	for _, tt := range []struct {
		name     string
		n        Noted
		ref      Reference
		doubtful string
		code     refusal.Code
	}{
		{"a ground of the policy", note("DIS-1"), r, "no", ""},
		{"a ground that is doubtful in law", note("DIS-3"), r, "yes", ""},
		{"whatever the sender says of it", note("DIS-3", policy.Field{Name: "doubtful", Value: "no"}), r, "yes", ""},
		{"in either way", note("DIS-1", policy.Field{Name: "doubtful", Value: "yes"}), r, "no", ""},
		{"a ground that the policy has not", note("DIS-2"), r, "", refusal.UnknownGround},
		{"a ground in other letters", note("dis-1"), r, "", refusal.UnknownGround},
		{"a ground of no policy", note("DIS-1"), Reference{}, "", refusal.UnknownGround},
		{"a ground that is no code", note("fraud and more"), r, "", refusal.Malformed},
	} {
		then, err := Service{}.Decide(Say{tt.n}, tt.ref, noon, noon)
		if got, _ := err.(refusal.Refusal); got.Code != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
			continue
		}
		if err == nil && then[0].(Noted).Fields[0] != (policy.Field{Name: "doubtful", Value: tt.doubtful}) {
			t.Errorf("%s: %v", tt.name, then)
		}
	}
}
