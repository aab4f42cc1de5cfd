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

// A Count is how many people's rows have a status.
type Count struct {
	Purpose policy.PurposeID
	Status  domain.Status
	People  int64
}

// Tests returns how many of an app's people are none but tests, whom counts
// and lists leave out, and the position that the answer is as of.
func (v *View) Tests(ctx context.Context, app ident.AppName) (n int64, asOf eventstore.Position, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Row("SELECT count(*) FROM people WHERE app = ? AND test <> 0", []any{string(app)}, &n)
	})
	return n, asOf, err
}

// Counts returns how many people of an app stand where with each purpose at the
// moment at, by purpose and status, tests left out, and the position that the
// counts are as of. A consent that ran out or grew stale since the person's last fact
// counts as what it came to.
func (v *View) Counts(
	ctx context.Context, app ident.AppName, at deadline.Instant,
) ([]Count, eventstore.Position, error) {
	people := map[Count]int64{} // of nobody
	asOf, err := v.each(ctx, app, at, func(id policy.PurposeID, st domain.Standing, n int64, policies domain.Policies) {
		people[Count{Purpose: id, Status: st.By(at, id, policies)}] += n
	})
	return sorted(people), asOf, err
}

// A Change asks whose consents hold by what binds at one moment and grow stale by
// what binds at another.
type Change struct {
	Policies      domain.Policies  // with the versions that are asked about
	At            deadline.Instant // what ran out by then covers nothing
	Before, After deadline.Instant
}

// Touched returns how many people of an app have such a consent, by purpose, and the
// position that the answer is as of. Purposes of nobody are left out. By which policy
// a consent is makes no difference: what is found is what binds for it. It reads as
// [View.Counts] does.
func (v *View) Touched(
	ctx context.Context, app ident.AppName, c Change,
) (map[policy.PurposeID]int64, eventstore.Position, error) {
	people := map[policy.PurposeID]int64{}
	asOf, err := v.each(ctx, app, c.At, func(id policy.PurposeID, st domain.Standing, n int64, _ domain.Policies) {
		if st.By(c.Before, id, c.Policies) == domain.Given && st.By(c.After, id, c.Policies) == domain.Stale {
			people[id] += n
		}
	})
	return people, asOf, err
}

// each tells how many people of an app stand somewhere with a purpose, by their facts
// and what was published by then. Until is zero, or 1 if their consent ran out by the
// moment at: then it holds by nothing. It may tell one standing several times.
//
// It reads the counts, and how many people are past their end: these are taken out of
// what they were counted under.
func (v *View) each(ctx context.Context, app ident.AppName, at deadline.Instant,
	tell func(policy.PurposeID, domain.Standing, int64, domain.Policies)) (asOf eventstore.Position, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return tx.Each(`WITH over AS MATERIALIZED (
				SELECT purpose, status, terms, sum(people) AS people FROM ends
				WHERE app = ? AND (whole = 1 AND at < ? OR whole = 0 AND at >= ? AND at <= ?) GROUP BY 1, 2, 3
			)
			SELECT c.purpose, c.status, t.policy, t.version, t.alone, t.rules, c.people - coalesce(o.people, 0), coalesce(o.people, 0)
			FROM counts c CROSS JOIN terms t ON t.number = c.terms LEFT JOIN over o ON o.purpose = c.purpose AND o.status = c.status AND o.terms = c.terms
			WHERE c.app = ?`, []any{string(app), int64(dayOf(at)), int64(dayOf(at)), int64(at), string(app)}, func(scan func(...any) error) error {
			var id policy.PurposeID
			var st domain.Standing
			var status, version string
			var lasting, over int64
			if err := scan(&id, &status, &st.Policy, &version, &st.Alone, &st.Rules, &lasting, &over); err != nil {
				return err
			}
			if err := read(&st, status, version); err != nil {
				return err
			}
			if lasting > 0 {
				tell(id, st, lasting, policies)
			}
			if st.Until = 1; over > 0 {
				tell(id, st, over, policies)
			}
			return nil
		})
	})
	return asOf, err
}

// A VoidedCount is how many answers of a kind were mistakes.
type VoidedCount struct {
	Status  domain.Status // given, refused or withdrawn
	Answers int64
}

// Voided returns how many answers of an app's people were voided, alone or with
// their build, tests left out, and the position that the counts are as of.
func (v *View) Voided(
	ctx context.Context, app ident.AppName,
) (counts []VoidedCount, asOf eventstore.Position, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT status, answers FROM voided_answers WHERE app = ? ORDER BY status", []any{string(app)},
			func(scan func(...any) error) error {
				var status string
				var c VoidedCount
				err := scan(&status, &c.Answers)
				if err == nil {
					c.Status, err = domain.ParseStatus(status)
				}
				counts = append(counts, c)
				return err
			})
	})
	return counts, asOf, err
}

// read reads a status, and the version that was agreed to, if one was.
func read(st *domain.Standing, status, version string) (err error) {
	if st.Status, err = domain.ParseStatus(status); err == nil && version != "" {
		st.Version, err = content.ParseHash(version)
	}
	return err
}
