package esdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that this one stands before
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"consentledger/eventstore"
)

// What a read is answered with is nearly all that comes from a server, and nearly all
// of it is one field. So answers are not decoded into the generated messages, with a
// map for each event, but read where they lie.

// A raw event is one as the server sends it. Its bytes lie in the frame that it came
// in, which is nobody else's.
type raw struct {
	id       [16]byte
	stream   []byte // its name at the server
	revision uint64 // from 0
	at       eventstore.Position
	typ      []byte
	note     []byte // its own metadata: see [note]
	data     []byte
}

// A frame is one answer to a read, as it came.
type frame []byte

// frames has the answers to a call given as frames.
var frames = grpc.ForceCodecV2(frameCodec{encoding.GetCodecV2("proto")})

// A frameCodec leaves frames as they are. It has no name of its own, so that the call
// is named as any other.
type frameCodec struct{ usual encoding.CodecV2 }

func (frameCodec) Name() string                             { return "" }
func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) { return c.usual.Marshal(v) }
func (c frameCodec) Unmarshal(b mem.BufferSlice, v any) error {
	f, is := v.(*frame)
	if !is {
		return fmt.Errorf("esdb: an answer is read into %T, want *frame", v)
	}
	*f = b.Materialize()
	return nil
}

// Field numbers of streams.ReadResp and what is in it.
const (
	frameEvent protowire.Number = 1 // of the answer

	eventItself protowire.Number = 1 // else a link to it

	eventUUID     protowire.Number = 1
	eventStream   protowire.Number = 2
	eventRevision protowire.Number = 3
	eventCommit   protowire.Number = 5
	eventMetadata protowire.Number = 6
	eventNote     protowire.Number = 7
	eventData     protowire.Number = 8

	uuidNumbers protowire.Number = 1
	uuidText    protowire.Number = 2
	streamName  protowire.Number = 3
)

// event returns the event in the frame, and whether there is one: not in a
// confirmation, a checkpoint and the like.
func (f frame) event() (e raw, is bool, err error) {
	err = eachField(f, func(n protowire.Number, _ uint64, b []byte) error {
		if n != frameEvent {
			return nil
		}
		return eachField(b, func(n protowire.Number, _ uint64, b []byte) error {
			if n != eventItself {
				return nil
			}
			is = true
			return e.read(b)
		})
	})
	if err != nil {
		return e, false, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return e, is, nil
}

func (e *raw) read(b []byte) error {
	return eachField(b, func(n protowire.Number, v uint64, b []byte) (err error) {
		switch n {
		case eventUUID:
			e.id, err = readUUID(b)
		case eventStream:
			err = eachField(b, func(n protowire.Number, _ uint64, b []byte) error {
				if n == streamName {
					e.stream = b
				}
				return nil
			})
		case eventRevision:
			e.revision = v
		case eventCommit:
			e.at = eventstore.Position(v)
		case eventMetadata:
			err = e.readMetadata(b)
		case eventNote:
			e.note = b
		case eventData:
			e.data = b
		}
		return err
	})
}

// readMetadata reads one entry of what the server says about an event.
func (e *raw) readMetadata(b []byte) error {
	var key, value []byte
	err := eachField(b, func(n protowire.Number, _ uint64, b []byte) error {
		switch n {
		case 1:
			key = b
		case 2:
			value = b
		}
		return nil
	})
	if string(key) == "type" {
		e.typ = value
	}
	return err
}

// readUUID reads both forms.
func readUUID(b []byte) (id [16]byte, err error) {
	known := false
	err = eachField(b, func(n protowire.Number, _ uint64, b []byte) error {
		switch n {
		case uuidNumbers:
			known = true
			return eachField(b, func(n protowire.Number, v uint64, _ []byte) error {
				if n == 1 || n == 2 {
					binary.BigEndian.PutUint64(id[8*(n-1):], v)
				}
				return nil
			})
		case uuidText:
			known = true
			id, err = eventstore.ParseEventID(strings.ToLower(string(b)))
			return err
		}
		return nil
	})
	if err == nil && !known {
		err = errNoUUID
	}
	return id, err
}

var errNoUUID = errors.New("a UUID in no form that is known")

// eachField calls do for every field of a message: a number has a value, a message or
// a string has bytes.
func eachField(b []byte, do func(n protowire.Number, v uint64, b []byte) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]

		var value uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			value, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		if err := do(n, value, bytes); err != nil {
			return err
		}
	}
	return nil
}
