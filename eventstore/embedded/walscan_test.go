package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// wholeChunk writes a record of one chunk as Pebble does; a MANIFEST's if log
// is manifestID.
func wholeChunk(payload []byte, log int64) []byte {
	b := make([]byte, 4, longest+len(payload))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(payload)))
	if log == manifestID {
		b = append(b, 1)
	} else {
		b = binary.LittleEndian.AppendUint32(append(b, 5), uint32(log))
	}
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b, checksum(b[6:]))
	return b
}

// batchOf is a batch with a sequence number and one entry, which nobody reads.
func batchOf(sequence uint64, text string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, sequence)
	b = binary.LittleEndian.AppendUint32(b, 1)
	return append(b, text...)
}

// FuzzScan reads any bytes behind a log that is well. What was well must be
// found, nothing may be read beyond the end, and an error names a place in the
// file.
func FuzzScan(f *testing.F) {
	trailer := append(make([]byte, 6), 5, 8, 0, 0, 0)
	later := wholeChunk(batchOf(3, "later"), 7)
	f.Add([]byte{}, int64(7))
	f.Add(trailer, int64(7))
	f.Add(later, int64(7))
	f.Add(append(bytes.Repeat([]byte{0}, 40), later...), int64(7))
	f.Add(append([]byte("damage"), later...), int64(7))
	f.Add(bytes.Repeat([]byte{0}, blockSize+9), int64(7))
	f.Add(append([]byte("damage"), wholeChunk([]byte("an edit"), manifestID)...), int64(manifestID))
	f.Add(append(bytes.Clone(trailer[:6]), 12, 8, 0, 0, 0, 1), int64(7))
	f.Fuzz(func(t *testing.T, rest []byte, log int64) {
		if log != manifestID {
			log = 7
		}
		var data []byte
		for i := range uint64(2) {
			data = append(data, wholeChunk(batchOf(i+1, "well"), log)...)
		}
		well := len(data)
		data = append(data, rest...)
		s := scanner{data: data, name: "000007.log", log: log, found: new(logs)}
		if good, stop, _ := s.readable(); good < well || stop < good || stop > len(data) {
			t.Fatalf("of %d bytes that are well and %d others it reads records to %d and chunks to %d", well, len(rest), good, stop)
		}
		s = scanner{data: data, name: "000007.log", log: log, found: new(logs)}
		err := s.scan()
		if log != manifestID && s.found.changes < 2 {
			t.Errorf("%d of the 2 batches that are well were found", s.found.changes)
		}
		if bad, is := errors.AsType[*CorruptError](err); err != nil && (!is || bad.Offset < int64(well) || bad.Offset > int64(len(data)) || bad.File != s.name) {
			t.Errorf("of %d bytes, the first %d well: %v", len(data), well, err)
		}
	})
}
