package postgres

import (
	"context"
	"errors"
	"fmt"

	"consentledger/eventstore"
)

var _ eventstore.Importer = (*Store)(nil)

// Import implements [eventstore.Importer]. What goes into one transaction is there
// as a whole or not at all.
func (s *Store) Import(ctx context.Context, records ...eventstore.Recorded) (last eventstore.Position, err error) {
	runs, err := eventstore.Runs(records)
	if err != nil {
		return 0, err
	}
	for _, r := range runs {
		if err := checkText(r.Stream, r.Records); err != nil {
			return 0, err
		}
	}

	w := &writer[*appending]{server: &s.server}
	defer w.drop()
	for len(records) > 0 {
		n := oneTransaction(records)
		if last, err = s.settleImport(ctx, w, records[:n]); err != nil {
			return 0, err
		}
		records = records[n:]
	}
	return last, nil
}

// oneTransaction returns how many of the first records go into one transaction.
func oneTransaction(records []eventstore.Recorded) int {
	bytes := 0
	for i, r := range records {
		bytes += len(r.Data) + len(r.Type) + len(r.Stream) + 64
		if i > 0 && (i == batchRecords || bytes > batchBytes) {
			return i
		}
	}
	return len(records)
}

// perStream returns an append for each stream, and the order in which the records of
// all of them stand.
func perStream(records []eventstore.Recorded) (batch []*appending, order []spot, err error) {
	known := map[eventstore.Stream]int{}
	for _, r := range records {
		n, is := known[r.Stream]
		if !is {
			n = len(batch)
			known[r.Stream] = n
			batch = append(batch, &appending{stream: r.Stream, expected: r.Revision - 1})
		}
		a := batch[n]
		if length := a.expected + eventstore.Revision(len(a.records)); length != r.Revision-1 {
			return nil, nil, &eventstore.ConflictError{Stream: r.Stream, Expected: r.Revision - 1, Actual: length}
		}
		order = append(order, spot{n, len(a.records)})
		a.records = append(a.records, r.Record)
	}
	return batch, order, nil
}

// settleImport sends one transaction until its outcome is known, or ctx is done.
func (s *Store) settleImport(
	ctx context.Context, w *writer[*appending], records []eventstore.Recorded,
) (eventstore.Position, error) {
	batch, order, err := perStream(records)
	if err != nil {
		return 0, err
	}
	ctx, cancel := patient(ctx)
	defer cancel()

	for tries := 0; ; tries++ {
		if err := s.Fault(); err != nil {
			return 0, err
		}
		last, err := s.importOnce(w, batch, order)
		if err == nil {
			s.see(last, records[len(records)-1].ID)
			s.wake()
			signal(s.notes)
			return last, nil
		}
		if _, conflict := errors.AsType[*eventstore.ConflictError](err); conflict {
			return 0, err
		}
		switch means := meaningOf(err); {
		case means == fault:
			return 0, s.broken("%w", err)
		case means == full:
			return 0, fmt.Errorf("%w: %w", eventstore.ErrFull, err)
		case isFinal(err):
			return 0, fmt.Errorf("postgres: import: %w", err)
		case means == unknown:
			for _, a := range batch {
				a.doubt = true
			}
		}
		w.drop()
		if !pause(ctx, tries) {
			return 0, fmt.Errorf("postgres: import: %w", timely(ctx, err))
		}
	}
}

// importOnce makes one transaction, or finds that it was made. It returns the position
// of the last record.
func (s *Store) importOnce(w *writer[*appending], batch []*appending, order []spot) (eventstore.Position, error) {
	if err := w.connect(); err != nil {
		return 0, err
	}
	over := w.watch()
	defer over()
	delete(w.conn.PgConn().CustomData(), ofNotice)

	// The server makes those appends that fit: here it is all of them or none.
	got, err := s.lengths(w, batch)
	if err != nil {
		return 0, err
	}
	if last, there, err := s.imported(w, batch, got); there || err != nil {
		return last, err
	}
	if got, err = s.send(w, batch, order); err != nil {
		return 0, err
	}
	last, there, err := s.imported(w, batch, got)
	if !there && err == nil {
		last = eventstore.Position(got.last) + eventstore.Position(len(order))
	}
	return last, err
}

const howLong = `SELECT array_agg(coalesce((SELECT max(r.revision) FROM {store}.records_v1 r WHERE r.stream = s.name), 0) ORDER BY s.n)
	FROM unnest($1::text[]) WITH ORDINALITY s(name, n)`

// lengths asks how long the streams of appends are.
func (s *Store) lengths(w *writer[*appending], batch []*appending) (got answer, err error) {
	var names []string
	for _, a := range batch {
		names = append(names, string(a.stream))
	}
	err = w.conn.QueryRow(context.Background(), s.sql(howLong), names).Scan(&got.lengths)
	if err == nil && len(got.lengths) != len(batch) {
		err = fmt.Errorf("the server tells %d lengths of %d streams", len(got.lengths), len(batch))
	}
	return got, err
}

// imported reports whether all appends had been made before, and the position of their
// last record. That some were, or others in their place, is an error.
func (s *Store) imported(
	w *writer[*appending], batch []*appending, got answer,
) (last eventstore.Position, there bool, err error) {
	n := 0
	for i, a := range batch {
		length := eventstore.Revision(got.lengths[i])
		if length == a.expected {
			continue
		}
		n++
		o, err := s.lost(w, a, length)
		if err == nil {
			err = o.err
		}
		if err != nil {
			return 0, false, err
		}
		last = max(last, o.last)
	}

	if n > 0 && n < len(batch) {
		return 0, false, errSomebodyElse
	}
	return last, n > 0, nil
}

var errSomebodyElse = refuse("some of the records to import are there, and others not: somebody else writes into " +
	"this store")
