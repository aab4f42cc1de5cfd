package esdbserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"consentledger/eventstore/memory"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// start serves a node until the test ends.
func start(t testing.TB, s *Server) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, s, l)
}

func startOn(t testing.TB, s *Server, l net.Listener) *Server {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t testing.TB, addr string) streams.StreamsClient {
	t.Helper()
	return streams.NewStreamsClient(dial(t, addr))
}

func dial(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestAnEventThatWasAppendedIsSeenByASubscription(t *testing.T) {
	c := client(t, start(t, New(Options{})).Addr())

	read, err := c.Read(t.Context(), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	appendOne(t, c, "s")

	for {
		frame, err := read.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e := frame.GetEvent().GetEvent(); string(e.GetStreamIdentifier().GetStreamName()) == "s" {
			return
		}
	}
}

func appendOne(t testing.TB, c streams.StreamsClient, name string) *streams.AppendResp {
	t.Helper()
	call, err := c.Append(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(name)},
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}})
	_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: newUUID().String()}},
		Metadata: map[string]string{"type": "t", "content-type": "application/json"},
		Data:     []byte("{}"),
	}}})
	reply, err := call.CloseAndRecv()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// Clients ping, also where nothing is asked for long. A connection on which
// they do is not closed.
func TestAClientMayPing(t *testing.T) {
	t.Parallel()
	s := start(t, New(Options{}))
	complaints := make(chan string, 10)
	transport := &http.Transport{
		Protocols: &http.Protocols{},
		HTTP2: &http.HTTP2Config{
			CountError:      func(kind string) { complaints <- kind },
			SendPingTimeout: 1100 * time.Millisecond,
		},
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	body, send := io.Pipe()
	defer func() { _ = send.Close() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.Addr()+"/event_store.client.streams.Streams/BatchAppend", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	if _, err := transport.RoundTrip(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended before its client did: %v", err)
	}
	if len(complaints) > 0 {
		t.Errorf("the server said %s", <-complaints)
	}
}

func TestANodeOnEveryAddressNamesTheOneItWasReachedBy(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, New(Options{}), l)
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	reply, err := gossip.NewGossipClient(dial(t, "127.0.0.1:"+port)).Read(t.Context(), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if e := reply.GetMembers()[0].GetHttpEndPoint(); e.GetAddress() != "127.0.0.1" || portText(e.GetPort()) != port {
		t.Errorf("gossip names %s:%d", e.GetAddress(), e.GetPort())
	}
}

func TestACloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, o := range []Options{{}, {Store: &memory.Store{}}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := New(o)
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		c := streams.NewStreamsClient(conn)
		read := subscribeAll(t, t.Context(), c, 0)
		if _, err := read.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.BatchAppend(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Sleep()
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	for wait := 0; runtime.NumGoroutine() > before; wait++ {
		if wait == 6000 {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines instead of %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}
