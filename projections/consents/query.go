package consents

import (
	"cmp"
	"context"
	"slices"

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

// Counts returns how many people of an app stand where with each purpose, by purpose
// and status, tests left out, and the position that the counts are as of. A consent that
// ran out or grew stale since the person's last fact counts as what it came to.
func (v *View) Counts(ctx context.Context, app ident.AppName, when When) ([]Count, eventstore.Position, error) {
	people := map[Count]int64{} // of nobody
	asOf, err := v.each(ctx, app, when, func(s share, policies domain.Policies) {
		people[Count{Purpose: s.purpose, Status: s.By(when.at, s.purpose, policies)}] += s.people
	})

	counts := make([]Count, 0, len(people))
	for c, n := range people {
		c.People = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, Count.compare)
	return counts, asOf, err
}

// compare orders counts by purpose and status.
func (c Count) compare(other Count) int {
	return cmp.Or(cmp.Compare(c.Purpose, other.Purpose), cmp.Compare(c.Status.String(), other.Status.String()))
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
// a consent is makes no difference: what is found is what binds for it.
func (v *View) Touched(
	ctx context.Context, app ident.AppName, c Change,
) (map[policy.PurposeID]int64, eventstore.Position, error) {
	people := map[policy.PurposeID]int64{}
	asOf, err := v.each(ctx, app, Now(c.At), func(s share, _ domain.Policies) {
		if s.By(c.Before, s.purpose, c.Policies) == domain.Given && s.By(c.After, s.purpose, c.Policies) == domain.Stale {
			people[s.purpose] += s.people
		}
	})
	return people, asOf, err
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
