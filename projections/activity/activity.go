// Package activity answers: how much happened, on which day, at which hour?
//
// A day is a UTC day of Recorded. Of a person who is a test nothing is counted,
// but how many there are: a mark takes out what was counted before it, and one
// that is voided puts it back.
package activity

import (
	"context"
	"fmt"

	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/generations"
	"consentledger/projections"
	"consentledger/projections/readmodel"
)

var _ projections.Projection = (*View)(nil)

// A row of days or totals is there as long as it counts something.
const schema = `
CREATE TABLE days (
	app TEXT NOT NULL, day TEXT NOT NULL, purpose TEXT NOT NULL, kind TEXT NOT NULL,
	events INTEGER NOT NULL, voided INTEGER NOT NULL,
	PRIMARY KEY (app, day, purpose, kind)
) WITHOUT ROWID;
CREATE TABLE totals (
	app TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL,
	events INTEGER NOT NULL, voided INTEGER NOT NULL,
	PRIMARY KEY (app, day, kind)
) WITHOUT ROWID;
-- totals by the hour
CREATE TABLE hours (
	app TEXT NOT NULL, hour TEXT NOT NULL, kind TEXT NOT NULL,
	events INTEGER NOT NULL, voided INTEGER NOT NULL,
	PRIMARY KEY (app, hour, kind)
) WITHOUT ROWID;
-- whose events are counted, numbered as they come; last: the newest of theirs
CREATE TABLE people (
	number INTEGER PRIMARY KEY, app TEXT NOT NULL, person TEXT NOT NULL,
	UNIQUE (app, person)
);
CREATE TABLE newest (number INTEGER PRIMARY KEY, last INTEGER NOT NULL);
-- what events have in common, numbered as they come; purposes have commas between; answer and what follows it: of answers
-- alone; part: how much of it the row says, see Part
CREATE TABLE sorts (
	number INTEGER PRIMARY KEY, app TEXT NOT NULL, part TEXT NOT NULL, kind TEXT NOT NULL, purposes TEXT NOT NULL, build TEXT NOT NULL,
	answer TEXT NOT NULL, version TEXT NOT NULL, surface TEXT NOT NULL, locale TEXT NOT NULL,
	UNIQUE (app, part, kind, purposes, build, answer, version, surface, locale)
);
-- under which sorts an answer is counted besides its own
CREATE TABLE counted_as (
	sort INTEGER NOT NULL, part INTEGER NOT NULL,
	PRIMARY KEY (sort, part)
) WITHOUT ROWID;
-- how many answers of a sort hold, of a day, and of a week, which is called by its Monday
CREATE TABLE answers (
	app TEXT NOT NULL, part TEXT NOT NULL, span TEXT NOT NULL, first TEXT NOT NULL, sort INTEGER NOT NULL,
	held INTEGER NOT NULL,
	PRIMARY KEY (app, part, span, first, sort)
) WITHOUT ROWID;
-- the builds that are kept by their names on a day, and where the others' answers lie
CREATE TABLE named (
	app TEXT NOT NULL, day TEXT NOT NULL, build TEXT NOT NULL,
	PRIMARY KEY (app, day, build)
) WITHOUT ROWID;
CREATE TABLE unnamed (
	app TEXT NOT NULL, build TEXT NOT NULL, position INTEGER NOT NULL,
	PRIMARY KEY (app, build, position)
) WITHOUT ROWID;
-- what was recorded about persons; previous: the same person's event before it; built: the sort again if it has a build
CREATE TABLE events (
	position INTEGER PRIMARY KEY, previous INTEGER NOT NULL, person INTEGER NOT NULL, sort INTEGER NOT NULL, built INTEGER,
	event BLOB NOT NULL, recorded INTEGER NOT NULL, voided INTEGER NOT NULL
);
CREATE INDEX events_built ON events (built, recorded) WHERE built IS NOT NULL;
-- where the records of a type lie in the log: those that say what is owed since under obligation.opened, too, and accesses
-- under their kind as well
CREATE TABLE types (
	number INTEGER PRIMARY KEY, app TEXT NOT NULL, type TEXT NOT NULL,
	UNIQUE (app, type)
);
CREATE TABLE places (
	type INTEGER NOT NULL, position INTEGER NOT NULL,
	PRIMARY KEY (type, position)
) WITHOUT ROWID;
-- whose requests and obligations they are
CREATE TABLE owners (
	stream TEXT NOT NULL PRIMARY KEY, person INTEGER NOT NULL
) WITHOUT ROWID;
-- who is none but a test, and by which events
CREATE TABLE tests (
	person INTEGER NOT NULL, event BLOB NOT NULL,
	PRIMARY KEY (person, event)
) WITHOUT ROWID;
CREATE TABLE builds (
	position INTEGER PRIMARY KEY, app TEXT NOT NULL, build TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL
);
`

// A View is the projection. Its queries may be called concurrently.
type View struct {
	db      *readmodel.DB
	people  generations.Map[whom, *person] // owned by Apply
	classes generations.Map[class, sortOf] // likewise
	builds  generations.Map[build, bool]   // likewise; whether it is kept by its name
	types   generations.Map[ofApp, int64]  // likewise
	pending pending                        // likewise
}

// Open returns the View kept in a place.
func Open(ctx context.Context, place readmodel.Place) (*View, error) {
	db, err := readmodel.Open(ctx, place, "activity", schema)
	return &View{db: db, people: generations.Map[whom, *person]{Each: 32_768},
		classes: generations.Map[class, sortOf]{Each: 2048}, builds: generations.Map[build, bool]{Each: 2048}, types: generations.Map[ofApp, int64]{Each: 2048},
		pending: newPending()}, err
}

// Gate lets queries fail as long as check does; see [readmodel.DB.Gate].
func (v *View) Gate(check func(context.Context) error) { v.db.Gate(check) }

// Close closes the read model.
func (v *View) Close() error { return v.db.Close() }

// Name implements [projections.Projection].
func (*View) Name() string { return "activity" }

// Checkpoint implements [projections.Projection].
func (v *View) Checkpoint(ctx context.Context) (eventstore.Position, error) {
	return v.db.Position(ctx)
}

// Hash returns the content hash of every table, and the position that they are
// as of.
func (v *View) Hash(ctx context.Context) (map[string]readmodel.Sum, eventstore.Position, error) {
	return v.db.Hash(ctx)
}

// Apply implements [projections.Projection].
func (v *View) Apply(ctx context.Context, entries []codec.Entry) error {
	defer v.pending.clear()
	err := v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		b := batch{view: v, tx: tx, pending: &v.pending}
		if err := tx.Row(`SELECT EXISTS (SELECT 1 FROM builds), (SELECT coalesce(max(number), 0) FROM people), (SELECT coalesce(max(number), 0) FROM sorts), (SELECT coalesce(max(number), 0) FROM types)`,
			nil, &b.builds, &b.persons, &b.classes, &b.types); err != nil {
			return err
		}
		for i := range entries {
			if err := b.entry(&entries[i]); err != nil {
				return fmt.Errorf("entry %d: %w", entries[i].Position, err)
			}
		}
		return b.write()
	})
	if err != nil { // what is remembered may be ahead of the file
		v.people.Clear()
		v.classes.Clear()
		v.builds.Clear()
		v.types.Clear()
	}
	return err
}

// A Day is how many events of a kind named a purpose on a day, and how many of
// them were voided since as mistakes.
type Day struct {
	Day     string // 2006-01-02, or of an hour 2006-01-02T15
	Purpose policy.PurposeID
	Kind    string // as in consent.given
	Events  int64
	Voided  int64
}

// Days returns the days of an app from one to another, both included, and the
// position that the answer is as of. An event is counted once under every
// purpose that it names, or under "" if it names none.
func (v *View) Days(ctx context.Context, app ident.AppName, from, to string) ([]Day, eventstore.Position, error) {
	days, _, asOf, err := v.query(ctx,
		"SELECT day, purpose, kind, events, voided FROM days WHERE app = ? AND day BETWEEN ? AND ? ORDER BY day, "+
			"purpose, kind", app, from, to)
	return days, asOf, err
}

// Totals is Days without purposes: every event is counted once. Tests is how
// many persons of the app are none but tests, and left out.
func (v *View) Totals(
	ctx context.Context, app ident.AppName, from, to string,
) (days []Day, tests int64, asOf eventstore.Position, err error) {
	return v.query(ctx, "SELECT day, '', kind, events, voided FROM totals WHERE app = ? AND day BETWEEN ? AND ? "+
		"ORDER BY day, kind", app, from, to)
}

// Hours is Totals by the hour.
func (v *View) Hours(
	ctx context.Context, app ident.AppName, from, to string,
) (hours []Day, tests int64, asOf eventstore.Position, err error) {
	return v.query(ctx, "SELECT hour, '', kind, events, voided FROM hours WHERE app = ? AND hour BETWEEN ? AND ? "+
		"ORDER BY hour, kind", app, from+"T00", to+"T23")
}

func (v *View) query(
	ctx context.Context, query string, app ident.AppName, from, to string,
) (days []Day, tests int64, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		if err := tx.Row("SELECT count(DISTINCT t.person) FROM tests t CROSS JOIN people p ON p.number = t.person "+
			"WHERE p.app = ?", []any{string(app)}, &tests); err != nil {
			return err
		}
		return tx.Each(query, []any{string(app), from, to}, func(scan func(...any) error) error {
			var d Day
			var purpose string
			err := scan(&d.Day, &purpose, &d.Kind, &d.Events, &d.Voided)
			d.Purpose = policy.PurposeID(purpose)
			days = append(days, d)
			return err
		})
	})
	return days, tests, asOf, err
}
