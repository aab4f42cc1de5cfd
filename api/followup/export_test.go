package followup

import (
	"context"
	"fmt"
	"slices"

	"consentledger/eventstore"
)

// Memory is all that a Reactor remembers, and what it will do later, in words.
type Memory struct {
	At     eventstore.Position
	Shares []string
	Later  []string
}

// Recalled returns what a Reactor that starts remembers before it follows the log.
func (r *Reactor) Recalled(ctx context.Context) (Memory, error) {
	if err := r.resume(ctx); err != nil {
		return Memory{}, err
	}
	return r.memory(), nil
}

// Reads returns what it remembers once it has read the log up to a position, and
// has done nothing.
func (r *Reactor) Reads(ctx context.Context, until eventstore.Position) (Memory, error) {
	r.forgetAll()
	for entries, err := range r.Ledger.Follow(ctx, 0) {
		if err != nil {
			return Memory{}, err
		}
		for _, e := range entries {
			if err := r.learn(ctx, e); err != nil {
				return Memory{}, err
			}
			if r.at = (mark{e.Position, e.ID}); e.Position == until {
				return r.memory(), nil
			}
		}
	}
	return Memory{}, ctx.Err()
}

func (r *Reactor) memory() Memory {
	m := Memory{At: r.at.position}
	for s := range r.shares {
		for _, o := range s.open {
			m.Shares = append(m.Shares, fmt.Sprintf("%+v", *o))
		}
		s.open = nil
		m.Shares = append(m.Shares, fmt.Sprintf("%+v", s))
	}
	for _, e := range r.waiting.heap {
		if e.due > 0 {
			m.Later = append(m.Later, fmt.Sprint(e.due, " ", e.key))
		}
	}
	slices.Sort(m.Later)
	return m
}

// Rows of checkpoints.
const (
	HeadRow   = headRow
	ShareRows = shareRows
)
