package consents

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// Rows returns the rows of an app as they stand at a moment, in the order of people's
// arrival and of purposes.
func (v *View) Rows(ctx context.Context, app ident.AppName, at deadline.Instant) (rows []Row, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		policies := v.references.at(app, position).Policies
		return eachRow(tx, "TRUE", nil, app, Cursor{}, -1, func(r Row, _ int64) {
			r.Status = r.By(at, r.Purpose, policies)
			rows = append(rows, r)
		})
	})
	return rows, err
}

// Asked returns since when the newest version binds that people were asked about with each purpose of
// which they have a row, tests as well.
func (v *View) Asked(ctx context.Context, app ident.AppName) (all map[[2]string]deadline.Instant, err error) {
	all = map[[2]string]deadline.Instant{}
	err = v.view(ctx, func(tx *readmodel.Tx, _ eventstore.Position) error {
		return tx.Each("SELECT p.person, s.purpose, s.asked FROM standings s JOIN people p ON p.number = s.number "+
			"WHERE p.app = ?", []any{string(app)}, func(scan func(...any) error) error {
			var k [2]string
			var asked deadline.Instant
			err := scan(&k[0], &k[1], &asked)
			all[k] = asked
			return err
		})
	})
	return all, err
}

// AskedAbout is what a record asks about, by what was published before it.
func (v *View) AskedAbout(e *codec.Entry) map[policy.PurposeID]deadline.Instant {
	return askedAbout(e, v.references.at(e.Stream.App, e.Position).Policies)
}

// SetMemory bounds the people kept in memory.
func (v *View) SetMemory(bytes int) { v.people.Each = bytes / 2 }

// Kept returns how many people are in memory, how many of them with their fold, and
// what they take as the bound counts it.
func (v *View) Kept() (people, folds, bytes int) {
	v.people.DeleteFunc(func(_ key, p *person) bool {
		people, bytes = people+1, bytes+p.weight
		if p.folded {
			folds++
		}
		return false
	})
	return people, folds, bytes
}

// ProgressOfEach is [View.Progress] at a moment by all that is known, found by going over everybody.
func (v *View) ProgressOfEach(
	ctx context.Context, app ident.AppName, version content.Hash, since, at deadline.Instant,
) (map[policy.PurposeID]Progress, error) {
	all := map[policy.PurposeID]Progress{}
	err := v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		policies := v.references.at(app, position).Policies
		return tx.Each(`SELECT s.purpose, s.status, s.since, s.until, s.asked, t.policy, t.version, t.alone, t.rules
			FROM standings s CROSS JOIN people p ON p.number = s.number CROSS JOIN terms t ON t.number = s.terms
			WHERE p.app = ? AND p.test = 0`,
			[]any{string(app)}, func(scan func(...any) error) error {
				var id policy.PurposeID
				var st domain.Standing
				var status, of string
				var asked deadline.Instant
				err := scan(&id, &status, &st.Since, &st.Until, &asked, &st.Policy, &of, &st.Alone, &st.Rules)
				if err != nil {
					return err
				}
				if err := read(&st, status, of); err != nil {
					return err
				}
				all[id] = all[id].with(st.By(at, id, policies), st.Version == version, st.Since >= since,
					asked != 0 && asked >= since, 1)
				return nil
			})
	})
	return all, err
}
