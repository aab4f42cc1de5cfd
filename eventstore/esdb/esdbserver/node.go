package esdbserver

import (
	"context"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// A State is a node's part in its cluster, as gossip names it.
type State = gossip.MemberInfo_VNodeState

// The parts that decide what a node answers. A PreLeader answers reads that
// require the leader, though it takes no appends yet.
const (
	Leader    = gossip.MemberInfo_Leader
	Follower  = gossip.MemberInfo_Follower
	PreLeader = gossip.MemberInfo_PreLeader
	Unknown   = gossip.MemberInfo_Unknown
)

// NewCluster returns nodes that share a database. The first is the leader.
func NewCluster(nodes int, o Options) []*Server {
	first := New(o)
	first.cluster = &[]*Server{first}
	for range nodes - 1 {
		s := newServer(o, first.engine)
		s.state, s.cluster = Follower, first.cluster
		*first.cluster = append(*first.cluster, s)
	}
	return *first.cluster
}

// Again returns a new node in the place of one that has exited, on what that
// one had. Like a real one it has forgotten the ids that it knew by heart.
func (s *Server) Again() *Server {
	n := newServer(s.options, s.engine)
	n.cluster, n.instance = s.cluster, s.instance
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()

	n.state = s.state
	for i, member := range *s.cluster {
		if member == s {
			(*s.cluster)[i] = n
		}
	}
	s.engine.written = map[uuid]*record{}
	return n
}

// Become gives a node another part in its cluster.
func (s *Server) Become(state State) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	s.state = state
}

// Elect makes this node the leader, and every other one a follower.
func (s *Server) Elect() {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	for _, member := range *s.cluster {
		member.state = Follower
	}
	s.state = Leader
}

// Sleep stops everything, as SIGSTOP does: calls are taken and not answered.
func (s *Server) Sleep() {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if s.awake == nil {
		s.awake = make(chan struct{})
	}
}

// Wake lets everything go on.
func (s *Server) Wake() {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if s.awake != nil {
		close(s.awake)
		s.awake = nil
	}
}

// slept returns when the node is awake, or the caller has gone.
func (s *Server) slept(ctx context.Context) error {
	s.engine.mu.RLock()
	awake := s.awake
	s.engine.mu.RUnlock()
	if awake == nil {
		return nil
	}
	select {
	case <-awake:
		return nil
	case <-ctx.Done():
		return fromContext(ctx.Err())
	}
}

// Exit ends the node as kill -9 does: connections break, the port is closed.
func (s *Server) Exit() {
	s.engine.mu.Lock()
	s.exited = true
	s.engine.mu.Unlock()
	s.connections.closeAll()
	s.Close()
}

// ShutDown ends the node as SIGTERM does: subscriptions fall silent, and end
// after a while; then it exits.
func (s *Server) ShutDown(silence time.Duration) {
	f := s.current()
	f.Silent = true
	s.SetFaults(f)
	time.Sleep(silence)
	s.EndSubscriptions(ShuttingDown)
	s.Exit()
}

// FillDisk lets the next append find no room: it is answered as if time had
// run out, and the node exits.
func (s *Server) FillDisk() {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	s.diskFull = true
}

// EndSubscriptions ends all that are open, with what say says; with TheTruth
// as if they were too slow.
func (s *Server) EndSubscriptions(say Saying) {
	err := sayings[say]
	if say == TheTruth {
		err = errTooSlow
	}
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	s.cutShort.err = err
	close(s.cutShort.done)
	s.cutShort = newCut()
}

// A cut ends the subscriptions that began before it.
type cut struct {
	done chan struct{}
	err  error // set before done is closed
}

func newCut() *cut { return &cut{done: make(chan struct{})} }

// requiresLeader says whether a call asks to be served by the leader alone.
func requiresLeader(ctx context.Context) bool {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("requires-leader")
	return len(values) > 0 && strings.EqualFold(values[0], "true")
}

// mayWrite refuses appends that this node does not take.
func (s *Server) mayWrite(stream grpc.ServerStream) error {
	s.engine.mu.RLock()
	state, deposed, leader := s.state, s.faults.Deposed, s.leader()
	s.engine.mu.RUnlock()

	switch {
	case deposed:
		return s.ranOut(stream.Context(), Cancelled)
	case state == Leader:
		return nil
	case state == Follower && requiresLeader(stream.Context()):
		return s.notLeader(stream, leader)
	case state == Follower && leader != nil && !leader.gone():
		return nil // it is sent on
	case state == Follower:
		return s.ranOut(stream.Context(), ForwardingTimeout)
	}
	return errNotReady
}

// mayRead refuses reads that only a leader may answer.
func (s *Server) mayRead(stream grpc.ServerStream) error {
	if !requiresLeader(stream.Context()) {
		return nil
	}
	s.engine.mu.RLock()
	state, alone, leader := s.state, s.alone, s.leader()
	s.engine.mu.RUnlock()

	switch {
	case alone:
		return errNotReady
	case state == Leader, state == PreLeader:
		return nil
	case state == Follower:
		return s.notLeader(stream, leader)
	}
	return errNotReady
}

// leader returns the node that holds itself for the leader. The caller holds
// the engine's mu.
func (s *Server) leader() *Server {
	for _, member := range *s.cluster {
		if member.state == Leader && !member.exited {
			return member
		}
	}
	return nil
}

func (s *Server) gone() bool {
	s.engine.mu.RLock()
	defer s.engine.mu.RUnlock()
	return s.exited || s.awake != nil
}

// notLeader refuses a call and names the leader, if one is known.
func (s *Server) notLeader(stream grpc.ServerStream, leader *Server) error {
	if leader == nil {
		return errNotReady
	}
	host, port := leader.advertised()
	return refuse(stream, codes.NotFound, "Leader info available", "exception", "not-leader",
		"leader-endpoint-host", host, "leader-endpoint-port", portText(port))
}
