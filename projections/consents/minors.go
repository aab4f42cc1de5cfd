package consents

import (
	"context"
	"fmt"
	"math"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// A Minor is a person who is no adult, by the newest record of their age that was no mistake.
type Minor struct {
	Person    string // the pseudonym
	Band      domain.AgeBand
	Basis     string           // how it is known
	Since     deadline.Instant // when it was so, as the record says
	Next      deadline.Instant // when they are of the next age, at the latest: a birth date is opened for nobody
	Guardians int              // who were verified, and are guardians still
	Consents  int              // purposes for which a guardian's consent stands
}

// A MinorCursor is the last minor of a page. The zero MinorCursor is before the first.
type MinorCursor struct {
	Next   deadline.Instant
	Number int64 // of the person, in the order of arrival
}

// A BandCount is how many minors are of an age.
type BandCount struct {
	Band   domain.AgeBand
	People int64
}

// lasts is how many years somebody is of an age at most: a child may be of any age in theirs.
func lasts(band domain.AgeBand) int {
	switch band {
	case domain.ChildUnder14:
		return 14
	case domain.Aged14:
		return 1
	case domain.Aged15To17:
		return 3
	case domain.AgeUnknown, domain.Adult:
	}
	return 0
}

// ofMinors reports whether an event may change whether its person is a minor, who their guardians
// are, or whether they are counted at all.
func ofMinors(event domain.Event) bool {
	switch event.(type) {
	case domain.AgeRecorded, domain.GuardianVerified, domain.GuardianEnded, domain.RecordVoided:
		return true
	}
	return false
}

// age notes that an entry may change whether a person is a minor. Whoever has a row is looked at
// with every entry: any may end their history.
func (b *batch) age(p *person, e *codec.Entry) error {
	if _, is := e.Event.(domain.ErasureOrdered); is {
		if err := b.forget(p); err != nil {
			return err
		}
	}
	if !p.minor && !ofMinors(e.Event) {
		return nil
	}
	if !p.growing {
		p.growing, b.young = true, append(b.young, p)
	}

	x, is := e.Event.(domain.AgeRecorded)
	if !is || !x.Band.Minor() {
		return nil
	}
	_, err := b.tx.Exec("INSERT INTO ages VALUES (?, ?, ?)", e.ID[:], x.Basis, int64(e.At))
	return err
}

// settleMinors finds who is a minor of those of whom that is not settled.
func (b *batch) settleMinors() error {
	for _, p := range b.young {
		s, err := b.fold(p)
		if err != nil {
			return err
		}
		if err := b.settleMinor(p, &s); err != nil {
			return err
		}
		p.growing = false
	}

	clear(b.young)
	b.young = b.young[:0]
	return nil
}

// settleMinor writes or removes the row of a person. What counts is the newest record whatever its
// time, so that the row does not depend on where a batch ends.
func (b *batch) settleMinor(p *person, s *domain.Subject) error {
	band, because := s.Band(math.MaxInt64)
	if !band.Minor() || s.IsTest() || s.Ended() != 0 || s.Ordered() != (ident.EventID{}) {
		return b.grown(p)
	}

	var basis string
	var at deadline.Instant
	if err := b.tx.Row("SELECT basis, at FROM ages WHERE event = ?", []any{because[:]}, &basis, &at); err != nil {
		return fmt.Errorf("the record of age %s: %w", because, err)
	}
	guardians := map[domain.GuardianRef]bool{}
	for _, g := range s.Guardians() {
		if g.Voided == 0 && g.Until == 0 {
			guardians[g.Guardian] = true
		}
	}

	if !p.minor {
		p.minor, p.written = true, false
	}
	now := []any{string(p.app), band.String(), basis, int64(at), int64(nextAge(band, at)), int64(len(guardians))}
	if _, err := b.tx.Exec("INSERT INTO minors VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET "+
		"band = excluded.band, basis = excluded.basis, since = excluded.since, next = excluded.next, "+
		"guardians = excluded.guardians",
		slices.Concat([]any{p.number}, now)...); err != nil {
		return err
	}
	return minorSpans.set(b.tx, b.day, []any{p.number}, now)
}

// grown removes the row of a person who has one.
func (b *batch) grown(p *person) error {
	if !p.minor {
		return nil
	}
	p.minor, p.written = false, false
	if _, err := b.tx.Exec("DELETE FROM minors WHERE number = ?", p.number); err != nil {
		return err
	}
	return minorSpans.set(b.tx, b.day, []any{p.number}, nil)
}

// nextAge returns when somebody is of the next age at the latest, who was of a band at a moment.
func nextAge(band domain.AgeBand, at deadline.Instant) deadline.Instant {
	return deadline.Instant(at.Time().AddDate(lasts(band), 0, 0).UnixMilli())
}

// Bands returns how many minors of an app are of each age, and the position that the answer is as
// of. Ages of nobody are left out. Erased is how many minors of a day that is past were erased since:
// they are not counted.
func (v *View) Bands(
	ctx context.Context, app ident.AppName, when When,
) (counts []BandCount, erased int64, asOf eventstore.Position, err error) {
	if when.past {
		return v.bandsOn(ctx, app, dayOf(when.at))
	}
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT band, count(*) FROM minors WHERE app = ? GROUP BY band ORDER BY band",
			[]any{string(app)},
			func(scan func(...any) error) error {
				var band string
				var c BandCount
				err := scan(&band, &c.People)
				if err == nil {
					c.Band, err = domain.ParseAgeBand(band)
				}
				counts = append(counts, c)
				return err
			})
	})
	return counts, 0, asOf, err
}

// Minors returns a page of the minors of an app, whoever is of the next age soonest first; what of
// their guardians' consents stands then; the cursor after the last of them; and the position that
// the answer is as of. A page shorter than limit is the last. On a day that is past whoever was erased
// since is left out.
func (v *View) Minors(
	ctx context.Context, app ident.AppName, when When, after MinorCursor, limit int,
) (list []Minor, last MinorCursor, asOf eventstore.Position, err error) {
	if when.past {
		return v.minorsOn(ctx, app, dayOf(when.at), after, limit)
	}

	last = after
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		numbers, err := eachMinor(tx, `FROM minors m CROSS JOIN people p ON p.number = m.number
			WHERE m.app = ? AND (m.next, m.number) > (?, ?)`, []any{string(app)}, &list, &last, limit)
		if err != nil {
			return err
		}

		policies := v.references.at(app, position).Policies
		for i, number := range numbers {
			err := eachRow(tx, "s.number = ? AND s.guardian <> 0", []any{number}, app, Cursor{}, -1,
				func(r Row, _ int64) {
					if r.By(when.at, r.Purpose, policies) == domain.Given {
						list[i].Consents++
					}
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, last, asOf, err
}

// eachMinor reads a page of minors, where from says which they are and with what it takes beside the
// cursor, and returns their numbers.
func eachMinor(
	tx *readmodel.Tx, from string, with []any, list *[]Minor, last *MinorCursor, limit int,
) (numbers []int64, err error) {
	err = tx.Each("SELECT m.number, p.person, m.band, m.basis, m.since, m.next, m.guardians "+from+
		" ORDER BY m.next, m.number LIMIT ?", slices.Concat(with, []any{int64(last.Next), last.Number, int64(limit)}),
		func(scan func(...any) error) error {
			var m Minor
			var band string
			if err := scan(&last.Number, &m.Person, &band, &m.Basis, &m.Since, &last.Next, &m.Guardians); err != nil {
				return err
			}
			var err error
			m.Band, err = domain.ParseAgeBand(band)
			m.Next = last.Next
			*list, numbers = append(*list, m), append(numbers, last.Number)
			return err
		})
	return numbers, err
}
