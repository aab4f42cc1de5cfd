package esdbserver

// A log only grows, except in the ways of this file. All have been seen.

// LoseQuorum lets the node store appends that nobody else has: they are
// answered as timed out, and readers do not see them. What is refused is
// refused because of them all the same.
func (s *Server) LoseQuorum() {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if s.engine.held < 0 {
		s.engine.held = len(s.engine.log)
	}
}

// RegainQuorum ends what LoseQuorum began. What was stored meanwhile is kept
// and becomes readable, or is cut off: then it never was.
func (s *Server) RegainQuorum(kept bool) {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()

	if held := e.held; held >= 0 && !kept {
		e.cut(held)
	}
	e.held = -1
	s.alone = false
	e.notify()
}

// RestartAlone lets the node serve to readers what was stored without a
// quorum, as a killed leader does that comes back before the others.
// Subscriptions to what it had end. RegainQuorum takes it back.
func (s *Server) RestartAlone() {
	s.engine.mu.Lock()
	s.alone = true
	s.engine.notify()
	s.engine.mu.Unlock()
	s.connections.closeAll()
}

// Scavenge takes events out of the log for good: those that wanted says.
// Positions and revisions of the others stay.
func (s *Server) Scavenge(wanted func(stream string, revision int64) bool) {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()

	for i, r := range e.log {
		if r.kind != event || !wanted(r.stream, r.revision) {
			continue
		}
		gone := *r
		gone.kind = removed
		e.log[i] = &gone
		if st := e.streams[r.stream]; st != nil && r.revision < int64(len(st.records)) {
			st.records[r.revision] = &gone
		}
	}
}

// A Backup is a database as it was.
type Backup struct{ records int }

// Backup remembers the database as it is.
func (s *Server) Backup() Backup {
	s.engine.mu.RLock()
	defer s.engine.mu.RUnlock()
	return Backup{records: len(s.engine.log)}
}

// Restore brings a backup back. Positions go on from there: those that were
// given since are given again. All connections break.
func (s *Server) Restore(b Backup) {
	e := s.engine
	e.mu.Lock()
	e.cut(b.records)
	if b.records < len(e.log) {
		e.end = e.log[b.records].position
		e.log = e.log[:b.records:b.records]
	}
	e.notify()
	e.mu.Unlock()
	s.connections.closeAll()
}

// cut takes the records from a place on out of the streams. In the log their
// places stay valid ones, though nothing is there. The caller holds mu.
func (e *engine) cut(from int) {
	for i := from; i < len(e.log); i++ {
		gone := *e.log[i]
		gone.kind = removed
		e.log[i] = &gone
	}

	for name, st := range e.streams {
		st.records = st.records[:readableLength(st.records, from)]
		if st.tombstone != nil && st.tombstone.at >= from {
			st.tombstone = nil
		}
		if len(st.records) == 0 && st.tombstone == nil {
			delete(e.streams, name)
		}
	}

	for id, r := range e.written {
		if r.at >= from {
			delete(e.written, id)
		}
	}
}
