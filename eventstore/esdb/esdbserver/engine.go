package esdbserver

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// An engine is the log and the streams of a node, or of all nodes of a
// cluster, in memory.
type engine struct {
	now func() time.Time

	mu      sync.RWMutex
	log     []*record
	end     int64 // position of the next record
	streams map[string]*stream
	written map[uuid]*record // the first record of each id, for expectations that name no revision
	held    int              // place of the first record without a quorum, -1 if there is none
	wake    chan struct{}    // closed when there may be more to read
}

// A stream is what the engine knows under one name.
type stream struct {
	records   []*record // by revision, from 0
	tombstone *record
}

// An expectation is what a writer says a stream's last revision is, or one of
// the words below, by the numbers that the server's errors show.
type expectation int64

const (
	expectNone   expectation = -1
	expectAny    expectation = -2
	expectExists expectation = -4
)

// A proposal is an event that somebody wants to append.
type proposal struct {
	id     uuid
	typ    string
	json   bool
	custom []byte
	data   []byte
}

func newEngine(now func() time.Time) *engine {
	e := &engine{now: now, streams: map[string]*stream{}, written: map[uuid]*record{}, held: -1,
		wake: make(chan struct{})}
	e.begin()
	return e
}

// begin writes what a new database holds before anybody wrote to it: one
// record that only filters see, and the rights on the stream of scavenges.
func (e *engine) begin() {
	e.write(&record{kind: hidden, stream: "$epoch-information", typ: "$epoch-information", id: newUUID(), json: true})
	e.add("$$$scavenges", proposal{id: newUUID(), typ: "$metadata", json: true,
		data: []byte(`{"$maxAge":2592000,"$acl":{"$r":"$ops","$w":[],"$d":[],"$mr":[],"$mw":[]}}`)})
}

// newUUID is a fresh random id, as the server makes for its own events.
func newUUID() (u uuid) {
	_, _ = rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u
}

// write puts r at the end of the log. The caller holds mu.
func (e *engine) write(r *record) *record {
	r.at, r.position, r.created = len(e.log), e.end, ticks(e.now())
	e.end += r.size()
	r.behind = e.end
	e.log = append(e.log, r)
	e.notify()
	return r
}

// notify wakes whoever waits for more to read. The caller holds mu.
func (e *engine) notify() {
	close(e.wake)
	e.wake = make(chan struct{})
}

// readable returns how many records of the log readers may see. The caller
// holds mu.
func (e *engine) readable() int {
	if e.held >= 0 {
		return e.held
	}
	return len(e.log)
}

// add writes p as the next event of a stream. The caller holds mu.
func (e *engine) add(name string, p proposal) *record {
	s := e.streams[name]
	if s == nil {
		s = &stream{}
		e.streams[name] = s
	}

	r := e.write(&record{
		stream: name, revision: int64(len(s.records)),
		id: p.id, typ: p.typ, json: p.json, custom: p.custom, data: p.data,
	})
	s.records = append(s.records, r)
	if _, known := e.written[p.id]; !known {
		e.written[p.id] = r
	}
	return r
}

// last returns the revision of the stream's last event, -1 if there never was
// one, and tombstoneRevision if it was ended for good; a metadata stream ends
// with the stream that it is about. The caller holds mu.
func (e *engine) last(name string) int64 {
	if about, ok := strings.CutPrefix(name, "$$"); ok {
		if s := e.streams[about]; s != nil && s.tombstone != nil {
			return tombstoneRevision
		}
	}
	s := e.streams[name]
	switch {
	case s == nil:
		return -1
	case s.tombstone != nil:
		return tombstoneRevision
	}
	return int64(len(s.records)) - 1
}

// limits returns what the newest metadata of a stream says, nothing if there
// is none or it cannot be read. Of metadata itself the newest is shown. The
// caller holds mu.
func (e *engine) limits(name string, readable int) limits {
	if strings.HasPrefix(name, "$$") {
		return limits{maxCount: 1}
	}
	s := e.streams["$$"+name]
	if s == nil {
		return limits{}
	}
	for _, r := range slices.Backward(s.records) {
		if r.at < readable {
			return parseLimits(r.data)
		}
	}
	return limits{}
}

// softDeleted says whether a stream was deleted and not written since. The
// caller holds mu.
func (e *engine) softDeleted(name string) bool {
	return e.limits(name, len(e.log)).before == tombstoneRevision
}

// An outcome is what became of an append, a deletion or a tombstone.
type outcome struct {
	refusal  refusal
	current  int64 // last revision: after the append, or the one it was refused for
	position int64 // of the append's own last event; -1 if that cannot be read
}

// A refusal says why nothing was written.
type refusal uint8

const (
	accepted refusal = iota
	wrongVersion
	streamDeleted
)

// append writes events to a stream, all or none. Held says that no quorum has
// them, also those that were there before.
func (e *engine) append(name string, expected expectation, events []proposal) (_ outcome, held bool) {
	e.mu.Lock()
	defer e.mu.Unlock()

	held = e.held >= 0
	d := e.decide(name, expected, events)
	if d.answer != nil {
		return *d.answer, held && d.answer.refusal == accepted
	}

	var last *record
	for _, p := range events {
		last = e.add(name, p)
	}
	if last == nil {
		last = e.write(&record{kind: nothing, stream: name})
	}
	e.reopen(name, d)

	current := d.current + int64(len(events))
	return outcome{current: current, position: last.position}, held
}

// wouldRefuse returns the refusal of an append that is not made, nil if it
// would be accepted.
func (e *engine) wouldRefuse(name string, expected expectation, events []proposal) *outcome {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if d := e.decide(name, expected, events); d.answer != nil && d.answer.refusal != accepted {
		return d.answer
	}
	return nil
}

// reopen writes the metadata by which a deleted stream begins anew behind its
// old events, and the same if it was the deleted stream's metadata that was
// just written. The caller holds mu.
func (e *engine) reopen(name string, d decision) {
	if d.softDeleted {
		e.truncateBefore(name, d.current+1)
	}
	if about, ok := strings.CutPrefix(name, "$$"); ok && d.aboutDeleted {
		e.truncateBefore(about, e.last(about)+1)
	}
}

func (e *engine) truncateBefore(name string, revision int64) {
	var raw []byte
	if s := e.streams["$$"+name]; s != nil && len(s.records) > 0 {
		raw = s.records[len(s.records)-1].data
	}
	e.add("$$"+name, proposal{id: newUUID(), typ: "$metadata", json: true, data: withTruncateBefore(raw, revision)})
}

// delete hides a stream's events until it is written again.
func (e *engine) delete(name string, expected expectation) outcome {
	e.mu.Lock()
	defer e.mu.Unlock()

	d := e.decide(name, expected, []proposal{{id: newUUID()}})
	switch {
	case d.answer != nil:
		return *d.answer
	case d.current < 0:
		return outcome{refusal: wrongVersion, current: d.current}
	}

	r := e.add("$$"+name, proposal{id: newUUID(), typ: "$metadata", json: true,
		data: fmt.Appendf(nil, `{"$tb":%d}`, int64(tombstoneRevision))})
	return outcome{current: d.current, position: r.position}
}

// tombstone ends a stream for good.
func (e *engine) tombstone(name string, expected expectation) outcome {
	e.mu.Lock()
	defer e.mu.Unlock()

	d := e.decide(name, expected, []proposal{{id: newUUID()}})
	if d.answer != nil {
		return *d.answer
	}
	s := e.streams[name]
	if s == nil {
		s = &stream{}
		e.streams[name] = s
	}
	s.tombstone = e.write(&record{stream: name, revision: tombstoneRevision, id: newUUID(), typ: "$streamDeleted"})
	return outcome{current: tombstoneRevision, position: s.tombstone.position}
}
