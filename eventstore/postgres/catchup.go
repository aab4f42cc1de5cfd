package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"consentledger/eventstore"
)

var _ eventstore.Catching = (*Store)(nil)

// A caught is what the server said to whoever catches up.
type caught struct {
	head eventstore.Position
	news []eventstore.Recorded
	err  error
}

// CatchUp implements [eventstore.Catching]. Whether it is the primary and what is new
// are asked by one message, where a [Store.Barrier], a [Store.Head] and a page take
// three, and who follows is not told of the page before a notification is through.
func (s *Store) CatchUp(
	ctx context.Context, after eventstore.Position,
) (eventstore.Position, []eventstore.Recorded, error) {
	if after > maxRevision {
		return 0, nil, s.broken("it is read from position %d, and has never had as many", after)
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	for tries := 0; ; tries++ {
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
		if err := s.Fault(); err != nil {
			return 0, nil, err
		}

		// Who gives up leaves the question to its end: that finds out, as of a barrier,
		// whether the server sleeps.
		answer := make(chan caught, 1)
		if !s.spawn(func() { answer <- s.catchUp(after) }) {
			return 0, nil, ErrClosed
		}
		var got caught
		select {
		case got = <-answer:
		case <-ctx.Done():
			return 0, nil, fmt.Errorf("postgres: no primary has said what is new: %w", ctx.Err())
		case <-s.life.Done():
			return 0, nil, ErrClosed
		}
		if got.err == nil {
			got.err = s.Fault()
		}
		if got.err == nil || isFinal(got.err) {
			return got.head, got.news, got.err
		}
		if !pause(ctx, tries) {
			return 0, nil, fmt.Errorf("postgres: no primary has said what is new: %w", timely(ctx, got.err))
		}
	}
}

// catchUp asks the server once.
func (s *Store) catchUp(after eventstore.Position) (got caught) {
	got.err = s.askOnce(func(ctx context.Context, c *pgxpool.Conn) (err error) {
		got.news = nil
		both := &pgx.Batch{}
		both.Queue(primary)
		both.Queue(s.sql(columns+behind), int64(after), pageLength)
		answers := c.SendBatch(ctx, both)
		err = s.isUsed(c, answers.QueryRow())
		if err == nil {
			got.news, err = page(answers.Query())
		}
		if closing := answers.Close(); err == nil {
			err = closing
		}
		return err
	})
	if means := meaningOf(got.err); got.err != nil && means == fault && !isFinal(got.err) {
		got.err = s.broken("%w", got.err)
	}
	if got.err != nil {
		return got
	}

	if got.head, got.err = s.follows(after, got.news); got.err != nil || len(got.news) == 0 {
		return got
	}
	last := got.news[len(got.news)-1]
	s.see(last.Position, last.ID)
	s.keep(got.news)
	s.wake()
	if len(got.news) == pageLength { // there may be more
		got.head, got.err = s.Head(s.life)
	}
	return got
}

// keep keeps records that were read before who follows has read them.
func (s *Store) keep(news []eventstore.Recorded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.recent)
	if n > 0 && n+len(news) <= pageLength && s.recent[n-1].Position+1 == news[0].Position {
		s.recent = append(s.recent, news...)
		return
	}
	s.recent = append([]eventstore.Recorded(nil), news...)
}

// kept returns the records that come after a position, as far as they are kept; none
// if the first of them is not.
func (s *Store) kept(after eventstore.Position) []eventstore.Recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.recent)
	if n == 0 || after+1 < s.recent[0].Position || after >= s.recent[n-1].Position {
		return nil
	}
	return s.recent[after+1-s.recent[0].Position : n : n]
}
