package trail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
)

// atOnce is how many events one write removes at most.
const atOnce = 10_000

// bound returns how many events are kept at most, and how many are left where there were
// more: fewer, so that they are not counted again for every one that comes.
func (t *Trail) bound() (most, left int) {
	most = cmp.Or(t.most, Most)
	return most, most - most/10
}

// Tidy removes events whose time is over. Where there are too many it removes more, of what
// there is most of.
func (t *Trail) Tidy(ctx context.Context) error {
	if err := t.removeOld(ctx); err != nil {
		return err
	}
	return t.thin(ctx)
}

// removeOld removes events whose time is over.
func (t *Trail) removeOld(ctx context.Context) error {
	gone, err := t.Gone(ctx)
	if err != nil {
		return err
	}

	over := t.Now() - deadline.Instant((Days * 24 * time.Hour).Milliseconds())
	var c eventstore.Change
	for n, err := range t.After(ctx, gone) {
		if err != nil {
			return err
		}
		if n.At >= over || len(c.Delete) >= atOnce {
			break
		}
		c.Delete = append(c.Delete, keyOf(n.Number))
		gone = n.Number
	}
	if len(c.Delete) == 0 {
		return nil
	}

	// Another process may be at it: what it removed stays removed.
	c.Present = [][]byte{keyOf(gone)}
	c.Put = []eventstore.Row{numberRow(oldest, gone+1)}
	if err := t.Rows.Write(ctx, c); err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return fmt.Errorf("trail: %w", err)
	}
	return nil
}

// A share is what has one part of a full trail: events of one kind, about one principal,
// refused for one reason. Whoever brings many of them pushes out their own, and neither what
// others did nor what was tried by others.
type share struct {
	kind           Kind
	principal, why string
}

// thin removes events where there are more than [Most]: of the largest shares, until none is
// larger than another that lost some, and of each the oldest. Two processes that do so at
// once remove the same events.
func (t *Trail) thin(ctx context.Context) error {
	last, err := t.Newest(ctx)
	gone, err2 := t.Gone(ctx)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	t.tidying.Lock()
	defer t.tidying.Unlock()
	most, left := t.bound()
	if t.atMost(last, gone) <= most {
		return nil
	}

	shares, all := map[share][]uint64{}, 0
	for n, err := range t.After(ctx, gone) {
		if err != nil {
			return err
		}
		of := share{n.Kind, n.Principal, n.Why}
		shares[of] = append(shares[of], n.Number)
		all, last = all+1, n.Number
	}
	t.keptTo, t.keptThen = last, all
	if all <= most {
		return nil
	}

	// Nothing is asked of the rows: one that another process has removed already stays removed.
	for numbers := range slices.Chunk(tooMany(shares, left), atOnce) {
		var c eventstore.Change
		for _, n := range numbers {
			c.Delete = append(c.Delete, keyOf(n))
		}
		if err := t.Rows.Write(ctx, c); err != nil {
			return fmt.Errorf("trail: %w", err)
		}
		t.keptThen -= len(numbers)
	}
	return nil
}

// atMost returns how many events there may be, without reading them. The caller holds
// tidying.
func (t *Trail) atMost(last, gone uint64) int {
	if t.keptTo == 0 || t.keptTo > last { // never counted, or the rows were brought back from before
		return int(last - gone)
	}
	return t.keptThen + int(last-t.keptTo)
}

// tooMany returns which events to remove so that no more than most are left, the oldest
// first. The numbers of each share are in order.
func tooMany(shares map[share][]uint64, most int) (remove []uint64) {
	// The most that each may keep: what all keep by it grows with it.
	keeps := sort.Search(most+1, func(each int) bool {
		all := 0
		for _, numbers := range shares {
			all += min(len(numbers), each)
		}
		return all > most
	}) - 1

	for _, numbers := range shares {
		remove = append(remove, numbers[:max(0, len(numbers)-keeps)]...)
	}
	slices.SortFunc(remove, cmp.Compare)
	if keeps == 0 { // there are more shares than events may be: the newest events stay
		remove = remove[:len(remove)-most]
	}
	return remove
}
