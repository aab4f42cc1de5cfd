package esdbserver

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// maxAppend is how many bytes one append may hold.
const maxAppend = 1 << 20

// append serves Streams.Append: options, then one message an event.
func (s *Server) append(stream grpc.ServerStream) error {
	var first streams.AppendReq
	if err := recv(stream, &first); errors.Is(err, io.EOF) || err == nil && first.GetOptions() == nil {
		return errHandler
	} else if err != nil {
		return err
	}
	options := first.GetOptions()
	expected, err := appendExpectation(options)
	if err != nil {
		return err
	}

	name := string(options.GetStreamIdentifier().GetStreamName())
	if err := s.authorize(stream, toAppend, name); err != nil {
		return err
	}
	if s.current().Early {
		if err := s.mayWrite(stream); err != nil {
			return err
		}
	}

	events, err := s.proposals(stream)
	if err != nil {
		return err
	}
	if !validName(name) {
		return errHandler
	}
	out, err := s.write(stream, name, expected, events)
	if err != nil {
		return err
	}
	if out.refusal == streamDeleted {
		return refuseDeleted(stream, name)
	}
	return stream.SendMsg(appendResponse(out, expected))
}

// validName says whether events may be written under a name.
func validName(name string) bool { return name != "" && name != "$$" }

// proposals reads the events of an append, up to the client's half-close.
func (s *Server) proposals(stream grpc.ServerStream) ([]proposal, error) {
	var events []proposal
	size := 0
	for {
		var request streams.AppendReq
		if err := recv(stream, &request); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, err
		}
		m := request.GetProposedMessage()
		if m == nil {
			return nil, errHandler
		}

		if size += s.counted(m); size > maxAppend {
			return nil, refuse(stream, codes.InvalidArgument,
				fmt.Sprintf("Maximum Append Size of %d Exceeded.", maxAppend),
				"exception", "maximum-append-size-exceeded", "maximum-append-size", fmt.Sprint(maxAppend))
		}
		if err := requireMetadata(stream, m.GetMetadata()); err != nil {
			return nil, err
		}
		p, bad := propose(m)
		if bad != "" {
			return nil, errHandler
		}
		events = append(events, p)
	}
}

// counted is what an event counts for against maxAppend: the bytes of its
// data; with 25.0.1 also its metadata, and its type in UTF-16.
func (s *Server) counted(m proposedMessage) int {
	if !s.options.Kurrent {
		return len(m.GetData())
	}
	typ := utf16.Encode([]rune(m.GetMetadata()["type"]))
	return len(m.GetData()) + len(m.GetCustomMetadata()) + 2*len(typ)
}

func requireMetadata(stream grpc.ServerStream, metadata map[string]string) error {
	for _, key := range []string{"type", "content-type"} {
		if _, ok := metadata[key]; !ok {
			return refuse(stream, codes.InvalidArgument, fmt.Sprintf("Required Metadata Property '%s' is missing", key),
				"exception", "missing-required-metadata-property", "required-metadata-properties", "type,content-type")
		}
	}
	return nil
}

// A proposedMessage is what Append and BatchAppend have in common.
type proposedMessage interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// propose parses an event. If it is bad it says how, in the real server's
// words.
func propose(m proposedMessage) (p proposal, bad string) {
	id, bad := parseID(m.GetId())
	if bad != "" {
		return p, bad
	}

	typ, ok := m.GetMetadata()["type"]
	switch {
	case !ok:
		return p, "The given key was not present in the dictionary."
	case id == uuid{}:
		return p, "Empty eventId provided. (Parameter 'eventId')"
	case typ == "":
		return p, "Empty eventType provided. (Parameter 'eventType')"
	}

	return proposal{
		id: id, typ: typ, json: m.GetMetadata()["content-type"] == jsonContent,
		custom: m.GetCustomMetadata(), data: m.GetData(),
	}, ""
}

const (
	jsonContent   = "application/json"
	binaryContent = "application/octet-stream"
)

func parseID(id *shared.UUID) (uuid, string) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		return fromHalves(v.Structured.GetMostSignificantBits(), v.Structured.GetLeastSignificantBits()), ""
	case *shared.UUID_String_:
		if u, ok := parseUUID(v.String_); ok {
			return u, ""
		}
		return uuid{}, "Unrecognized Guid format."
	}
	return uuid{}, "Value cannot be null. (Parameter 'dto')"
}

func appendExpectation(o *streams.AppendReq_Options) (expectation, error) {
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return exactly(v.Revision)
	case *streams.AppendReq_Options_NoStream:
		return expectNone, nil
	case *streams.AppendReq_Options_Any:
		return expectAny, nil
	case *streams.AppendReq_Options_StreamExists:
		return expectExists, nil
	}
	return 0, noCase("AppendReq+Types+Options+ExpectedStreamRevisionOneofCase")
}

// exactly reads a revision. 2^64-1 means no stream; other numbers from 2^63 on
// are refused.
func exactly(revision uint64) (expectation, error) {
	switch {
	case revision == 1<<64-1:
		return expectNone, nil
	case revision >= 1<<63:
		return 0, errHandler
	}
	return expectation(revision), nil
}

func appendResponse(out outcome, expected expectation) *streams.AppendResp {
	if out.refusal == wrongVersion {
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrongExpected(out.current, expected)}}
	}

	success := &streams.AppendResp_Success{}
	if out.current < 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	} else {
		success.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(out.current)}
	}
	if out.position < 0 {
		success.PositionOption = &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}
	} else {
		success.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: uint64(out.position), PreparePosition: uint64(out.position),
		}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
}

// wrongExpected fills the fields of today and those of version 20.6.
func wrongExpected(current int64, expected expectation) *streams.AppendResp_WrongExpectedVersion {
	w := &streams.AppendResp_WrongExpectedVersion{}
	if current < 0 {
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
	} else {
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(current)}
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(current)}
	}

	switch expected {
	case expectAny:
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
	case expectExists:
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	default:
		revision := uint64(expected) // no stream is 2^64-1 here
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: revision}
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: revision}
		if expected == expectNone {
			w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
		}
	}
	return w
}
