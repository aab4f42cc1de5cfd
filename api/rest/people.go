package rest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/projections/consents"
)

// errCursor is what a cursor gets that no page gave.
var errCursor = bad("a cursor is next of the page before, as it stands there")

// beginPeople reads where a page of people begins and how many it has at most, and waits until
// the answer can hold the position that was asked for.
func beginPeople[C any](
	ctx context.Context, s *server, cursor, limit, position string, read func(string) (C, error),
) (after C, most int, err error) {
	if after, err = read(cursor); err != nil {
		return after, 0, err
	}
	if most, err = peopleLimit(limit); err != nil {
		return after, 0, err
	}
	return after, most, s.wait(ctx, position)
}

// peopleLimit reads how many people a page is to have at most.
func peopleLimit(text string) (int, error) {
	if text == "" {
		return 100, nil
	}
	return count(text, maxRows)
}

// peopleCursor is what a page of people says is next.
func peopleCursor(last consents.Cursor) string {
	return fmt.Sprintf("%d-%s", last.Number, last.Purpose)
}

// readPeopleCursor reads what a page says is next: a number and a purpose.
func readPeopleCursor(text string) (consents.Cursor, error) {
	if text == "" {
		return consents.Cursor{}, nil
	}
	number, purpose, cut := strings.Cut(text, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if !cut || err != nil || n < 1 {
		return consents.Cursor{}, errCursor
	}
	return consents.Cursor{Number: n, Purpose: policy.PurposeID(purpose)}, nil
}

// minorCursor is what a page of minors says is next.
func minorCursor(last consents.MinorCursor) string {
	return fmt.Sprintf("%d-%d", last.Next, last.Number)
}

// readMinorCursor reads what a page of minors says is next: a moment and a number.
func readMinorCursor(text string) (consents.MinorCursor, error) {
	if text == "" {
		return consents.MinorCursor{}, nil
	}
	next, number, cut := strings.Cut(text, "-")
	at, err1 := strconv.ParseInt(next, 10, 64)
	n, err2 := strconv.ParseInt(number, 10, 64)
	if !cut || err1 != nil || err2 != nil || n < 1 {
		return consents.MinorCursor{}, errCursor
	}
	return consents.MinorCursor{Next: deadline.Instant(at), Number: n}, nil
}
