package activity

import (
	"cmp"
	"context"
	"errors"
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
	app   ident.AppName
	part  Part
	span  Span
	first int64 // a day since 1970
	sort  int64
}

// writeAnswers adds what the batch counted to the answers of each day and week.
func (b *batch) writeAnswers() error {
	rows := map[answered]int64{}
	for c, n := range b.counts {
		if c.answer == "" || c.voided || n == 0 {
			continue
		}
		sort, err := b.sortOf(c.class)
		if err != nil {
			return err
		}
		for _, p := range append(slices.Clip(sort.parts), partOf{Whole, sort.number}) {
			rows[answered{c.app, p.part, Days, c.day(), p.number}] += n
			rows[answered{c.app, p.part, Weeks, mondayOf(c.day()), p.number}] += n
		}
	}

	fewer := false
	for _, k := range slices.SortedFunc(maps.Keys(rows), func(x, y answered) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.part, y.part), cmp.Compare(x.span, y.span),
			cmp.Compare(x.first, y.first), cmp.Compare(x.sort, y.sort))
	}) {
		if n := rows[k]; n != 0 {
			b.answers.Add(string(k.app), string(k.part), string(k.span), dayText(k.first), k.sort, n)
			fewer = fewer || n < 0
		}
	}
	if err := b.answers.Write(b.tx); err != nil || !fewer {
		return err
	}

	// A row that counts nothing any more goes.
	for k, n := range rows {
		if n >= 0 {
			continue
		}
		if _, err := b.tx.Exec("DELETE FROM answers WHERE app = ? AND part = ? AND span = ? AND first = ? AND sort = ? "+
			"AND held = 0", string(k.app), string(k.part), string(k.span), dayText(k.first), k.sort); err != nil {
			return err
		}
	}
	return nil
}

// mondayOf returns the Monday of the week of a day since 1970, which began on a Thursday.
func mondayOf(day int64) int64 { return day - (day%7+10)%7 }

// hourText writes an hour since 1970, as in 2006-01-02T15.
func hourText(hour int64) string {
	return deadline.Instant(hour * int64(deadline.Hour)).String()[:len("2006-01-02T15")]
}

// dayText writes a day since 1970, as in 2006-01-02.
func dayText(day int64) string {
	return deadline.Instant(day * int64(deadline.Day)).String()[:len("2006-01-02")]
}

// A Shown is an answer, and what was shown to whoever gave it, as far as that is known and the [Part]
// that was asked for says it.
type Shown struct {
	Answer   Answer
	Purposes []policy.PurposeID // that it names; none: it is about every purpose
	Version  content.Hash       // of the policy
	Surface  content.Hash
	Locale   string
	Build    string // or OtherBuilds
}

// A Span is what answers are summed by in time.
type Span string

// The spans.
const (
	Days  Span = "day"
	Weeks Span = "week"
)

// A Stretch is days from one to another, both included, or weeks by their Mondays.
type Stretch struct {
	Span        Span
	First, Last string
}

// A Count asks for the answers of a part in stretches, which are in their order. Of what was shown,
// Place is asked first, once for each that occurs in a stretch, in the order in which it occurred first
// ever: Add gets what Place returned, and what it does not want is left out. Add is called in the order
// of days.
type Count struct {
	Part      Part
	Filter    Filter
	Stretches []Stretch
	Place     func(Shown) (at int, wanted bool)
	Add       func(first string, at int, answers int64)

	// TooMany is called in the place of [ErrTooMany], of a count without which the others have a meaning:
	// what Add got is not all of it then. Nil: there is no answer at all.
	TooMany func()
}

// A Filter leaves out, of the part Whole, what is not asked for, so that it is not read. What it lets
// through Place may still not want. Each zero member lets everything through.
type Filter struct {
	Purpose policy.PurposeID // answers that name it, or everything
	Version content.Hash
	Locale  string
	Build   string // answers that say it, or none, or that are of OtherBuilds
}

// sql returns the condition on the table sorts, which is s.
func (f Filter) sql() (condition string, args []any) {
	if f.Purpose != "" {
		condition += " AND (s.purposes = '' OR instr(',' || s.purposes || ',', ?) > 0)"
		args = append(args, ","+string(f.Purpose)+",")
	}
	if f.Version != (content.Hash{}) {
		condition, args = condition+" AND s.version = ?", append(args, hashText(f.Version))
	}
	if f.Locale != "" {
		condition, args = condition+" AND s.locale = ?", append(args, f.Locale)
	}
	if f.Build != "" {
		condition, args = condition+" AND s.build IN (?, '', '"+OtherBuilds+"')", append(args, f.Build)
	}
	return condition, args
}

// ErrTooMany says that more different answers occur in a stretch than one question reads. Those of a
// part other than Whole are fewer.
var ErrTooMany = errors.New("activity: the days that are asked for have too many different answers")

// What one question reads at most, of sorts and of rows: some 50 ms of CPU time each. Tests have fewer.
var (
	mostSorts = 10_000
	mostRows  = 20_000
)

// Answers counts how many answers that hold an app has, several counts as of one position, which it
// returns. Answers that were voided, and those of tests, do not hold.
func (v *View) Answers(ctx context.Context, app ident.AppName, counts ...Count) (asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		for _, c := range counts {
			err := c.read(tx, app)
			if errors.Is(err, ErrTooMany) && c.TooMany != nil {
				c.TooMany()
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return asOf, err
}

func (c Count) read(tx *readmodel.Tx, app ident.AppName) error {
	shown := map[int64]Shown{}
	for _, s := range c.Stretches {
		if err := c.eachShown(tx, s.of(app, c.Part), shown); err != nil {
			return err
		}
	}

	places := map[int64]int{}
	for _, number := range slices.Sorted(maps.Keys(shown)) {
		if at, wanted := c.Place(shown[number]); wanted {
			places[number] = at
		}
	}

	read := 0
	for _, s := range c.Stretches {
		if err := s.rows(tx, s.of(app, c.Part), places, func(first string, sort, n int64) error {
			if read++; read > mostRows {
				return ErrTooMany
			}
			if at, wanted := places[sort]; wanted && n > 0 {
				c.Add(first, at, n)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// inStretch are the rows of a stretch.
const inStretch = "app = ? AND part = ? AND span = ? AND first BETWEEN ? AND ?"

func (s Stretch) of(app ident.AppName, part Part) []any {
	return []any{string(app), string(part), string(s.Span), s.First, s.Last}
}

// eachShown adds what answers of a stretch have in common, by its number.
func (c Count) eachShown(tx *readmodel.Tx, args []any, shown map[int64]Shown) error {
	condition, more := c.Filter.sql()
	return tx.Each("SELECT s.number, "+classColumns+" FROM sorts s WHERE s.number IN (SELECT sort FROM answers WHERE "+
		inStretch+")"+condition, append(args, more...), func(scan func(...any) error) error {
		var number int64
		var one class
		if err := one.scan(scan, &number); err != nil {
			return err
		}
		s := Shown{Answer: one.answer, Version: one.version, Surface: one.surface, Locale: one.locale, Build: one.build}
		if one.purposes != "" {
			for id := range strings.SplitSeq(one.purposes, ",") {
				s.Purposes = append(s.Purposes, policy.PurposeID(id))
			}
		}
		if shown[number] = s; len(shown) > mostSorts {
			return ErrTooMany
		}
		return nil
	})
}

// fewSorts is up to how many sorts are named to the engine, so that it reads the others by itself.
const fewSorts = 256

// rows calls add for the rows of a stretch, in their order; for those of places alone where these are few.
func (s Stretch) rows(
	tx *readmodel.Tx, args []any, places map[int64]int, add func(first string, sort, n int64) error,
) error {
	if len(places) == 0 {
		return nil
	}
	query := "SELECT first, sort, held FROM answers WHERE " + inStretch
	if len(places) <= fewSorts {
		numbers := slices.Sorted(maps.Keys(places))

		// Statements are kept, so there is one for each power of two.
		for len(numbers)&(len(numbers)-1) != 0 {
			numbers = append(numbers, numbers[0])
		}
		query += " AND sort IN (?" + strings.Repeat(", ?", len(numbers)-1) + ")"
		for _, n := range numbers {
			args = append(args, n)
		}
	}
	return tx.Each(query+" ORDER BY first, sort", args, func(scan func(...any) error) error {
		var first string
		var sort, n int64
		if err := scan(&first, &sort, &n); err != nil {
			return err
		}
		return add(first, sort, n)
	})
}
