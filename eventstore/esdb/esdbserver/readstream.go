package esdbserver

import "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

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
func (r reading) forwardPage(
	name string, st state, from, size int64,
) (events []*record, next int64, end bool, err error) {
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
