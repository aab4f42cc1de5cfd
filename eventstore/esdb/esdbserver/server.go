package esdbserver

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress what they send
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Options are what a server may be told. The zero Options are those of a
// single insecure node with defaults.
type Options struct {
	// Version is what ServerFeatures says: three numbers, no suffix, for the
	// Go client reads no other. Empty: 23.10.8.
	Version string

	// Advertise is the address that gossip names, host:port. Empty: where the
	// server listens.
	Advertise string

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

	listener net.Listener
	serving  chan struct{} // closed when listener is set
}

// New returns a node with an empty database.
func New(o Options) *Server {
	if o.Version == "" {
		o.Version = "23.10.8"
	}
	e := newEngine(time.Now)
	s := &Server{options: o, engine: e, history: view{engine: e, limit: func(n int) int { return n }}, instance: newUUID(), serving: make(chan struct{})}
	s.handlers = s.methods()
	s.grpc = grpc.NewServer(
		grpc.UnknownServiceHandler(s.dispatch),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.WaitForHandlers(true),
	)
	return s
}

// maxMessage is the largest request, in bytes; one more is refused.
const maxMessage = 16 << 20

// Serve answers on l until Close. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	s.listener = l
	close(s.serving)

	err := s.grpc.Serve(l)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
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
	err := serve(stream)
	if ctx := stream.Context().Err(); ctx != nil && err != nil {
		return fromContext(ctx)
	}
	return err
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
	err := stream.RecvMsg(request)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return err
	case status.Code(err) == codes.ResourceExhausted:
		return status.Error(codes.ResourceExhausted, "Received message exceeds the maximum configured message size.")
	case stream.Context().Err() != nil:
		return fromContext(stream.Context().Err())
	}
	return errHandler
}
