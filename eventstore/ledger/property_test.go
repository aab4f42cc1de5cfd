package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

// An answer is a yes or a no that the ledger took, as the model remembers it.
type answer struct {
	yes         bool
	said, taken domain.Instant
	source      string
	number      uint64
	from        string // who said it
}

// A model is what the ledger is held against: it knows who said what when, and
// which histories were ever linked, and nothing of how the ledger decides.
type model struct {
	said map[string][]answer
}

// after reports whether a yes was said after a no beyond doubt: later in both
// times, or by the count of the one source that numbered both.
func after(y, n answer) bool {
	if n.from == y.from && n.source == y.source && n.number != 0 && y.number != 0 {
		return y.number > n.number
	}
	return y.said > n.said && y.taken > n.taken
}

// mayBe reports whether who may be allowed: a yes of their own was taken that
// is after every no of theirs.
func (m *model) mayBe(who string) bool {
	for _, y := range m.said[who] {
		blocked := !y.yes
		for _, n := range m.said[who] {
			blocked = blocked || !n.yes && !after(y, n)
		}
		if !blocked {
			return true
		}
	}
	return false
}

// A gambler does at random what persons, apps and networks do.
type gambler struct {
	*testing.T
	*rand.Rand
	w     *world
	l     *ledger.Ledger
	model model
	n     int
	queue []ledger.Request // delivered late, in any order
	done  []ledger.Request // delivered again
	story []string
}

var persons = []string{"ann", "bob", "cyd", "dee"}

func (g *gambler) one() string { return persons[g.IntN(len(persons))] }

// think returns something that somebody says, at a time of a clock that is
// right, slow, fast or absent.
func (g *gambler) think() ledger.Request {
	g.n++
	who, other := g.one(), g.one()
	r := request(fmt.Sprint(g.n), yes)
	r.Person = domain.PersonKey{Kind: "account", ID: who}
	r.Source = []string{"phone", "web"}[g.IntN(2)]
	r.At = []domain.Instant{0, g.w.now, g.w.now - domain.Instant(g.IntN(20_000)), g.w.now + domain.Instant(g.IntN(20_000))}[g.IntN(4)]
	if g.IntN(3) == 0 {
		r.Sequence = uint64(1 + g.IntN(50))
	}
	switch g.IntN(12) {
	case 0, 1:
		r.Command = no
	case 2:
		r.Command = domain.RefuseConsent{Scope: domain.Scope{Purposes: []domain.PurposeID{"ads"}}}
	case 3:
		r.Command = domain.OpenRequest{Types: []domain.RequestType{domain.AskWithdraw}, Channel: "app"}
	case 4:
		r.Command, r.Other = domain.Say{Event: domain.SubjectLinked{Proof: "login"}}, domain.PersonKey{Kind: "account", ID: other}
	case 5:
		r.Command, r.Other = domain.Say{Event: domain.SubjectUnlinked{}}, domain.PersonKey{Kind: "account", ID: other}
	}
	r.Body = fmt.Append(nil, r.Command, r.At, r.Sequence)
	return r
}

// deliver hands a request to the ledger, and what it took for the first time
// to the model. What it refuses changes nothing; a no is never refused.
func (g *gambler) deliver(r ledger.Request, again bool) {
	receipt, err := g.l.Execute(g.Context(), r)
	g.story = append(g.story, fmt.Sprintf("%s %T at %d number %d by %s, other %s: taken %d, %v", r.Person.ID, r.Command, r.At-start, r.Sequence, r.Source, r.Other.ID, g.w.now-start, err))
	isNo := domain.IsNo(r.Command)
	if err != nil {
		if code(err) == "" || isNo {
			g.fail("was not taken: %v", err)
		}
		return
	}
	_, gives := r.Command.(domain.GiveConsent)
	if again || receipt.Position == 0 || !isNo && !gives {
		return
	}
	a := answer{yes: gives, taken: g.l.Now(), source: r.Source, number: r.Sequence, from: r.Person.ID}
	if a.said = r.At; a.said == 0 || isNo && a.said > a.taken {
		a.said = a.taken
	}
	g.model.said[r.Person.ID] = append(g.model.said[r.Person.ID], a)
}

func (g *gambler) fail(format string, args ...any) {
	g.Helper()
	for _, line := range g.story {
		g.Log(line)
	}
	g.Fatalf(format, args...)
}

// step lets some time pass and something arrive: new, late, or for a second time.
func (g *gambler) step() {
	g.w.now += domain.Instant(1 + g.IntN(5_000))
	switch {
	case g.IntN(4) == 0:
		g.queue = append(g.queue, g.think())
	case g.IntN(4) == 0 && len(g.queue) > 0:
		i := g.IntN(len(g.queue))
		r := g.queue[i]
		g.queue = append(g.queue[:i], g.queue[i+1:]...)
		g.deliver(r, false)
		g.done = append(g.done, r)
	case g.IntN(5) == 0 && len(g.done) > 0:
		g.deliver(g.done[g.IntN(len(g.done))], true)
	default:
		r := g.think()
		g.deliver(r, false)
		g.done = append(g.done, r)
	}
}

// check asks of everybody, and returns how many are allowed.
func (g *gambler) check(l *ledger.Ledger) (allowed int) {
	for _, who := range persons {
		at := l.Now().Add(30_000) // when every clock's claims have come
		s, err := l.State(g.Context(), "demo", domain.PersonKey{Kind: "account", ID: who}, ledger.AsOf{})
		if err != nil {
			g.Fatal(err)
		}
		a := domain.May(s.Subject, s.Reference, domain.Question{Purpose: "ads", Action: domain.Use, At: at})
		if a.Allowed {
			allowed++
			if !g.model.mayBe(who) {
				g.fail("%s may (%s, since %d), and has said no since", who, a.Why, a.Standing.Since-start)
			}
		}
	}
	return allowed
}

func TestNoSequenceOfDeliveriesTurnsANoIntoAYes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	allowed, denied := 0, 0
	for range 40 {
		w := newWorld()
		g := &gambler{T: t, Rand: r, w: w, l: w.open(t), model: model{said: map[string][]answer{}}}
		begin(t, g.l)
		w.now += 30_000 // no clock is so slow that it has no policy
		for range 40 {
			g.step()
			n := g.check(g.l)
			allowed, denied = allowed+n, denied+len(persons)-n
		}
		g.check(w.open(t)) // after a restart
	}
	if allowed == 0 || denied == 0 {
		t.Errorf("allowed %d times and denied %d: this has proved nothing", allowed, denied)
	}
}
