package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

// chained is the n-th request to one stream: it expects those before it.
func chained(name string, n int) *streams.BatchAppendReq {
	o := &streams.BatchAppendReq_Options{
		StreamIdentifier:       identifier(name),
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(n - 1)},
	}
	if n == 0 {
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	}
	return &streams.BatchAppendReq{
		CorrelationId: frames{text: true}.id(uuid{9, byte(n)}), Options: o, IsFinal: true,
		ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{{
			Id: frames{text: true}.id(uuid{8, byte(n)}), Data: []byte("{}"),
			Metadata: map[string]string{"type": "t", "content-type": jsonContent},
		}},
	}
}

func openBatch(t *testing.T, s *Server) streams.Streams_BatchAppendClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	call, err := client(t, s.Addr()).BatchAppend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return call
}

func send(t *testing.T, call streams.Streams_BatchAppendClient, requests ...*streams.BatchAppendReq) {
	t.Helper()
	for _, r := range requests {
		if err := call.Send(r); err != nil {
			t.Fatal(err)
		}
	}
}

func receiveOne(t *testing.T, call streams.Streams_BatchAppendClient) *streams.BatchAppendResp {
	t.Helper()
	reply, err := call.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestABatchCallThatStaysOpenKeepsOrder(t *testing.T) {
	call := openBatch(t, start(t, New(Options{})))
	for n := range 100 {
		send(t, call, chained("s", n))
	}
	for n := range 100 {
		if reply := receiveOne(t, call); reply.GetSuccess().GetCurrentRevision() != uint64(n) || reply.GetSuccess() == nil {
			t.Fatalf("reply %d: %v", n, reply)
		}
	}
}

func TestAHalfClosedBatchCallLosesReplies(t *testing.T) {
	for _, losesWrites := range []bool{false, true} {
		t.Run(fmt.Sprintf("writes too: %v", losesWrites), func(t *testing.T) {
			s := start(t, New(Options{}))
			asleep := make(chan struct{})
			s.SetFaults(Faults{
				HalfCloseLosesWrites: losesWrites,
				Append:               func(Write) *Fate { <-asleep; return nil }, // until the half-close has come
			})
			call := openBatch(t, s)
			for n := range 50 {
				send(t, call, chained("s", n))
			}
			if err := call.CloseSend(); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(2*time.Second, func() { close(asleep) }) // a slow machine takes long to hand it on

			replies := 0
			for {
				if _, err := call.Recv(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				replies++
			}
			if replies != 1 {
				t.Errorf("%d replies came", replies)
			}
			written, err := writer{client(t, s.Addr()), t, "s"}.ids(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{false: 50, true: 1}[losesWrites]; len(written) != want {
				t.Errorf("%d were written, want %d", len(written), want)
			}
		})
	}
}

func TestAnOpenBatchCallWritesNothingWhileItsNodeSleeps(t *testing.T) {
	s := start(t, New(Options{}))
	call := openBatch(t, s)
	send(t, call, chained("s", 0))
	receiveOne(t, call)

	s.Sleep()
	send(t, call, chained("s", 1))
	time.Sleep(50 * time.Millisecond)
	s.engine.mu.RLock()
	last := s.engine.last("s")
	s.engine.mu.RUnlock()
	if last != 0 {
		t.Errorf("a sleeping node wrote: the stream's last revision is %d", last)
	}
	s.SetFaults(Faults{Deposed: true, Lagging: true})
	s.Wake()
	if reply := receiveOne(t, call); reply.GetError().GetCode() != int32(codes.DeadlineExceeded) {
		t.Errorf("a deposed leader that woke answered %v", reply)
	}
}

func TestABatchCallAnswersTimeoutsAndEndsWithTheNode(t *testing.T) {
	nodes := NewCluster(2, Options{})
	for _, n := range nodes {
		start(t, n)
	}
	call := openBatch(t, nodes[0])
	nodes[0].SetFaults(Faults{Append: func(Write) *Fate { return &Fate{Lost: true, Say: CommitTimeout} }})
	send(t, call, chained("s", 0))
	if reply := receiveOne(t, call); reply.GetError().GetCode() != int32(codes.DeadlineExceeded) {
		t.Errorf("a timeout is %v", reply)
	}
	nodes[0].SetFaults(Faults{}) // and the call goes on
	send(t, call, chained("s", 0))
	if reply := receiveOne(t, call); reply.GetSuccess() == nil {
		t.Errorf("the same again is %v", reply)
	}

	follower, err := client(t, nodes[1].Addr()).BatchAppend(leaderOnly(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	send(t, follower, chained("s", 1))
	_, err = follower.Recv()
	wantCode(t, err, codes.NotFound, "Leader info available")

	nodes[0].Exit()
	_, err = call.Recv()
	wantCode(t, err, codes.Unavailable, "")
}
