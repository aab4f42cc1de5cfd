package requests

import (
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// CountStates counts what all apps owe at a moment, by state, without what is owed to
// tests. It is counted in memory, for whoever asks again and again.
func (v *View) CountStates(ctx ctx, at deadline.Instant) (counts map[State]int64, err error) {
	counts = map[State]int64{}
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if err := v.catchUp(tx, position); err != nil {
			return err
		}
		v.index.mu.RLock()
		defer v.index.mu.RUnlock()
		for _, w := range v.index.apps {
			for i := range w.rows {
				if o := &w.rows[i]; o.to == forever && !o.test && o.opened <= at {
					counts[o.at(at)]++
				}
			}
		}
		return nil
	})
	return counts, err
}
