package deadline

import (
	"sync"
	"time"

	"consentledger/domain/internal/form"
)

// A Zone is a place's time, by its name in the IANA database. Zones of one
// name are equal. The zero Zone is UTC.
type Zone struct{ loc *time.Location }

// zones holds every Zone that was asked for, so that its rules are read once.
var zones sync.Map

// ParseZone returns the zone of a name, as in "Asia/Shanghai". The machine's
// own zone, which has no name elsewhere, is none.
func ParseZone(name string) (Zone, error) {
	if z, ok := zones.Load(name); ok {
		return z.(Zone), nil
	}

	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || loc == time.Local {
		return Zone{}, form.Error(`a time zone is a name of the IANA database, as in "Asia/Shanghai"`)
	}

	z, _ := zones.LoadOrStore(name, Zone{loc})
	return z.(Zone), nil
}

// String returns the name that [ParseZone] reads.
func (z Zone) String() string { return z.location().String() }

func (z Zone) location() *time.Location {
	if z.loc == nil {
		return time.UTC
	}
	return z.loc
}

// Date returns the local date at an instant.
func (z Zone) Date(i Instant) Date { return z.dateOf(i.Time()) }

func (z Zone) dateOf(t time.Time) Date { return NewDate(t.In(z.location()).Date()) }

// Local returns an instant with the zone's offset at that instant, in RFC 3339.
func (z Zone) Local(i Instant) string {
	return i.Time().In(z.location()).Format(time.RFC3339Nano)
}

// Midnight returns when d begins: the instant from which on it is never again
// an earlier date. Where clocks are put forward at midnight that is the moment
// of the change; where they are put back over midnight, the later of two.
func (z Zone) Midnight(d Date) Instant {
	year, month, day := d.Split()
	guess := time.Date(year, month, day, 0, 0, 0, 0, z.location())
	start, end := guess.ZoneBounds()
	candidates := []time.Time{guess, start, end}

	// Around a change of the clocks, midnight may be so by the offset before or after it.
	for _, side := range []time.Time{guess, start.Add(-1), end} {
		_, offset := side.In(z.location()).Zone()
		candidates = append(candidates, time.Date(year, month, day, 0, 0, -offset, 0, time.UTC))
	}

	var begins time.Time
	for _, t := range candidates {
		if t.After(begins) && z.dateOf(t) >= d && z.dateOf(t.Add(-1)) < d {
			begins = t
		}
	}

	return At(begins)
}

// End returns the first instant after d: what was done on d was done before
// it (Civil Code 203: a day ends at 24:00).
func (z Zone) End(d Date) Instant { return z.Midnight(d + 1) }
