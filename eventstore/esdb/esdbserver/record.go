package esdbserver

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// A kind says what a record of the log is to its readers.
type kind uint8

const (
	event   kind = iota
	hidden       // looked at by filters, shown to nobody: the server's own
	nothing      // an append of no events: it has a position, and that is all
	removed      // an event that a scavenge took out of the log
)

// A record is one entry of the log. It is never changed after it was written,
// except that it may become removed.
type record struct {
	kind     kind
	at       int   // place in the log
	position int64 // commit and prepare position: they are always equal
	behind   int64 // where the next record begins, if there is one
	stream   string
	revision int64
	id       uuid
	typ      string
	json     bool
	custom   []byte
	data     []byte
	created  int64 // ticks of 100 ns since 1970
}

// tombstoneRevision is the revision of the event that ends a stream for good,
// and the $tb of one that is deleted.
const tombstoneRevision = 1<<63 - 1

// size is how far the end of an engine's log moves when r is written: as far
// as a real one's, for names of less than 128 bytes.
func (r *record) size() int64 {
	return int64(90 + len(r.stream) + len(r.typ) + len(r.custom) + len(r.data))
}

func ticks(t time.Time) int64 { return t.UnixNano() / 100 }

// A uuid names an event. Zero is no name.
type uuid [16]byte

func (u uuid) String() string {
	text := hex.EncodeToString(u[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func (u uuid) halves() (most, least int64) {
	return int64(binary.BigEndian.Uint64(u[:8])), int64(binary.BigEndian.Uint64(u[8:]))
}

func fromHalves(most, least int64) (u uuid) {
	binary.BigEndian.PutUint64(u[:8], uint64(most))
	binary.BigEndian.PutUint64(u[8:], uint64(least))
	return u
}

// parseUUID reads the forms that the real server was seen to take: with
// dashes, in braces, and 32 digits alone.
func parseUUID(s string) (u uuid, ok bool) {
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && len(s) == 38 {
		s = s[1:37]
	}

	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return u, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}

	if len(s) != 32 {
		return u, false
	}

	_, err := hex.Decode(u[:], []byte(s))
	return u, err == nil
}
