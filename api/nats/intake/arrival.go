package intake

import "consentledger/domain/deadline"

// Arrivals are the moments at which messages came that say no time, see [wire.CameAt]. What
// one person says twice within a millisecond keeps its order: the second is from a moment
// after the first. The zero arrivals are ready; one goroutine uses them.
type arrivals struct {
	last   map[uint64]deadline.Instant // by person, of those who said something at newest or after it
	newest deadline.Instant            // when the last message came
}

// next returns the moment of a message of a person; zero if that is not over yet, so that
// it counts from its recording. The server may have another clock than the ledger.
func (a *arrivals) next(person uint64, came, now deadline.Instant) deadline.Instant {
	if came > a.newest {
		a.newest = came
		for who, at := range a.last {
			if at < came {
				delete(a.last, who)
			}
		}
	}

	at := came
	if last, said := a.last[person]; said && last >= at {
		at = last + 1
	}
	if a.last == nil {
		a.last = map[uint64]deadline.Instant{}
	}

	a.last[person] = min(at, now)
	if at > now {
		return 0
	}
	return at
}
