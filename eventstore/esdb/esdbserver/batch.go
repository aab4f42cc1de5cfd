package esdbserver

import (
	"errors"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// writeTimeout ends appends that are not complete by then.
const writeTimeout = 2 * time.Second

// A batch is one BatchAppend call: many appends, each in one or more requests
// with one correlation id, each answered by a message. Its errors are messages
// too; only the client ends the call.
type batch struct {
	server *Server
	stream grpc.ServerStream
	open   map[uuid]*pending
	ended  error // what ends the call instead of an answer
}

// A pending append still waits for its last request.
type pending struct {
	id       uuid
	name     string
	expected expectation
	events   []proposal
	size     int
	deadline time.Time
}

// batchAppend serves Streams.BatchAppend.
func (s *Server) batchAppend(stream grpc.ServerStream) error {
	b := &batch{server: s, stream: stream, open: map[uuid]*pending{}}
	requests := make(chan *streams.BatchAppendReq, 256)
	ended := make(chan error, 1) // io.EOF: the client has half-closed
	go func() {
		defer close(requests)
		for {
			request := &streams.BatchAppendReq{}
			if err := recv(stream, request); err != nil {
				ended <- err
				return
			}
			select {
			case requests <- request:
			case <-stream.Context().Done():
				ended <- stream.Context().Err()
				return
			}
		}
	}()
	return b.serve(requests, ended)
}

// serve answers requests until the client has gone. Once it has half-closed
// the next answer ends the call: those behind it are lost, though what they
// would have told of is written.
func (b *batch) serve(requests <-chan *streams.BatchAppendReq, ended <-chan error) error {
	halfClosed := false
	for {
		replied := false
		select {
		case request, ok := <-requests:
			if !ok {
				if err := <-ended; !errors.Is(err, io.EOF) {
					return err
				}
				halfClosed, requests = true, nil
				continue
			}
			reply := b.request(request)
			if b.ended != nil {
				return b.ended
			}
			if reply == nil {
				continue
			}
			if err := b.stream.SendMsg(reply); err != nil {
				return err
			}
			replied = true

		case <-b.nextDeadline():
			for _, reply := range b.expire(time.Now()) {
				if err := b.stream.SendMsg(reply); err != nil {
					return err
				}
				replied = true
			}

		case <-b.stream.Context().Done():
			return fromContext(b.stream.Context().Err())
		}

		if len(ended) > 0 {
			halfClosed = true
		}
		if halfClosed && replied {
			if b.server.current().HalfCloseLosesWrites {
				return nil
			}
			for request := range requests {
				b.request(request)
			}
			return nil
		}
	}
}

// request takes one message and returns what is answered to it, nil for
// nothing.
func (b *batch) request(request *streams.BatchAppendReq) *streams.BatchAppendResp {
	name := request.GetOptions().GetStreamIdentifier()
	refuse := func(text string) *streams.BatchAppendResp {
		return b.reply(request.GetCorrelationId(), name, badRequest(text))
	}
	id, bad := parseID(request.GetCorrelationId())
	if bad != "" {
		return refuse(bad)
	}

	if o := request.GetOptions(); o != nil {
		p, bad := b.begin(id, o)
		if bad != "" {
			return refuse(bad)
		}
		if err := b.server.authorize(b.stream, toAppend, p.name); status.Code(err) == codes.PermissionDenied {
			return b.reply(request.GetCorrelationId(), name, &rpcstatus.Status{
				Code: int32(codes.PermissionDenied), Message: "AccessDenied", Details: details(&shared.AccessDenied{}),
			})
		} else if err != nil {
			b.ended = err
			return nil
		}
		if !p.deadline.After(time.Now()) {
			return b.reply(request.GetCorrelationId(), name, timedOut())
		}
		if b.open[id] == nil { // options sent again for an open append change nothing
			b.open[id] = p
		}
	}
	p := b.open[id]
	if p == nil {
		return nil
	}

	for _, m := range request.GetProposedMessages() {
		event, bad := propose(m)
		if bad != "" {
			return refuse(bad)
		}
		p.events = append(p.events, event)
		p.size += b.server.counted(m)
	}
	if p.size > maxAppend {
		delete(b.open, id)
		return b.reply(request.GetCorrelationId(), identifier(p.name), &rpcstatus.Status{
			Code: int32(codes.InvalidArgument), Message: "MaximumAppendSizeExceeded",
			Details: details(&shared.MaximumAppendSizeExceeded{MaxAppendSize: maxAppend}),
		})
	}
	if !request.GetIsFinal() {
		return nil
	}
	delete(b.open, id)
	return b.commit(request.GetCorrelationId(), p)
}

// begin reads the options of an append. If they are bad it says how.
func (b *batch) begin(id uuid, o *streams.BatchAppendReq_Options) (*pending, string) {
	if o.GetStreamIdentifier() == nil {
		return nil, "Object reference not set to an instance of an object."
	}
	p := &pending{id: id, name: string(o.GetStreamIdentifier().GetStreamName())}
	switch v := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		expected, err := exactly(v.StreamPosition)
		if err != nil {
			return nil, "Exception was thrown by handler."
		}
		p.expected = expected
	case *streams.BatchAppendReq_Options_NoStream:
		p.expected = expectNone
	case *streams.BatchAppendReq_Options_Any:
		p.expected = expectAny
	case *streams.BatchAppendReq_Options_StreamExists:
		p.expected = expectExists
	default:
		return nil, `Status(StatusCode="InvalidArgument", Detail="'None' is not a valid ` +
			`EventStore.Client.Streams.BatchAppendReq+Types+Options+ExpectedStreamPositionOneofCase")`
	}

	now := time.Now()
	p.deadline = now.Add(writeTimeout)
	switch v := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		p.deadline = earlier(p.deadline, v.Deadline_21_10_0.AsTime())
	case *streams.BatchAppendReq_Options_Deadline:
		p.deadline = earlier(p.deadline, now.Add(v.Deadline.AsDuration()))
	}
	return p, ""
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// commit writes a complete append.
func (b *batch) commit(correlation *shared.UUID, p *pending) *streams.BatchAppendResp {
	if !validName(p.name) {
		return b.reply(correlation, identifier(p.name), badRequest("Empty stream name provided."))
	}
	out, err := b.server.write(b.stream, p.name, p.expected, p.events)
	if err != nil {
		return b.failed(correlation, p.name, err)
	}
	switch out.refusal {
	case streamDeleted:
		return b.reply(correlation, identifier(p.name), &rpcstatus.Status{
			Code: int32(codes.NotFound), Message: "StreamDeleted",
			Details: details(&shared.StreamDeleted{StreamIdentifier: identifier(p.name)}),
		})
	case wrongVersion:
		return b.reply(correlation, identifier(p.name), &rpcstatus.Status{
			Code: int32(codes.AlreadyExists), Message: "WrongExpectedVersion",
			Details: details(wrongDetails(out.current, p.expected)),
		})
	}

	success := &streams.BatchAppendResp_Success{}
	if out.current < 0 {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
	} else {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(out.current)}
	}
	if out.position < 0 {
		success.PositionOption = &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}}
	} else {
		success.PositionOption = &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: uint64(out.position), PreparePosition: uint64(out.position),
		}}
	}
	return &streams.BatchAppendResp{
		CorrelationId: correlation, StreamIdentifier: identifier(p.name),
		Result: &streams.BatchAppendResp_Success_{Success: success},
	}
}

// failed answers an append that ran out of time. Everything else ends the
// call.
func (b *batch) failed(correlation *shared.UUID, name string, err error) *streams.BatchAppendResp {
	if status.Code(err) == codes.Aborted || status.Code(err) == codes.DeadlineExceeded {
		return b.reply(correlation, identifier(name), timedOut())
	}
	b.ended = err
	return nil
}

// nextDeadline returns a channel that yields when the first pending append is
// due, nil if there is none.
func (b *batch) nextDeadline() <-chan time.Time {
	var first *pending
	for _, p := range b.open {
		if first == nil || p.deadline.Before(first.deadline) {
			first = p
		}
	}
	if first == nil {
		return nil
	}
	return time.After(time.Until(first.deadline))
}

// expire gives up what is overdue. These answers name the correlation id in
// two numbers, however it came.
func (b *batch) expire(now time.Time) []*streams.BatchAppendResp {
	var replies []*streams.BatchAppendResp
	for id, p := range b.open {
		if p.deadline.After(now) {
			continue
		}
		delete(b.open, id)
		replies = append(replies, b.reply(frames{}.id(id), identifier(p.name), timedOut()))
	}
	return replies
}
