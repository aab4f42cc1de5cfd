package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"consentledger/eventstore"
)

// rowFormat is the first byte of a record's value.
const rowFormat = 1

const recordKeySize = 9

func recordKey(p eventstore.Position) []byte {
	return appendRecordKey(make([]byte, 0, recordKeySize), p)
}

func appendRecordKey(b []byte, p eventstore.Position) []byte {
	return binary.BigEndian.AppendUint64(append(b, 'r'), uint64(p))
}

func parseRecordKey(key []byte) (eventstore.Position, error) {
	if len(key) != 9 || key[0] != 'r' {
		return 0, fmt.Errorf("key %x is not that of a record", key)
	}
	return eventstore.Position(binary.BigEndian.Uint64(key[1:])), nil
}

func streamKeySize(s eventstore.Stream) int { return len(s) + 10 }

func streamKey(s eventstore.Stream, r eventstore.Revision) []byte {
	return appendStreamKey(make([]byte, 0, streamKeySize(s)), s, r)
}

func appendStreamKey(b []byte, s eventstore.Stream, r eventstore.Revision) []byte {
	return binary.BigEndian.AppendUint64(append(append(append(b, 's'), s...), 0), uint64(r))
}

// parseStreamKey returns the revision in a key that begins with stream.
func parseStreamKey(s eventstore.Stream, key []byte) (eventstore.Revision, error) {
	if len(key) != len(s)+10 {
		return 0, fmt.Errorf("key %x is not that of a record of stream %s", key, s)
	}
	return eventstore.Revision(binary.BigEndian.Uint64(key[len(s)+2:])), nil
}

// afterStream is the first key after all those of stream.
func afterStream(s eventstore.Stream) []byte {
	return append(append([]byte{'s'}, s...), 1)
}

// recordSize is how many bytes appendRecord adds.
func recordSize(s eventstore.Stream, r eventstore.Record) int {
	return 27 + len(s) + len(r.Type) + len(r.Data)
}

// appendRecord adds to b what is stored under [recordKey].
func appendRecord(b []byte, s eventstore.Stream, rev eventstore.Revision, r eventstore.Record) []byte {
	b = append(b, rowFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(rev))
	b = append(b, r.ID[:]...)
	b = append(b, byte(len(s)), byte(len(r.Type)))
	b = append(append(b, s...), r.Type...)
	return append(b, r.Data...)
}

// parseRecord reads what appendRecord writes. Its result shares no memory with
// b.
func parseRecord(b []byte) (r eventstore.Recorded, err error) {
	if len(b) < 27 || b[0] != rowFormat {
		return r, fmt.Errorf("%d bytes that are no record of format %d", len(b), rowFormat)
	}
	r.Revision = eventstore.Revision(binary.BigEndian.Uint64(b[1:]))
	copy(r.ID[:], b[9:25])
	nameLen, typeLen := int(b[25]), int(b[26])
	if b = b[27:]; len(b) < nameLen+typeLen {
		return r, fmt.Errorf("record %s: its stream and type are cut off", r.ID)
	}
	names := string(b[:nameLen+typeLen])
	r.Stream, r.Type = eventstore.Stream(names[:nameLen]), names[nameLen:]
	r.Data = bytes.Clone(b[nameLen+typeLen:])
	return r, nil
}
