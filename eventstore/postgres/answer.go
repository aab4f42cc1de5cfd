package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// A meaning is what an error means for the statement that it answers.
type meaning int

const (
	unknown   meaning = iota // it may have been carried out, now or later
	later                    // it was not carried out, and may be if it is made again
	elsewhere                // it was not carried out, and another server has to be looked for
	full                     // it was not carried out, for the disk is full
	denied                   // it was not carried out: this user may not
	never                    // it was not carried out, and never will be
	fault                    // history was changed
)

// meaningOf returns what an error means. Only what a server says at the end of a
// statement that it gave up is certain: then its transaction is rolled back, and
// the connection goes on. What ends the connection may come after the commit.
func meaningOf(err error) meaning {
	if _, is := errors.AsType[*FaultError](err); is {
		return fault
	}

	e, is := errors.AsType[*pgconn.PgError](err)
	if !is && pgconn.SafeToRetry(err) {
		return elsewhere
	}
	if !is || severity(e) != "ERROR" {
		return unknown
	}

	switch e.Code {
	case "CL001", "42P01", "3F000": // the records end too early, a table or the schema is not there
		return fault
	case "25006": // read-only
		return elsewhere
	case "53100":
		return full
	case "42501":
		return denied
	}

	switch e.Code[:min(2, len(e.Code))] {
	case "40", "53", "55", "57", "58", "23": // 23: somebody appends who does not take turns
		return later
	}
	return never
}

// severity is what the server calls an error in English, whatever its language.
func severity(e *pgconn.PgError) string {
	if e.SeverityUnlocalized != "" {
		return e.SeverityUnlocalized
	}
	return e.Severity
}

// code is the SQLSTATE of an error, empty if it has none.
func code(err error) string {
	if e, is := errors.AsType[*pgconn.PgError](err); is {
		return e.Code
	}
	return ""
}

// IsFinal reports whether waiting does not help against an error of a server: somebody
// has to do something, as to name another password or to grant a right.
func IsFinal(err error) bool { return isFinal(err) }

// isFinal reports whether waiting does not help.
func isFinal(err error) bool {
	if errors.Is(err, ErrClosed) {
		return true
	}
	if _, is := errors.AsType[*FaultError](err); is {
		return true
	}
	if r, is := errors.AsType[*refusal](err); is {
		return r.final
	}

	switch code(err) {
	case "28000", "28P01", "3D000": // user, password, database
		return true
	}

	means := meaningOf(err)
	return means == denied || means == never
}

// timely is the error of a call that ended with its context: why, and what kept it
// waiting.
func timely(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	return errors.Join(ctx.Err(), err)
}
