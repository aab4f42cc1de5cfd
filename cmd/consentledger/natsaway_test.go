//go:build unix

package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"

	"github.com/nats-io/jwt/v2"
)

// A ledger that starts while NATS is away answers over HTTP, says that NATS is missing,
// and goes on by itself once it is there.
func TestALedgerStartsWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := ledgerserver.Config{
		Data: t.TempDir(), HTTP: freeport.Address(t), NATS: c.reach(c.creds(c.ledger, ledgerUser(intake.Permissions.Make))),
	}
	c.stop()
	back := make(chan struct{})
	go func() {
		defer close(back)
		defer c.start()
		r := &running{http: "http://" + config.HTTP}
		if red := awaitRedNATS(t, r); !strings.Contains(red, "nats: not connected") {
			t.Errorf("without NATS: %s", red)
		}
		if code, _ := get(t, r.http+"/v1/status"); code != http.StatusOK {
			t.Errorf("HTTP is not answered without NATS: %d", code)
		}
	}()
	r := startWith(t, config)
	<-back
	eventually(t, "", func() string { return verbose(t, r) })
	furnish(t, r)
}

// awaitRedNATS waits until a ledger answers and is not ready, and returns why.
func awaitRedNATS(t *testing.T, r *running) (red string) {
	for t.Context().Err() == nil {
		resp, err := http.Get(r.http + "/readyz")
		if err != nil {
			time.Sleep(20 * time.Millisecond) // nobody listens yet
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable {
			return verbose(t, r)
		}
	}
	return ""
}

// A user whom the server does not know ends the ledger also if the server comes later.
func TestAWrongCredentialEndsALedgerThatWaitedForNATS(t *testing.T) {
	t.Parallel()
	c, other := newCluster(t), newCluster(t)
	config := ledgerserver.Config{
		Data: t.TempDir(), HTTP: freeport.Address(t), NATS: c.reach(other.creds(other.ledger, jwt.Permissions{})),
	}
	c.stop()
	ended := make(chan error, 1)
	go func() { ended <- ledgerserver.Run(t.Context(), config, &banner{ready: make(chan struct{})}) }()
	awaitRedNATS(t, &running{http: "http://" + config.HTTP})
	c.start()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "--nats-creds") || exit.Code(t.Context(), err) != exit.CodeError {
		t.Errorf("ended with %v; want an error that names --nats-creds", err)
	}
}

// A cluster of which too many nodes are away lets clients in, and has no leader that
// could answer them: a process that starts then waits for it.
func TestAClusterWithoutALeaderIsWaitedFor(t *testing.T) {
	t.Parallel() // it waits for three servers
	c := newNATSCluster(t)
	for i := range 2 {
		c.servers[i].Shutdown()
		c.servers[i].WaitForShutdown()
	}
	eventually(t, "no leader", func() string {
		if c.servers[2].JetStreamIsLeader() {
			return "a leader"
		}
		return "no leader"
	})
	e := ledgerserver.ExternalNATS{URL: c.url()}
	nc, err := e.Connect(t.Context(), "a test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := e.Reached(t.Context(), nc); !errors.Is(err, exit.ErrUnreachable) {
		t.Fatalf("without a leader: %v", err)
	}

	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := e.Await(stopped, nc, slog.New(slog.DiscardHandler)); !errors.Is(err, context.Canceled) {
		t.Errorf("a process that is stopped waits on: %v", err)
	}
	there := make(chan error, 1)
	go func() { there <- e.Await(t.Context(), nc, slog.New(slog.DiscardHandler)) }()
	for i := range 2 {
		c.start(i)
	}
	if err := <-there; err != nil {
		t.Errorf("with a leader: %v", err)
	}
}
