package consents

import (
	"context"
	"strings"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// A When is the moment at which people are counted, and what is known of them.
type When struct {
	at   deadline.Instant
	past bool // it is the end of a day, and what was recorded later is not known
}

// Now counts by all that is known, and by the clock of whoever asks.
func Now(at deadline.Instant) When { return When{at: at} }

// EndOf counts at the last moment of a UTC day, by what was known then.
func EndOf(day deadline.Instant) When { return When{at: endOf(day), past: true} }

// endOf returns the last moment of a UTC day.
func endOf(day deadline.Instant) deadline.Instant { return dayOf(day).Add(deadline.Day) - 1 }

// A share is those of a group whose consents hold still, or those whose consents ran out.
type share struct {
	purpose policy.PurposeID
	domain.Standing
	bound, asked deadline.Instant
	signal       policy.ActID
	people       int64
}

// each tells how many people of an app are in each group, by what was published up to the
// position asOf. Until is zero, or 1 if their consent ran out: then it holds by nothing.
func (v *View) each(
	ctx context.Context, app ident.AppName, when When, tell func(share, domain.Policies),
) (asOf eventstore.Position, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		query, args := when.groups(app)
		return tx.Each(query, args, func(scan func(...any) error) error {
			var s share
			var status, version string
			var people, over int64
			err := scan(&s.purpose, &status, &s.Policy, &version, &s.Alone, &s.Rules, &s.bound, &s.asked, &s.signal,
				&people, &over)
			if err != nil {
				return err
			}
			if err := read(&s.Standing, status, version); err != nil {
				return err
			}

			if s.people = people - over; s.people != 0 {
				tell(s, policies)
			}
			if s.people, s.Until = over, 1; s.people != 0 {
				tell(s, policies)
			}
			return nil
		})
	})
	return asOf, err
}

// ofGroups reads how many people are in each group, and how many of them are past their end: it adds
// up rows of several queries. SQLite finds rows by a range of one period, and not by one or another.
func ofGroups(rows ...string) string {
	return `SELECT g.purpose, g.status, t.policy, t.version, t.alone, t.rules, g.bound, g.asked, g.signal, g.people, g.past
		FROM (
			SELECT purpose, status, terms, bound, asked, signal, sum(people) AS people, sum(past) AS past
			FROM (` + strings.Join(rows, " UNION ALL ") + `) r
			GROUP BY purpose, status, terms, bound, asked, signal
		) g CROSS JOIN terms t ON t.number = g.terms`
}

const (
	inCounts = "SELECT purpose, status, terms, bound, asked, signal, people, 0 AS past FROM counts WHERE app = ?"
	inEnds   = "SELECT purpose, status, terms, bound, asked, signal, 0, people FROM ends WHERE app = ?"
	inMoves  = "SELECT purpose, status, terms, bound, asked, signal, CASE WHEN over = 0 THEN people ELSE 0 END " +
		"AS people, CASE WHEN over = 0 THEN 0 ELSE people END AS past FROM moves WHERE app = ?"
)

var (
	// groupsNow reads all who are in a group, and who of them is past their end.
	groupsNow = ofGroups(inCounts,
		inEnds+" AND period = 'month' AND at < ?",
		inEnds+" AND period = 'day' AND at >= ? AND at < ?",
		inEnds+" AND period = 'moment' AND at >= ? AND at <= ?")

	// groupsOn reads who moved until the end of a day.
	groupsOn = ofGroups(
		inMoves+" AND period = 'month' AND at < ?",
		inMoves+" AND period = 'day' AND at >= ? AND at <= ?")
)

// groups returns the query of the groups of an app, and its arguments.
func (w When) groups(app ident.AppName) (query string, args []any) {
	name, month, day := string(app), int64(monthOf(w.at)), int64(dayOf(w.at))
	if w.past {
		return groupsOn, []any{name, month, name, month, day}
	}
	return groupsNow, []any{name, name, month, name, month, day, name, day, int64(w.at)}
}
