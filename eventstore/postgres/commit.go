package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"consentledger/eventstore"
)

// commit has the server make appends, and tells each caller what became of its own.
// An error means that it is not known yet.
func (s *Store) commit(w *writer[*appending], batch []*appending) error {
	got, err := s.send(w, batch, inOrder(batch))
	if err != nil {
		return err
	}
	return s.tell(w, batch, got)
}

// An answer is what the server says of a batch.
type answer struct {
	last    int64   // the position of the last record before
	lengths []int64 // of the streams, before
}

// commitAppends makes a transaction of its own: the server answers that it is ready
// only once what it did is durable.
const commitAppends = `SELECT pid, last, lengths FROM {store}.append_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// A spot is one record of a batch: of append a the record i, counted from 0.
type spot struct{ a, i int }

// inOrder is the order of a batch whose appends come one after the other.
func inOrder(batch []*appending) (order []spot) {
	for n, a := range batch {
		for i := range a.records {
			order = append(order, spot{n, i})
		}
	}
	return order
}

// send has the server make appends, their records in an order, and returns once they
// are durable.
func (s *Store) send(w *writer[*appending], batch []*appending, order []spot) (answer, error) {
	var pid int64
	var got answer
	row := w.conn.QueryRow(context.Background(), s.sql(commitAppends), arguments(batch, order, s.Seen().Position)...)
	err := row.Scan(&pid, &got.last, &got.lengths) // reads to the end of the transaction
	if err == nil {
		err = w.certain(uint32(pid))
	}
	switch {
	case err != nil:
		return got, err
	case len(got.lengths) != len(batch):
		return got, fmt.Errorf("the server tells %d lengths of %d streams", len(got.lengths), len(batch))
	}
	return got, nil
}

// arguments are those of append_v1.
func arguments(batch []*appending, order []spot, least eventstore.Position) []any {
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
func (s *Store) tell(w *writer[*appending], batch []*appending, got answer) error {
	at := got.last
	outcomes := make([]outcome, len(batch))
	for i, a := range batch {
		if length := eventstore.Revision(got.lengths[i]); length != a.expected {
			var err error
			if outcomes[i], err = s.lost(w, a, length); err != nil {
				return err
			}
			continue
		}
		at += int64(len(a.records))
		outcomes[i].last = eventstore.Position(at)
	}

	for i, a := range batch {
		if outcomes[i].err == nil {
			s.see(outcomes[i].last, a.records[len(a.records)-1].ID)
		}
		a.last = outcomes[i].last
		a.end(outcomes[i].err)
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
func (s *Store) lost(w *writer[*appending], a *appending, length eventstore.Revision) (outcome, error) {
	conflict := outcome{err: &eventstore.ConflictError{Stream: a.stream, Expected: a.expected, Actual: length}}
	if length < a.expected+eventstore.Revision(len(a.records)) {
		return conflict, nil
	}
	rows, err := w.conn.Query(context.Background(), s.sql(whatStands), string(a.stream), int64(a.expected),
		len(a.records))
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
		return outcome{}, s.broken("stream %s has %d records and cannot be read behind %d",
			a.stream, length, a.expected)
	}
	return outcome{last: last}, nil
}

const whatStands = `SELECT position, part, parts, id, type, data FROM {store}.records_v1
	WHERE stream = $1 AND revision > $2 ORDER BY revision LIMIT $3`
