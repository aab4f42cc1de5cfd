package eventstore

import (
	"context"
	"iter"
)

// A Joint store and some rows lie in one database, which makes a change of the
// rows and an append together.
type Joint interface {
	Store

	// Beside reports whether rows are those that AppendWith changes.
	Beside(rows Rows) bool

	// AppendWith is Append and, by the same write, [Rows.Write]: a crash leaves
	// both or neither. It looks at the conditions of c first, and returns an
	// error that wraps [ErrCondition] if one does not hold; after that and after
	// a [*ConflictError] neither was made.
	AppendWith(ctx context.Context, c Change, stream Stream, expected Revision, records ...Record) (Position, error)

	// ReadBehind returns at which position the record at revision after stands, which
	// need not be read for it, and what ReadStream yields after it. Zero: the stream has
	// no such record.
	ReadBehind(ctx context.Context, stream Stream, after Revision) (Position, iter.Seq2[Recorded, error], error)
}

// An AppendWith makes a change of rows and appends records. It never leaves the
// records without the change. See [Appending].
type AppendWith func(ctx context.Context, c Change, stream Stream, expected Revision,
	records ...Record) (Position, error)

// Appending returns how a change of rows and an append to store are made: as
// [Joint] says if the store is one beside the rows. Else the change comes first, and
// survives a crash before the append begins, as all that was changed before does: a
// record may need it. An append that fails leaves it behind.
func Appending(store Store, rows Rows) AppendWith {
	if j, ok := store.(Joint); ok && j.Beside(rows) {
		return j.AppendWith
	}

	return func(ctx context.Context, c Change, stream Stream, expected Revision, records ...Record) (Position, error) {
		if err := CheckBounds(stream, records); err != nil {
			return 0, err
		}
		if !c.empty() {
			if err := rows.Write(ctx, c); err != nil {
				return 0, err
			}
		}
		if err := rows.Sync(ctx); err != nil {
			return 0, err
		}
		return store.Append(ctx, stream, expected, records...)
	}
}

// empty reports whether c asks for nothing and does nothing.
func (c Change) empty() bool {
	return len(c.Present)+len(c.Absent)+len(c.Put)+len(c.Delete) == 0
}
