package consents_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// Whatever people say, and whatever is published, voided or linked: what the groups give is what going
// over everybody gives, now and at any moment later, and at the end of each day that is past what a view
// gave that had read no further.
func TestGroupsCountWhatGoingOverEverybodyCounts(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { groupsOfARandomHistory(t, seed) })
	}
}

func groupsOfARandomHistory(t *testing.T, seed uint64) {
	h := newRandomHistory(t, seed)
	for range 200 {
		h.step()
	}
	all := h.w.Entries()
	versions := published(all)
	if len(versions) < 4 || h.taken < 100 {
		t.Fatalf("of 200 steps %d were taken, %d versions were published", h.taken, len(versions))
	}

	whole, single := open(t, h.w), open(t, h.w)
	if err := whole.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}

	sameWho(t, whole, h.w.Time())
	seen := map[domain.Status]bool{}
	for i, e := range all {
		apply(t, single, e)
		end := dayOf(e.Recorded).Add(deadline.Day) - 1
		var moments []deadline.Instant
		if i%5 == 0 {
			moments = append(moments, e.Recorded)
		}
		if i+1 == len(all) || all[i+1].Recorded > end {
			moments = append(moments, end)
			moments = append(moments, h.ends[end]...)

			then := oneByOne(t, single, versions, end)
			same(t, fmt.Sprint("by the whole, on ", end), inGroups(t, whole, versions, consents.EndOf(end)), then)
			same(t, fmt.Sprint("on ", end), inGroups(t, single, versions, consents.EndOf(end)), then)
		}
		for _, at := range moments {
			want, got := oneByOne(t, single, versions, at), inGroups(t, single, versions, consents.Now(at))
			got.opposed = opposed(t, single, at)
			same(t, fmt.Sprintf("after %d records, at %s", i+1, at), got, want)
			for c := range want.counts {
				seen[c.Status] = true
			}
		}
	}
	for _, status := range []domain.Status{
		domain.Given, domain.Refused, domain.Withdrawn, domain.Expired, domain.Stale, domain.AskAgain,
	} {
		if !seen[status] {
			t.Errorf("nobody's status was %v", status)
		}
	}
}

// Somebody withdraws, and in the same millisecond a version is published that binds at once: they
// leave the group later that they came into.
func TestWhoWithdrewInTheMillisecondOfAPublicationIsCountedOnce(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	marketing := []policy.PurposeID{"marketing"}
	w.Tell("ada", domain.WithdrawConsent{Scope: policy.Scope{Purposes: marketing}})
	w.Rest(-deadline.Second)
	newest := w.Publish(projectiontest.Document("two"))
	binds := w.Time()
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: marketing})

	v := open(t, w)
	for _, e := range w.Entries() {
		apply(t, v, e)
	}
	want := consents.Progress{Agreed: 1}
	for _, when := range []consents.When{consents.Now(w.Time()), consents.EndOf(w.Time())} {
		got, _, err := v.Progress(t.Context(), app, newest, binds, when)
		if err != nil || len(got) != 1 || got["marketing"] != want {
			t.Errorf("%+v: %+v, want %+v, %v", when, got, want, err)
		}
	}
}

// People are how many stand where, and how far they have come with each version.
type people struct {
	counts   map[consents.Count]int64
	opposed  map[consents.OpposedCount]int64 // nil: not asked
	progress []map[policy.PurposeID]consents.Progress
}

func same(t *testing.T, name string, got, want people) {
	t.Helper()
	if !maps.Equal(got.counts, want.counts) {
		t.Errorf("%s: %v are counted, want %v", name, got.counts, want.counts)
	}
	if got.opposed != nil && !maps.Equal(got.opposed, want.opposed) {
		t.Errorf("%s: a signal opposes %v, want %v", name, got.opposed, want.opposed)
	}
	if !slices.EqualFunc(got.progress, want.progress, maps.Equal) {
		t.Errorf("%s: the progress is %+v, want %+v", name, got.progress, want.progress)
	}
}

// oneByOne goes over everybody.
func oneByOne(t *testing.T, v *consents.View, versions []domain.PolicyPublished, at deadline.Instant) people {
	t.Helper()
	p := people{counts: map[consents.Count]int64{}, opposed: map[consents.OpposedCount]int64{}}
	rows, err := v.Rows(t.Context(), app, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		c := consents.Count{Purpose: r.Purpose, Status: r.Status}
		p.counts[c]++
		if r.Opposed.Signal != "" {
			p.opposed[consents.OpposedCount{Count: c, Signal: r.Opposed.Signal}]++
		}
	}
	for _, version := range versions {
		progress, err := v.ProgressOfEach(t.Context(), app, version.Version, version.Effective, at)
		if err != nil {
			t.Fatal(err)
		}
		p.progress = append(p.progress, progress)
	}
	return p
}

// sameWho holds who spoke of a purpose, by pages of two, to going over everybody.
func sameWho(t *testing.T, v *consents.View, at deadline.Instant) {
	t.Helper()
	rows, err := v.Rows(t.Context(), app, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []policy.PurposeID{"location", "marketing", "nothing"} {
		want := slices.DeleteFunc(slices.Clone(rows), func(r consents.Row) bool { return r.Purpose != id })
		var got []consents.Row
		for after, more := (consents.Cursor{}), true; more; {
			page, last, _, err := v.Who(t.Context(), app, id, at, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			got, after, more = append(got, page...), last, len(page) == 2
		}
		if !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Errorf("who spoke of %s: %v, want %v", id, got, want)
		}
	}
}

// inGroups asks the view.
func inGroups(t *testing.T, v *consents.View, versions []domain.PolicyPublished, when consents.When) people {
	t.Helper()
	p := people{counts: map[consents.Count]int64{}}
	counts, _, err := v.Counts(t.Context(), app, when)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		n := c.People
		c.People = 0
		p.counts[c] = n
	}
	for _, version := range versions {
		progress, _, err := v.Progress(t.Context(), app, version.Version, version.Effective, when)
		if err != nil {
			t.Fatal(err)
		}
		p.progress = append(p.progress, progress)
	}
	return p
}

func opposed(t *testing.T, v *consents.View, at deadline.Instant) map[consents.OpposedCount]int64 {
	t.Helper()
	counts, _, err := v.OpposedCounts(t.Context(), app, at)
	if err != nil {
		t.Fatal(err)
	}
	all := map[consents.OpposedCount]int64{}
	for _, c := range counts {
		n := c.People
		c.People = 0
		all[c] = n
	}
	return all
}

func published(all []codec.Entry) (versions []domain.PolicyPublished) {
	for _, e := range all {
		if p, is := e.Event.(domain.PolicyPublished); is {
			versions = append(versions, p)
		}
	}
	return versions
}

// A randomHistory is what some people say, and what is published meanwhile.
type randomHistory struct {
	t     *testing.T
	w     *projectiontest.Teller
	dice  *rand.Rand
	taken int // steps that the ledger took
	known []content.Hash
	said  map[string][]ident.EventID
	ends  map[deadline.Instant][]deadline.Instant // of consents, by the last moment of their day
}

func newRandomHistory(t *testing.T, seed uint64) *randomHistory {
	h := &randomHistory{
		t: t, w: projectiontest.NewTeller(t), dice: rand.New(rand.NewPCG(seed, 1)),
		said: map[string][]ident.EventID{}, ends: map[deadline.Instant][]deadline.Instant{},
	}
	h.w.Register()
	h.publish()
	return h
}

// step says something, some time after the step before. The ledger may refuse it.
func (h *randomHistory) step() {
	pause := []deadline.Span{0, deadline.Second, deadline.Hour, 5 * deadline.Hour}[h.dice.IntN(4)]
	if h.dice.IntN(60) == 0 {
		pause = 20 * deadline.Day
	}
	h.w.Rest(pause)
	switch n := h.dice.IntN(100); {
	case n < 40:
		h.tell(domain.GiveConsent{Act: "click", Purposes: h.purposes(), Until: h.until(), Build: h.build()})
	case n < 50:
		h.tell(domain.WithdrawConsent{Scope: h.scope(), Build: h.build()})
	case n < 55:
		h.tell(domain.RefuseConsent{Scope: h.scope(), Act: []policy.ActID{"", "gpc", "dnt"}[h.dice.IntN(3)]})
	case n < 65:
		h.tell(domain.PresentNotice{Kind: "enhanced", Version: h.known[h.dice.IntN(len(h.known))]})
	case n < 70:
		h.tell(domain.RequestConsent{Purposes: h.purposes(), Reason: "policy-changed"})
	case n < 73:
		h.publish()
	case n < 80:
		h.tell(domain.ChangePermission{Permission: "gps", Change: domain.Revoked})
	case n < 88:
		h.void()
	case n < 91:
		h.execute("", "", domain.Say{Event: domain.BuildVoided{Build: "bad", From: projectiontest.Start, To: h.w.Time(),
			Reason: "ticked-before", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}})
	case n < 94:
		h.execute(h.somebody(), h.somebody(), domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	case n < 96:
		h.execute(h.somebody(), h.somebody(), domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}})
	case n < 98:
		h.tell(domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	default:
		h.tell(domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}})
	}
}

func (h *randomHistory) somebody() string { return fmt.Sprint("person", h.dice.IntN(12)) }

func (h *randomHistory) purposes() []policy.PurposeID {
	return [][]policy.PurposeID{{"location"}, {"marketing"}, {"location", "marketing"}}[h.dice.IntN(3)]
}

func (h *randomHistory) scope() policy.Scope {
	if h.dice.IntN(4) == 0 {
		return policy.Scope{All: true}
	}
	return policy.Scope{Purposes: h.purposes()}
}

// until returns when a consent ends; zero: never.
func (h *randomHistory) until() (end deadline.Instant) {
	switch h.dice.IntN(4) {
	case 0:
		end = h.w.Time().Add(deadline.Span(1+h.dice.IntN(12)) * deadline.Hour)
	case 1:
		end = h.w.Time().Add(deadline.Span(1+h.dice.IntN(30)) * deadline.Day)
	default:
		return 0
	}
	day := dayOf(end).Add(deadline.Day) - 1
	h.ends[day] = append(h.ends[day], end-1, end)
	return end
}

func (h *randomHistory) build() string { return []string{"good", "bad"}[h.dice.IntN(2)] }

// publish publishes one more version, which binds at once or later and makes some consents stale.
func (h *randomHistory) publish() {
	d := projectiontest.Document(fmt.Sprint("version ", len(h.known)))
	effective := []deadline.Instant{0, h.w.Time().Add(3 * deadline.Day)}[h.dice.IntN(2)]
	if len(h.known) == 0 {
		effective = 0
	}
	var stale []policy.PurposeID
	if h.dice.IntN(3) > 0 {
		stale = h.purposes()
	}
	h.known = append(h.known, h.w.PublishAt(effective, d, stale...))
	h.taken++
}

// void says that something was a mistake which somebody said, or was shown.
func (h *randomHistory) void() {
	who := h.somebody()
	if said := h.said[who]; len(said) > 0 {
		h.execute(who, "", domain.VoidRecords{Records: said[h.dice.IntN(len(said)):][:1], Reason: "mistake",
			Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}
}

// ask asks somebody, or says that it was a mistake, more often than anything else.
func (h *randomHistory) ask() {
	h.w.Rest(deadline.Hour)
	switch n := h.dice.IntN(100); {
	case n < 35:
		h.tell(domain.PresentNotice{Kind: "enhanced", Version: h.known[h.dice.IntN(len(h.known))]})
	case n < 50:
		h.tell(domain.RequestConsent{Purposes: h.purposes(), Reason: "policy-changed"})
	case n < 65:
		h.tell(domain.GiveConsent{Act: "click", Purposes: h.purposes()})
	case n < 68:
		h.publish()
	case n < 70:
		h.tell(domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	case n < 73:
		h.execute(h.somebody(), h.somebody(), domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	default:
		h.void()
	}
}

func (h *randomHistory) tell(cmd domain.Command) { h.execute(h.somebody(), "", cmd) }

func (h *randomHistory) execute(who, other string, cmd domain.Command) {
	h.w.Rest(deadline.Second)
	id := fmt.Sprint("step ", h.dice.Uint64())
	req := ledger.Request{App: app, Source: "test", ID: id, Body: []byte(id), Actor: "operator", RecordedBy: "test",
		Command: cmd}
	if who != "" {
		req.Person = ident.PersonKey{Kind: "account", ID: who}
	}
	if other != "" {
		req.Other = ident.PersonKey{Kind: "account", ID: other}
	}
	if h.dice.IntN(10) == 0 {
		req.At = h.w.Time().Add(-deadline.Span(h.dice.IntN(48)) * deadline.Hour)
	}

	r, err := h.w.Execute(h.t.Context(), req)
	if _, refused := errors.AsType[refusal.Refusal](err); refused {
		return
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.taken++
	h.said[who] = append(h.said[who], ident.EventID(r.Event))
}
