package esdbserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"consentledger/eventstore"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress what they send
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Options are what a server may be told. The zero Options are those of a
// single insecure node with defaults.
type Options struct {
	// Version is what ServerFeatures says: three numbers, no suffix, for the
	// Go client reads no other. Empty: 23.10.8, or what Kurrent says.
	Version string

	// Kurrent lets the node answer as KurrentDB 25.0.1 where that differs, but
	// for the fields that it added to caught-up and checkpoint frames, which
	// the stubs of today do not know.
	Kurrent bool

	// Advertise is the address that gossip names, host:port. Empty: where the
	// server listens.
	Advertise string

	// TLS, if set, is what connections are secured with.
	TLS *tls.Config

	// Users, if there are any, must sign their calls.
	Users []User

	// Store, if set, is what the node shows: it is a window, and takes no
	// writes.
	Store eventstore.Store

	// NoBatch leaves BatchAppend out, as servers before 21.10 do.
	NoBatch bool
}

// A Server is one node. Serve it on a listener, and Close it.
type Server struct {
	options  Options
	engine   *engine
	history  history
	instance uuid
	grpc     *grpc.Server
	handlers map[string]handler

	listener    net.Listener
	serving     chan struct{} // closed when listener is set
	connections connections

	// Of the engine's mu: what the node is in its cluster, and what ails it.
	state    State
	cluster  *[]*Server // shared by its nodes
	faults   Faults
	users    map[string]User
	seen     int           // how many records it knows of, -1: all
	awake    chan struct{} // closed when it wakes; nil: it is awake
	alone    bool          // it serves what no quorum has
	exited   bool
	diskFull bool
	appends  int
	cutShort *cut // ends the subscriptions that are open
}

// New returns a node with an empty database.
func New(o Options) *Server { return newServer(o, newEngine(time.Now)) }

func newServer(o Options, e *engine) *Server {
	switch {
	case o.Version != "":
	case o.Kurrent:
		o.Version = "25.0.1"
	default:
		o.Version = "23.10.8"
	}

	s := &Server{options: o, engine: e, instance: newUUID(), serving: make(chan struct{}), state: Leader, seen: -1,
		cutShort: newCut()}
	s.cluster = &[]*Server{s}
	s.history = view{engine: e, readable: s.readable}
	if o.Store != nil {
		s.history = newWindow(o.Store)
	}

	for _, u := range o.Users {
		s.SetUser(u)
	}

	s.handlers = s.methods()
	s.grpc = grpc.NewServer(
		grpc.UnknownServiceHandler(s.dispatch),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(2*maxMessage), // what is larger than maxMessage we refuse ourselves
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.WaitForHandlers(true),
		// Clients ping every 10 s, also when they have nothing else to say.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	return s
}

// maxCalls is how many calls one connection may have open; more wait at the
// client.
const maxCalls = 1000

// maxMessage is the largest request, in bytes; one more is refused.
const maxMessage = 16 << 20

// Serve answers on l until Close. It returns nil after Close. A window ends
// with an error when its store cannot be followed.
func (s *Server) Serve(l net.Listener) error {
	s.listener = l
	close(s.serving)
	if s.options.TLS != nil {
		c := s.options.TLS.Clone()
		c.NextProtos = []string{"h2"}
		l = tls.NewListener(l, c)
	}

	watching := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { watching <- s.watch(ctx) }()

	err := s.grpc.Serve(lenient{l, &s.connections})
	stop()
	if errors.Is(err, grpc.ErrServerStopped) {
		err = nil
	}
	return errors.Join(err, <-watching)
}

// watch follows the store of a window. If that fails, nobody is left to think
// that nothing is new.
func (s *Server) watch(ctx context.Context) error {
	w, ok := s.history.(*window)
	if !ok {
		return nil
	}
	err := w.watch(ctx)
	if err != nil {
		s.Close()
	}
	return err
}

// Addr returns where the server listens, host:port. It waits for Serve.
func (s *Server) Addr() string {
	<-s.serving
	return s.listener.Addr().String()
}

// Close ends all calls and returns when none is left.
func (s *Server) Close() { s.grpc.Stop() }

// Advertise makes gossip name an address: see [Options]. It is called before a
// node of the cluster serves.
func (s *Server) Advertise(address string) { s.options.Advertise = address }

// readable returns how many records this node's readers see. The caller holds
// the engine's mu.
func (s *Server) readable() int {
	switch {
	case s.seen >= 0:
		return s.seen
	case s.alone:
		return len(s.engine.log)
	}
	return s.engine.readable()
}

// A handler serves one method.
type handler func(grpc.ServerStream) error

// methods lists what is served, by path in lower case: the real server's paths
// know no case.
func (s *Server) methods() map[string]handler {
	m := map[string]handler{
		"/event_store.client.streams.streams/read":                               s.read,
		"/event_store.client.streams.streams/append":                             s.append,
		"/event_store.client.streams.streams/delete":                             s.delete,
		"/event_store.client.streams.streams/tombstone":                          s.tombstone,
		"/event_store.client.gossip.gossip/read":                                 s.gossip,
		"/event_store.client.server_features.serverfeatures/getsupportedmethods": s.supportedMethods,
	}
	if !s.options.NoBatch {
		m["/event_store.client.streams.streams/batchappend"] = s.batchAppend
	}
	return m
}

// dispatch finds the handler of a call. It stands in for generated services,
// which know neither paths in other cases nor the texts of the real server's
// framework.
func (s *Server) dispatch(_ any, stream grpc.ServerStream) error {
	path, _ := grpc.MethodFromServerStream(stream)
	serve, ok := s.handlers[strings.ToLower(path)]
	if !ok {
		return status.Error(codes.Unimplemented, "Method is unimplemented.")
	}
	if err := grpc.SetSendCompressor(stream.Context(), encoding.Identity); err != nil {
		return err // an answer is never packed, though a request may be
	}

	ctx := stream.Context()
	if d := timeoutOf(ctx); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if err := s.slept(ctx); err != nil {
		return err
	}

	err := serve(served{stream, ctx, s})
	if ctx.Err() != nil && err != nil {
		return fromContext(ctx.Err())
	}
	return err
}

// A served stream ends at the call's own time, and moves only while its node
// is awake.
type served struct {
	grpc.ServerStream
	ctx  context.Context
	node *Server
}

func (s served) Context() context.Context { return s.ctx }

func (s served) SendMsg(m any) error {
	if err := s.node.slept(s.ctx); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

// receive reads the one request of a call that has one.
func receive(stream grpc.ServerStream, request proto.Message) error {
	if err := recv(stream, request); err != nil {
		if errors.Is(err, io.EOF) {
			return status.Error(codes.Internal, "Incomplete message.")
		}
		return err
	}

	switch err := recv(stream, &shared.Empty{}); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return status.Error(codes.Internal, "Additional data after the message received.")
	default:
		return err
	}
}

// recv reads the next request, io.EOF behind the last. Its errors are worded
// as the real server's.
func recv(stream grpc.ServerStream, request proto.Message) error {
	var w wire
	if err := stream.RecvMsg(&w); err != nil {
		if ctx := stream.Context().Err(); ctx != nil && !errors.Is(err, io.EOF) {
			return fromContext(ctx)
		}
		return err
	}

	if len(w) > maxMessage {
		return status.Error(codes.ResourceExhausted, "Received message exceeds the maximum configured message size.")
	}
	if proto.Unmarshal(w, request) != nil {
		return errHandler
	}
	return nil
}
