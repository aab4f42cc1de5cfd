package requests

import (
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// CountStates counts what all apps owe at a moment, by state, without what is owed to
// tests. It reads little more than groups, for whoever asks again and again.
func (v *View) CountStates(ctx ctx, at deadline.Instant) (counts map[State]int64, err error) {
	counts = map[State]int64{}
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if err := v.catchUp(tx, position); err != nil {
			return err
		}
		groups, err := v.groups.at(tx, position, v.classes.all())
		if err != nil {
			return err
		}

		for _, g := range groups.groups {
			state, same := g.at(at)
			opened := g.opened.within(least, int64(at))
			switch {
			case g.test || opened == none:
			case same && opened == all:
				counts[state] += g.n
			default:
				err := v.scan(tx, g, func(o *row) {
					if o.opened <= at {
						counts[o.at(at)]++
					}
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return counts, err
}
