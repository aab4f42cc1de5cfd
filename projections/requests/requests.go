// Package requests answers: what is owed to whom, by which day, and what became
// of it; and what happened to every request and every incident.
//
// It shows what facts hold, and computes no due date. Every fact adds a row, which
// ends the one before it, so that the rows of any past position are still there:
// what was known then is what was answered then. What depends on the clock is
// found when it is read: whether something open is late, and how many working
// days are left. Of a person who is a test nothing is shown, but how much it is.
package requests

import (
	"context"
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
	"consentledger/projections/readmodel"
)

var _ projections.Projection = (*View)(nil)

// A row of obligations is there from from_position on, until the next of the same
// obligation: rows are added, and nothing else is done to them. They are found,
// sorted and counted by an [index] of them in memory, so that the file needs
// none, but for what is asked of one case: concerns is the request or incident
// whose obligation it is, or whose it follows from. detail is a keptV1, with its
// cause, and what its clock waits for.
//
// A case is there from from_position on, and not at to_position any more. The one
// that is there now has the largest number there. Columns are for finding; detail
// is the whole, a caseV1.
//
// Instants are milliseconds.
const schema = `
-- detail says what a clock waits for
CREATE TABLE obligations (
	number INTEGER PRIMARY KEY, from_position INTEGER NOT NULL,
	sort INTEGER NOT NULL, stream TEXT NOT NULL, concerns TEXT NOT NULL,
	detail TEXT NOT NULL
);
CREATE INDEX obligations_concern ON obligations (concerns) WHERE concerns <> '';
-- what many obligations have in common, numbered as it comes; types and keeps have commas around
CREATE TABLE sorts (
	number INTEGER PRIMARY KEY, app TEXT NOT NULL, id TEXT NOT NULL,
	kind TEXT NOT NULL, types TEXT NOT NULL, target TEXT NOT NULL, rule TEXT NOT NULL, source TEXT NOT NULL, law INTEGER NOT NULL,
	version TEXT NOT NULL, rule_set TEXT NOT NULL, keeps TEXT NOT NULL, cause_kind TEXT NOT NULL, clock TEXT NOT NULL, month TEXT NOT NULL
);
-- requests and incidents
CREATE TABLE cases (
	app TEXT NOT NULL, noun TEXT NOT NULL, id TEXT NOT NULL,
	from_position INTEGER NOT NULL, to_position INTEGER NOT NULL,
	from_recorded INTEGER NOT NULL, to_recorded INTEGER NOT NULL,
	begun INTEGER NOT NULL, person TEXT NOT NULL, test INTEGER NOT NULL, types TEXT NOT NULL, state TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (app, noun, id, from_position)
);
CREATE INDEX cases_begun ON cases (app, noun, begun, from_position, to_position);
CREATE INDEX cases_person ON cases (app, person) WHERE person <> '';
-- step: a stepV1; amount and codes: what a fee is, and the grounds of a no
CREATE TABLE steps (
	app TEXT NOT NULL, noun TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL,
	kind TEXT NOT NULL, person TEXT NOT NULL, amount TEXT NOT NULL, codes TEXT NOT NULL,
	step TEXT NOT NULL,
	PRIMARY KEY (app, noun, id, position)
) WITHOUT ROWID;
CREATE INDEX steps_amount ON steps (app, kind, amount, person, position) WHERE amount <> '';
CREATE INDEX steps_codes ON steps (app, codes, person, position) WHERE codes <> '';
-- the marks of tests, from one position up to the one that voids it
CREATE TABLE tests (
	app TEXT NOT NULL, person TEXT NOT NULL, event TEXT NOT NULL,
	position INTEGER NOT NULL, ended INTEGER NOT NULL,
	PRIMARY KEY (app, person, event)
) WITHOUT ROWID;
-- calendar: a calendarV1
CREATE TABLE calendars (
	position INTEGER PRIMARY KEY, app TEXT NOT NULL, recorded INTEGER NOT NULL, calendar TEXT NOT NULL
);
-- the places whose days are counted: a time zone, a space, a jurisdiction
CREATE TABLE clocks (
	app TEXT NOT NULL, clock TEXT NOT NULL,
	PRIMARY KEY (app, clock)
) WITHOUT ROWID;
-- answers "you may", and nos that came later than they were said
CREATE TABLE answers (
	app TEXT NOT NULL, person TEXT NOT NULL, position INTEGER NOT NULL,
	purpose TEXT NOT NULL, valid INTEGER NOT NULL, recorded INTEGER NOT NULL, event TEXT NOT NULL,
	PRIMARY KEY (app, person, position)
) WITHOUT ROWID;
CREATE TABLE late (
	app TEXT NOT NULL, person TEXT NOT NULL, position INTEGER NOT NULL,
	at INTEGER NOT NULL, recorded INTEGER NOT NULL, purposes TEXT NOT NULL, event TEXT NOT NULL,
	PRIMARY KEY (app, position)
) WITHOUT ROWID;
CREATE TABLE apps (
	app TEXT NOT NULL PRIMARY KEY, jurisdiction TEXT NOT NULL
) WITHOUT ROWID;
-- the latest time at which anything was recorded
CREATE TABLE newest (
	one INTEGER PRIMARY KEY CHECK (one = 1), recorded INTEGER NOT NULL
);
INSERT INTO newest VALUES (1, 0);
`

// now is the to_position of the cases that are there now.
const now = "9223372036854775807"

// A View is the projection. Its queries may be called concurrently.
type View struct {
	db        *readmodel.DB
	calendars calendars
	index     index
}

// Open returns the View kept in the directory dir.
func Open(ctx context.Context, dir string) (*View, error) {
	db, err := readmodel.Open(ctx, dir, "requests", schema)
	if err != nil {
		return nil, err
	}
	v := &View{db: db}
	for _, load := range []func(*readmodel.Tx, eventstore.Position) error{v.calendars.load, v.index.read} {
		if err := db.View(ctx, load); err != nil {
			db.Close()
			return nil, fmt.Errorf("requests: %w", err)
		}
	}
	return v, nil
}

// Gate lets queries fail as long as check does; see [readmodel.DB.Gate].
func (v *View) Gate(check func(context.Context) error) { v.db.Gate(check) }

// Close closes the file.
func (v *View) Close() error { return v.db.Close() }

// Name implements [projections.Projection].
func (*View) Name() string { return "requests" }

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
	b := batch{view: v, streams: map[string][]*Obligation{}, clocks: map[appClock]bool{}, jurisdictions: map[domain.AppName]string{}}
	err = v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		b.tx = tx
		if err := v.index.read(tx, before); err != nil {
			return err
		}
		b.size = v.index.size()
		if err := tx.Row("SELECT EXISTS (SELECT 1 FROM tests)", nil, &b.tests); err != nil {
			return err
		}
		for _, e := range entries {
			for _, one := range append([]codec.Entry{e}, e.Owed()...) {
				if err := b.entry(one); err != nil {
					return fmt.Errorf("entry %d: %w", e.Position, err)
				}
			}
			b.newest = max(b.newest, e.Recorded)
		}
		_, err := tx.Exec("UPDATE newest SET recorded = max(recorded, ?)", int64(b.newest))
		return err
	})
	if err != nil {
		v.calendars.forgetAfter(before)
		return err
	}
	if len(entries) > 0 {
		v.index.follow(before, entries[len(entries)-1].Position, b.size, b.sorts, b.lines)
	}
	return nil
}

// A batch is one Apply.
type batch struct {
	view    *View
	tx      *readmodel.Tx
	newest  domain.Instant
	streams map[string][]*Obligation // those of streams that the batch touched, as they are now
	size    size                     // of the index, which is as far as the file was before
	sorts   []*sort                  // that the batch wrote
	lines   []line                   // likewise
	text    []byte                   // is written over

	tests         bool                      // somebody is none but a test
	clocks        map[appClock]bool         // those that are surely in the file
	jurisdictions map[domain.AppName]string // of apps that were looked up
}

// An appClock is a row of the table clocks.
type appClock struct {
	app  domain.AppName
	name string
}

// entry applies one entry. What says nothing of requests, incidents and
// obligations is named, so that an event that nobody thought of is an error.
func (b *batch) entry(e codec.Entry) error {
	switch x := e.Event.(type) {
	case domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk, domain.ObligationOverdue:
		return b.duty(e)
	case domain.RequestReceived:
		return b.receive(e, x)
	case domain.Stepped:
		return b.step(e, x)
	case domain.SubjectMarkedTest:
		return b.mark(e)
	case domain.RecordVoided:
		return b.unmark(e, x.Records)
	case domain.CheckAnswered:
		return b.answer(e, x)
	case domain.ConsentWithdrawn:
		return b.withdraw(e, x.Scope)
	case domain.PermissionRevoked:
		return b.withdraw(e, domain.Scope{Purposes: x.Withdraws})
	case domain.CalendarPublished:
		return b.publish(e, x)
	case domain.AppRegistered:
		delete(b.jurisdictions, e.Stream.App)
		_, err := b.tx.Exec("INSERT INTO apps VALUES (?, ?) ON CONFLICT DO UPDATE SET jurisdiction = excluded.jurisdiction", string(e.Stream.App), x.App.Jurisdiction)
		return err
	case domain.PolicyPublished, domain.PolicyEffective, domain.SignerRegistered, domain.ServiceCeased, domain.BuildVoided, domain.BuildDisputed, domain.SurfacePublished,
		domain.ConsentGiven, domain.ConsentRefused, domain.ConsentUsed, domain.ConsentRequested, domain.PolicyAcknowledged,
		domain.NoticePresented, domain.PermissionGranted, domain.PermissionDenied, domain.RecordDisputed,
		domain.ExemptionInvoked, domain.ExemptionEnded, domain.HoldPlaced, domain.HoldReleased, domain.RestrictionApplied, domain.RestrictionLifted,
		domain.AgeRecorded, domain.MinorDataFound, domain.GuardianVerified, domain.GuardianEnded, domain.SubjectLinked, domain.SubjectUnlinked,
		domain.SubjectReassigned, domain.SubjectClosed, domain.Noted, domain.RequestMade, domain.DataAccessed, domain.ErasureOrdered, domain.SubjectErased:
		return nil
	}
	return fmt.Errorf("event %T has no case in requests", e.Event)
}
