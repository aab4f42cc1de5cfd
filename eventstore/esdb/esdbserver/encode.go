package esdbserver

import (
	"strconv"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Events are written by hand: they are nearly all that a reader is sent, and
// the general encoder takes most of its time for their maps.

// Field numbers of streams.ReadResp and what is in it.
const (
	respEvent protowire.Number = 1

	readEvent  protowire.Number = 1
	readLink   protowire.Number = 2
	readCommit protowire.Number = 3

	eventID       protowire.Number = 1
	eventStream   protowire.Number = 2
	eventRevision protowire.Number = 3
	eventPrepare  protowire.Number = 4
	eventCommit   protowire.Number = 5
	eventMetadata protowire.Number = 6
	eventCustom   protowire.Number = 7
	eventData     protowire.Number = 8

	idNumbers  protowire.Number = 1
	idText     protowire.Number = 2
	streamName protowire.Number = 3
)

// A readResp is the response that gives an event: found as itself, or through a
// link, or a link that leads to nothing.
type readResp struct {
	found, link *record
	text        bool // ids are text
}

// size is about how many bytes the response has, rather more than less.
func (r readResp) size() int {
	size := 64
	for _, e := range []*record{r.found, r.link} {
		if e != nil {
			size += 192 + len(e.stream) + len(e.typ) + len(e.custom) + len(e.data)
		}
	}
	return size
}

// encode returns the response as it travels, in a buffer that is used again.
func (r readResp) encode() mem.BufferSlice {
	pool := mem.DefaultBufferPool()
	b := pool.Get(r.size())
	*b = appendReadResp((*b)[:0], r.found, r.link, r.text)
	return mem.BufferSlice{mem.NewBuffer(b, pool)}
}

// appendReadResp appends a [readResp].
func appendReadResp(b []byte, found, link *record, text bool) []byte {
	at := link
	if link == nil {
		at = found
	}
	return message(b, respEvent, func(b []byte) []byte {
		if found != nil {
			b = message(b, readEvent, func(b []byte) []byte { return appendRecorded(b, found, text) })
		}
		if link != nil {
			b = message(b, readLink, func(b []byte) []byte { return appendRecorded(b, link, text) })
		}
		return number(b, readCommit, uint64(at.position), true)
	})
}

func appendRecorded(b []byte, r *record, text bool) []byte {
	b = message(b, eventID, func(b []byte) []byte {
		if text {
			return field(b, idText, r.id.String())
		}
		return message(b, idNumbers, func(b []byte) []byte {
			most, least := r.id.halves()
			return number(number(b, 1, uint64(most), false), 2, uint64(least), false)
		})
	})
	b = message(b, eventStream, func(b []byte) []byte { return field(b, streamName, r.stream) })
	b = number(b, eventRevision, uint64(r.revision), false)
	b = number(b, eventPrepare, uint64(r.position), false)
	b = number(b, eventCommit, uint64(r.position), false)

	content := binaryContent
	if r.json {
		content = jsonContent
	}
	b = entry(b, "type", r.typ)
	b = entry(b, "created", strconv.FormatInt(r.created, 10))
	b = entry(b, "content-type", content)
	if len(r.custom) > 0 {
		b = field(b, eventCustom, r.custom)
	}
	if len(r.data) > 0 {
		b = field(b, eventData, r.data)
	}
	return b
}

// message appends what fill appends, as a field.
func message(b []byte, n protowire.Number, fill func([]byte) []byte) []byte {
	const reserved = 5 // bytes of the longest length that is written here
	b = protowire.AppendTag(b, n, protowire.BytesType)
	start := len(b)
	b = append(b, make([]byte, reserved)...)
	b = fill(b)

	size := len(b) - start - reserved
	head := protowire.AppendVarint(b[start:start], uint64(size))
	copy(b[start+len(head):], b[start+reserved:])
	return b[:start+len(head)+size]
}

func field[T string | []byte](b []byte, n protowire.Number, v T) []byte {
	b = protowire.AppendTag(b, n, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(v)))
	return append(b, v...)
}

// number appends a number; zero is left out unless it is a choice.
func number(b []byte, n protowire.Number, v uint64, chosen bool) []byte {
	if v == 0 && !chosen {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func entry(b []byte, key, value string) []byte {
	return message(b, eventMetadata, func(b []byte) []byte { return field(field(b, 1, key), 2, value) })
}
