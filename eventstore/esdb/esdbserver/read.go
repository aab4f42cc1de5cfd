package esdbserver

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
)

// A reading is a Streams.Read request that can be served.
type reading struct {
	frames
	node          *Server
	kurrent       bool // where 25.0.1 answers otherwise, so
	cut           *cut // ends a subscription early
	backwards     bool
	subscription  bool
	count         uint64
	compatibility uint32
	filter        *filter // nil: everything
}

// read serves Streams.Read: reads and subscriptions, of a stream and of all.
func (s *Server) read(stream grpc.ServerStream) error {
	var request streams.ReadReq
	if err := receive(stream, &request); err != nil {
		return err
	}
	o := request.GetOptions()
	if o == nil {
		return errHandler
	}
	if err := checkCombination(o); err != nil {
		return err
	}
	if o.GetUuidOption() == nil {
		return errHandler
	}
	if err := s.admit(stream, o); err != nil {
		return err
	}

	r := reading{
		node:    s,
		kurrent: s.options.Kurrent,
		cut:     s.subscribed(),
		frames: frames{history: s.history, stream: stream, resolve: o.GetResolveLinks(),
			text: o.GetUuidOption().GetString_() != nil},
		backwards:     o.GetReadDirection() == streams.ReadReq_Options_Backwards,
		subscription:  o.GetSubscription() != nil,
		count:         o.GetCount(),
		compatibility: o.GetControlOption().GetCompatibility(),
	}
	if f := o.GetFilter(); f != nil {
		var err error
		if r.filter, err = parseFilter(f, r.subscription); err != nil {
			return err
		}
	}

	if all, ok := o.GetStreamOption().(*streams.ReadReq_Options_All); ok {
		return r.all(all.All)
	}
	return r.one(o.GetStream())
}

// admit refuses a reader without the rights to what it reads, and one that
// asks for the leader and has another node. From the end a subscription is
// served by any.
func (s *Server) admit(stream grpc.ServerStream, o *streams.ReadReq_Options) error {
	what, name := toReadAll, ""
	if o.GetStream() != nil {
		what, name = toRead, string(o.GetStream().GetStreamIdentifier().GetStreamName())
	}
	if err := s.authorize(stream, what, name); err != nil {
		return err
	}
	if o.GetSubscription() != nil && (o.GetStream().GetEnd() != nil || o.GetAll().GetEnd() != nil) {
		return nil
	}
	return s.mayRead(stream)
}

func (s *Server) subscribed() *cut {
	s.engine.mu.RLock()
	defer s.engine.mu.RUnlock()
	return s.cutShort
}

// checkCombination refuses the requests that mean nothing.
func checkCombination(o *streams.ReadReq_Options) error {
	var what, count, filter string
	switch o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		what = "Stream"
	case *streams.ReadReq_Options_All:
		what = "All"
	default:
		return noCase("ReadReq+Types+Options+StreamOptionOneofCase")
	}
	switch o.GetCountOption().(type) {
	case *streams.ReadReq_Options_Count:
		count = "Count"
	case *streams.ReadReq_Options_Subscription:
		count = "Subscription"
	default:
		count = "None"
	}
	switch o.GetFilterOption().(type) {
	case *streams.ReadReq_Options_Filter:
		filter = "Filter"
	case *streams.ReadReq_Options_NoFilter:
		filter = "NoFilter"
	default:
		filter = "None"
	}

	direction := o.GetReadDirection()
	switch {
	case count == "None", filter == "None",
		what == "Stream" && filter == "Filter",
		direction != streams.ReadReq_Options_Forwards && direction != streams.ReadReq_Options_Backwards,
		count == "Subscription" && direction != streams.ReadReq_Options_Forwards:
		return invalid("The combination of (%s, %s, %s, %s) is invalid.", what, count, directionName(direction), filter)
	}
	return nil
}

func directionName(d streams.ReadReq_Options_ReadDirection) string {
	if name, ok := streams.ReadReq_Options_ReadDirection_name[int32(d)]; ok {
		return name
	}
	return fmt.Sprint(int32(d))
}
