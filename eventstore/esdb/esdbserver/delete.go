package esdbserver

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

func (s *Server) delete(stream grpc.ServerStream) error {
	var request streams.DeleteReq
	if err := receive(stream, &request); err != nil {
		return err
	}
	o := request.GetOptions()
	if o == nil {
		return errHandler
	}
	var expected expectation
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		revision, err := exactly(v.Revision)
		if err != nil {
			return err
		}
		expected = revision
	case *streams.DeleteReq_Options_NoStream:
		expected = expectNone
	case *streams.DeleteReq_Options_Any:
		expected = expectAny
	case *streams.DeleteReq_Options_StreamExists:
		expected = expectExists
	default:
		return noCase("DeleteReq+Types+Options+ExpectedStreamRevisionOneofCase")
	}

	name := string(o.GetStreamIdentifier().GetStreamName())
	if !validName(name) {
		return errHandler
	}
	if err := s.mayDelete(stream, name); err != nil {
		return err
	}
	out := s.engine.delete(name, expected)
	if err := deletionRefused(stream, name, expected, out); err != nil {
		return err
	}
	return stream.SendMsg(&streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: uint64(out.position), PreparePosition: uint64(out.position),
	}}})
}

func (s *Server) tombstone(stream grpc.ServerStream) error {
	var request streams.TombstoneReq
	if err := receive(stream, &request); err != nil {
		return err
	}
	o := request.GetOptions()
	if o == nil {
		return errHandler
	}
	var expected expectation
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		revision, err := exactly(v.Revision)
		if err != nil {
			return err
		}
		expected = revision
	case *streams.TombstoneReq_Options_NoStream:
		expected = expectNone
	case *streams.TombstoneReq_Options_Any:
		expected = expectAny
	case *streams.TombstoneReq_Options_StreamExists:
		expected = expectExists
	default:
		return noCase("TombstoneReq+Types+Options+ExpectedStreamRevisionOneofCase")
	}

	name := string(o.GetStreamIdentifier().GetStreamName())
	if !validName(name) {
		return errHandler
	}
	if err := s.mayDelete(stream, name); err != nil {
		return err
	}
	out := s.engine.tombstone(name, expected)
	if err := deletionRefused(stream, name, expected, out); err != nil {
		return err
	}
	return stream.SendMsg(&streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: uint64(out.position), PreparePosition: uint64(out.position),
	}}})
}

func (s *Server) mayDelete(stream grpc.ServerStream, name string) error {
	if err := s.authorize(stream, toDelete, name); err != nil {
		return err
	}
	if err := s.slept(stream.Context()); err != nil {
		return err
	}
	return s.mayWrite(stream)
}

// deletionRefused words a refusal. A tombstone's says "Delete failed" too.
func deletionRefused(stream grpc.ServerStream, name string, expected expectation, out outcome) error {
	switch out.refusal {
	case accepted:
		return nil
	case streamDeleted:
		return refuseDeleted(stream, name)
	}
	text := fmt.Sprintf("Delete failed due to WrongExpectedVersion. Stream: %s, Expected version: %d, Actual "+
		"version: %d",
		name, expected, out.current)
	return refuse(stream, codes.FailedPrecondition, text, "exception", "wrong-expected-version", "stream-name", name,
		"expected-version", fmt.Sprint(int64(expected)), "actual-version", fmt.Sprint(out.current))
}
