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
		node:          s,
		kurrent:       s.options.Kurrent,
		cut:           s.subscribed(),
		frames:        frames{history: s.history, stream: stream, resolve: o.GetResolveLinks(), text: o.GetUuidOption().GetString_() != nil},
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

// one reads a stream, or subscribes to it.
func (r reading) one(o *streams.ReadReq_Options_StreamOptions) error {
	name := string(o.GetStreamIdentifier().GetStreamName())
	if name == "" {
		return errHandler
	}
	from := int64(0)
	switch v := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		switch {
		case v.Revision == 1<<64-1:
			from = fromEnd
		case v.Revision >= 1<<63:
			return errHandler
		default:
			from = int64(v.Revision)
			if r.subscription {
				from++ // it is given what comes after
			}
		}
	case *streams.ReadReq_Options_StreamOptions_Start:
	case *streams.ReadReq_Options_StreamOptions_End:
		from = fromEnd
	default:
		return errHandler
	}

	switch {
	case r.subscription:
		return r.subscribeStream(name, from)
	case r.backwards:
		return r.streamBackwards(name, from)
	}
	return r.streamForwards(name, from)
}

// fromEnd stands for the end of a stream, whatever its last revision is.
const fromEnd = -1

// page is how many events the real server reads at a time. It shows in what
// is said between events.
const page = 32

// streamForwards reads a stream page by page, as the real server does: where
// old events are hidden, a client that asks to be told learns where the first
// one is only if a page was empty.
func (r reading) streamForwards(name string, from int64) error {
	if from == fromEnd || r.count == 0 {
		return errReadStream
	}
	st, err := r.history.state(r.ctx(), name, 0)
	if done, err := r.unreadable(name, st, err); done {
		return err
	}

	left := r.count
	for {
		size := int64(min(left, page))
		events, next, end, err := r.forwardPage(name, st, from, size)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := r.event(e); err != nil {
				return err
			}
		}
		left -= uint64(len(events))

		if len(events) == 0 && r.compatibility >= 1 && next != from {
			if err := r.send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: uint64(next)}}); err != nil {
				return err
			}
		}
		if end || left == 0 {
			return r.lastPosition(st)
		}
		from = next
	}
}

// forwardPage returns the events that may be read among size revisions from
// from on, where the next page begins, and whether the stream ends here.
func (r reading) forwardPage(name string, st state, from, size int64) (events []*record, next int64, end bool, err error) {
	to := from + size - 1
	if to < from {
		to = tombstoneRevision
	}
	first := st.limits.first(st.last)
	if to < first {
		return nil, first, false, nil
	}

	found, err := r.history.between(r.ctx(), name, max(from, first), min(to, st.last))
	if err != nil {
		return nil, 0, false, err
	}
	now := r.now()
	for _, e := range found {
		if !st.limits.expired(e, now) {
			events = append(events, e)
		}
	}

	end = to >= st.last
	next = st.last + 1
	if to < st.last {
		next = to + 1
	}
	if len(events) == 0 && st.limits.maxAge > 0 {
		return nil, st.last + 1, true, nil // all that is older has expired too
	}
	return events, next, end, nil
}

func (r reading) streamBackwards(name string, from int64) error {
	if r.count == 0 {
		return errReadStream
	}
	st, err := r.history.state(r.ctx(), name, 0)
	if done, err := r.unreadable(name, st, err); done {
		return err
	}
	if from == fromEnd || from > st.last {
		from = st.last
	}

	first := st.limits.first(st.last)
	now := r.now()
	for left := r.count; left > 0 && from >= first; from -= page {
		events, err := r.history.between(r.ctx(), name, max(first, from-page+1), from)
		if err != nil {
			return err
		}
		for i := len(events) - 1; i >= 0 && left > 0; i-- {
			if st.limits.expired(events[i], now) {
				continue
			}
			if err := r.event(events[i]); err != nil {
				return err
			}
			left--
		}
	}
	return r.lastPosition(st)
}

// unreadable answers for streams that are not there.
func (r reading) unreadable(name string, st state, err error) (done bool, _ error) {
	switch {
	case err != nil:
		return true, err
	case st.tombstone != nil:
		return true, refuseDeleted(r.stream, name)
	case !st.readable():
		return true, r.notFound(name)
	}
	return false, nil
}

func (r reading) lastPosition(st state) error {
	if r.compatibility < 1 {
		return nil
	}
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(st.last)}})
}
