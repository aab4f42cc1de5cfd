package domain_test

import (
	"testing"

	. "consentledger/domain"
)

func TestHowManyAnswersAreRecorded(t *testing.T) {
	for s, want := range map[string][2]int{
		"none": {0, 1}, "sampled": {1, 100}, "all": {1, 1},
		"1 in 10": {1, 10}, "3 in 4": {3, 4}, "7 in 7": {7, 7}, "1 in 1000000": {1, 1000000},
	} {
		l, err := ParseCheckLog(s)
		if n, of := l.Rate(); err != nil || n != want[0] || of != want[1] || l.String() != s {
			t.Errorf("%q is %d in %d, written %q: %v", s, n, of, l, err)
		}
	}
	for _, s := range []string{"", "1", "0 in 3", "4 in 3", "1 in 0", "1 in 1000001", "01 in 10", "1 in 10 ", "-1 in 2", "1 in", "in", "1 of 10", "All", "99999999 in 99999999"} {
		if l, err := ParseCheckLog(s); err == nil {
			t.Errorf("%q was read as %v", s, l)
		}
	}
	if LogNone != 0 || LogSampled != 1 || LogAll != 2 {
		t.Error("what stood in policies means something else now")
	}
}

func TestADisclosureNeedsAGroundOfThePolicy(t *testing.T) {
	r := ref()
	doc := r.Policies.Versions()[0].Document
	doc.Disclosures = []Ground{{Code: "DIS-1", Title: "consent"}, {Code: "DIS-3", Title: "fraud", Doubtful: true}}
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	note := func(ground string, more ...Field) Noted {
		return Noted{Kind: "disclosure.made", Fields: append(more, Field{"ground", ground}, Field{"what", "names"})}
	}
	for _, tt := range []struct {
		name     string
		n        Noted
		ref      Reference
		doubtful string
		code     Code
	}{
		{"a ground of the policy", note("DIS-1"), r, "no", ""},
		{"a ground that is doubtful in law", note("DIS-3"), r, "yes", ""},
		{"whatever the sender says of it", note("DIS-3", Field{"doubtful", "no"}), r, "yes", ""},
		{"in either way", note("DIS-1", Field{"doubtful", "yes"}), r, "no", ""},
		{"a ground that the policy has not", note("DIS-2"), r, "", UnknownGround},
		{"a ground in other letters", note("dis-1"), r, "", UnknownGround},
		{"a ground of no policy", note("DIS-1"), Reference{}, "", UnknownGround},
		{"a ground that is no code", note("fraud and more"), r, "", Malformed},
	} {
		then, err := Service{}.Decide(Say{tt.n}, tt.ref, noon, noon)
		if got, _ := err.(Refusal); got.Code != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
			continue
		}
		if err == nil && then[0].(Noted).Fields[0] != (Field{"doubtful", tt.doubtful}) {
			t.Errorf("%s: %v", tt.name, then)
		}
	}
}
