package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// A gambler does at random what persons, guardians, operators, apps and
// networks do.
type gambler struct {
	*testing.T
	*rand.Rand
	w     *world
	l     *ledger.Ledger
	model model
	n     int
	queue []ledger.Request                // delivered late, in any order
	done  []ledger.Request                // delivered again
	taken map[string]ledger.Receipt       // by the request's id
	names map[string]string               // by the pseudonym
	ids   map[string][]eventstore.EventID // of what may be voided, by whose history it stands in
	seen  eventstore.Position             // of the log
	story []string
	saw   map[string]int
}

var persons = []string{"ann", "bob", "cyd", "dee"}
var guardians = []string{"mum", "dad"}

func account(id string) ident.PersonKey { return ident.PersonKey{Kind: "account", ID: id} }

func (g *gambler) pick(list []string) string { return list[g.IntN(len(list))] }

// think returns something that somebody says, at a time of a clock that is
// right, slow, fast or absent.
func (g *gambler) think() ledger.Request {
	g.n++
	r := requestOf(fmt.Sprint(g.n), nil)
	r.Person = account(g.pick(persons))
	r.Source = g.pick([]string{"phone", "web"})
	r.At = []deadline.Instant{0, g.w.now, g.w.now - deadline.Instant(g.IntN(20_000)), g.w.now + deadline.Instant(g.IntN(20_000))}[g.IntN(4)]
	if g.IntN(3) == 0 {
		r.Sequence = uint64(1 + g.IntN(50))
	}
	switch n := g.IntN(100); {
	case n < 60:
		g.answer(&r)
	case n < 76:
		g.identify(&r)
	case n < 91:
		g.link(&r)
	default:
		g.undo(&r)
	}
	r.Body = fmt.Append(nil, r.Command, r.At, r.Sequence, r.Other, r.Person)
	return r
}

// answer makes r a grant or an opt-out: a person's own, a guardian's, or one that
// confirms what was said elsewhere.
func (g *gambler) answer(r *ledger.Request) {
	build := g.pick([]string{"", "bad"})
	if g.IntN(3) == 0 {
		r.Other = account(g.guardianOf(r.Person.ID))
	}
	switch g.IntN(9) {
	case 8:
		r.Command = domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Act: "gpc"}
	case 0:
		r.Command = domain.WithdrawConsent{Scope: policy.Scope{All: true}, Build: build}
	case 1:
		r.Command = domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Build: build}
	case 2:
		r.Command = domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "app"}
	default:
		yes := domain.GiveConsent{Act: "agree", Build: build}
		if r.Other != (ident.PersonKey{}) {
			yes.Proof = domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}
		}
		if g.IntN(4) == 0 {
			yes.Until = g.w.now + 25_000
		}
		if g.IntN(3) == 0 {
			yes.Confirms = g.elsewhere(r.Person.ID)
		}
		r.Command = yes
	}
}

// guardianOf returns somebody who was verified as the guardian, if anybody was.
func (g *gambler) guardianOf(who string) string {
	for _, i := range g.Perm(len(g.model.words)) {
		if w := g.model.words[i]; w.in == who && w.guardian != "" {
			return w.guardian
		}
	}
	return g.pick(guardians)
}

// elsewhere returns an answer to confirm: mostly a grant of a linked history.
func (g *gambler) elsewhere(who string) []ident.EventID {
	for _, i := range g.Perm(len(g.model.answers)) {
		a := g.model.answers[i]
		linked := slices.ContainsFunc(g.model.bonds[who], func(b *bond) bool { return b.other == a.in })
		if a.yes && linked || g.IntN(20) == 0 {
			return []ident.EventID{ident.EventID(a.id)}
		}
	}
	return nil
}

// identify makes r say who is whose guardian, or how old somebody is.
func (g *gambler) identify(r *ledger.Request) {
	switch n := g.IntN(10); {
	case n < 7:
		r.Other = account(g.pick(guardians))
		r.Command = domain.Say{Event: domain.GuardianVerified{Proof: domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}}}
	case n < 8:
		r.Other = account(g.pick(guardians))
		r.Command = domain.Say{Event: domain.GuardianEnded{Reason: "moved"}}
	default:
		band := []domain.AgeBand{domain.ChildUnder14, domain.ChildUnder14, domain.Aged14, domain.Adult}[g.IntN(4)]
		r.Command = domain.Say{Event: domain.AgeRecorded{Band: band, Basis: "declared"}}
	}
}

// link makes r link two persons' histories, or part them.
func (g *gambler) link(r *ledger.Request) {
	r.Other = account(g.pick(persons))
	r.Command = domain.Say{Event: domain.SubjectLinked{Proof: "login"}}
	if g.IntN(2) == 0 {
		r.Command = domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}}
	}
}

// undo makes r an operator's word that something was a mistake.
func (g *gambler) undo(r *ledger.Request) {
	r.Actor = "operator"
	if g.IntN(8) == 0 {
		from := g.w.now - deadline.Instant(1+g.IntN(40_000))
		r.Person = ident.PersonKey{}
		r.Command = domain.Say{Event: domain.BuildVoided{Build: "bad", From: from, To: from + deadline.Instant(1+g.IntN(40_000)), Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}}
		return
	}
	ids := g.ids[r.Person.ID]
	if len(ids) == 0 {
		ids = []eventstore.EventID{{1}}
	}
	r.Command = domain.VoidRecords{Records: []ident.EventID{ident.EventID(ids[g.IntN(len(ids))])}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}
}

// deliver hands a request to the ledger, and what is new in the log to the
// model. What was taken is answered as it was; an opt-out is refused only when its
// guardian is none.
func (g *gambler) deliver(r ledger.Request) {
	receipt, err := g.l.Execute(g.Context(), r)
	g.story = append(g.story, fmt.Sprintf("%s %T %+v at %d number %d by %s, other %s: %x at %d, %v", r.Person.ID, r.Command, r.Command, r.At-start, r.Sequence, r.Source, r.Other.ID, receipt.Event[:4], g.w.now-start, err))
	before, was := g.taken[r.ID]
	known := g.model.signalled(r) && err == nil && !was
	news := g.news(r)
	said, _ := r.Command.(domain.Say)
	_, link := said.Event.(domain.SubjectLinked)
	switch takesAway := domain.TakesAway(r.Command); {
	case link && err == nil && receipt.Event == (eventstore.EventID{}):
		g.fail("a link has a receipt of no record: %+v", receipt)
	case link && receipt.Repeats:
		g.saw["links that were open"]++
	case receipt.Repeats != known || known && (news != 0 || receipt.Event == (eventstore.EventID{})):
		g.fail("a signal that was known: %t, and it left %d answers and %+v", known, news, receipt)
	case known:
		g.saw["signals that were known"]++
	case err != nil && (code(err) == "" || was || takesAway && code(err) != refusal.UnknownGuardian):
		g.fail("was not taken: %v", err)
	case was && (before != receipt || news > 0):
		g.fail("again: %v and %v, and %d answers", before, receipt, news)
	case err == nil && !was && takesAway && news != 1:
		g.fail("a no left %d answers", news)
	case err == nil && receipt.Event != (eventstore.EventID{}):
		g.taken[r.ID] = receipt
	}
}

// news tells the model what the log says that it did not say before, which is
// what came of r, and returns how many answers there are. What was said when is
// as r says: the ledger's word is taken only for when it took it.
func (g *gambler) news(r ledger.Request) (answers int) {
	for e, err := range g.l.Replay(g.Context(), g.seen) {
		if err != nil {
			g.Fatal(err)
		}
		g.seen = e.Position
		if v, is := e.Event.(domain.BuildVoided); is {
			g.model.voidsBuild(v)
		}
		if e.Stream.Noun != ident.SubjectNoun {
			continue
		}
		who := g.nameOf(e.Stream.ID)
		g.ids[who] = append(g.ids[who], e.ID)
		if a := g.answered(e, r); a != nil {
			g.model.answers = append(g.model.answers, a)
			answers++
		} else {
			g.learn(e, who, r)
		}
	}
	return answers
}

// answered returns the answer that an entry is; nil if it is none.
func (g *gambler) answered(e codec.Entry, r ledger.Request) *answer {
	refusal, _ := r.Command.(domain.RefuseConsent)
	a := &answer{id: e.ID, signal: refusal.Act == "gpc", in: r.Person.ID, by: r.Other.ID, said: r.At, taken: e.Recorded, source: r.Source, number: r.Sequence}
	if a.said == 0 {
		a.said = a.taken
	}
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		a.yes, a.build, a.confirms, a.until = true, x.Build, x.Confirms, r.Command.(domain.GiveConsent).Until
		if !g.model.confirmed(a) {
			g.fail("confirmed what no linked history says")
		}
	case domain.ConsentWithdrawn:
		a.said, a.build = min(a.said, a.taken), x.Build
	case domain.ConsentRefused:
		a.said, a.build = min(a.said, a.taken), x.Build
	default:
		return nil
	}
	return a
}

// learn tells the model what an entry says of a person that is no answer.
func (g *gambler) learn(e codec.Entry, who string, r ledger.Request) {
	m := &g.model
	switch x := e.Event.(type) {
	case domain.SubjectLinked:
		from := e.Recorded
		if r.At != 0 {
			from = min(from, r.At)
		}
		m.bonds[who] = append(m.bonds[who], &bond{id: e.ID, other: g.nameOf(x.Other), from: from})
	case domain.SubjectUnlinked:
		m.unlink(who, g.nameOf(x.Other), e.ID, e.Recorded)
	case domain.GuardianVerified:
		m.words = append(m.words, &word{id: e.ID, in: who, guardian: r.Other.ID, taken: e.Recorded})
	case domain.AgeRecorded:
		m.words = append(m.words, &word{id: e.ID, in: who, child: x.Band == domain.ChildUnder14, taken: e.Recorded})
	case domain.RecordVoided:
		m.voids(who, x.Records, e.Recorded)
	}
}

// nameOf returns whose pseudonym that is.
func (g *gambler) nameOf(pseudonym string) string {
	if name, ok := g.names[pseudonym]; ok {
		return name
	}
	for _, who := range append(persons[:len(persons):len(persons)], guardians...) {
		if p, known, err := g.l.Pseudonym(g.Context(), "demo", account(who)); err != nil {
			g.Fatal(err)
		} else if known {
			g.names[p] = who
		}
	}
	return g.names[pseudonym]
}

func (g *gambler) fail(format string, args ...any) {
	g.Helper()
	for _, line := range g.story {
		g.Log(line)
	}
	g.Fatalf(format, args...)
}

// step lets some time pass and something arrive: new, late, or for a second
// time; now and then after a restart.
func (g *gambler) step() {
	g.w.now += deadline.Instant(1 + g.IntN(5_000))
	if g.IntN(50) == 0 {
		g.l = g.w.open(g.T)
	}
	switch {
	case g.IntN(4) == 0:
		g.queue = append(g.queue, g.think())
	case g.IntN(4) == 0 && len(g.queue) > 0:
		i := g.IntN(len(g.queue))
		r := g.queue[i]
		g.queue = append(g.queue[:i], g.queue[i+1:]...)
		g.deliver(r)
		g.done = append(g.done, r)
	case g.IntN(5) == 0 && len(g.done) > 0:
		g.deliver(g.done[g.IntN(len(g.done))])
	default:
		r := g.think()
		g.deliver(r)
		g.done = append(g.done, r)
	}
}

// check asks of everybody, and counts what it saw.
func (g *gambler) check(l *ledger.Ledger, saw map[string]int) {
	for _, who := range persons {
		at := l.Now().Add(30_000) // when every clock's claims have come
		s, err := l.State(g.Context(), "demo", account(who), ledger.AsOf{})
		if err != nil {
			g.Fatal(err)
		}
		a := domain.May(s.Subject, s.Reference, domain.Question{Purpose: "ads", Action: policy.Use, At: at})
		y, may := g.model.mayBe(who, at, len(persons))
		if a.Allowed && !may {
			g.fail("%s may (%s, since %d, by %x), and a no is in the way", who, a.Why, a.Standing.Since-start, a.Standing.Because[0][:4])
		}
		_, alone := g.model.mayBe(who, at, 0)
		_, linked := g.model.mayBe(who, at, 1)
		_, before := g.model.mayBe(who, at-6_000, len(persons)) // before the newest grants that end do
		saw["denied by the end of a newer grant"] += count(a.Standing.Status == domain.Expired && before)
		saw["denied"] += count(!a.Allowed)
		saw["allowed"] += count(a.Allowed)
		saw["allowed by a guardian"] += count(a.Allowed && y.by != "")
		saw["allowed by what confirms a yes of elsewhere"] += count(a.Allowed && len(y.confirms) > 0)
		saw["denied by a no of elsewhere"] += count(alone && !may)
		saw["denied by a no that came through another history"] += count(linked && !may)
	}
	for _, x := range g.model.answers {
		saw["voided yeses"] += count(x.yes && x.gone)
		saw["voided nos"] += count(!x.yes && x.gone)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Drawn are forty histories of four persons and two guardians, through the
// ledger as its callers use it: grants, withdrawals, refusals and requests that
// withdraw, of a build or of none, by the person or by a guardian, some of them
// confirming what was said elsewhere; guardians who are verified and end, ages;
// links and their ends, on both sides; voids of any of these, alone or by build;
// by clocks that are slow, fast or absent, with numbers or without, late, out of
// order, twice, across restarts, and through two processes in turns.
//
// The invariant: nobody may whose model, which knows nothing of how the ledger
// decides, has an opt-out in the way of every grant.
// followsWhatIsStored fails if whoever follows is told of something else than
// what the store has: what this process wrote it does not read again.
func followsWhatIsStored(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var stored []codec.Entry
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, e)
	}
	at := 0
	for entries, err := range l.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !reflect.DeepEqual(e, stored[at]) {
				t.Fatalf("told of %#v, the store has %#v", e, stored[at])
			}
			at++
		}
		if entries[len(entries)-1].Position >= head {
			return
		}
	}
}

// foldsFromSnapshots fails if some person's history folds to something else from
// a snapshot on than from its beginning.
func foldsFromSnapshots(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	seen := map[ident.StreamID]bool{}
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream.Noun != ident.SubjectNoun || seen[e.Stream] {
			continue
		}
		seen[e.Stream] = true
		if err := l.CheckSnapshots(t.Context(), e.Stream); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoSequenceOfDeliveriesTurnsANoIntoAYes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	saw := map[string]int{}
	histories := 40
	if os.Getenv(on) != "" { // over a network, where the rules of the ledger are the same
		histories = 10
	}
	for range histories {
		w := newWorld()
		g := &gambler{
			T: t, Rand: r, w: w, l: w.open(t), model: model{bonds: map[string][]*bond{}},
			saw: saw, taken: map[string]ledger.Receipt{}, names: map[string]string{}, ids: map[string][]eventstore.EventID{},
		}
		begin(t, g.l)
		w.now += 30_000 // no clock is so slow that it has no policy
		other := w.open(t)
		for range 60 {
			g.step()
			g.l, other = other, g.l // two processes take turns, each knows what the other recorded
			g.check(g.l, saw)
		}
		followsWhatIsStored(t, g.l)
		foldsFromSnapshots(t, g.l)
		foldsFromSnapshots(t, other)
		g.check(w.open(t), saw) // after a restart
	}
	t.Log(saw)
	if os.Getenv(on) != "" {
		return // too few to see everything
	}
	for _, what := range []string{
		"allowed", "denied", "allowed by a guardian", "allowed by what confirms a yes of elsewhere", "denied by a no of elsewhere", "denied by a no that came through another history", "denied by the end of a newer grant", "signals that were known", "voided yeses", "voided nos",
	} {
		if saw[what] == 0 {
			t.Errorf("%s: never, of %v: this has proved nothing", what, saw)
		}
	}
}
