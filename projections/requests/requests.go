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
	"errors"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
	"consentledger/projections/readmodel"
)

var _ projections.Projection = (*View)(nil)

// A View is the projection. Its queries may be called concurrently.
type View struct {
	db        *readmodel.DB
	calendars calendars
	classes   classes
	groups    groupCache
	rows      written // owned by Apply
}

// A move is one to write.
type move struct {
	of    *Obligation
	place int // among those of its obligation, from 1
	Move
}

// Open returns the View kept in a place.
func Open(ctx context.Context, place readmodel.Place) (*View, error) {
	db, err := readmodel.Open(ctx, place, "requests", schema+shapes)
	if err != nil {
		return nil, err
	}
	v := &View{db: db, rows: newWritten()}
	if err := db.View(ctx, v.catchUp); err != nil {
		return nil, errors.Join(fmt.Errorf("requests: %w", err), db.Close())
	}
	return v, nil
}

// catchUp reads into memory what the tables hold more, up to the snapshot of tx.
func (v *View) catchUp(tx *readmodel.Tx, position eventstore.Position) error {
	if err := v.calendars.read(tx, position); err != nil {
		return err
	}
	return v.classes.read(tx, position)
}

// Gate lets queries fail as long as check does; see [readmodel.DB.Gate].
func (v *View) Gate(check func(context.Context) error) { v.db.Gate(check) }

// Close closes the read model.
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

	b := batch{
		view:          v,
		streams:       map[string][]*Obligation{},
		groups:        map[int64]*group{},
		keys:          map[groupKey]int64{},
		counts:        map[countKey]int64{},
		clocks:        map[appClock]bool{},
		jurisdictions: map[ident.AppName]string{},
	}
	err = v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		b.tx = tx
		if err := v.classes.read(tx, before); err != nil {
			return err
		}
		if err := b.size.read(tx); err != nil {
			return err
		}
		if err := tx.Row("SELECT EXISTS (SELECT 1 FROM tests)", nil, &b.tests); err != nil {
			return err
		}
		for _, e := range entries {
			if err := b.entry(e); err != nil {
				return fmt.Errorf("entry %d: %w", e.Position, err)
			}
		}
		return b.flush()
	})
	if err != nil {
		v.calendars.forgetAfter(before)
		return err
	}

	if len(entries) > 0 {
		v.calendars.follow(before, entries[len(entries)-1].Position)
	}
	return nil
}

// A batch is one Apply.
type batch struct {
	view    *View
	tx      *readmodel.Tx
	streams map[string][]*Obligation // those of streams that the batch touched, as they are now
	size    size                     // of the tables; groups counts those of the batch, too
	classes []*class                 // that the batch wrote
	lines   []*line                  // the rows to write
	duties  int64                    // how many of them are the first of their obligation
	moves   []move                   // to write
	ended   []ending                 // the rows of the file that end

	groups map[int64]*group   // those that the batch touched, as they are now
	keys   map[groupKey]int64 // their numbers
	counts map[countKey]int64 // how many more there are now

	tests         bool                     // somebody is none but a test
	clocks        map[appClock]bool        // those that are surely in the file
	jurisdictions map[ident.AppName]string // of apps that were looked up
}

// A size is the greatest numbers in the tables.
type size struct{ rows, duties, classes, groups int64 }

func (s *size) read(tx *readmodel.Tx) error {
	return tx.Row("SELECT coalesce((SELECT max(number) FROM duty_rows), 0), coalesce((SELECT max(number) FROM duties), 0), "+
		"coalesce((SELECT max(number) FROM sorts), 0), coalesce((SELECT max(number) FROM duty_groups), 0)", nil,
		&s.rows, &s.duties, &s.classes, &s.groups)
}

// An appClock is a row of the table clocks.
type appClock struct {
	app  ident.AppName
	name string
}

// entry applies one entry, and what it says of obligations beside its event.
func (b *batch) entry(e codec.Entry) error {
	if err := b.event(e); err != nil {
		return err
	}
	for _, o := range e.Owed() {
		if err := b.duty(o); err != nil {
			return err
		}
	}
	return nil
}

// event applies the event of one entry. The table of events says which say something of
// requests, incidents and obligations; one of them that has no case here is an error.
func (b *batch) event(e codec.Entry) error {
	if !domain.ViewsOf(e.Event).Has(domain.InRequests) {
		return nil
	}

	switch x := e.Event.(type) {
	case domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided,
		domain.ObligationAtRisk, domain.ObligationOverdue:
		return b.duty(e)
	case domain.RequestReceived:
		return b.receive(e, x)
	case domain.Stepped:
		return b.step(e, x)
	case domain.Noted:
		return b.noted(e, x)
	case domain.SubjectMarkedTest:
		return b.mark(e)
	case domain.RecordVoided:
		return b.unmark(e, x.Records)
	case domain.CheckAnswered:
		return b.answer(e, x)
	case domain.ConsentWithdrawn:
		return b.withdraw(e, x.Scope)
	case domain.PermissionRevoked:
		return b.withdraw(e, policy.Scope{Purposes: x.Withdraws})
	case domain.CalendarPublished:
		return b.publish(e, x)
	case domain.AppRegistered:
		delete(b.jurisdictions, e.Stream.App)
		_, err := b.tx.Exec("INSERT INTO apps VALUES (?, ?) ON CONFLICT (app) DO UPDATE SET jurisdiction = "+
			"excluded.jurisdiction", string(e.Stream.App), x.App.Jurisdiction)
		return err
	}
	return fmt.Errorf("event %T has no case in requests", e.Event)
}
