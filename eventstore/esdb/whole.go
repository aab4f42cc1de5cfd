package esdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"consentledger/eventstore"
)

// A FaultError says that the store does not hold what was in it: somebody deleted
// or limited a stream, replaced records, or put an old copy of the database in
// place. No append is taken any more, reads go on.
type FaultError struct{ Err error }

func (e *FaultError) Error() string { return "esdb: history was changed: " + e.Err.Error() }
func (e *FaultError) Unwrap() error { return e.Err }

// Fault returns what was found wrong with history, nil if nothing was.
func (s *Store) Fault() error {
	if f := s.fault.Load(); f != nil {
		return f
	}
	return nil
}

// broken remembers what is wrong with history, and returns it as an error.
func (s *Store) broken(err error) error {
	f := &FaultError{err}
	if s.fault.CompareAndSwap(nil, f) && s.onFault != nil {
		s.onFault(f)
	}
	return f
}

// Seen returns the newest record that was acknowledged or followed: see
// [Options.Seen].
func (s *Store) Seen() eventstore.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// see remembers a record that is there.
func (s *Store) see(at eventstore.Position, id eventstore.EventID) {
	if uint64(at) <= s.highest.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at > s.seen.Position {
		s.seen = eventstore.Mark{Position: at, ID: id}
		s.highest.Store(uint64(at))
	}
}

// unchanged looks whether the newest record that is known is where it was. The
// node of l has a quorum, and nobody else reads from it yet.
func (s *Store) unchanged(ctx context.Context, l *link) error {
	m := s.Seen()
	if m.Position == 0 || s.Fault() != nil {
		return nil
	}
	r, ok, err := s.readOne(ctx, l, m.Position)
	if err != nil {
		return err
	}
	if wrong := differs(m, r, ok); wrong != nil {
		_ = s.broken(wrong) // whoever appends is told; reads may go on
	}
	return nil
}

// differs returns how what stands at a mark differs from what stood there.
func differs(m eventstore.Mark, r eventstore.Recorded, ok bool) error {
	switch {
	case !ok:
		return fmt.Errorf("the record %s, which was at position %d, is not there any more: was an old copy of the "+
			"database put in place?", m.ID, m.Position)
	case r.ID != m.ID:
		return fmt.Errorf("at position %d there is the record %s, and there was %s", m.Position, r.ID, m.ID)
	}
	return nil
}

// checkMetadata returns what is wrong if a stream of ours is given metadata.
func (s *Store) checkMetadata(stream string, data []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil {
		return nil // a server makes nothing of it either
	}
	for _, name := range []string{"$tb", "$maxCount", "$maxAge"} {
		if _, has := all[name]; has {
			return fmt.Errorf("stream %s was given %s by somebody: its records are hidden, and deleted by the next "+
				"scavenge", strings.TrimPrefix(stream, "$$"+s.prefix), name)
		}
	}
	return nil
}
