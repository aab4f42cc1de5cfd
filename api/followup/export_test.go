package followup

import (
	"context"
	"fmt"
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// Memory is all that a Process remembers, and what it will do later, in words.
type Memory struct {
	At     eventstore.Position
	Shares []string
	Later  []string
}

// Recalled returns what a Process that starts remembers before it follows the log.
func (r *Process) Recalled(ctx context.Context) (Memory, error) {
	if err := r.resume(ctx); err != nil {
		return Memory{}, err
	}
	return r.memory(ctx)
}

// Reads returns what it remembers once it has read the log up to a position, and
// has done nothing.
func (r *Process) Reads(ctx context.Context, until eventstore.Position) (Memory, error) {
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
				return r.memory(ctx)
			}
		}
	}
	return Memory{}, ctx.Err()
}

func (r *Process) memory(ctx context.Context) (Memory, error) {
	m := Memory{At: r.at.position}
	if err := r.shelve(ctx); err != nil {
		return Memory{}, err
	}
	for s, err := range r.openShares(ctx) {
		if err != nil {
			return Memory{}, err
		}
		for _, row := range s.open {
			b, _, err := bundles.Read([]byte(row))
			if err != nil {
				return Memory{}, err
			}
			for _, o := range b.open {
				m.Shares = append(m.Shares, fmt.Sprintf("%+v", *o))
			}
		}
	}
	for s := range r.shares {
		m.Shares = append(m.Shares, fmt.Sprintf("%+v", s))
	}
	for row, err := range r.shelf.rows.Scan(ctx, []byte(timeRows)) {
		if err != nil {
			return Memory{}, err
		}
		m.Later = append(m.Later, fmt.Sprintf("%q", row))
	}
	for _, e := range r.waiting.heap {
		if e.due > 0 {
			m.Later = append(m.Later, fmt.Sprint(e.due, " ", e.key))
		}
	}
	slices.Sort(m.Later)
	return m, nil
}

// Rows of checkpoints.
const (
	HeadRow       = headRow
	ShareRows     = shareRows
	OpenShareRows = openShareRows
	ShelfRow      = shelfRow
	OpenRows      = openRows
)

// Many is how many follow-ups are taken out at once.
const Many = many

// AtHand returns how many streams r has at hand, of those in which something is open.
func (r *Process) AtHand() (n int) {
	for _, a := range r.apps {
		n += len(a.streams) + len(a.places)
	}
	return n + r.waiting.Len()
}

// TimeKey returns the key under which it stands what is to be said at a time.
func TimeKey(at deadline.Instant, late bool) []byte {
	return timeKey(warning{stream: ident.ObligationStream("demo", "x"), id: "reply", late: late}, at)
}
