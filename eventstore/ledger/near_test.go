package ledger_test

import (
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

// Ids that are nearly the same are two persons. The answer to a record offers the
// other as long as nothing was granted, and nothing crosses until they are linked.
func TestNearMissesAreOfferedAndNeverMerged(t *testing.T) {
	c := newCircle(t)
	say := func(id, who string, cmd domain.Command) ledger.Receipt {
		t.Helper()
		c.w.now += 1000
		r := requestOf("s"+id, cmd)
		r.Person = account(who)
		return must(t, c.l, r)
	}
	near := func(who string) string {
		t.Helper()
		misses, err := c.l.Near(t.Context(), "demo", account(who))
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, m := range misses {
			text += fmt.Sprint(m.Kind, m.Differs)
		}
		return text
	}
	if r := say("1", "Ada.1", yes); r.Near != "" {
		t.Errorf("the first: %q", r.Near)
	}
	first := say("2", "ada.1", no)
	if first.Near != "account case" {
		t.Errorf("an opt-out of ada: %q", first.Near)
	}
	if again := say("2", "ada.1", no); again != first {
		t.Errorf("sent again: %+v, then %+v", first, again)
	}
	if !c.may("Ada.1") || c.may("ada.1") {
		t.Error("something crossed although nobody linked them")
	}
	if r := say("3", "ada.1", yes); r.Near != "account case" {
		t.Errorf("the first grant of ada: %q", r.Near)
	}
	if r := say("4", "ada.1", no); r.Near != "" {
		t.Errorf("after a grant: %q", r.Near)
	}
	say("5", "ada.01", yes)
	for who, want := range map[string]string{"ada.1": "account[case]account[leading-zeros]", "ADA.1": "account[case]account[case]account[case leading-zeros]", "bob": ""} {
		if got := near(who); len(got) != len(want) { // they come in the order of keyed names
			t.Errorf("%s: %s, want %s", who, got, want)
		}
	}
	link := requestOf("link", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	link.Person, link.Other = account("Ada.1"), account("ada.1")
	must(t, c.l, link)
	if got := near("Ada.1") + near("ada.1"); len(got) != len("account[case leading-zeros]account[leading-zeros]") {
		t.Errorf("whoever is linked is no near miss: %s", got)
	}
	c.tell("Ada.1 erased")
	c.tell("ada.01 reassigned")
	if got := near("ADA.1"); got != "account[case]" {
		t.Errorf("of whom two are gone: %s", got)
	}
}
