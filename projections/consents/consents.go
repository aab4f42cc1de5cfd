// Package consents answers: where does everybody stand with every purpose?
//
// A row is as of the moment at which the person's newest fact about its
// purpose counts; no clock takes part. What time and later policies made of it
// since is found when it is read: every query names the moment that it asks
// about. The tables themselves, and whoever reads them with SQL, have the rows as
// they are: there a consent that ran out since is still given.
//
// The file holds no history. Where a person stands follows from all that they ever
// said, so whoever spoke is asked of the ledger, once a batch, as of its end: the
// ledger nearly always has them in memory, since they have just spoken. When the
// view is far behind it has not; then the view folds by itself whom it read, in
// bounded memory.
//
// People are counted by groups: those who stand alike in all that time, policies and
// questions tell apart, such as the status and the terms they agreed to. A count reads the groups, and
// those whose consents ended by months, by days of this month, and by moments of today; it reads no persons.
// How they stood on a day of before is the sum of what changed until then, by months and days. Who was
// a minor on one, and with which consents of guardians, is kept from day to day: they are few.
package consents

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/generations"
	"consentledger/projections"
	"consentledger/projections/readmodel"
)

var _ projections.Projection = (*View)(nil)

// People are numbered as they come, so that what is written together stands
// together. The views are for whoever reads with SQL: see docs/sql.md.
// builds: each between two ends of lines. events, opposed_by_event, asked_by: ids of 16 bytes.
// bound: of an opt-out, since when the newest version binds that did when it was said. asked: since when the newest
// version binds that they were asked about, 0: about none. first_position: of the record with which the row came.
// app: the person's, by which those who spoke of a purpose of it are found.
const schema = `
CREATE TABLE people (
	number INTEGER PRIMARY KEY,
	app TEXT NOT NULL, person TEXT NOT NULL,
	test INTEGER NOT NULL, linked INTEGER NOT NULL, minor INTEGER NOT NULL, builds TEXT NOT NULL,
	UNIQUE (app, person)
);
CREATE INDEX people_tests ON people (app) WHERE test <> 0;
CREATE TABLE standings (
	number INTEGER NOT NULL, purpose TEXT NOT NULL, app TEXT NOT NULL,
	status TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, terms INTEGER NOT NULL,
	guardian INTEGER NOT NULL, events BLOB NOT NULL, opposed_by TEXT, opposed_by_event BLOB, as_of INTEGER NOT NULL, updated_position INTEGER NOT NULL,
	bound INTEGER NOT NULL, asked INTEGER NOT NULL, asked_by BLOB, first_position INTEGER NOT NULL,
	PRIMARY KEY (number, purpose)
) WITHOUT ROWID;
CREATE INDEX standings_purpose ON standings (app, purpose, number);
CREATE INDEX standings_opposed ON standings (number, purpose) WHERE opposed_by IS NOT NULL;
CREATE TABLE terms (
	number INTEGER PRIMARY KEY,
	policy TEXT NOT NULL, version TEXT NOT NULL, act TEXT NOT NULL, alone INTEGER NOT NULL, rules INTEGER NOT NULL
);
INSERT INTO terms VALUES (0, '', '', '', 0, 0);
-- the UTC days that have begun in the log
CREATE TABLE days (begun INTEGER PRIMARY KEY);
-- how many people are in a group: who stand alike with a purpose. bound, of an opt-out: since when the newest version binds
-- that did when it was said; asked, of a consent: as in standings; signal: that is at odds with what they said
CREATE TABLE counts (
	app TEXT NOT NULL, purpose TEXT NOT NULL, status TEXT NOT NULL, terms INTEGER NOT NULL,
	bound INTEGER NOT NULL, asked INTEGER NOT NULL, signal TEXT NOT NULL,
	people INTEGER NOT NULL,
	PRIMARY KEY (app, purpose, status, terms, bound, asked, signal)
) WITHOUT ROWID;
-- how many of those in counts end at a moment, and in the UTC day and the month that begin then: a count of who is past their
-- end reads the months before this one, the days of it before today, and the moments of today
CREATE TABLE ends (
	app TEXT NOT NULL, period TEXT NOT NULL, at INTEGER NOT NULL,
	purpose TEXT NOT NULL, status TEXT NOT NULL, terms INTEGER NOT NULL,
	bound INTEGER NOT NULL, asked INTEGER NOT NULL, signal TEXT NOT NULL,
	people INTEGER NOT NULL,
	PRIMARY KEY (app, period, at, purpose, status, terms, bound, asked, signal)
) WITHOUT ROWID;
-- how many people came into a group in the UTC day or the month that begins then, less those who left; over: they are past
-- their end since
CREATE TABLE moves (
	app TEXT NOT NULL, period TEXT NOT NULL, at INTEGER NOT NULL, over INTEGER NOT NULL,
	purpose TEXT NOT NULL, status TEXT NOT NULL, terms INTEGER NOT NULL,
	bound INTEGER NOT NULL, asked INTEGER NOT NULL, signal TEXT NOT NULL,
	people INTEGER NOT NULL,
	PRIMARY KEY (app, period, at, over, purpose, status, terms, bound, asked, signal)
) WITHOUT ROWID;
-- what records of age that name a minor say, which a fold does not keep
CREATE TABLE ages (
	event BLOB NOT NULL PRIMARY KEY,
	basis TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
-- who is a minor by the newest record of age that holds, tests left out; next: when they are of the next age, at the latest
CREATE TABLE minors (
	number INTEGER PRIMARY KEY,
	app TEXT NOT NULL, band TEXT NOT NULL, basis TEXT NOT NULL, since INTEGER NOT NULL, next INTEGER NOT NULL, guardians INTEGER NOT NULL
);
CREATE INDEX minors_next ON minors (app, next, number);
CREATE INDEX minors_band ON minors (app, band);
-- who was so at the end of the UTC day that begins with first, and of those after it, before until; erased: their erasure
-- was ordered since
CREATE TABLE minor_days (
	number INTEGER NOT NULL,
	app TEXT NOT NULL, band TEXT NOT NULL, basis TEXT NOT NULL, since INTEGER NOT NULL, next INTEGER NOT NULL, guardians INTEGER NOT NULL,
	first INTEGER NOT NULL, until INTEGER NOT NULL, erased INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (number, first)
) WITHOUT ROWID;
CREATE INDEX minor_days_next ON minor_days (app, next, number);
CREATE INDEX minor_days_band ON minor_days (app, band, erased, first, until);
-- where a person stood by a guardian's consent, in the same way; ends: when it runs out, 0: never
CREATE TABLE guarded_days (
	number INTEGER NOT NULL, purpose TEXT NOT NULL,
	status TEXT NOT NULL, ends INTEGER NOT NULL, terms INTEGER NOT NULL,
	first INTEGER NOT NULL, until INTEGER NOT NULL,
	PRIMARY KEY (number, purpose, first)
) WITHOUT ROWID;
-- answers that were mistakes, by what they were
CREATE TABLE voided_answers (
	app TEXT NOT NULL, status TEXT NOT NULL,
	answers INTEGER NOT NULL,
	PRIMARY KEY (app, status)
) WITHOUT ROWID;
-- the mistakes of whole builds
CREATE TABLE voids (
	app TEXT NOT NULL, position INTEGER NOT NULL,
	event TEXT NOT NULL, build TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
	PRIMARY KEY (app, position)
) WITHOUT ROWID;
CREATE TABLE policies (
	app TEXT NOT NULL, position INTEGER NOT NULL,
	version TEXT NOT NULL, effective INTEGER NOT NULL, stale TEXT NOT NULL, scopes TEXT NOT NULL, later TEXT NOT NULL, document TEXT NOT NULL,
	PRIMARY KEY (app, position)
) WITHOUT ROWID;
CREATE VIEW consents AS
	SELECT p.app, p.person, p.test, s.purpose, s.status, nullif(s.since, 0) AS since, nullif(s.until, 0) AS until,
		nullif(t.policy, '') AS policy, nullif(t.version, '') AS version, nullif(t.act, '') AS act, t.alone,
		lower(substr(hex(s.events), 1, 8) || '-' || substr(hex(s.events), 9, 4) || '-' || substr(hex(s.events), 13, 4) || '-' ||
			substr(hex(s.events), 17, 4) || '-' || substr(hex(s.events), 21, 12)) AS event,
		length(s.events) / 16 AS events, s.opposed_by, s.as_of, s.updated_position
	FROM standings s CROSS JOIN people p ON p.number = s.number CROSS JOIN terms t ON t.number = s.terms;
CREATE VIEW voided AS SELECT app, status, answers FROM voided_answers;
CREATE VIEW consent_counts AS
	SELECT c.app, c.purpose, c.status, nullif(t.policy, '') AS policy, nullif(t.version, '') AS version, nullif(t.act, '') AS act,
		CAST(sum(c.people) AS INTEGER) AS people
	FROM counts c JOIN terms t ON t.number = c.terms GROUP BY c.app, c.purpose, c.status, t.number;
`

// inColumns are what lies in stale, scopes and later. A document has a version of its own.
var inColumns = []any{domain.PolicyPublished{}.Stale, domain.PolicyPublished{}.Scopes, domain.PolicyPublished{}.Later}

var shapes = readmodel.Shapes(inColumns...)

// Persons tells what was known of persons: the ledger does. Until a position the
// caller has read the log, and the stream at least until a revision. What it remembers
// need not be kept by the caller. Stream yields all records of a person, also those that
// the caller has not read yet.
type Persons interface {
	SubjectUntil(
		ctx context.Context, stream ident.StreamID, least eventstore.Revision, at eventstore.Position,
	) (domain.Subject, error)
	Remembers(stream ident.StreamID, at eventstore.Position) bool
	Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error]
}

// A View is the projection. Its queries may be called concurrently.
type View struct {
	db         *readmodel.DB
	persons    Persons
	references references
	terms      map[terms]int64 // owned by Apply, as all below; nil: not read yet
	people     generations.Map[key, *person]
	pending    pending
}

// Open returns the View kept in a place. It asks persons for what a
// person said before.
func Open(ctx context.Context, place readmodel.Place, persons Persons) (*View, error) {
	db, err := readmodel.Open(ctx, place, "consents", schema+shapes)
	if err != nil {
		return nil, err
	}
	v := &View{db: db, persons: persons, people: newPeople(), pending: newPending()}
	if err := db.View(ctx, v.references.read); err != nil {
		return nil, errors.Join(fmt.Errorf("consents: %w", err), db.Close())
	}
	return v, nil
}

// view runs read on one snapshot, as far as which the references are known.
func (v *View) view(ctx context.Context, read func(*readmodel.Tx, eventstore.Position) error) error {
	return v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if err := v.references.read(tx, position); err != nil {
			return err
		}
		return read(tx, position)
	})
}

// Gate lets queries fail as long as check does; see [readmodel.DB.Gate].
func (v *View) Gate(check func(context.Context) error) { v.db.Gate(check) }

// Close closes the read model.
func (v *View) Close() error { return v.db.Close() }

// Name implements [projections.Projection].
func (*View) Name() string { return "consents" }

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
	before, err := v.db.Position(ctx)
	if err != nil {
		return err
	}
	defer v.pending.clear()
	err = v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		b := batch{ctx: ctx, view: v, tx: tx, pending: &v.pending}
		if v.terms == nil {
			if err := v.loadTerms(tx); err != nil {
				return err
			}
		}
		if err := tx.Row("SELECT coalesce(max(number), 0), (SELECT coalesce(max(begun), 0) FROM days) FROM people", nil,
			&b.newest, &b.day); err != nil {
			return err
		}
		for i := range entries {
			b.at = entries[i].Position
			if err := b.entry(&entries[i]); err != nil {
				return fmt.Errorf("entry %d: %w", b.at, err)
			}
		}
		return b.write()
	})
	if err != nil {
		v.people.Clear()
		v.terms = nil
		v.references.forgetAfter(before)
		return err
	}

	v.references.follow(before, entries)
	v.keep(entries[len(entries)-1].Position)
	return nil
}

// keep keeps the people of a batch in memory, and the folds of those whom the ledger
// does not remember as of its end.
func (v *View) keep(at eventstore.Position) {
	for k, p := range v.pending.people {
		v.people.Delete(k) // at the weight that it had
		if p.folded && v.persons.Remembers(p.stream(), at) {
			p.subject, p.folded = domain.Subject{}, false
		}
		p.weigh()
		v.people.Put(k, p)
	}
}
