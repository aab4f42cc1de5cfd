package activity

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// An answered is a row of the table answers.
type answered struct {
	app  ident.AppName
	day  int64 // since 1970
	sort int64
}

// writeAnswers adds what the batch counted to the answers of each day.
func (b *batch) writeAnswers() error {
	rows := map[answered]count{}
	for c, n := range b.counts {
		if c.answer == "" || n == 0 {
			continue
		}
		sort, err := b.number(c.class)
		if err != nil {
			return err
		}
		k, d := answered{c.app, c.day, sort}, count{events: n}
		if c.voided {
			d.voided = n
		}
		rows[k] = count{rows[k].events + d.events, rows[k].voided + d.voided}
	}

	for _, k := range slices.SortedFunc(maps.Keys(rows), func(x, y answered) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.day, y.day), cmp.Compare(x.sort, y.sort))
	}) {
		d := rows[k]
		if d == (count{}) {
			continue
		}
		key := []any{string(k.app), dayText(k.day), k.sort}
		if _, err := b.tx.Exec("INSERT INTO answers VALUES (?, ?, ?, ?, ?) ON CONFLICT (app, day, sort) DO UPDATE SET "+
			"events = answers.events + excluded.events, voided = answers.voided + excluded.voided",
			append(key, d.events, d.voided)...); err != nil {
			return err
		}
		if d.events > 0 {
			continue // else it may count nothing any more
		}
		if _, err := b.tx.Exec("DELETE FROM answers WHERE app = ? AND day = ? AND sort = ? AND events = 0",
			key...); err != nil {
			return err
		}
	}
	return nil
}

// dayText writes a day since 1970, as in 2006-01-02.
func dayText(day int64) string {
	return deadline.Instant(day * int64(deadline.Day)).String()[:len("2006-01-02")]
}

// A Shown is an answer, and what was shown to whoever gave it, as far as that is known.
type Shown struct {
	Answer   Answer
	Purposes []policy.PurposeID // that it names; none: it is about every purpose
	Version  content.Hash       // of the policy
	Surface  content.Hash
	Locale   string
	Build    string
}

// Answers calls add with how many answers that hold an app has of a kind and day, from one day to
// another, both included, in the order of days. Answers that were voided, and those of tests, do not
// hold. Of what was shown it asks place first, once each: add gets what place returned, and what place
// does not want is left out. It returns the position that all this is as of.
func (v *View) Answers(ctx context.Context, app ident.AppName, from, until string,
	place func(Shown) (at int, wanted bool), add func(day string, at int, answers int64),
) (asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		places := map[int64]int{}
		if err := eachShown(tx, app, func(number int64, s Shown) {
			if at, wanted := place(s); wanted {
				places[number] = at
			}
		}); err != nil {
			return err
		}

		return tx.Each("SELECT day, sort, events - voided FROM answers WHERE app = ? AND day BETWEEN ? AND ? "+
			"ORDER BY day, sort", []any{string(app), from, until}, func(scan func(...any) error) error {
			var day string
			var sort, n int64
			if err := scan(&day, &sort, &n); err != nil {
				return err
			}
			if at, wanted := places[sort]; wanted && n > 0 {
				add(day, at, n)
			}
			return nil
		})
	})
	return asOf, err
}

// eachShown calls f for everything that answers of an app have in common.
func eachShown(tx *readmodel.Tx, app ident.AppName, f func(number int64, s Shown)) error {
	return tx.Each("SELECT s.number, "+classColumns+" FROM sorts s WHERE s.app = ? AND s.answer <> '' ORDER BY 1",
		[]any{string(app)}, func(scan func(...any) error) error {
			var number int64
			var c class
			if err := c.scan(scan, &number); err != nil {
				return err
			}
			s := Shown{Answer: c.answer, Version: c.version, Surface: c.surface, Locale: c.locale, Build: c.build}
			if c.purposes != "" {
				for id := range strings.SplitSeq(c.purposes, ",") {
					s.Purposes = append(s.Purposes, policy.PurposeID(id))
				}
			}
			f(number, s)
			return nil
		})
}
