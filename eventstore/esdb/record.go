package esdb

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"consentledger/eventstore"
)

// An event is a record as it is sent.
type event struct {
	id   eventstore.EventID // of the event: see [eventID]
	meta map[string]string
	note []byte // the event's own metadata: see [note]
	data []byte
}

// A note is the metadata of an event, in JSON, written in one way only:
// {"id":"01234567-89ab-cdef-0123-456789abcdef","part":1,"of":2}. An append of one
// record has no part.
type note struct {
	ID   eventstore.EventID // of the record
	Part int                // which record of its append it is, from 1
	Of   int                // how many the append has
}

func (n note) append(b []byte) []byte {
	b = append(b, `{"id":"`...)
	b = append(n.ID.Append(b), '"')
	if n.Of > 1 {
		b = strconv.AppendInt(append(b, `,"part":`...), int64(n.Part), 10)
		b = strconv.AppendInt(append(b, `,"of":`...), int64(n.Of), 10)
	}
	return append(b, '}')
}

// idEnd is where the id of a note ends.
const idEnd = len(`{"id":"`) + 36

func parseNote(b []byte) (n note, err error) {
	if len(b) < idEnd {
		return note{}, fmt.Errorf("its metadata are %d bytes, too few for ours", len(b))
	}
	if n.ID, err = eventstore.ParseEventID(string(b[len(`{"id":"`):idEnd])); err != nil {
		return note{}, err
	}

	n.Part, n.Of = 1, 1
	if rest, many := strings.CutPrefix(string(b[idEnd:]), `","part":`); many {
		part, of, _ := strings.Cut(strings.TrimSuffix(rest, "}"), `,"of":`)
		n.Part, _ = strconv.Atoi(part)
		n.Of, _ = strconv.Atoi(of)
	}

	var once [96]byte
	if n.Part < 1 || n.Part > n.Of || n.Of > eventstore.MaxBatch || !bytes.Equal(n.append(once[:0]), b) {
		return note{}, errors.New("its metadata are not written as we write them")
	}
	return n, nil
}

// space is the namespace of the ids of events: a UUID of version 5 of the DNS name
// "consentledger.invalid".
var space = nameID([16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30,
	0xc8}, []byte("consentledger.invalid"))

// nameID returns the UUID of version 5 of a name.
func nameID(space [16]byte, name []byte) (id [16]byte) {
	h := sha1.New()
	h.Write(space[:])
	h.Write(name)
	var sum [sha1.Size]byte
	copy(id[:], h.Sum(sum[:0]))
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// eventID returns the id that a record is sent under. A server that knows an id
// answers as if it had stored what comes with it now, whatever that is: so the id
// is made of all of it, and of where it goes.
func eventID(stream eventstore.Stream, at eventstore.Revision, n note, typ string, data []byte) eventstore.EventID {
	h := sha256.New()
	var head [256 + 128]byte
	b := append(head[:0], n.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint16(b, uint16(n.Part))
	b = binary.BigEndian.AppendUint16(b, uint16(n.Of))
	b = append(append(b, stream...), 0) // no name holds a zero byte
	b = binary.BigEndian.AppendUint16(b, uint16(len(typ)))
	b = append(b, typ...)
	h.Write(b)
	h.Write(data)
	var sum [sha256.Size]byte
	return nameID(space, h.Sum(sum[:0]))
}

// The most that one append may carry: the servers' default of 1 MiB, counted as
// the stricter of them do, less what a node in another configuration or version
// may count besides.
const appendBytes = 1<<20 - 16<<10

// events returns records as they are sent.
func (s *Store) events(
	stream eventstore.Stream, expected eventstore.Revision, records []eventstore.Record,
) ([]event, error) {
	if !utf8.ValidString(string(stream)) {
		return nil, fmt.Errorf("esdb: stream %q: a name is UTF-8, the server would change it", stream)
	}

	size := 0
	all := make([]event, len(records))
	for i, r := range records {
		if !utf8.ValidString(r.Type) {
			return nil, fmt.Errorf("esdb: stream %s: record %d: type %q is not UTF-8, the server would change it",
				stream, i, r.Type)
		}
		n := note{ID: r.ID, Part: i + 1, Of: len(records)}
		all[i] = event{
			id:   eventID(stream, expected+eventstore.Revision(i)+1, n, r.Type, r.Data),
			meta: map[string]string{"type": r.Type, "content-type": contentType(r.Data)},
			note: n.append(make([]byte, 0, 80)),
			data: r.Data,
		}
		size += len(r.Data) + len(all[i].note) + 2*len(r.Type)
	}

	if size > appendBytes {
		return nil, fmt.Errorf("esdb: stream %s: an append takes %d bytes with what belongs to it, this has %d", stream,
			appendBytes, size)
	}
	return all, nil
}

// contentType says what tools show data as.
func contentType(data []byte) string {
	if len(data) > 1 && data[0] == '{' && data[len(data)-1] == '}' {
		return "application/json"
	}
	return "application/octet-stream"
}

func (e *event) unary() *streams.AppendReq_ProposedMessage {
	return &streams.AppendReq_ProposedMessage{Id: uuid(e.id), Metadata: e.meta, CustomMetadata: e.note, Data: e.data}
}

func (e *event) batch() *streams.BatchAppendReq_ProposedMessage {
	return &streams.BatchAppendReq_ProposedMessage{Id: uuid(e.id), Metadata: e.meta, CustomMetadata: e.note,
		Data: e.data}
}

func uuid(id [16]byte) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// parseUUID reads both forms.
func parseUUID(u *shared.UUID) (id [16]byte, err error) {
	switch v := u.GetValue().(type) {
	case *shared.UUID_Structured_:
		binary.BigEndian.PutUint64(id[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(id[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return id, nil
	case *shared.UUID_String_:
		return eventstore.ParseEventID(strings.ToLower(v.String_))
	}
	return id, fmt.Errorf("a UUID in no form that is known")
}

// nameOf returns what a stream is called on the server.
func (s *Store) nameOf(stream eventstore.Stream) []byte { return []byte(s.prefix + string(stream)) }

// record reads an event of one of our streams.
func (s *Store) record(e *raw) (eventstore.Recorded, error) {
	stream, ours := strings.CutPrefix(string(e.stream), s.prefix)
	r := eventstore.Recorded{
		Record:   eventstore.Record{Type: string(e.typ), Data: e.data},
		Stream:   eventstore.Stream(stream),
		Revision: eventstore.Revision(e.revision) + 1,
		Position: e.at,
	}
	if !ours {
		return r, fmt.Errorf("the server answers with an event of the stream %q, which is none of ours", e.stream)
	}
	if r.Type == "$streamDeleted" {
		return r, fmt.Errorf("stream %s was deleted for good by somebody", stream)
	}

	n, err := parseNote(e.note)
	if err != nil {
		return r, fmt.Errorf("record %d of stream %s was not written by a ledger: %w", r.Revision, stream, err)
	}

	r.ID = n.ID
	if eventID(r.Stream, r.Revision, n, r.Type, r.Data) != e.id {
		return r, fmt.Errorf("record %d of stream %s is not what was written there: its bytes do not fit its id %x",
			r.Revision, stream, e.id)
	}
	return r, nil
}
