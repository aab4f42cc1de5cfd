package esdbserver

// A decision is an answer that needs no write, or what a write must know.
type decision struct {
	answer       *outcome
	current      int64
	softDeleted  bool
	aboutDeleted bool // the write is metadata of a deleted stream
}

// decide says whether events may be appended under an expectation. Of events
// it compares ids only. The caller holds mu.
//
// Each branch is one that was recorded: retries are answered with the place of
// their own last event, whatever has been written behind it.
func (e *engine) decide(name string, expected expectation, events []proposal) decision {
	current := e.last(name)
	refuse := func(why refusal) decision {
		return decision{answer: &outcome{refusal: why, current: current}}
	}

	if current == tombstoneRevision {
		return refuse(streamDeleted)
	}
	deleted := e.softDeleted(name)
	accept := decision{current: current, softDeleted: deleted, aboutDeleted: e.aboutDeleted(name)}

	if expected == expectExists {
		switch {
		case deleted:
			return refuse(streamDeleted)
		case current < 0 && e.last("$$"+name) < 0:
			return refuse(wrongVersion)
		}
	}
	if expected == expectAny || expected == expectExists {
		return e.decideByID(name, current, events, accept)
	}

	switch {
	case int64(expected) > current:
		return refuse(wrongVersion)
	case int64(expected) == current:
		return accept
	case len(events) == 0:
		return refuse(wrongVersion)
	}

	// The stream has gone on: these events are either the ones that came next,
	// or they are too late.
	for i, p := range events {
		revision := int64(expected) + 1 + int64(i)
		if e.holds(name, revision, p.id) {
			continue
		}
		if i == 0 && expected == expectNone && deleted {
			return accept
		}
		return refuse(wrongVersion)
	}
	return e.retried(name, int64(expected)+int64(len(events)))
}

// decideByID is for expectations that name no revision: events are known by
// their ids, each by the stream that had it first.
func (e *engine) decideByID(name string, current int64, events []proposal, accept decision) decision {
	last := int64(-1)
	for i, p := range events {
		r, known := e.written[p.id]
		if !known || r.stream != name {
			if i == 0 {
				return accept
			}
			return decision{answer: &outcome{refusal: wrongVersion, current: current}}
		}
		last = r.revision
	}

	if len(events) == 0 {
		return accept
	}
	return e.retried(name, last)
}

func (e *engine) holds(name string, revision int64, id uuid) bool {
	if r, known := e.written[id]; known && r.stream == name && r.revision == revision {
		return true
	}
	s := e.streams[name]
	return s != nil && revision < int64(len(s.records)) && s.records[revision].id == id
}

// retried answers an append whose events are all there, the last of them at
// revision. An event that no reader sees has no position.
func (e *engine) retried(name string, revision int64) decision {
	position := int64(-1)
	r := e.streams[name].records[revision]
	limits := e.limits(name, len(e.log))
	if r.kind == event && limits.shows(r, e.last(name), ticks(e.now())) {
		position = r.position
	}
	return decision{answer: &outcome{current: revision, position: position}}
}

func (e *engine) aboutDeleted(name string) bool {
	return len(name) > 2 && name[:2] == "$$" && e.softDeleted(name[2:])
}
