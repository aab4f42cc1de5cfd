// Package limit holds each principal to a rate of requests. It remembers a bounded number
// of them: who asked longest ago is forgotten first, and begins anew.
package limit

import (
	"container/list"
	"sync"
	"time"

	"consentledger/api/auth"

	"golang.org/x/time/rate"
)

// remembered is how many principals are known at once, in about 300 bytes each. Every
// person with a subject token is one.
const remembered = 10_000

// A Limit is a rate for each principal. Its methods may be called concurrently.
type Limit struct {
	rate   rate.Limit
	burst  int
	now    func() time.Time
	refuse func() // is told of each request that is too many

	mu     sync.Mutex
	known  map[string]*list.Element
	recent *list.List // of *bucket, who asked last first
}

type bucket struct {
	who     string
	limiter *rate.Limiter
}

// New returns a Limit of so many requests a second, and so many at once. Refused, if it
// is not nil, is told of each request that is too many.
func New(perSecond float64, burst int, now func() time.Time, refused func()) *Limit {
	if refused == nil {
		refused = func() {}
	}
	return &Limit{
		rate: rate.Limit(perSecond), burst: burst, now: now, refuse: refused,
		known: map[string]*list.Element{}, recent: list.New(),
	}
}

// Take counts a request of p. Where it is one too many it is not counted, and wait says
// after what time another one would do.
func (l *Limit) Take(p auth.Principal) (wait time.Duration, ok bool) {
	now := l.now()
	r := l.of(whoIs(p)).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait == 0 {
		return 0, true
	}
	r.CancelAt(now)
	l.refuse()
	return wait, false
}

// whoIs names a principal. All keys of one holder are one, and a person by whatever token
// of theirs; a back end's tokens for others are others.
func whoIs(p auth.Principal) string {
	if p.Only == nil {
		return p.Pseudonym
	}
	who := p.Pseudonym + " " + p.Only.Person.String()
	for _, b := range p.Bindings {
		for _, app := range b.Apps {
			who += " " + string(app)
		}
	}
	return who
}

// of returns the limiter of somebody.
func (l *Limit) of(who string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, has := l.known[who]; has {
		l.recent.MoveToFront(e)
		return e.Value.(*bucket).limiter
	}

	b := &bucket{who, rate.NewLimiter(l.rate, l.burst)}
	l.known[who] = l.recent.PushFront(b)
	if l.recent.Len() > remembered {
		last := l.recent.Back()
		delete(l.known, l.recent.Remove(last).(*bucket).who)
	}
	return b.limiter
}

// Name names a principal as a [Limit] counts it.
func Name(p auth.Principal) string { return whoIs(p) }
