package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"consentledger/eventstore"
)

// pageLength is how many events are read by one call.
const pageLength = 512

// read makes a call that reads some events, and returns all of them. Its error is
// a [refusal].
func (l *link) read(ctx context.Context, o *streams.ReadReq_Options) (events []raw, err error) {
	call, cancel := l.call(ctx)
	defer cancel()
	o.UuidOption = structured
	stream, err := l.streams.Read(call, &streams.ReadReq{Options: o}, frames)
	if err != nil {
		return nil, timely(ctx, readRefusal(err, nil))
	}
	for {
		var f frame
		if err := stream.RecvMsg(&f); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, timely(ctx, readRefusal(err, stream.Trailer()))
		}

		// What else comes, that there is no such stream among it, is said by there
		// being no events.
		e, is, err := f.event()
		if err != nil {
			return nil, readRefusal(err, nil)
		}
		if is {
			events = append(events, e)
		}
	}
}

var structured = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}}

// fetch makes a call that reads some events, again if it has no answer. What the
// server makes nothing of it is asked once if it is odd: such as a position where
// nothing begins.
func (s *Store) fetch(ctx context.Context, odd bool, o *streams.ReadReq_Options) ([]raw, error) {
	ctx, cancel := patient(ctx)
	defer cancel()
	for tries := 0; ; tries++ {
		l, err := s.link(ctx)
		if err != nil {
			return nil, err
		}
		call, cancel := context.WithTimeout(ctx, s.address.deadline)
		events, err := l.read(call, o)
		cancel()
		if err == nil {
			return events, nil
		}

		r, _ := errors.AsType[refusal](err)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("esdb: read: %w: %w", r.err, ctx.Err())
		case r.means == denied || r.means == invalid || r.means == gone ||
			r.means == malformed && (odd || tries >= mostMalformed):
			return nil, fmt.Errorf("esdb: read: %w", r)
		}
		s.blame(l, err)
		if !pause(ctx, tries, s.every) {
			return nil, fmt.Errorf("esdb: read: %w: %w", r.err, ctx.Err())
		}
	}
}

// blame drops a link on which a read failed, but for what is no fault of its node.
func (s *Store) blame(l *link, err error) {
	r, is := errors.AsType[refusal](err)
	if is && (r.means == malformed || r.means == denied || r.means == invalid || r.means == gone) {
		return
	}
	s.drop(l, r.leader)
}

// isOdd reports whether the server makes nothing of a position.
func isOdd(err error) bool {
	r, is := errors.AsType[refusal](err)
	return is && (r.means == malformed || r.means == invalid)
}

func (s *Store) ofStream(stream eventstore.Stream) *streams.ReadReq_Options_Stream {
	return &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: s.nameOf(stream)},
	}}
}

// forwards asks for events of a stream from an index on.
func (s *Store) forwards(stream eventstore.Stream, from uint64, count int) *streams.ReadReq_Options {
	of := s.ofStream(stream)
	of.Stream.RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: from}
	return &streams.ReadReq_Options{
		StreamOption: of,
		CountOption:  &streams.ReadReq_Options_Count{Count: uint64(count)},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	}
}

// newest asks for the last event of a stream.
func (s *Store) newest(stream eventstore.Stream) *streams.ReadReq_Options {
	of := s.ofStream(stream)
	of.Stream.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	return &streams.ReadReq_Options{
		StreamOption:  of,
		ReadDirection: streams.ReadReq_Options_Backwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: 1},
		FilterOption:  &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	}
}

// ReadStream implements [eventstore.Store]. A stream that is not whole is a
// [*FaultError].
func (s *Store) ReadStream(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		var last *eventstore.Recorded // that was yielded
		for {
			page, more, err := s.streamPage(ctx, stream, after, last)
			for i, r := range page {
				if ctx.Err() != nil {
					break
				}
				if !yield(r, nil) {
					return
				}
				after, last = r.Revision, &page[i]
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
		}
	}
}

// streamPage returns records of a stream after a revision, and whether there may
// be more. The last that was read before is read again: the node may be another.
func (s *Store) streamPage(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision, last *eventstore.Recorded,
) (page []eventstore.Recorded, more bool, err error) {
	from := uint64(after)
	if last != nil {
		from--
	}
	events, err := s.fetch(ctx, false, s.forwards(stream, from, pageLength))
	if r, is := errors.AsType[refusal](err); is && r.means == gone {
		return nil, false, s.broken(fmt.Errorf("stream %s was deleted for good by somebody", stream))
	}
	if err != nil {
		return nil, false, err
	}

	for i := range events {
		e := &events[i]
		r, err := s.record(e)
		if err == nil && e.revision != from+uint64(i) {
			err = fmt.Errorf("stream %s has no record %d, though it has %d: it was deleted or limited by somebody",
				stream, from+uint64(i)+1, r.Revision)
		}
		if err != nil {
			return page, false, s.broken(err)
		}
		page = append(page, r)
	}
	if last == nil {
		return page, len(events) == pageLength, nil
	}
	if len(page) == 0 || page[0].ID != last.ID || page[0].Position != last.Position {
		return nil, false, s.broken(fmt.Errorf("record %d of stream %s was %s, and is not there any more",
			last.Revision, stream, last.ID))
	}
	return page[1:], len(events) == pageLength, nil
}

// tail returns, read over l, how long a stream is, and up to count of its
// records after a revision.
func (s *Store) tail(
	ctx context.Context, l *link, stream eventstore.Stream, after eventstore.Revision, count int,
) (there []eventstore.Recorded, length eventstore.Revision, err error) {
	events, err := l.read(ctx, s.newest(stream))
	if err != nil {
		return nil, 0, err
	}
	if len(events) == 0 {
		return nil, 0, nil
	}

	length = eventstore.Revision(events[0].revision) + 1
	if length <= after {
		return nil, length, nil
	}

	events, err = l.read(ctx, s.forwards(stream, uint64(after), count))
	if err != nil {
		return nil, 0, err
	}

	for i := range events {
		r, err := s.record(&events[i])
		if err != nil {
			return nil, 0, s.broken(err)
		}
		there = append(there, r)
	}
	return there, length, nil
}

// Head implements [eventstore.Store].
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	events, err := s.fetch(ctx, false, s.headOf())
	if err != nil || len(events) == 0 {
		return 0, err
	}
	r, err := s.record(&events[0])
	if err != nil {
		return 0, s.broken(err)
	}
	return r.Position, nil
}

// headOf asks for the last of our events.
func (s *Store) headOf() *streams.ReadReq_Options {
	o := s.ofAll([]string{s.prefix}, 1)
	o.ReadDirection = streams.ReadReq_Options_Backwards
	o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	return o
}
