package eventstore

import (
	"context"
	"iter"
)

// Moved returns a store whose positions all lie behind before: those of the records
// in a store that the ledger was in until it moved to this one. So what somebody
// remembers of the old store is never taken for a place in the new one. Zero: store
// itself. Only positions differ.
func Moved(store Store, before Position) Store {
	if before == 0 {
		return store
	}
	return moved{store, before}
}

// Before returns the position up to which positions are of a store that the ledger was
// in before: no record of this one has them. Zero: there was none, or its positions are
// those of this one.
func Before(store Store) Position {
	if m, is := store.(interface{ Before() Position }); is {
		return m.Before()
	}
	return 0
}

type moved struct {
	Store
	before Position
}

// Before is what [Before] returns.
func (m moved) Before() Position { return m.before }

// own returns where the store itself reads on behind a position.
func (m moved) own(at Position) Position { return max(at, m.before) - m.before }

// shown returns a position of the store itself as others see it.
func (m moved) shown(at Position) Position {
	if at == 0 {
		return 0
	}
	return at + m.before
}

func (m moved) all(records iter.Seq2[Recorded, error]) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		for r, err := range records {
			r.Position = m.shown(r.Position)
			if !yield(r, err) {
				return
			}
		}
	}
}

// Append implements [Store].
func (m moved) Append(ctx context.Context, stream Stream, expected Revision, records ...Record) (Position, error) {
	at, err := m.Store.Append(ctx, stream, expected, records...)
	return m.shown(at), err
}

// Import implements [Importer].
func (m moved) Import(ctx context.Context, records ...Recorded) (Position, error) {
	at, err := Import(ctx, m.Store, records...)
	return m.shown(at), err
}

// ReadStream implements [Store].
func (m moved) ReadStream(ctx context.Context, stream Stream, after Revision) iter.Seq2[Recorded, error] {
	return m.all(m.Store.ReadStream(ctx, stream, after))
}

// ReadFresh implements [Fresh].
func (m moved) ReadFresh(ctx context.Context, stream Stream, after Revision) iter.Seq2[Recorded, error] {
	return m.all(ReadFresh(ctx, m.Store, stream, after))
}

// ReadAll implements [Store].
func (m moved) ReadAll(ctx context.Context, after Position) iter.Seq2[Recorded, error] {
	return m.all(m.Store.ReadAll(ctx, m.own(after)))
}

// ReadAt implements [Store].
func (m moved) ReadAt(ctx context.Context, positions ...Position) iter.Seq2[Recorded, error] {
	own := make([]Position, 0, len(positions))
	for _, at := range positions {
		if at > m.before {
			own = append(own, at-m.before)
		}
	}
	return m.all(m.Store.ReadAt(ctx, own...))
}

// Follow implements [Store].
func (m moved) Follow(ctx context.Context, after Position) iter.Seq2[[]Recorded, error] {
	return func(yield func([]Recorded, error) bool) {
		for batch, err := range m.Store.Follow(ctx, m.own(after)) {
			shown := make([]Recorded, len(batch)) // others have the batch, too
			for i, r := range batch {
				r.Position = m.shown(r.Position)
				shown[i] = r
			}
			if !yield(shown, err) {
				return
			}
		}
	}
}

// Head implements [Store].
func (m moved) Head(ctx context.Context) (Position, error) {
	at, err := m.Store.Head(ctx)
	return m.shown(at), err
}

// CatchUp implements [Catching].
func (m moved) CatchUp(ctx context.Context, after Position) (Position, []Recorded, error) {
	head, news, err := CatchUp(ctx, m.Store, m.own(after))
	shown := make([]Recorded, len(news)) // others have them, too
	for i, r := range news {
		r.Position = m.shown(r.Position)
		shown[i] = r
	}
	return m.shown(head), shown, err
}

// ReadBehind implements [Joint]. It is called where rows lie beside the store.
func (m moved) ReadBehind(
	ctx context.Context, stream Stream, after Revision,
) (Position, iter.Seq2[Recorded, error], error) {
	at, rest, err := m.Store.(Joint).ReadBehind(ctx, stream, after)
	if at == 0 || err != nil {
		return 0, rest, err
	}
	return m.shown(at), m.all(rest), nil
}

// Beside implements [Joint].
func (m moved) Beside(rows Rows) bool {
	j, joint := m.Store.(Joint)
	return joint && j.Beside(rows)
}

// AppendWith implements [Joint]. It is called where rows lie beside the store.
func (m moved) AppendWith(
	ctx context.Context, c Change, stream Stream, expected Revision, records ...Record,
) (Position, error) {
	at, err := m.Store.(Joint).AppendWith(ctx, c, stream, expected, records...)
	return m.shown(at), err
}
