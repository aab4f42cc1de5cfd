package ledger_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// orders yields every order of a list.
func orders(list []string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		var pick func(done, rest []string) bool
		pick = func(done, rest []string) bool {
			if len(rest) == 0 {
				return yield(done)
			}
			for i := range rest {
				left := append(append([]string(nil), rest[:i]...), rest[i+1:]...)
				if !pick(append(done[:len(done):len(done)], rest[i]), left) {
					return false
				}
			}
			return true
		}
		pick(nil, list)
	}
}

// A circle is a ledger that is told, in words, what persons do.
type circle struct {
	*testing.T
	w *world
	l *ledger.Ledger
	n int
}

func newCircle(t *testing.T) *circle {
	w := newWorld()
	c := &circle{T: t, w: w, l: w.open(t)}
	begin(t, c.l)
	return c
}

// tell does what the words say, as in "a-b linked" or "a withdraws".
func (c *circle) tell(words string) {
	c.Helper()
	c.w.now += 1000
	c.n++
	who, what, _ := strings.Cut(words, " ")
	who, other, _ := strings.Cut(who, "-")
	cmd := map[string]domain.Command{
		"agrees": yes, "withdraws": no, "refuses": domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}},
		"linked":     domain.Say{Event: domain.SubjectLinked{Proof: "login"}},
		"unlinked":   domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}},
		"reassigned": domain.Say{Event: domain.SubjectReassigned{Reason: "recycled"}},
		"closed":     domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}},
	}[what]
	if what == "erased" {
		r := order(fmt.Sprint(c.n))
		r.Person = account(who)
		if _, err := c.l.Erase(c.Context(), r); err != nil {
			c.Fatal(err)
		}
		return
	}
	r := requestOf(fmt.Sprint(c.n), cmd)
	r.Person = account(who)
	if other != "" {
		r.Other = account(other)
	}
	must(c, c.l, r)
}

// may reports whether everything is allowed of who, after a restart too.
func (c *circle) may(who string) bool {
	c.Helper()
	answers := map[bool]int{}
	for _, l := range []*ledger.Ledger{c.l, c.w.open(c.T)} {
		s, err := l.State(c.Context(), "demo", account(who), ledger.AsOf{})
		if err != nil {
			c.Fatal(err)
		}
		answers[domain.May(s.Subject, s.Reference, domain.Question{Purpose: "ads", Action: policy.Use, At: c.w.now + 1000}).Allowed]++
	}
	if len(answers) != 1 {
		c.Errorf("%s: another answer after a restart", who)
	}
	return answers[true] > 0
}

func TestAnOptOutReachesEverybodyWhoIsTheSamePersonInEveryOrder(t *testing.T) {
	for _, no := range []string{"withdraws", "refuses"} {
		for order := range orders([]string{"a " + no, "a-b linked", "c-b linked", "c-d linked"}) {
			c := newCircle(t)
			for _, who := range []string{"a", "b", "c", "d", "e"} {
				c.tell(who + " agrees")
			}
			for _, words := range order {
				c.tell(words)
			}
			for _, who := range []string{"a", "b", "c", "d"} {
				if c.may(who) {
					t.Errorf("%s: %s may", strings.Join(order, ", "), who)
				}
			}
			if !c.may("e") {
				t.Errorf("%s: e may not, who is linked to nobody", strings.Join(order, ", "))
			}
		}
	}
}

func TestWhomAnOptOutReaches(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell string
		may  string // of a to d, who all agreed first
	}{
		{"an end of the links after the opt-out lets nobody go", "a-b linked, b-c linked, a withdraws, a-b unlinked, b-c unlinked", "d"},
		{"also if the opt-out was first", "a withdraws, a-b linked, b-c linked, a-b unlinked", "d"},
		{"an opt-out after the end of a link stays", "a-b linked, b-c linked, a-b unlinked, a withdraws", "b c d"},
		{"what was left on a shared device does not go on to who is linked next", "a-b linked, a withdraws, a-b unlinked, b-c linked", "c d"},
		{"a link in the middle that begins again carries on", "a-b linked, b-c linked, b-c unlinked, a withdraws, b-c linked", "d"},
		{"two ways that are never whole are none", "a-b linked, a-b unlinked, b-c linked, a withdraws, a-d linked", "b c"},
		{"a ring of links", "a-b linked, b-c linked, c-a linked, b-c unlinked, c withdraws", "d"},
		{"a device that changes hands keeps who was linked by it", "a-b linked, b-c linked, b reassigned, a withdraws", "d"},
		{"and nobody says no by its end", "a-b linked, b-c linked, b reassigned", "a c d"},
		{"nor by the end of an account", "a-b linked, b-c linked, b closed", "a c d"},
		{"who is erased in the middle stays in the middle", "a-b linked, b-c linked, b erased, c withdraws", "d"},
		{"a grant that is later in both times brings one's own consent back, and nobody else's", "a-b linked, b-c linked, a withdraws, c agrees", "c d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCircle(t)
			for _, who := range []string{"a", "b", "c", "d"} {
				c.tell(who + " agrees")
			}
			for words := range strings.SplitSeq(tt.tell, ", ") {
				c.tell(words)
			}
			var may []string
			for _, who := range []string{"a", "b", "c", "d"} {
				if c.may(who) {
					may = append(may, who)
				}
			}
			if got := strings.Join(may, " "); got != tt.may {
				t.Errorf("%q may, want %q", got, tt.may)
			}
		})
	}
}

// What was known in the past stays as it was, and what changes an answer is
// named although it stands in a history that is linked through another.
func TestThePastKnowsWhatWasLinkedThen(t *testing.T) {
	c := newCircle(t)
	for _, words := range []string{"a agrees", "c agrees", "a withdraws", "a-b linked"} {
		c.tell(words)
	}
	before, head := c.w.now, ledger.AsOf{KnownAt: c.w.now}
	c.tell("b-c linked")
	if c.may("c") {
		t.Error("c may")
	}
	s, err := c.l.State(t.Context(), "demo", account("c"), head)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Subject.Standing("ads", before, s.Reference).Status; got != domain.Given {
		t.Errorf("as known before the link: %v", got)
	}
	past, err := c.l.Past(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	name, _, err := c.l.Pseudonym(t.Context(), "demo", account("c"))
	if err != nil {
		t.Fatal(err)
	}
	until, err := c.l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for e, err := range past.Changes(t.Context(), name, 0, until) {
		if err != nil {
			t.Fatal(err)
		}
		_, is := e.Event.(domain.ConsentWithdrawn)
		found = found || is
	}
	if !found {
		t.Error("the opt-out that changed the answer is not among the changes")
	}
}
