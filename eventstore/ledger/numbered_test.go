package ledger_test

import (
	"context"
	"iter"
	"sort"
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

// numbered returns a store whose positions are 1, 2, 3 and so on, for tests that
// tell by a position how many records come before it: s itself if it is such a
// one, else one over s.
func numbered(s eventstore.Store) eventstore.Store {
	if _, is := s.(*memory.Store); is {
		return s
	}
	return &numbers{Store: s}
}

type numbers struct {
	eventstore.Store
	mu sync.Mutex
	at []eventstore.Position // where record n+1 is
}

// learn reads what came since the last time.
func (n *numbers) learn(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := eventstore.Position(0)
	if len(n.at) > 0 {
		last = n.at[len(n.at)-1]
	}
	for r, err := range n.Store.ReadAll(ctx, last) {
		if err != nil {
			return err
		}
		n.at = append(n.at, r.Position)
	}
	return nil
}

// number returns the number of a position, behind which there are records that it
// may not know yet.
func (n *numbers) number(ctx context.Context, at eventstore.Position) (eventstore.Position, error) {
	find := func() (eventstore.Position, bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		i := sort.Search(len(n.at), func(i int) bool { return n.at[i] >= at })
		return eventstore.Position(i) + 1, i < len(n.at)
	}
	number, ok := find()
	if !ok {
		if err := n.learn(ctx); err != nil {
			return 0, err
		}
		number, _ = find()
	}
	return number, nil
}

func (n *numbers) real(number eventstore.Position) eventstore.Position {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number == 0 || len(n.at) == 0 {
		return 0
	}
	return n.at[min(int(number), len(n.at))-1]
}

func (n *numbers) Append(ctx context.Context, s eventstore.Stream, expected eventstore.Revision, r ...eventstore.Record) (eventstore.Position, error) {
	at, err := n.Store.Append(ctx, s, expected, r...)
	if err != nil {
		return 0, err
	}
	return n.number(ctx, at)
}

func (n *numbers) Head(ctx context.Context) (eventstore.Position, error) {
	at, err := n.Store.Head(ctx)
	if err != nil || at == 0 {
		return 0, err
	}
	return n.number(ctx, at)
}

func (n *numbers) each(ctx context.Context, records iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range records {
			if err == nil {
				r.Position, err = n.number(ctx, r.Position)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (n *numbers) ReadStream(ctx context.Context, s eventstore.Stream, after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return n.each(ctx, n.Store.ReadStream(ctx, s, after))
}

func (n *numbers) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return n.each(ctx, n.Store.ReadAll(ctx, n.real(after)))
}

func (n *numbers) ReadAt(ctx context.Context, numbers ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	var at []eventstore.Position
	for _, number := range numbers {
		at = append(at, n.real(number))
	}
	return n.each(ctx, n.Store.ReadAt(ctx, at...))
}

func (n *numbers) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for batch, err := range n.Store.Follow(ctx, n.real(after)) {
			list := append([]eventstore.Recorded(nil), batch...)
			for i := range list {
				if err == nil {
					list[i].Position, err = n.number(ctx, list[i].Position)
				}
			}
			if !yield(list, err) {
				return
			}
		}
	}
}
