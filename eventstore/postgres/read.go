package postgres

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"consentledger/eventstore"
)

// pageLength is how many records are read by one statement.
const pageLength = eventstore.MaxBatch

const columns = `SELECT position, revision, id, stream, type, data FROM {store}.records_v1 `

// records are those that a statement selects, which begins with columns.
func (s *Store) records(ctx context.Context, where string, arguments ...any) (page []eventstore.Recorded, err error) {
	err = s.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		page, err = s.pick(ctx, c.Conn(), where, arguments...)
		return err
	})
	return page, err
}

func (s *Store) pick(ctx context.Context, c *pgx.Conn, where string, arguments ...any) ([]eventstore.Recorded, error) {
	return page(c.Query(ctx, s.sql(columns+where), arguments...))
}

// page reads the rows of a statement that begins with columns.
func page(rows pgx.Rows, err error) (page []eventstore.Recorded, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r eventstore.Recorded
		if err := rows.Scan(&r.Position, &r.Revision, (*[16]byte)(&r.ID), &r.Stream, &r.Type, &r.Data); err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// ReadStream implements [eventstore.Store].
func (s *Store) ReadStream(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return pages(ctx, func() ([]eventstore.Recorded, error) {
		if !isText(string(stream)) {
			return nil, ctx.Err() // no append takes it
		}
		page, err := s.records(ctx, "WHERE stream = $1 AND revision > $2 ORDER BY revision LIMIT $3",
			string(stream), int64(min(after, maxRevision)), pageLength)
		for _, r := range page {
			if after++; r.Revision != after {
				return nil, s.broken("record %d of stream %s is not there any more", after, stream)
			}
		}
		return page, err
	})
}

// ReadAll implements [eventstore.Store].
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return pages(ctx, func() ([]eventstore.Recorded, error) {
		page, err := s.records(ctx, behind, int64(min(after, maxRevision)), pageLength)
		if err == nil {
			after, err = s.follows(after, page)
		}
		return page, err
	})
}

// behind selects the records after a position.
const behind = "WHERE position > $1 ORDER BY position LIMIT $2"

// follows returns the last position of a page that was read behind one, and an
// error if there is a gap: positions have none.
func (s *Store) follows(after eventstore.Position, page []eventstore.Recorded) (eventstore.Position, error) {
	for _, r := range page {
		if after++; r.Position != after {
			return after, s.broken("the record at position %d is not there any more", after)
		}
	}
	return after, nil
}

// pages yields the records of one page after the other, until one is not full.
func pages(ctx context.Context, next func() ([]eventstore.Recorded, error)) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for {
			page, err := next()
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, r := range page {
				if err := ctx.Err(); err != nil {
					yield(eventstore.Recorded{}, err)
					return
				}
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < pageLength {
				return
			}
		}
	}
}

// ReadAt implements [eventstore.Store].
func (s *Store) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for len(positions) > 0 {
			n := min(len(positions), pageLength)
			wanted := make([]int64, n)
			for i, p := range positions[:n] {
				wanted[i] = int64(min(p, maxRevision))
			}
			positions = positions[n:]
			page, err := s.records(ctx, "WHERE position = ANY ($1) ORDER BY position", wanted)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Head implements [eventstore.Store].
func (s *Store) Head(ctx context.Context) (head eventstore.Position, err error) {
	err = s.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, s.sql("SELECT coalesce(max(position), 0) FROM {store}.records_v1")).Scan(&head)
	})
	return head, err
}
