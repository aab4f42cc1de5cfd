package ledger_test

import (
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

const day = deadline.Instant(24 * 3600 * 1000)

// An imported yes, filtered by whose list; empty: it does not say.
func imported(filteredBy string) domain.GiveConsent {
	return domain.GiveConsent{Act: "agree", Import: true, FilteredBy: filteredBy}
}

// Nothing dated before a history began joins it, also long after the tombstone
// of who had the id before has gone.
func TestNothingFromBeforeAHistoryBeganJoinsIt(t *testing.T) {
	begun, ended := start+day, start+2*day // ada's first history
	age := domain.Say{Event: domain.AgeRecorded{Band: domain.Adult, Basis: "declared"}}
	for _, tt := range []struct {
		name  string
		end   string // what becomes of ada on day 2
		comes bool   // somebody else comes with the id on day 10
		wait  deadline.Instant
		cmd   domain.Command
		at    deadline.Instant
		want  refusal.Code
	}{
		{"an import to who was erased, without a word of the list", "erased", false, 33 * day, imported(""), begun + 1, refusal.Incomplete},
		{"an import that says by whose list it was filtered", "erased", false, 33 * day, imported("operator:ann"), begun + 1, ""},
		{"an import that says so, while the tombstone knows better", "erased", false, 20 * day, imported("operator:ann"), begun + 1, refusal.EarlierPerson},
		{"an import to the stranger who has the id now", "erased", true, 33 * day, imported("operator:ann"), begun + 1, refusal.EarlierPerson},
		{"an import from after the erasure and before the stranger", "erased", true, 33 * day, imported("operator:ann"), ended + day, refusal.EarlierPerson},
		{"an import from after the stranger came", "erased", true, 50 * day, imported("operator:ann"), start + 11*day, ""},
		{"an age that comes late, to who was erased", "erased", false, 40 * day, age, begun + 1, refusal.EarlierPerson},
		{"an age that comes late, to the stranger", "erased", true, 40 * day, age, begun + 1, refusal.EarlierPerson},
		{"an import after a reassignment, before anybody came", "reassigned", false, 33 * day, imported("operator:ann"), begun + 1, refusal.EarlierPerson},
		{"an import after a reassignment, to the stranger", "reassigned", true, 33 * day, imported(""), begun + 1, refusal.EarlierPerson},
		{"an age that comes a year late, after a reassignment", "reassigned", false, 400 * day, age, begun + 1, refusal.EarlierPerson},
		{"an import after an account was closed, before anybody came", "closed", false, 33 * day, imported(""), begun + 1, refusal.EarlierPerson},
		{"an import after an account was closed, to who registers anew", "closed", true, 33 * day, imported(""), begun + 1, refusal.EarlierPerson},
		{"an import from after the reassignment, to nobody yet", "reassigned", false, 33 * day, imported(""), ended + day, ""},
		{"an import from before the person's own history", "", true, 33 * day, imported(""), begun - 1, refusal.EarlierPerson},
		{"an import of what they said since", "", true, 33 * day, imported(""), begun + 1, ""},
		{"a live event of before, which comes out of order", "", false, 2*day + 2, age, begun - 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCircle(t)
			c.w.now = begun - 1000
			c.tell("ada agrees")
			if c.w.now = ended - 1000; tt.end != "" {
				c.tell("ada " + tt.end)
			}
			if c.w.now = start + 10*day - 1000; tt.comes {
				c.tell("ada refuses")
			}
			c.w.now = start + tt.wait
			for name, l := range map[string]*ledger.Ledger{"at once": c.l, "after a restart": c.w.open(t)} {
				if _, err := l.Execute(t.Context(), at(tt.at, requestOf("late", tt.cmd))); code(err) != tt.want || err != nil && tt.want == "" {
					t.Errorf("%s: %v, want %q", name, err, tt.want)
				}
			}
		})
	}
}

// An opt-out of before is taken, as of now, and keeps its claim; a request that
// was long on its way is opened.
func TestAnOptOutFromBeforeAHistoryBeganIsTaken(t *testing.T) {
	for _, end := range []string{"erased", "reassigned", "closed"} {
		for _, comes := range []bool{false, true} {
			c := newCircle(t)
			c.tell("ada agrees")
			claimed := c.w.now + 1
			c.w.now += day
			c.tell("ada " + end)
			c.w.now += 10 * day
			if comes {
				c.tell("ada agrees")
			}
			c.w.now += 60 * day
			must(t, c.l, at(claimed, requestOf("letter", domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "letter"})))
			must(t, c.l, at(claimed, requestOf("no", no)))
			if c.may("ada") {
				t.Errorf("%s, somebody came %v: allowed", end, comes)
			}
			for e, err := range c.l.History(t.Context(), "demo", ada) {
				if err != nil {
					t.Fatal(err)
				}
				if _, is := e.Event.(domain.ConsentWithdrawn); is && (e.At != e.Recorded || e.Claimed != claimed) {
					t.Errorf("%s: said at %v, recorded at %v, claimed %v", end, e.At, e.Recorded, e.Claimed)
				}
			}
		}
	}
}

func TestARequestMayBeOlderThanTheHistory(t *testing.T) {
	c := newCircle(t)
	c.w.now += 90 * day
	c.tell("ada agrees")
	c.w.now += day
	r := must(t, c.l, at(start+day, requestOf("letter", domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "letter"})))
	if r.Stream == (ident.StreamID{}) {
		t.Error("no request was opened")
	}
}

func TestWhoeverImportsSaysByWhoseListOnceSomebodyWasErased(t *testing.T) {
	c := newCircle(t)
	c.w.now += 90 * day
	bob, eve := account("bob"), account("eve")
	import1 := func(id string, who ident.PersonKey, cmd domain.Command) error {
		r := at(start+day, requestOf(id, cmd))
		r.Person = who
		_, err := c.l.Execute(t.Context(), r)
		return err
	}
	if err := import1("1", bob, imported("")); err != nil {
		t.Errorf("nobody was erased: %v", err)
	}
	c.tell("ada agrees")
	c.tell("ada erased")
	if err := import1("1", bob, imported("")); err != nil {
		t.Errorf("what was answered before: %v", err)
	}
	if err := import1("2", eve, imported("")); code(err) != refusal.Incomplete || !strings.Contains(err.Error(), "list") {
		t.Errorf("somebody was erased: %v", err)
	}
	if err := import1("3", eve, imported("operator:ann")); err != nil {
		t.Errorf("it says by whose list: %v", err)
	}
	if err := import1("4", eve, domain.GiveConsent{Act: "agree", FilteredBy: "operator:ann"}); code(err) == "" {
		t.Error("a live consent was filtered by a list")
	}
	var kept []string
	for e, err := range c.l.History(t.Context(), "demo", eve) {
		if err != nil {
			t.Fatal(err)
		}
		if x, is := e.Event.(domain.ConsentGiven); is {
			kept = append(kept, x.FilteredBy)
		}
	}
	if len(kept) != 1 || kept[0] != "operator:ann" {
		t.Errorf("the record says %q", kept)
	}
}

// Of a directory that is older than the rule nobody knows whether somebody was
// erased.
func TestWhatIsOlderThanTheRuleMayHaveErasedSomebody(t *testing.T) {
	c := newCircle(t)
	v, err := vault.Open(t.Context(), c.w.rows, c.w.keys)
	if err != nil {
		t.Fatal(err)
	}
	if any, err := v.AnyErased(t.Context(), "demo"); any || err != nil {
		t.Errorf("a new app: %v, %v", any, err)
	}
	if any, err := v.AnyErased(t.Context(), "old"); !any || err != nil {
		t.Errorf("an app that has no row: %v, %v", any, err)
	}
}
