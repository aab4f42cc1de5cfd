package esdb

import (
	"context"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"consentledger/eventstore"
)

// A reply is what a server says of an append. An error is a [refusal].
type reply struct {
	err      error
	stored   bool                // else somebody else wrote first
	length   eventstore.Revision // of the stream by now, as it says
	position eventstore.Position // of the last record; zero: it does not say
}

// send sends an append over l, by the way that the node knows, and waits for the
// answer.
func (l *link) send(ctx context.Context, a *appending) reply {
	ctx, cancel := context.WithTimeout(ctx, a.store.address.deadline)
	defer cancel()
	if l.batches && !a.store.noBatches {
		return l.appending.send(ctx, l, a)
	}
	return l.sendAlone(ctx, a)
}

// sendAlone sends an append by a call of its own.
func (l *link) sendAlone(ctx context.Context, a *appending) reply {
	call, cancel := l.call(ctx)
	defer cancel()
	var trailer metadata.MD
	answer, err := appendOnce(call, l, &trailer, expecting(a.store.nameOf(a.stream), a.expected), a.events)
	if err != nil {
		return reply{err: timely(ctx, readRefusal(err, trailer))}
	}
	return readAnswer(answer)
}

// expecting names a stream, and how many events it has to have.
func expecting(name []byte, length eventstore.Revision) *streams.AppendReq_Options {
	o := &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: name},
		ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
	}
	if length > 0 {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(length) - 1}
	}
	return o
}

// readAnswer reads the answer to an append by a call of its own.
func readAnswer(answer *streams.AppendResp) reply {
	if won := answer.GetSuccess(); won != nil {
		r := reply{stored: true, position: eventstore.Position(won.GetPosition().GetCommitPosition())}
		if at, has := won.GetCurrentRevisionOption().(*streams.AppendResp_Success_CurrentRevision); has {
			r.length = eventstore.Revision(at.CurrentRevision) + 1
		}
		return r
	}
	lost, has := answer.GetWrongExpectedVersion().GetCurrentRevisionOption().(*streams.AppendResp_WrongExpectedVersion_CurrentRevision)
	if !has {
		return reply{}
	}
	return reply{length: eventstore.Revision(lost.CurrentRevision) + 1}
}

// timely is err as that of a call which had no answer in time, if it had none.
func timely(ctx context.Context, r refusal) error {
	if r.means == unknown && ctx.Err() == context.DeadlineExceeded {
		r.err = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	return r
}

// appendOnce sends one append by a call of its own.
func appendOnce(
	ctx context.Context, l *link, trailer *metadata.MD, to *streams.AppendReq_Options, events []event,
) (*streams.AppendResp, error) {
	call, err := l.streams.Append(ctx, grpc.Trailer(trailer))
	if err != nil {
		return nil, err
	}

	err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: to}})
	for i := range events {
		if err != nil {
			break
		}
		err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: events[i].unary()}})
	}

	// What Send returns is an end of file if the server has answered already: the
	// answer is what counts.
	return call.CloseAndRecv()
}
