package esdbserver

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

func (s *Server) supportedMethods(stream grpc.ServerStream) error {
	if err := receive(stream, &shared.Empty{}); err != nil {
		return err
	}
	if err := s.authorize(stream, toAsk, ""); err != nil {
		return err
	}

	reply := &serverfeatures.SupportedMethods{EventStoreServerVersion: s.options.Version}
	methods := supported
	if s.options.Kurrent { // it names redaction last
		methods = append(slices.Clone(supported[2:]), supported[:2]...)
	}

	for _, m := range methods {
		if s.options.NoBatch && m.name == "batchappend" {
			continue
		}
		reply.Methods = append(reply.Methods, &serverfeatures.SupportedMethod{
			MethodName: m.name, ServiceName: "event_store.client." + m.service, Features: m.features,
		})
	}
	return stream.SendMsg(reply)
}

// supported is the real server's list, in its order: also of methods that are
// not served here, for a client decides by it which calls it makes.
var supported = []struct {
	service, name string
	features      []string
}{
	{"redaction.redaction", "geteventpositions", nil},
	{"redaction.redaction", "switchchunks", nil},
	{persistent, "create", onBoth},
	{persistent, "update", onBoth},
	{persistent, "delete", onBoth},
	{persistent, "read", onBoth},
	{persistent, "getinfo", onBoth},
	{persistent, "replayparked", onBoth},
	{persistent, "list", onBoth},
	{persistent, "restartsubsystem", onBoth},
	{"users.users", "create", nil},
	{"users.users", "update", nil},
	{"users.users", "delete", nil},
	{"users.users", "disable", nil},
	{"users.users", "enable", nil},
	{"users.users", "details", nil},
	{"users.users", "changepassword", nil},
	{"users.users", "resetpassword", nil},
	{"streams.streams", "read", []string{"position", "events"}},
	{"streams.streams", "append", nil},
	{"streams.streams", "delete", nil},
	{"streams.streams", "tombstone", nil},
	{"streams.streams", "batchappend", []string{"deadline_duration"}},
	{"operations.operations", "startscavenge", nil},
	{"operations.operations", "stopscavenge", nil},
	{"operations.operations", "shutdown", nil},
	{"operations.operations", "mergeindexes", nil},
	{"operations.operations", "resignnode", nil},
	{"operations.operations", "setnodepriority", nil},
	{"operations.operations", "restartpersistentsubscriptions", nil},
	{"gossip.gossip", "read", nil},
	{"monitoring.monitoring", "stats", nil},
	{"server_features.serverfeatures", "getsupportedmethods", nil},
}

const persistent = "persistent_subscriptions.persistentsubscriptions"

var onBoth = []string{"stream", "all"}

func (s *Server) gossip(stream grpc.ServerStream) error {
	if err := receive(stream, &shared.Empty{}); err != nil {
		return err
	}
	if err := s.authorize(stream, toAsk, ""); err != nil {
		return err
	}

	s.engine.mu.RLock()
	info := &gossip.ClusterInfo{}
	for _, member := range *s.cluster {
		m := member.info()
		if member == s {
			m.HttpEndPoint = reached(stream.Context(), m.GetHttpEndPoint())
		}
		info.Members = append(info.Members, m)
	}
	s.engine.mu.RUnlock()
	return stream.SendMsg(info)
}

// info is what gossip tells of a node. A dead one keeps its last state. The
// caller holds the engine's mu.
func (s *Server) info() *gossip.MemberInfo {
	most, least := s.instance.halves()
	address, port := s.advertised()
	return &gossip.MemberInfo{
		InstanceId: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits: most, LeastSignificantBits: least,
		}}},
		TimeStamp:    ticks(time.Now()),
		State:        s.state,
		IsAlive:      !s.exited,
		HttpEndPoint: &gossip.EndPoint{Address: address, Port: port},
	}
}

// reached returns an address that others can use: of a node that listens on
// every address, the one by which the asker came.
func reached(ctx context.Context, e *gossip.EndPoint) *gossip.EndPoint {
	ip := net.ParseIP(e.GetAddress())
	p, ok := peer.FromContext(ctx)
	if ip == nil || !ip.IsUnspecified() || !ok || p.LocalAddr == nil {
		return e
	}
	host, _, err := net.SplitHostPort(p.LocalAddr.String())
	if err != nil {
		return e
	}
	return &gossip.EndPoint{Address: host, Port: e.GetPort()}
}

// advertised returns the address that other calls are sent to.
func (s *Server) advertised() (string, uint32) {
	address := s.options.Advertise
	if address == "" {
		address = s.Addr()
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	port, _ := strconv.ParseUint(text, 10, 16)
	return host, uint32(port)
}

func portText(port uint32) string { return strconv.FormatUint(uint64(port), 10) }
