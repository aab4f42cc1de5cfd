package consents

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// Progress is where people stand with a purpose, seen from a version of a policy.
// Everybody who ever said anything about the purpose is in one of its members, beside Asked.
type Progress struct {
	Agreed        int64 // to the version
	Older         int64 // to an older version, and that still holds: what changed is nothing to them
	Waiting       int64 // to an older version that covers less: silent so far, or no to what was added alone
	Asked         int64 // of those waiting: about the version or a newer one, since they first spoke of the purpose
	Refused       int64 // or withdrew, since the version binds
	RefusedBefore int64 // or withdrew, before that
	Other         int64 // their consent ran out, or their words do not say enough
}

// Progress returns, by purpose, where the people of an app stand with a version that
// binds since a moment, tests left out, and the position that the answer is as of. It
// reads a row for each person and purpose: it is for a report, not for every event.
func (v *View) Progress(
	ctx context.Context, app ident.AppName, version content.Hash, since, at deadline.Instant,
) (map[policy.PurposeID]Progress, eventstore.Position, error) {
	all := map[policy.PurposeID]Progress{}
	var asOf eventstore.Position
	err := v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return tx.Each(`SELECT s.purpose, s.status, t.policy, t.version, t.alone, t.rules,
				CASE WHEN s.since >= ? THEN 1 ELSE 0 END, CASE WHEN s.asked <> 0 AND s.asked >= ? THEN 1 ELSE 0 END,
				CASE WHEN s.until <> 0 AND s.until <= ? THEN 1 ELSE 0 END, count(*)
			FROM standings s CROSS JOIN people p ON p.number = s.number CROSS JOIN terms t ON t.number = s.terms
			WHERE p.app = ? AND p.test = 0 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9`,
			[]any{int64(since), int64(since), int64(at), string(app)}, func(scan func(...any) error) error {
				var id policy.PurposeID
				var st domain.Standing
				var status, of string
				var after, asked, over, people int64
				if err := scan(&id, &status, &st.Policy, &of, &st.Alone, &st.Rules, &after, &asked,
					&over, &people); err != nil {
					return err
				}
				if err := read(&st, status, of); err != nil {
					return err
				}
				st.Until = deadline.Instant(over) // 1: it is over
				all[id] = all[id].with(st.By(at, id, policies), st.Version == version, after == 1,
					asked == 1, people)
				return nil
			})
	})
	return all, asOf, err
}

// with returns p with so many people more.
func (p Progress) with(status domain.Status, ofVersion, after, asked bool, people int64) Progress {
	switch status {
	case domain.Given:
		if ofVersion {
			p.Agreed += people
		} else {
			p.Older += people
		}
	case domain.Stale:
		p.Waiting += people
		if asked {
			p.Asked += people
		}
	case domain.Refused, domain.Withdrawn:
		if after {
			p.Refused += people
		} else {
			p.RefusedBefore += people
		}
	case domain.NeverAsked, domain.Expired, domain.AskAgain:
		p.Other += people
	}
	return p
}
