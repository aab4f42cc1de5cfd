package followup

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// A shelf is where a Process keeps what is open. There may be millions of obligations,
// most of them due in weeks, so they lie in rows. In memory is what the records are about
// that are learned now: it is fetched before, and put back once they are learned.
//
// The rows are as of the last record that was learned, and say so in the same change.
// A start that finds them as of its checkpoint goes on with them; any other makes them
// anew from the checkpoint. That is so after a kill, and after what was due was taken out
// and not done.
type shelf struct {
	rows eventstore.Rows

	streams int              // how many streams have something open, as the rows say
	timed   int              // how many rows are in the order of time
	soonest deadline.Instant // no row is due before; zero: not known
}

// A shelved is a stream at hand: what is open in it, and the rows that say so.
type shelved struct {
	stream ident.StreamID
	open   []*openDuty
	was    []byte // the row; empty: there is none
	keys   []string
}

// disown says that the rows are of no record.
func (f *shelf) disown(ctx context.Context) error {
	return f.rows.Write(ctx, eventstore.Change{Delete: [][]byte{[]byte(shelfRow)}})
}

// fetchStream brings what is open in a stream to hand.
func (r *Process) fetchStream(ctx context.Context, a *app, stream ident.StreamID) error {
	key := streamKey(stream)
	if a.streams[key] != nil {
		return nil
	}

	s := &shelved{stream: stream}
	row, ok, err := r.shelf.rows.Get(ctx, openKey(stream))
	if err != nil {
		return err
	}
	if ok {
		b, err := readBundle(row)
		if err != nil {
			return fmt.Errorf("%w: what is owed in %s: %w", errRow, stream, err)
		}
		s.open, s.was = b.open, row
		for _, other := range s.others() {
			s.keys = append(s.keys, string(other.Key))
		}
	}

	a.streams[key] = s
	for _, o := range s.open {
		if o.cause != (ident.StreamID{}) {
			p := a.place(o.cause)
			p.open = append(p.open, o)
		}
	}
	return nil
}

// fetchPlace brings to hand all that is open in a place, in the order in which it opened.
func (r *Process) fetchPlace(ctx context.Context, a *app, id ident.StreamID) error {
	if p := a.places[id]; p != nil && p.whole {
		return nil
	}

	prefix := placeKey(id)
	found := false
	for row, err := range r.shelf.rows.Scan(ctx, prefix) {
		if err != nil {
			return err
		}
		stream, err := ident.ParseStreamID(string(row.Key[len(prefix):]))
		if err != nil {
			return fmt.Errorf("%w: where something is owed for %s: %w", errRow, id, err)
		}
		if err := r.fetchStream(ctx, a, stream); err != nil {
			return err
		}
		found = true
	}

	if p := a.places[id]; p != nil && found {
		p.whole = true
		slices.SortStableFunc(p.open, func(x, y *openDuty) int {
			return cmp.Or(cmp.Compare(x.opened, y.opened), compareStreams(x.stream, y.stream))
		})
	}
	return nil
}

// shelve puts back all that is at hand, in one change. The rows are as of the last record
// then, unless something was taken out that is not done.
func (r *Process) shelve(ctx context.Context) error {
	next := r.shelf
	var c eventstore.Change
	for _, a := range r.apps {
		for _, s := range a.streams {
			if err := next.put(&c, s); err != nil {
				return err
			}
		}
	}

	if len(c.Put)+len(c.Delete) > 0 {
		if r.torn {
			c.Delete = append(c.Delete, []byte(shelfRow))
		} else {
			c.Put = append(c.Put, next.asOf(r.at))
		}
		if err := next.rows.Write(ctx, c); err != nil {
			return err
		}
		r.shelf = next
	}

	for _, a := range r.apps {
		a.putBack()
	}
	return nil
}

// put adds to a change what has become of a stream at hand.
func (f *shelf) put(c *eventstore.Change, s *shelved) error {
	row, err := s.row()
	if err != nil || bytes.Equal(row, s.was) {
		return err
	}

	switch {
	case len(s.was) == 0:
		f.streams++
	case len(row) == 0:
		f.streams--
		c.Delete = append(c.Delete, openKey(s.stream))
	}
	if len(row) > 0 {
		c.Put = append(c.Put, eventstore.Row{Key: openKey(s.stream), Value: row})
	}

	gone := map[string]bool{}
	for _, key := range s.keys {
		gone[key] = true
	}

	for _, other := range s.others() {
		c.Put = append(c.Put, other) // the time may be the same, and the value another
		if gone[string(other.Key)] {
			delete(gone, string(other.Key))
			continue
		}
		if due, is := timeOf(other.Key); is {
			f.timed++
			if f.soonest != 0 {
				f.soonest = min(f.soonest, due)
			}
		}
	}

	for key := range gone {
		c.Delete = append(c.Delete, []byte(key))
		if due, is := timeOf([]byte(key)); is {
			f.timed--
			if due == f.soonest {
				f.soonest = 0
			}
		}
	}
	return nil
}

// putBack holds nothing at hand any more. What shall open stays.
func (a *app) putBack() {
	for _, s := range a.streams {
		for _, o := range s.open {
			if p := a.places[o.cause]; p != nil {
				p.open, p.whole = nil, false
				a.tidy(o.cause, p)
			}
		}
	}
	clear(a.streams)
}

// asOf returns the row that says as of which record the rows are.
func (f *shelf) asOf(m mark) eventstore.Row {
	b := bytes.Clone(checkpointHead)
	b = binary.BigEndian.AppendUint64(b, uint64(m.position))
	b = append(b, m.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.streams))
	b = binary.BigEndian.AppendUint64(b, uint64(f.timed))
	return eventstore.Row{Key: []byte(shelfRow), Value: b}
}

// finds reports whether the rows are as of a record, and if they are, how many there are.
func (f *shelf) finds(ctx context.Context, m mark) (bool, error) {
	row, ok, err := f.rows.Get(ctx, []byte(shelfRow))
	if err != nil || !ok {
		return false, err
	}
	now := f.asOf(m).Value
	counts := len(now) - 16
	if len(row) != len(now) || !bytes.Equal(row[:counts], now[:counts]) {
		return false, nil
	}

	f.streams = int(binary.BigEndian.Uint64(row[counts:]))
	f.timed = int(binary.BigEndian.Uint64(row[counts+8:]))
	f.soonest = 0
	return true, nil
}

// emptyAtOnce is how many rows are deleted in one change.
const emptyAtOnce = 1000

// empty takes all rows away. Before anything else they are of no record.
func (f *shelf) empty(ctx context.Context) error {
	*f = shelf{rows: f.rows}
	c := eventstore.Change{Delete: [][]byte{[]byte(shelfRow)}}
	for _, prefix := range []string{openRows, placeRows, timeRows} {
		for row, err := range f.rows.Scan(ctx, []byte(prefix)) {
			if err != nil {
				return err
			}
			if c.Delete = append(c.Delete, bytes.Clone(row.Key)); len(c.Delete) < emptyAtOnce {
				continue
			}
			if err := f.rows.Write(ctx, c); err != nil {
				return err
			}
			c = eventstore.Change{}
		}
	}
	return f.rows.Write(ctx, c)
}

// open yields all that is open in an app, stream by stream, as the rows have it.
func (f *shelf) open(ctx context.Context, app ident.AppName) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for row, err := range f.rows.Scan(ctx, openRowsOf(app)) {
			if !yield(row.Value, err) || err != nil {
				return
			}
		}
	}
}

// next returns when the first row in the order of time is due.
func (f *shelf) next(ctx context.Context) (due deadline.Instant, ok bool, err error) {
	if f.timed == 0 || f.soonest != 0 {
		return f.soonest, f.timed > 0, nil
	}
	for row, err := range f.rows.Scan(ctx, []byte(timeRows)) {
		if err != nil {
			return 0, false, err
		}
		_, f.soonest, err = parseTime(row)
		return f.soonest, err == nil, err
	}
	return 0, false, nil
}

// due returns what is due by now, at most n, the first first.
func (f *shelf) due(ctx context.Context, now deadline.Instant, n int) (list []*entry, err error) {
	if first, ok, err := f.next(ctx); err != nil || !ok || first > now {
		return nil, err
	}
	for row, err := range f.rows.Scan(ctx, []byte(timeRows)) {
		if err != nil {
			return nil, err
		}
		w, due, err := parseTime(row)
		if err != nil {
			return nil, err
		}
		if due > now || len(list) == n {
			break
		}
		list = append(list, &entry{todo: w, due: due})
	}
	return list, nil
}

// takeDue takes out what is to be said of obligations by now, at most n.
func (r *Process) takeDue(ctx context.Context, now deadline.Instant, n int) ([]*entry, error) {
	list, err := r.shelf.due(ctx, now, n)
	if err != nil || len(list) == 0 {
		return nil, err
	}

	r.torn = true // until it is done
	for _, e := range list {
		w := e.todo.(warning)
		a := r.app(w.stream.App)
		if err := r.fetchStream(ctx, a, w.stream); err != nil {
			return nil, err
		}
		o := a.find(w.stream, w.id)
		switch {
		case o == nil:
			return nil, fmt.Errorf("%w: nothing is owed in %s as %s, of which something is to be said", errRow, w.stream, w.id)
		case w.late:
			o.lateAt = 0
		default:
			o.riskAt = 0
		}
	}
	return list, r.shelve(ctx)
}

// soonest returns when the first follow-up is due.
func (r *Process) soonest(ctx context.Context) (deadline.Instant, bool, error) {
	due, waits := r.waiting.next()
	timed, any, err := r.shelf.next(ctx)
	if any && (!waits || timed < due) {
		return timed, true, err
	}
	return due, waits, err
}
