package esdb

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A link is one TCP connection to one node. It is never made again: what is on
// the other end after a pause may know less than before, so a new link has to
// prove itself first.
type link struct {
	host    string
	conn    *grpc.ClientConn
	streams streams.StreamsClient
	version string // of the server, as it says
	batches bool   // it knows BatchAppend
	lasting bool   // it knows deadlines as durations

	context context.Context // ends with the link
	end     context.CancelFunc

	appending pipe // appends on their way through the one long call

	closed atomic.Bool // somebody closes its connection
}

var errOnce = errors.New("the connection ended; it is made anew from the beginning")

// dial returns a link on which the node has said what it can do, or why it has not:
// then too a link is to be closed, unless it is nil.
func (a *Address) dial(ctx context.Context, host string) (*link, error) {
	l := &link{host: host}
	var dialed atomic.Bool
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithUserAgent("consentledger"),
		grpc.WithInitialWindowSize(1 << 20),
		grpc.WithInitialConnWindowSize(4 << 20),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(32 << 20)),
		grpc.WithChainUnaryInterceptor(requireLeader),
		grpc.WithChainStreamInterceptor(requireLeaderOfStream),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) {
			if dialed.Swap(true) {
				return nil, errOnce
			}
			return a.dialer(ctx, to)
		}),
	}
	if a.keepAlive > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: a.keepAlive,
			Timeout: a.keepAliveTimeout}))
	}
	if a.tls != nil {
		options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(a.tls.Clone())))
	}
	if a.user != "" {
		options = append(options, grpc.WithPerRPCCredentials(basic(base64.StdEncoding.EncodeToString([]byte(a.user+":"+a.password)))))
	}

	conn, err := grpc.NewClient("passthrough:///"+host, options...)
	if err != nil {
		return nil, err
	}
	l.conn, l.streams = conn, streams.NewStreamsClient(conn)
	l.context, l.end = context.WithCancel(context.Background())
	return l, l.ask(ctx)
}

// basic is a user and password as they are sent, on TLS only.
type basic string

func (b basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + string(b)}, nil
}

func (basic) RequireTransportSecurity() bool { return true }

func requireLeader(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	o ...grpc.CallOption) error {
	return invoke(leaderOnly(ctx), method, req, reply, conn, o...)
}

func requireLeaderOfStream(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	s grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
	return s(leaderOnly(ctx), d, conn, method, o...)
}

func leaderOnly(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// ask learns what the node can do. A node that does not tell can do what nodes
// always could.
func (l *link) ask(ctx context.Context) error {
	all, err := serverfeatures.NewServerFeaturesClient(l.conn).GetSupportedMethods(ctx, &shared.Empty{})
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	if err != nil {
		return err
	}

	l.version = all.GetEventStoreServerVersion()
	for _, m := range all.GetMethods() {
		if m.GetServiceName() == "event_store.client.streams.streams" && m.GetMethodName() == "batchappend" {
			l.batches, l.lasting = true, slices.Contains(m.GetFeatures(), "deadline_duration")
		}
	}
	return nil
}

// members returns the nodes that one of them knows to be alive, those first that
// call themselves leader: there may be two.
func (l *link) members(ctx context.Context) ([]string, error) {
	info, err := gossip.NewGossipClient(l.conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return nil, err
	}

	var leaders, others []string
	for _, m := range info.GetMembers() {
		e := m.GetHttpEndPoint()
		if !m.GetIsAlive() || e.GetAddress() == "" {
			continue
		}
		host := hostPort(e.GetAddress(), int(e.GetPort()))
		switch m.GetState() {
		case gossip.MemberInfo_Leader, gossip.MemberInfo_PreLeader:
			leaders = append(leaders, host)
		case gossip.MemberInfo_Follower, gossip.MemberInfo_PreReplica, gossip.MemberInfo_CatchingUp,
			gossip.MemberInfo_Clone,
			gossip.MemberInfo_Unknown, gossip.MemberInfo_DiscoverLeader, gossip.MemberInfo_Initializing,
			gossip.MemberInfo_ResigningLeader,
			gossip.MemberInfo_Manager:
			others = append(others, host)
		case gossip.MemberInfo_ShuttingDown, gossip.MemberInfo_Shutdown, gossip.MemberInfo_ReadOnlyLeaderless,
			gossip.MemberInfo_PreReadOnlyReplica, gossip.MemberInfo_ReadOnlyReplica:
		}
	}
	return append(leaders, others...), nil
}

// watch returns once the connection has ended, or the link was closed. Calls go through
// a moment before gRPC says that the connection is ready, so one that still connects has
// not ended. It never connects again: the attempt fails at once.
func (l *link) watch() {
	for state := l.conn.GetState(); state == connectivity.Ready ||
		state == connectivity.Connecting; state = l.conn.GetState() {
		if !l.conn.WaitForStateChange(l.context, state) {
			return
		}
	}
}

// alive reports whether l was not closed.
func (l *link) alive() bool { return l.context.Err() == nil }

// close ends all calls on l at once, and then its connection, which takes seconds if
// the other end does not read.
func (l *link) close() {
	l.end()
	if !l.closed.Swap(true) {
		_ = l.conn.Close()
	}
}

// call returns a context for one call on l, which ends with l.
func (l *link) call(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.context, cancel)
	return ctx, func() { stop(); cancel() }
}
