package esdbserver

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

func (b *batch) reply(
	correlation *shared.UUID, name *shared.StreamIdentifier, err *rpcstatus.Status,
) *streams.BatchAppendResp {
	return &streams.BatchAppendResp{
		CorrelationId: correlation, StreamIdentifier: name, Result: &streams.BatchAppendResp_Error{Error: err},
	}
}

func identifier(name string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

// details packs the one message that stands where others have a list.
func details(m proto.Message) []*anypb.Any {
	packed, err := anypb.New(m)
	if err != nil {
		panic("esdbserver: " + err.Error()) // only of messages that are no messages
	}
	return []*anypb.Any{packed}
}

func badRequest(text string) *rpcstatus.Status {
	return &rpcstatus.Status{
		Code: int32(codes.InvalidArgument), Message: "BadRequest", Details: details(&shared.BadRequest{Message: text}),
	}
}

func timedOut() *rpcstatus.Status {
	return &rpcstatus.Status{Code: int32(codes.DeadlineExceeded), Message: "Timeout",
		Details: details(&shared.Timeout{})}
}

func wrongDetails(current int64, expected expectation) *shared.WrongExpectedVersion {
	w := &shared.WrongExpectedVersion{}
	if current < 0 {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	} else {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(current)}
	}

	switch expected {
	case expectNone:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	case expectAny:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case expectExists:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	default:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(expected)}
	}
	return w
}
