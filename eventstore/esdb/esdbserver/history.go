package esdbserver

import (
	"context"
	"errors"
	"slices"
	"sort"
)

// A history is what may be read at a node: an engine as far as the node knows
// it, or a store.
type history interface {
	// forwards returns at most max records of the log from a position on,
	// that of the first one included, removed ones left out, and the position
	// behind them. It returns none at the end, and errNoRecord if no record
	// begins at the position.
	forwards(ctx context.Context, from int64, max int) (records []*record, next int64, err error)

	// backwards returns at most max records before a position, the nearest
	// first. The end of the log is endOfLog; what is behind it is errBeyond.
	backwards(ctx context.Context, before int64, max int) ([]*record, error)

	// state returns what there is under a name. The caller knows already of
	// that many events of it.
	state(ctx context.Context, name string, known int64) (state, error)

	// between returns the events of a stream from revision first to last, in
	// order; there may be gaps.
	between(ctx context.Context, name string, first, last int64) ([]*record, error)

	// end returns the position behind the last record.
	end(ctx context.Context) (int64, error)

	// grown returns a channel that is closed when there may be more to read
	// than before the call.
	grown() <-chan struct{}
}

// A state is what a reader may know of a stream.
type state struct {
	last      int64   // last revision, -1 if the stream was never written
	tombstone *record // the end of a stream that was ended for good
	limits    limits
}

// readable says whether the stream is there: it was written, and not deleted.
func (s state) readable() bool { return s.last >= 0 && s.limits.before != tombstoneRevision }

// endOfLog stands for the end, whatever it is.
const endOfLog = 1<<63 - 1

var (
	errNoRecord = errors.New("no record begins at this position")
	errBeyond   = errors.New("the log ends before this position")
)

// A view is an engine as a node knows it: the first readable() records of its
// log. Readable is called with the engine's mu held.
type view struct {
	engine   *engine
	readable func() int
}

// log returns the records that are readable here. The caller holds mu.
func (v view) log() []*record { return v.engine.log[:min(v.readable(), len(v.engine.log))] }

// find returns the place of the record at or behind a position, and whether
// it begins right there.
func find(log []*record, position int64) (int, bool) {
	return sort.Find(len(log), func(i int) int {
		switch {
		case position < log[i].position:
			return -1
		case position > log[i].position:
			return 1
		}
		return 0
	})
}

func (v view) forwards(_ context.Context, from int64, max int) ([]*record, int64, error) {
	v.engine.mu.RLock()
	defer v.engine.mu.RUnlock()

	log := v.log()
	at, exact := find(log, from)
	if !exact && at < len(log) && from != 0 {
		return nil, 0, errNoRecord
	}
	if !exact && at == len(log) && len(log) > 0 && from < v.endPosition() {
		return nil, 0, errNoRecord
	}

	end := min(at+max, len(log))
	next := from
	if end > at {
		next = log[end-1].behind
	}
	return slices.DeleteFunc(slices.Clone(log[at:end]), func(r *record) bool { return r.kind == removed }), next, nil
}

func (v view) backwards(_ context.Context, before int64, max int) ([]*record, error) {
	v.engine.mu.RLock()
	defer v.engine.mu.RUnlock()

	log := v.log()
	at, exact := len(log), true
	if before != endOfLog && before != v.endPosition() {
		at, exact = find(log, before)
	}
	switch {
	case !exact && at == len(log):
		return nil, errBeyond
	case !exact && before != 0:
		return nil, errNoRecord
	}

	var records []*record
	for i := at - 1; i >= 0 && len(records) < max; i-- {
		if log[i].kind != removed {
			records = append(records, log[i])
		}
	}
	return records, nil
}

func (v view) state(_ context.Context, name string, _ int64) (state, error) {
	v.engine.mu.RLock()
	defer v.engine.mu.RUnlock()

	readable := len(v.log())
	st := state{last: -1}
	if about := tombOfMetadata(v.engine, name, readable); about != nil {
		st.tombstone = about
		return st, nil
	}
	st.limits = v.engine.limits(name, readable)
	s := v.engine.streams[name]
	if s == nil {
		return st, nil
	}
	st.last = int64(readableLength(s.records, readable)) - 1
	if s.tombstone != nil && s.tombstone.at < readable {
		st.tombstone = s.tombstone
	}
	return st, nil
}

// tombOfMetadata returns the tombstone of the stream that a metadata stream is
// about: the two end together.
func tombOfMetadata(e *engine, name string, readable int) *record {
	if len(name) <= 2 || name[:2] != "$$" {
		return nil
	}
	s := e.streams[name[2:]]
	if s == nil || s.tombstone == nil || s.tombstone.at >= readable {
		return nil
	}
	return s.tombstone
}

// readableLength returns how many of a stream's records lie among the first
// of the log.
func readableLength(records []*record, readable int) int {
	return sort.Search(len(records), func(i int) bool { return records[i].at >= readable })
}

func (v view) between(_ context.Context, name string, first, last int64) ([]*record, error) {
	v.engine.mu.RLock()
	defer v.engine.mu.RUnlock()

	s := v.engine.streams[name]
	if s == nil {
		return nil, nil
	}
	last = min(last, int64(readableLength(s.records, len(v.log())))-1)
	if first > last {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(s.records[first:last+1]), func(r *record) bool { return r.kind == removed }),
		nil
}

func (v view) end(context.Context) (int64, error) {
	v.engine.mu.RLock()
	defer v.engine.mu.RUnlock()
	return v.endPosition(), nil
}

// endPosition returns the position behind the last readable record. The
// caller holds mu.
func (v view) endPosition() int64 {
	log := v.log()
	if len(log) == 0 {
		return 0
	}
	last := log[len(log)-1]
	return last.behind
}

func (v view) grown() <-chan struct{} {
	v.engine.mu.RLock()
	defer v.engine.mu.RUnlock()
	return v.engine.wake
}
