package esdb_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore/esdb"
)

// The leader sleeps, and for a while the others have none. Once they have chosen one it is
// found, although the one that sleeps has its time still: they are asked again.
func TestASleepingNodeKeepsNobodyFromTheNextLeader(t *testing.T) {
	leavesNothing(t)
	nodes, address := cluster(t)
	a, err := esdb.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	dialed := map[string]int{}
	twice := make(chan struct{}) // closed once both that are awake were asked again
	a.DialWith(func(ctx context.Context, host string) (net.Conn, error) {
		mu.Lock()
		dialed[host]++
		if n := dialed[host]; n == 2 && slices.Contains([]string{nodes[1].Addr(), nodes[2].Addr()}, host) {
			if dialed[nodes[1].Addr()] >= 2 && dialed[nodes[2].Addr()] >= 2 {
				close(twice)
			}
		}
		mu.Unlock()
		return new(net.Dialer).DialContext(ctx, "tcp", host)
	})
	s, err := esdb.Open(a, esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nodes[0].Sleep()

	type found struct {
		host string
		err  error
	}
	looked := make(chan found, 1)
	go func() {
		host, err := s.Look(time.Hour) // which the one that sleeps uses up
		looked <- found{host, err}
	}()
	limit := time.After(time.Minute)
	select {
	case <-twice:
	case got := <-looked:
		t.Fatalf("found %q, %v, and nobody leads", got.host, got.err)
	case <-limit:
		t.Fatal("those that named no leader are not asked again")
	}
	nodes[1].Elect()
	select {
	case got := <-looked:
		if got.err != nil || got.host != nodes[1].Addr() {
			t.Errorf("found %q, %v; want %q", got.host, got.err, nodes[1].Addr())
		}
	case <-limit:
		t.Error("the new leader is not found as long as the old one sleeps")
	}
}
