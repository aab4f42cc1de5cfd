package consents_test

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

func BenchmarkApply(b *testing.B) {
	h := projectiontest.Histories{}
	projectiontest.BenchmarkApply(b, func(t testing.TB) projectiontest.Model {
		clear(h)
		return open(t, h)
	}, h.Add)
}

// BenchmarkRandom applies what comes of anybody, in batches as they are
// gathered under load: nearly all of 20,000 people are in memory, few of
// 100,000 are. The people said two things before.
func BenchmarkRandom(b *testing.B) {
	for _, people := range []int{20_000, 100_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			c := newCrowd(b)
			for range people {
				c.tell(c.newcomer(), agreed)
			}
			for range people {
				c.tell(c.anybody(), c.turn())
			}
			c.apply()
			b.ReportAllocs()
			b.ResetTimer()
			c.size = 1250
			for range b.N {
				if who := c.anybody(); c.n%10 == 0 {
					c.tell(c.newcomer(), agreed)
				} else {
					c.tell(who, c.turn())
				}
			}
			c.apply()
		})
	}
}

// BenchmarkBehind applies what a ledger recorded of 4,000 people who come at random,
// of whom each said a dozen things before: by a view that is as far as the ledger, and
// by one that is behind, in batches of one length and of another.
func BenchmarkBehind(b *testing.B) {
	for _, behind := range []int{0, 30_000} {
		for _, batch := range []int{8192, 16_384} {
			b.Run(fmt.Sprintf("%d,batch=%d", behind, batch), func(b *testing.B) { benchBehind(b, behind, batch) })
		}
	}
}

func benchBehind(b *testing.B, behind, batch int) {
	w := projectiontest.NewTeller(b)
	w.Register()
	w.Publish(projectiontest.Document("one", "diagnosis", "personalisation", "research", "profiling"))
	dice := rand.New(rand.NewPCG(1, 2))
	told, applied := 0, 0
	tell := func(n int) {
		for range n {
			who := fmt.Sprint(dice.IntN(4_000))
			switch told++; told % 20 {
			case 0:
				w.Tell(who, domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"personalisation"}}})
			case 1, 2, 3, 4, 5, 6:
				w.Tell(who, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"personalisation"}})
			case 7, 8, 9, 10, 11, 12:
				w.Tell(who, domain.ChangePermission{Permission: "gps", Change: domain.Granted})
			default:
				w.Tell(who, domain.GiveConsent{Act: "click"})
			}
		}
	}
	view := open(b, w)
	next, stop := iter.Pull2(w.Follow(b.Context(), 0))
	defer stop()
	var entries []codec.Entry
	apply := func(left int) {
		for told-applied > left {
			for len(entries) < min(batch, told-applied-left) {
				more, err, _ := next()
				if err != nil {
					b.Fatal(err)
				}
				entries = append(entries, more...)
			}
			if err := view.Apply(b.Context(), entries); err != nil {
				b.Fatal(err)
			}
			applied, entries = applied+len(entries), entries[:0]
		}
	}

	tell(48_000)
	apply(0)
	tell(behind)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		tell(32_768)
		b.StartTimer()
		apply(behind)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(32_768*b.N), "ns/entry")
}

// A crowd says one thing after the other, as the bench's load does.
type crowd struct {
	b       *testing.B
	view    projectiontest.Model
	past    projectiontest.Histories
	dice    *rand.Rand
	spoken  []eventstore.Revision // how often each of them spoke
	n       int
	size    int // of a batch
	entries []codec.Entry
}

func newCrowd(b *testing.B) *crowd {
	w := projectiontest.NewTeller(b)
	w.Register()
	w.Publish(projectiontest.Document("one", "diagnosis", "personalisation", "research", "profiling"))
	past := projectiontest.Histories{}
	c := &crowd{b: b, view: open(b, past), past: past, dice: rand.New(rand.NewPCG(1, 2)), size: 8192, entries: w.Entries()}
	c.n = int(c.entries[len(c.entries)-1].Position)
	for _, e := range c.entries {
		if p, ok := e.Event.(domain.PolicyPublished); ok {
			agreed = yes(p.Version, "location", "marketing", "diagnosis", "personalisation", "research")
			agreedTo = yes(p.Version, "personalisation")
		}
	}
	return c
}

func yes(version content.Hash, purposes ...policy.PurposeID) domain.ConsentGiven {
	e := domain.ConsentGiven{Policy: "privacy", Version: version, Act: "click", Kind: policy.ExplicitConsent, Build: "7.1.4"}
	for _, p := range purposes {
		e.Items = append(e.Items, domain.Item{Purpose: p})
	}
	return e
}

var agreed, agreedTo domain.Event

// turn returns what somebody says: of twenty events twelve are grants and two
// take something back.
func (c *crowd) turn() domain.Event {
	switch n := c.n % 20; {
	case n < 7:
		return agreed
	case n < 12:
		return agreedTo
	case n == 12:
		return domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"personalisation"}}}
	case n == 13:
		return domain.PermissionRevoked{Permission: "gps", Withdraws: []policy.PurposeID{"location"}}
	case n < 17:
		return domain.PermissionGranted{Permission: "gps"}
	default:
		return domain.PolicyAcknowledged{Policy: "privacy"}
	}
}

func (c *crowd) newcomer() int {
	c.spoken = append(c.spoken, 0)
	return len(c.spoken) - 1
}

func (c *crowd) anybody() int { return c.dice.IntN(len(c.spoken)) }

func (c *crowd) tell(who int, what domain.Event) {
	c.n++
	c.spoken[who]++
	e := codec.Entry{Event: what, Position: eventstore.Position(c.n), Revision: c.spoken[who]}
	number := uint64(who) * 0x9e3779b97f4a7c15
	e.Stream = ident.StreamID{Noun: ident.SubjectNoun, App: app, ID: fmt.Sprintf("%016x%016x", number, number)}
	binary.BigEndian.PutUint64(e.ID[:], uint64(c.n))
	e.At = projectiontest.Start.Add(deadline.Span(c.n) * deadline.Second)
	e.Recorded = e.At.Add(3)
	e.Request.Source = [8]byte{1}
	c.entries = append(c.entries, e)
	if len(c.entries) >= c.size {
		c.apply()
	}
}

func (c *crowd) apply() {
	if len(c.entries) == 0 {
		return
	}
	c.b.StopTimer()
	c.past.Add(c.entries)
	c.b.StartTimer()
	if err := c.view.Apply(c.b.Context(), c.entries); err != nil {
		c.b.Fatal(err)
	}
	c.entries = c.entries[:0]
}

// BenchmarkCounts asks where people stand now, and how far they have come with a version, whose consents
// end each at another moment, over four years.
func BenchmarkCounts(b *testing.B) {
	for _, people := range []int{2_000, 20_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			c := newCrowd(b)
			for n := range people {
				ending := agreed.(domain.ConsentGiven)
				ending.Until = projectiontest.Start.Add(deadline.Span(n) * 1461 * deadline.Day / deadline.Span(people))
				c.tell(c.newcomer(), ending)
			}
			c.apply()
			version := agreed.(domain.ConsentGiven).Version
			view, when := c.view.(*consents.View), consents.Now(projectiontest.Start.Add(900*deadline.Day))
			for b.Loop() {
				if _, _, err := view.Counts(b.Context(), app, when); err != nil {
					b.Fatal(err)
				}
				if _, _, err := view.Progress(b.Context(), app, version, projectiontest.Start, when); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWho asks for the first page of a purpose of which one person in 5,000 spoke, and of one of
// which everybody did.
func BenchmarkWho(b *testing.B) {
	const people = 100_000
	c := newCrowd(b)
	rare := agreed.(domain.ConsentGiven)
	rare.Items = []domain.Item{{Purpose: "profiling"}}
	for n := range people {
		who := c.newcomer()
		c.tell(who, agreed)
		if n%5_000 == 0 {
			c.tell(who, rare)
		}
	}
	c.apply()

	view, at := c.view.(*consents.View), projectiontest.Start.Add(900*deadline.Day)
	for purpose, want := range map[policy.PurposeID]int{"profiling": people / 5_000, "marketing": 100} {
		b.Run(string(purpose), func(b *testing.B) {
			for b.Loop() {
				rows, _, _, err := view.Who(b.Context(), app, purpose, at, consents.Cursor{}, 100)
				if err != nil || len(rows) != want {
					b.Fatalf("%d people, want %d: %v", len(rows), want, err)
				}
			}
		})
	}
}
