package esdb

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"consentledger/eventstore"
)

// A place is an event among all events. A place without an id is one of which only
// the position is known, and perhaps nothing is there.
type place struct {
	at eventstore.Position
	id [16]byte // of the event
}

func (e *raw) place() place { return place{e.at, e.id} }

// ofAll asks for events of all streams whose names begin with one of the prefixes.
func (s *Store) ofAll(prefixes []string, count int) *streams.ReadReq_Options {
	o := s.filtered(prefixes)
	o.CountOption = &streams.ReadReq_Options_Count{Count: uint64(count)}
	return o
}

func (s *Store) filtered(prefixes []string) *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}},
		FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
				StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: prefixes},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 1000},
			CheckpointIntervalMultiplier: 32, // a sign of life for some 30,000 events that are not ours
		}},
	}
}

// ours are the prefixes of our streams and of their metadata, where it would be
// written that they are to forget.
func (s *Store) ours() []string { return []string{s.prefix, "$$" + s.prefix} }

// from makes o begin at a position, where a read includes what is there.
func from(o *streams.ReadReq_Options, at eventstore.Position) {
	if at == 0 {
		o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}
		return
	}
	p := &streams.ReadReq_Options_Position{CommitPosition: uint64(at), PreparePosition: uint64(at)}
	o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: p}
}

// ReadAll implements [eventstore.Store].
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for next := (place{at: after}); ; {
			page, end, more, err := s.pageAfter(ctx, next)
			for _, r := range page {
				if ctx.Err() != nil {
					break
				}
				if !yield(r, nil) {
					return
				}
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
			}
			if err != nil || !more {
				return
			}
			next = end
		}
	}
}

// pageAfter returns records after a place, the place up to which it has read, and
// whether there may be more. If the place has an id its event must be there, else
// history was changed.
func (s *Store) pageAfter(
	ctx context.Context, after place,
) (page []eventstore.Recorded, end place, more bool, err error) {
	o := s.ofAll(s.ours(), pageLength)
	from(o, after.at)
	events, err := s.fetch(ctx, after.at > 0, o)
	switch {
	case err == nil:
	case after.at > 0 && isOdd(err) && after.id == [16]byte{}:
		return s.pageNear(ctx, after.at)
	case after.at > 0 && isOdd(err):
		events, err = s.confirm(ctx, after)
	}
	if err != nil {
		return nil, after, false, err
	}

	full := len(events) == pageLength
	end = after
	if after.at > 0 {
		if events, end, err = s.behind(ctx, after, events); err != nil {
			return nil, after, false, err
		}
	}
	for i := range events {
		r, is, err := s.ourRecord(&events[i])
		if err != nil {
			return page, end, false, err
		}
		end = events[i].place()
		if is {
			page = append(page, r)
		}
	}
	return page, end, full, nil
}

// behind returns what of events, which were read from a place on, comes after it,
// and the place as it was found. If it has no id, there need be nothing.
func (s *Store) behind(ctx context.Context, after place, events []raw) ([]raw, place, error) {
	if len(events) > 0 {
		first := events[0].place()
		if first == after || first.at == after.at && after.id == [16]byte{} {
			return events[1:], first, nil
		}
	}

	if after.id == [16]byte{} {
		return events, after, nil
	}

	events, err := s.confirm(ctx, after)
	if err != nil {
		return nil, after, err
	}
	return events[1:], after, nil
}

// confirm looks again for an event that was not where it was: a leader that is
// none any more may not know it yet. If it is gone, history was changed.
func (s *Store) confirm(ctx context.Context, p place) ([]raw, error) {
	if err := s.Barrier(ctx); err != nil {
		return nil, err
	}

	o := s.ofAll(s.ours(), pageLength)
	from(o, p.at)
	events, err := s.fetch(ctx, true, o)
	if err != nil && !isOdd(err) {
		return nil, err
	}
	if len(events) > 0 && events[0].place() == p {
		return events, nil
	}

	return nil, s.broken(fmt.Errorf("the event %s, which was at position %d, is not there any more",
		eventstore.EventID(p.id), p.at))
}

// pageNear is pageAfter for a position where no event begins.
func (s *Store) pageNear(
	ctx context.Context, after eventstore.Position,
) (page []eventstore.Recorded, end place, more bool, err error) {
	// Who wants what is at a position asks for what comes after the one before.
	o := s.ofAll(s.ours(), 1)
	from(o, after+1)
	if events, err := s.fetch(ctx, true, o); err == nil && len(events) > 0 {
		r, is, err := s.ourRecord(&events[0])
		if is {
			page = append(page, r)
		}
		return page, events[0].place(), true, err
	}

	before, err := s.before(ctx, after)
	if err != nil {
		return nil, before, false, err
	}
	return s.pageAfter(ctx, before)
}

// before returns the last of our events that is not behind a position, by reading
// from the end.
func (s *Store) before(ctx context.Context, at eventstore.Position) (place, error) {
	o := s.ofAll(s.ours(), pageLength)
	o.ReadDirection = streams.ReadReq_Options_Backwards
	o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	for {
		events, err := s.fetch(ctx, false, o)
		if err != nil {
			return place{}, err
		}
		for i := range events {
			e := &events[i]
			if e.at <= at {
				return e.place(), nil
			}
			from(o, e.at) // backwards it does not include what is there
		}
		if len(events) < pageLength {
			return place{}, nil
		}
	}
}

// ourRecord reads an event of all, and reports whether it is a record: not if it
// is metadata that do no harm.
func (s *Store) ourRecord(e *raw) (eventstore.Recorded, bool, error) {
	if bytes.HasPrefix(e.stream, []byte("$$")) {
		if err := s.checkMetadata(string(e.stream), e.data); err != nil {
			return eventstore.Recorded{}, false, s.broken(err)
		}
		return eventstore.Recorded{}, false, nil
	}
	r, err := s.record(e)
	if err != nil {
		return r, false, s.broken(err)
	}
	return r, true, nil
}
