package limit

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/domain/ident"
)

func TestEachPrincipalHasARateOfItsOwn(t *testing.T) {
	at, refused := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), 0
	l := New(2, 3, func() time.Time { return at }, func() { refused++ })
	ann, bob := auth.Principal{Pseudonym: "p-ann"}, auth.Principal{Pseudonym: "p-bob", Key: "k"}
	for i := range 3 {
		if _, ok := l.Take(ann); !ok {
			t.Errorf("request %d of a burst of 3 is refused", i)
		}
	}
	for range 5 { // asking in vain does not make it longer
		if wait, ok := l.Take(ann); ok || wait != 500*time.Millisecond {
			t.Errorf("one too many: %v %v", wait, ok)
		}
	}
	if _, ok := l.Take(bob); !ok || refused != 5 {
		t.Errorf("another pays for it; %d refused", refused)
	}
	at = at.Add(500 * time.Millisecond)
	if _, ok := l.Take(ann); !ok {
		t.Error("half a second later it is refused")
	}
	if _, ok := l.Take(ann); ok {
		t.Error("two are let through half a second later")
	}

	// Whoever has several keys is one; of subject tokens each person is one, in each app.
	if _, ok := l.Take(auth.Principal{Pseudonym: "p-ann", Key: "another"}); ok {
		t.Error("by another key of the same holder it goes on")
	}
	for _, app := range []ident.AppName{"shop", "bank"} {
		for _, person := range []string{"ada", "eve"} {
			p := auth.Principal{
				Pseudonym: "p-ann", Bindings: []auth.Binding{{Apps: []ident.AppName{app}}},
				Only: &auth.Only{Person: ident.PersonKey{Kind: "account", ID: person}},
			}
			if _, ok := l.Take(p); !ok {
				t.Errorf("%s of the %s pays for others", person, app)
			}
		}
	}
}

// However many there are, a bounded number is remembered: those who asked last.
func TestItRemembersABoundedNumber(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	l := New(1, 1, func() time.Time { return at }, nil)
	busy := auth.Principal{Pseudonym: "busy"}
	l.Take(busy)
	for i := range 2 * remembered {
		l.Take(auth.Principal{Pseudonym: strconv.Itoa(i)})
		if _, ok := l.Take(busy); ok {
			t.Fatal("who asks all the time is forgotten")
		}
	}
	if len(l.known) != remembered || l.recent.Len() != remembered {
		t.Errorf("%d, %d are remembered", len(l.known), l.recent.Len())
	}
}

func TestManyAskAtOnce(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	l := New(1, 50, func() time.Time { return at }, nil)
	var through atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if _, ok := l.Take(auth.Principal{Pseudonym: "p"}); ok {
					through.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := through.Load(); n != 50 {
		t.Errorf("%d of a burst of 50 were let through", n)
	}
}
