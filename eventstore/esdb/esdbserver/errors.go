package esdbserver

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// errHandler is what the real server answers to most malformed requests.
var errHandler = status.Error(codes.Unknown, "Exception was thrown by handler.")

var (
	errReadStream = status.Error(codes.Unknown, "Unexpected ReadStreamResult: Error")
	errReadAll    = status.Error(codes.Unknown, "Unexpected ReadAllResult: Error")
)

func fromContext(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return status.Error(codes.DeadlineExceeded, "Deadline Exceeded")
	}
	return status.Error(codes.Canceled, "Call canceled by the client.")
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// noCase is the answer to a choice that was left open.
func noCase(name string) error {
	return invalid("'None' is not a valid EventStore.Client.Streams.%s", name)
}

// refuse ends a call with an error that has trailers, key and value in turn.
func refuse(stream grpc.ServerStream, code codes.Code, text string, trailers ...string) error {
	stream.SetTrailer(metadata.Pairs(trailers...))
	return status.Error(code, text)
}

func refuseDeleted(stream grpc.ServerStream, name string) error {
	return refuse(stream, codes.FailedPrecondition, fmt.Sprintf("Event stream '%s' is deleted.", name),
		"exception", "stream-deleted", "stream-name", name)
}
