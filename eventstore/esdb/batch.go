package esdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"consentledger/eventstore"
)

// A pipe carries the appends of a link through one call that stays open as long
// as the link: each is answered by itself, under its correlation id. The call is
// never half-closed: replies, and even appends, were seen to be lost by that.
type pipe struct {
	sending sync.Mutex // held by whoever sends

	mu      sync.Mutex
	call    streams.Streams_BatchAppendClient // nil: not opened yet
	broken  error                             // why it takes no more
	last    uint64                            // the last correlation id
	waiting map[uint64]chan reply
}

// send sends an append and waits for its answer.
func (p *pipe) send(ctx context.Context, l *link, a *appending) reply {
	call, n, answer, err := p.enter(l, a.store)
	if err != nil {
		return reply{err: err}
	}
	p.sending.Lock()
	_ = call.Send(a.batch(l, n)) // why it failed is what Recv says, to all who wait
	p.sending.Unlock()

	select {
	case r := <-answer:
		return r
	case <-ctx.Done():
		p.leave(n)
		return reply{err: timely(ctx, refusal{err: ctx.Err()})}
	}
}

// enter opens the call if need be, and takes a correlation id and the channel of
// its answer.
func (p *pipe) enter(l *link, s *Store) (streams.Streams_BatchAppendClient, uint64, <-chan reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return nil, 0, nil, p.broken
	}

	if p.call == nil {
		call, err := l.streams.BatchAppend(l.context)
		if err != nil {
			return nil, 0, nil, readRefusal(err, nil)
		}
		if !s.spawn(func() { p.receive(l, s, call) }) {
			return nil, 0, nil, ErrClosed
		}
		p.call, p.waiting = call, make(map[uint64]chan reply)
	}

	p.last++
	answer := make(chan reply, 1)
	p.waiting[p.last] = answer
	return p.call, p.last, answer, nil
}

func (p *pipe) leave(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, n)
}

// receive hands the answers out until the call ends, which ends the link: what was
// not answered is unknown then.
func (p *pipe) receive(l *link, s *Store, call streams.Streams_BatchAppendClient) {
	for {
		r, err := call.Recv()
		if err != nil {
			end := readRefusal(err, call.Trailer())
			if end.means != shut && end.means != denied {
				end.means = unknown
			}
			s.drop(l, end.leader)
			p.end(end)
			return
		}
		p.hand(r)
	}
}

func (p *pipe) end(why refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = refusal{means: later, leader: why.leader, err: why.err} // what comes now is not sent
	for n, answer := range p.waiting {
		answer <- reply{err: why}
		delete(p.waiting, n)
	}
}

func (p *pipe) hand(r *streams.BatchAppendResp) {
	id, err := parseUUID(r.GetCorrelationId())
	if err != nil {
		return
	}
	n := binary.BigEndian.Uint64(id[8:])
	p.mu.Lock()
	answer := p.waiting[n]
	delete(p.waiting, n)
	p.mu.Unlock()
	if answer != nil { // nobody waits for one that came too late
		answer <- readReply(r)
	}
}

// batch is a as it is sent by BatchAppend.
func (a *appending) batch(l *link, n uint64) *streams.BatchAppendReq {
	options := &streams.BatchAppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: a.store.nameOf(a.stream)},
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}},
	}
	if a.expected > 0 {
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(a.expected) - 1}
	}
	if l.lasting {
		options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(a.store.address.deadline)}
	} else {
		until := timestamppb.New(time.Now().Add(a.store.address.deadline))
		options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: until}
	}

	var correlation [16]byte
	binary.BigEndian.PutUint64(correlation[8:], n)
	req := &streams.BatchAppendReq{CorrelationId: uuid(correlation), Options: options, IsFinal: true}
	for i := range a.events {
		req.ProposedMessages = append(req.ProposedMessages, a.events[i].batch())
	}
	return req
}

// readReply reads an answer of BatchAppend, where also errors are answers.
func readReply(r *streams.BatchAppendResp) reply {
	if won := r.GetSuccess(); won != nil {
		out := reply{stored: true, position: eventstore.Position(won.GetPosition().GetCommitPosition())}
		if at, has := won.GetCurrentRevisionOption().(*streams.BatchAppendResp_Success_CurrentRevision); has {
			out.length = eventstore.Revision(at.CurrentRevision) + 1
		}
		return out
	}

	e := r.GetError()
	if e == nil {
		return reply{err: refusal{err: errors.New("the server answers neither success nor error")}}
	}

	if wrong := new(shared.WrongExpectedVersion); isAbout(e, wrong) {
		if at, has := wrong.GetCurrentStreamRevisionOption().(*shared.WrongExpectedVersion_CurrentStreamRevision); has {
			return reply{length: eventstore.Revision(at.CurrentStreamRevision) + 1}
		}
		return reply{}
	}
	return reply{err: batchRefusal(e)}
}

// batchRefusal reads an error of one append of many.
func batchRefusal(e *status.Status) refusal {
	c := codes.Code(e.GetCode())
	r := refusal{err: fmt.Errorf("the server answers %s: %s", c, e.GetMessage())}
	switch {
	case isAbout(e, new(shared.StreamDeleted)):
		r.means = gone
	case isAbout(e, new(shared.AccessDenied)) || c == codes.PermissionDenied:
		r.means, r.err = denied, fmt.Errorf("%w: %s", ErrDenied, e.GetMessage())
	case c == codes.Unauthenticated:
		r.means = shut
	case c == codes.InvalidArgument:
		r.means = invalid
	case c == codes.Unknown:
		r.means = malformed
	}
	return r
}

// isAbout reads what an error says beside its code into m, and reports whether
// that is of m's type.
func isAbout(e *status.Status, m proto.Message) bool {
	for _, d := range e.GetDetails() {
		if d.MessageIs(m) {
			return d.UnmarshalTo(m) == nil
		}
	}
	return false
}
