package followup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/state"
)

// The rows of the shelf: what is open in a stream, by app and stream; which streams have
// something open that follows from a place, by both; and what is to be said of an
// obligation when, by the time. All numbers are big-endian.
const (
	openRows  = checkpointRows + "o"
	placeRows = checkpointRows + "p"
	timeRows  = checkpointRows + "t"
	shelfRow  = checkpointRows + "m" // as of which record the rows are
)

var bundles = state.New[bundle](state.Types{})

// A bundle is what is open in one stream, as a row has it.
type bundle struct{ open []*openDuty }

// errRow says that a row of the shelf is not as it was written. What is open is made anew
// from the checkpoint then.
var errRow = errors.New("a row of the follow-up process is damaged")

// openKey is the key of what is open in a stream.
func openKey(s ident.StreamID) []byte { return append(openRowsOf(s.App), s.String()...) }

func openRowsOf(app ident.AppName) []byte { return append([]byte(openRows+string(app)), 0) }

func placeKey(place ident.StreamID) []byte { return append([]byte(placeRows+place.String()), 0) }

// timeKey is the key of what is to be said of an obligation at a time. What is at risk
// comes before what is late at that time.
func timeKey(w warning, due deadline.Instant) []byte {
	key := appendTime([]byte(timeRows), due)
	kind := byte(0)
	if w.late {
		kind = 1
	}
	key = append(append(key, kind), w.stream.String()...)
	return append(append(key, 0), w.id...)
}

// before1970 makes times before 1970 smaller than those after, as bytes.
const before1970 = 1 << 63

func appendTime(b []byte, t deadline.Instant) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t)^before1970)
}

func readTime(b []byte) deadline.Instant {
	return deadline.Instant(binary.BigEndian.Uint64(b) ^ before1970)
}

// parseTime reads what timeKey wrote, with the value beside it.
func parseTime(row eventstore.Row) (w warning, due deadline.Instant, err error) {
	rest, _ := bytes.CutPrefix(row.Key, []byte(timeRows))
	if len(rest) < 9 || len(row.Value) != 8 {
		return w, 0, fmt.Errorf("%w: %q", errRow, row.Key)
	}
	due, w.late = readTime(rest), rest[8] == 1
	w.until = deadline.Instant(binary.BigEndian.Uint64(row.Value))

	stream, id, _ := bytes.Cut(rest[9:], []byte{0})
	if w.stream, err = ident.ParseStreamID(string(stream)); err != nil {
		return w, 0, fmt.Errorf("%w: %q", errRow, row.Key)
	}
	w.id = string(id)
	return w, due, nil
}

// row returns the row of a stream at hand; nothing if nothing is open in it.
func (s *shelved) row() ([]byte, error) {
	if len(s.open) == 0 {
		return nil, nil
	}
	return bundles.Append(nil, &bundle{s.open})
}

// readBundle reads what row returns.
func readBundle(row []byte) (*bundle, error) {
	b, _, err := bundles.Read(row)
	if err == nil && len(b.open) == 0 {
		err = errors.New("it holds nothing")
	}
	return b, err
}

// others returns the rows by which a stream is found from a place and from a time.
func (s *shelved) others() (rows []eventstore.Row) {
	for _, o := range s.open {
		if o.cause != (ident.StreamID{}) {
			key := append(placeKey(o.cause), s.stream.String()...)
			if !slices.ContainsFunc(rows, func(r eventstore.Row) bool { return bytes.Equal(r.Key, key) }) {
				rows = append(rows, eventstore.Row{Key: key})
			}
		}

		until := binary.BigEndian.AppendUint64(nil, uint64(o.due.Until))
		if o.riskAt != 0 {
			rows = append(rows, eventstore.Row{Key: timeKey(o.warning(false), o.riskAt), Value: until})
		}
		if o.lateAt != 0 {
			rows = append(rows, eventstore.Row{Key: timeKey(o.warning(true), o.lateAt), Value: until})
		}
	}
	return rows
}

// timeOf returns the time of a row, if it is one in the order of time.
func timeOf(key []byte) (deadline.Instant, bool) {
	rest, is := bytes.CutPrefix(key, []byte(timeRows))
	if !is {
		return 0, false
	}
	return readTime(rest), true
}
