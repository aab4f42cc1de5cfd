// Package consents answers: where does everybody stand with every purpose?
//
// A row is as of the moment at which the person's newest fact about its
// purpose counts; no clock takes part. What time and later policies made of it
// since is found when it is read: every query names the moment that it asks
// about. The tables themselves, and whoever reads them with SQL, have the rows as
// they are: there a yes that ran out since is still given.
package consents

import (
	"context"
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

var _ projections.Projection = (*View)(nil)

// People are numbered as they come, so that what is written together stands
// together. The view consents is for whoever reads the file with SQL.
const schema = `
-- standings: standingV2, one for all purposes that share it; its proof says if it is of one purpose alone, by which rules it folds, and which signal is at odds with it
CREATE TABLE people (
	number INTEGER PRIMARY KEY,
	app TEXT NOT NULL, person TEXT NOT NULL,
	last INTEGER NOT NULL, test INTEGER NOT NULL,
	standings TEXT NOT NULL,
	UNIQUE (app, person)
);
-- said: saidV1, with the ends and refusals of its purposes, guardians, assents and signals; previous: the position of the same person's fact before it
CREATE TABLE facts (
	position INTEGER PRIMARY KEY,
	number INTEGER NOT NULL, previous INTEGER NOT NULL,
	event TEXT NOT NULL, at INTEGER NOT NULL, recorded INTEGER NOT NULL, source TEXT NOT NULL, sequence INTEGER NOT NULL, rules INTEGER NOT NULL,
	build TEXT NOT NULL, said TEXT NOT NULL
);
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
CREATE TABLE counts (
	app TEXT NOT NULL, purpose TEXT NOT NULL, status TEXT NOT NULL,
	people INTEGER NOT NULL,
	PRIMARY KEY (app, purpose, status)
) WITHOUT ROWID;
-- answers that were mistakes, by what they were
CREATE TABLE voided (
	app TEXT NOT NULL, status TEXT NOT NULL,
	answers INTEGER NOT NULL,
	PRIMARY KEY (app, status)
) WITHOUT ROWID;
CREATE VIEW consents AS
	SELECT p.number, p.app, p.test, p.person, o.value AS purpose, s.value ->> 'status' AS status,
		s.value ->> '$.proof.since' AS since, s.value ->> '$.proof.until' AS until, s.value ->> '$.proof.policy' AS policy,
		s.value ->> '$.proof.version' AS version, s.value ->> '$.proof.act' AS act, s.value -> '$.proof.events' AS events, coalesce(s.value ->> '$.proof.alone', 0) AS alone,
		coalesce(s.value ->> '$.proof.rules', 0) AS rules, s.value ->> '$.proof.opposed.signal' AS opposed_by, s.value ->> '$.proof.opposed.event' AS opposed_event,
		s.value ->> 'updated' AS updated_position
	FROM people p, json_each(p.standings) s, json_each(s.value, '$.purposes') o;
`

// A View is the projection. Its queries may be called concurrently.
type View struct {
	db         *readmodel.DB
	references references
	people     people // owned by Apply, as all below
	said       sayings
	desk       desk
}

// Open returns the View kept in the directory dir.
func Open(ctx context.Context, dir string) (*View, error) {
	db, err := readmodel.Open(ctx, dir, "consents", schema)
	if err != nil {
		return nil, err
	}
	v := &View{db: db, said: sayings{}, desk: newDesk()}
	for _, load := range []func(*readmodel.Tx, eventstore.Position) error{v.loadPolicies, v.loadVoids} {
		if err := db.View(ctx, load); err != nil {
			db.Close()
			return nil, fmt.Errorf("consents: %w", err)
		}
	}
	return v, nil
}

// Gate lets queries fail as long as check does; see [readmodel.DB.Gate].
func (v *View) Gate(check func(context.Context) error) { v.db.Gate(check) }

// Close closes the file.
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

func (v *View) loadPolicies(tx *readmodel.Tx, _ eventstore.Position) error {
	return tx.Each("SELECT app, position, version, effective, stale, scopes, later, document FROM policies ORDER BY position", nil, func(scan func(...any) error) error {
		var app, version, stale, scopes, later, document string
		var position, effective int64
		err := scan(&app, &position, &version, &effective, &stale, &scopes, &later, &document)
		if err != nil {
			return err
		}
		e := domain.PolicyPublished{Effective: domain.Instant(effective)}
		if e.Version, err = domain.ParseHash(version); err != nil {
			return err
		}
		if e.Document, err = policydoc.Unmarshal([]byte(document)); err != nil {
			return err
		}
		if err = json.Unmarshal([]byte(stale), &e.Stale); err != nil {
			return err
		}
		if err = json.Unmarshal([]byte(scopes), &e.Scopes); err != nil {
			return err
		}
		if err = json.Unmarshal([]byte(later), &e.Later); err != nil {
			return err
		}
		v.references.add(domain.AppName(app), eventstore.Position(position), domain.Fact{Event: e})
		return nil
	})
}

func (v *View) loadVoids(tx *readmodel.Tx, _ eventstore.Position) error {
	return tx.Each("SELECT app, position, event, build, start, stop FROM voids ORDER BY position", nil, func(scan func(...any) error) error {
		var app, event string
		var position int64
		var e domain.BuildVoided
		if err := scan(&app, &position, &event, &e.Build, &e.From, &e.To); err != nil {
			return err
		}
		id, err := eventstore.ParseEventID(event)
		v.references.add(domain.AppName(app), eventstore.Position(position), domain.Fact{ID: domain.EventID(id), Event: e})
		return err
	})
}

// Apply implements [projections.Projection].
func (v *View) Apply(ctx context.Context, entries []codec.Entry) error {
	before, err := v.db.Position(ctx)
	if err != nil {
		return err
	}
	defer v.desk.clear()
	err = v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		b := batch{view: v, tx: tx, desk: &v.desk}
		if err := tx.Row("SELECT coalesce(max(number), 0) FROM people", nil, &b.newest); err != nil {
			return err
		}
		for i := range entries {
			if err := b.entry(&entries[i]); err != nil {
				return err
			}
		}
		return b.write()
	})
	if err != nil {
		v.people.forget()
		v.references.forgetAfter(before)
		return err
	}
	for k, p := range v.desk.people {
		v.people.put(k, p)
	}
	return nil
}
