package embedded

import (
	"encoding/binary"
	"hash/crc32"
)

// A chunk is a piece of a record in a write-ahead log or a MANIFEST, in the
// framing of github.com/cockroachdb/pebble/v2/record: blocks of 32 KB, and in
// them chunks that do not cross a block's end, each with a header
//
//	checksum 4, length 2, type 1                                    types 1 to 4
//	checksum 4, length 2, type 1, log number 4                      types 5 to 8
//	checksum 4, length 2, type 1, log number 4, synced offset 8     types 9 to 12
//
// little-endian. Of each four types the first is a whole record, the others its
// first, middle and last chunk. The MANIFEST uses types 1 to 4, a log the others.
//
// The synced offset would say what was synced, but Pebble 2.1.7 leaves whole
// blocks out of it (record/log_writer.go counts the last, partial block only),
// and the first log of a database has none. Hence [watermark].
type chunk struct {
	at, end     int
	first, last bool // of its record
	payload     []byte
}

const (
	blockSize  = 32 << 10
	shortest   = 7
	longest    = 19
	manifestID = -1 // stands for the log number of a MANIFEST
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is Pebble's: a masked CRC-32C.
func checksum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// parseChunk reads the chunk at data[at:], if there is a valid one of that log.
func parseChunk(data []byte, at int, log int64) (c chunk, ok bool) {
	block := data[:min(len(data), at-at%blockSize+blockSize)]
	if len(block)-at < shortest {
		return c, false
	}

	kind := block[at+6]
	header := headerSize(kind)
	if header == 0 || (log == manifestID) != (header == shortest) || len(block)-at < header {
		return c, false
	}
	if log != manifestID && binary.LittleEndian.Uint32(block[at+7:]) != uint32(log) {
		return c, false
	}

	c.at, c.end = at, at+header+int(binary.LittleEndian.Uint16(block[at+4:]))
	if c.end > len(block) || checksum(block[at+6:c.end]) != binary.LittleEndian.Uint32(block[at:]) {
		return c, false
	}

	c.payload = block[at+header : c.end]
	c.first, c.last = kind%4 == 1 || kind%4 == 2, kind%4 == 1 || kind%4 == 0
	return c, true
}

func headerSize(kind byte) int {
	switch {
	case kind >= 1 && kind <= 4:
		return shortest
	case kind >= 5 && kind <= 8:
		return 11
	case kind >= 9 && kind <= 12:
		return longest
	}
	return 0
}

// chunkAfter returns the next chunk that begins where the one before it ended,
// at. If none does, clean says whether that is the end of a log as Pebble
// writes it.
func chunkAfter(data []byte, at int, log int64) (c chunk, ok, clean bool) {
	if c, ok = parseChunk(data, at, log); ok {
		return c, true, true
	}
	next := min(len(data), at-at%blockSize+blockSize)
	if pad := data[at:next]; len(pad) < shortest || len(pad) < longest && zero(pad) {
		if next == len(data) {
			return c, false, zero(pad)
		}
		return chunkAfter(data, next, log)
	}
	return c, false, log != manifestID && isTrailer(data[at:], log)
}

// isTrailer reports whether b begins with what Pebble writes at the end of a
// log that it closes: an empty chunk of the next log.
func isTrailer(b []byte, log int64) bool {
	return len(b) >= 11 && zero(b[:6]) && b[6] == 5 && binary.LittleEndian.Uint32(b[7:]) == uint32(log+1)
}

// resync returns the first valid chunk at any byte after at.
func resync(data []byte, at int, log int64) (chunk, bool) {
	for at++; at+shortest <= len(data); at++ {
		if data[at+6] == 0 {
			continue
		}
		if c, ok := parseChunk(data, at, log); ok {
			return c, true
		}
	}
	return chunk{}, false
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
