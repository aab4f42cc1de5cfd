package verify

import (
	"fmt"
	"hash/maphash"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// maxBack is how far Recorded may run back from one record to a later one of
// another stream, in milliseconds: records that were decided at once may be
// stored in another order, and a disk may take its time. Within a stream it
// never runs back.
const maxBack = 10 * 60 * 1000

// An order holds the records of a log to the order that they were stored in.
type order struct {
	app     ident.AppName
	newest  int64
	seed    maphash.Seed
	streams map[uint64]int64 // of every stream when its last record was recorded
}

// check says what is wrong with the next record.
func (o *order) check(record []byte) error {
	l, err := parseLine(record)
	if err != nil {
		return fmt.Errorf("it does not have the form of a record: %w", err)
	}
	if len(l.id) != 36 {
		return fmt.Errorf("its id has %d characters, want 36", len(l.id))
	}
	if _, err := eventstore.ParseEventID(string(l.id)); err != nil {
		return fmt.Errorf("it does not have the form of a record: %w", err)
	}

	stream, err := ident.ParseStreamID(string(l.stream))
	if err != nil {
		return fmt.Errorf("it does not have the form of a record: %w", err)
	}
	if o.app == "" {
		o.app = stream.App
	}
	if stream.App != o.app {
		return fmt.Errorf("it is of the app %s, in the log of %s", stream.App, o.app)
	}
	if err := o.place(stream, l); err != nil {
		return err
	}
	return l.times()
}

// maxAhead is how far ahead of the ledger's clock a grant may be, in
// milliseconds.
const maxAhead = int64(domain.FutureSkew)

// times checks the times of a record against each other: an opt-out is never later
// than it was recorded, what it claimed beyond that is kept beside it, and a
// grant is not later by more than clocks differ.
func (l line) times() error {
	switch kind := string(l.kind); {
	case l.claimed != 0 && (l.at != l.recorded || l.claimed <= l.recorded):
		return fmt.Errorf("it keeps a claim of %d, which was clamped to when it was recorded, and says %d, recorded %d",
			l.claimed, l.at, l.recorded)
	case (strings.HasPrefix(kind, "consent.withdrawn.") || strings.HasPrefix(kind, "consent.refused.")) &&
		l.at > l.recorded:
		return fmt.Errorf("it is a no of %d ms after it was recorded", l.at-l.recorded)
	case strings.HasPrefix(kind, "consent.given.") && l.at > l.recorded+maxAhead:
		return fmt.Errorf("it is a yes of %d ms after it was recorded", l.at-l.recorded)
	}
	return nil
}

// place checks where a record stands in its stream and among all.
func (o *order) place(stream ident.StreamID, l line) error {
	if o.streams == nil {
		o.seed, o.streams = maphash.MakeSeed(), map[uint64]int64{}
	}

	key := maphash.Bytes(o.seed, l.stream)
	last, later := o.streams[key]
	o.streams[key] = l.recorded
	newest := o.newest
	o.newest = max(o.newest, l.recorded)
	switch {
	case isPersons(stream) && l.binding == later:
		if later {
			return fmt.Errorf("it ties the stream %s to a person, as a first record does, and is not the first",
				l.stream)
		}
		return fmt.Errorf("it is the first of the stream %s and does not tie it to a person: the first record is "+
			"missing", l.stream)
	case later && l.recorded < last:
		return fmt.Errorf("it was recorded %d ms before the record before it in the stream %s", last-l.recorded,
			l.stream)
	case l.recorded < newest-maxBack:
		return fmt.Errorf("it was recorded %d s before a record that stands before it", (newest-l.recorded)/1000)
	}
	return nil
}

// isPersons reports whether a stream is one person's.
func isPersons(s ident.StreamID) bool {
	return (s.Noun == ident.SubjectNoun || s.Noun == ident.AccessNoun) && s.ID != ident.AppStream
}
