package natsservice

import (
	"errors"
	"testing"
	"time"

	"consentledger/eventstore/freeport"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Whoever listens does so also if the server went away meanwhile and came back; if the
// connection is closed it says so.
func TestListensWaitsForAServer(t *testing.T) {
	options := server.Options{Host: "127.0.0.1", Port: freeport.Port(t), NoSigs: true, NoLog: true}
	start := func() *server.Server {
		with := options // the server keeps what it is given
		s, err := server.NewServer(&with)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("the server does not start")
		}
		return s
	}
	s := start()
	away := make(chan struct{})
	nc, err := nats.Connect(s.ClientURL(), nats.Timeout(time.Minute), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we closed it
				close(away)
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s.Shutdown()
	s.WaitForShutdown()
	<-away

	listens := make(chan error, 1)
	go func() { listens <- Listens(t.Context(), nc) }()
	start()
	if err := <-listens; err != nil || !nc.IsConnected() {
		t.Errorf("with a server again: %v, connected: %v", err, nc.IsConnected())
	}
	nc.Close()
	if err := Listens(t.Context(), nc); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("on a closed connection: %v", err)
	}
}
