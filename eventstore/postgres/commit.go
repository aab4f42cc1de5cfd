package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"consentledger/eventstore"
)

// appendAll makes the appends that wait, one transaction after the other, until the
// store is closed.
func (s *Store) appendAll() {
	w := &writer{store: s}
	defer w.drop()
	for {
		select {
		case <-s.queue.arrived:
		case <-s.life.Done():
			return
		}
		for batch := s.queue.take(); len(batch) > 0; batch = s.queue.take() {
			if !w.settle(batch) {
				return
			}
			s.queue.gather(len(batch))
		}
	}
}

// settle sends appends until their outcome is known, and reports whether the store
// goes on.
func (w *writer) settle(batch []*appending) bool {
	s := w.store
	for tries := 0; len(batch) > 0; tries++ {
		batch = w.attempt(batch)
		if len(batch) > 0 && !pause(s.life, tries) {
			return false
		}
	}
	return s.life.Err() == nil
}

// attempt sends appends once, and returns those that have to be sent again.
func (w *writer) attempt(batch []*appending) []*appending {
	s := w.store
	if batch = s.leave(batch); len(batch) == 0 {
		return nil
	}
	if err := s.Fault(); err != nil {
		return end(batch, err)
	}
	if err := w.connect(); err != nil {
		s.queue.failed(batch, err, false)
		if isFinal(err) {
			return s.giveUp(batch, err)
		}
		return batch
	}

	over := w.watch()
	answer, err := w.send(batch, inTurn(batch))
	if err == nil {
		err = w.tell(batch, answer)
	}
	over()
	if err == nil {
		return nil
	}
	return w.failed(batch, err)
}

// leave ends the appends whose callers are gone and of which nothing was carried
// out for certain.
func (s *Store) leave(batch []*appending) (left []*appending) {
	for _, a := range batch {
		if err := a.caller.Err(); err != nil && !a.doubt {
			a.end(0, err)
			continue
		}
		left = append(left, a)
	}
	return left
}

// giveUp ends the appends of which nothing was carried out for certain, and returns
// the others.
func (s *Store) giveUp(batch []*appending, err error) (left []*appending) {
	for _, a := range batch {
		if a.doubt {
			left = append(left, a)
			continue
		}
		a.end(0, fmt.Errorf("postgres: stream %s: nothing was written: %w", a.stream, err))
	}
	return left
}

func end(batch []*appending, err error) []*appending {
	for _, a := range batch {
		a.end(0, err)
	}
	return nil
}

func (a *appending) end(last eventstore.Position, err error) {
	a.last, a.err = last, err
	close(a.done)
}

// An answer is what the server says of a batch.
type answer struct {
	last    int64   // the position of the last record before
	lengths []int64 // of the streams, before
}

// commitAppends makes a transaction of its own: the server answers that it is ready
// only once what it did is durable.
const commitAppends = `SELECT pid, last, lengths FROM {store}.append_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// A turn is one record of a batch: append a's record i, counted from 0.
type turn struct{ a, i int }

// inTurn is the order of a batch whose appends come one after the other.
func inTurn(batch []*appending) (order []turn) {
	for n, a := range batch {
		for i := range a.records {
			order = append(order, turn{n, i})
		}
	}
	return order
}

// send has the server make appends, their records in an order, and returns once they
// are durable.
func (w *writer) send(batch []*appending, order []turn) (answer, error) {
	s := w.store
	delete(w.conn.PgConn().CustomData(), ofNotice)
	var pid int64
	var got answer
	row := w.conn.QueryRow(context.Background(), s.sql(commitAppends), arguments(batch, order, s.Seen().Position)...)
	err := row.Scan(&pid, &got.last, &got.lengths) // reads to the end of the transaction
	switch {
	case err != nil:
		return got, err
	case uint32(pid) != w.is.backend:
		return got, errShared
	case w.conn.PgConn().CustomData()[ofNotice] != nil:
		return got, errors.New("somebody has cancelled the wait for the synchronous standby")
	case len(got.lengths) != len(batch):
		return got, fmt.Errorf("the server tells %d lengths of %d streams", len(got.lengths), len(batch))
	}
	return got, nil
}

// arguments are those of append_v1.
func arguments(batch []*appending, order []turn, least eventstore.Position) []any {
	var (
		streams, stream, types []string
		of                     []int32
		part, parts            []int16
		expected               []int64
		ids                    []pgtype.UUID
		data                   [][]byte
		replicate              bool
	)
	for _, a := range batch {
		streams = append(streams, string(a.stream))
		replicate = replicate || a.doubt
	}
	for _, t := range order {
		a, r := batch[t.a], batch[t.a].records[t.i]
		of = append(of, int32(t.a+1))
		part, parts = append(part, int16(t.i+1)), append(parts, int16(len(a.records)))
		stream, expected = append(stream, string(a.stream)), append(expected, int64(a.expected))
		ids, types = append(ids, pgtype.UUID{Bytes: r.ID, Valid: true}), append(types, r.Type)
		data = append(data, append([]byte{}, r.Data...)) // no bytes are not NULL
	}
	return []any{streams, of, part, parts, stream, expected, ids, types, data, int64(least), replicate}
}

// tell tells each caller what became of its append. An error means that it is not
// known yet.
func (w *writer) tell(batch []*appending, got answer) error {
	at := got.last
	outcomes := make([]outcome, len(batch))
	for i, a := range batch {
		if length := eventstore.Revision(got.lengths[i]); length != a.expected {
			var err error
			if outcomes[i], err = w.lost(a, length); err != nil {
				return err
			}
			continue
		}
		at += int64(len(a.records))
		outcomes[i].last = eventstore.Position(at)
	}

	s := w.store
	for i, a := range batch {
		if outcomes[i].err == nil {
			s.see(outcomes[i].last, a.records[len(a.records)-1].ID)
		}
		a.end(outcomes[i].last, outcomes[i].err)
	}
	if at > got.last {
		s.wake()
		signal(s.notes)
	}
	return nil
}

type outcome struct {
	last eventstore.Position
	err  error
}

// lost looks at what stands where an append was to stand: the very same is no
// conflict.
func (w *writer) lost(a *appending, length eventstore.Revision) (outcome, error) {
	conflict := outcome{err: &eventstore.ConflictError{Stream: a.stream, Expected: a.expected, Actual: length}}
	if length < a.expected+eventstore.Revision(len(a.records)) {
		return conflict, nil
	}
	rows, err := w.conn.Query(context.Background(), w.store.sql(whatStands), string(a.stream), int64(a.expected), len(a.records))
	if err != nil {
		return outcome{}, err
	}
	defer rows.Close()

	n, last := 0, eventstore.Position(0)
	for ; rows.Next(); n++ {
		var part, parts int
		var r eventstore.Record
		if err := rows.Scan(&last, &part, &parts, (*[16]byte)(&r.ID), &r.Type, &r.Data); err != nil {
			return outcome{}, err
		}
		mine := a.records[n]
		same := r.ID == mine.ID && r.Type == mine.Type && string(r.Data) == string(mine.Data)
		if !same || part != n+1 || parts != len(a.records) {
			return conflict, nil
		}
	}
	if err := rows.Err(); err != nil {
		return outcome{}, err
	}
	if n != len(a.records) {
		return outcome{}, w.store.broken("stream %s has %d records and cannot be read behind %d",
			a.stream, length, a.expected)
	}
	return outcome{last: last}, nil
}

const whatStands = `SELECT position, part, parts, id, type, data FROM {store}.records_v1
	WHERE stream = $1 AND revision > $2 ORDER BY revision LIMIT $3`

// failed makes of an error what it means, and returns the appends that have to be
// sent again.
func (w *writer) failed(batch []*appending, err error) []*appending {
	s := w.store
	means := meaningOf(err)
	s.queue.failed(batch, err, means == unknown)
	if w.conn.IsClosed() || means == unknown || means == elsewhere {
		w.drop()
	}
	switch means {
	case fault:
		if f, is := errors.AsType[*FaultError](err); is {
			return end(batch, f)
		}
		return end(batch, s.broken("%w", err))
	case full:
		return s.giveUp(batch, fmt.Errorf("%w: %w", eventstore.ErrFull, err))
	case never:
		if len(batch) == 1 {
			return s.giveUp(batch, err)
		}
		// One of them is the cause: each is sent by itself.
		for _, a := range batch {
			if !w.settle([]*appending{a}) {
				return nil
			}
		}
		return nil
	case denied:
		w.drop() // the next connection finds out which right is missing
		return s.giveUp(batch, err)
	case unknown, elsewhere, later:
	}
	return batch
}
