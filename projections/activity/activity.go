// Package activity answers: how much happened, on which day?
//
// A day is a UTC day of Recorded.
package activity

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
	"consentledger/projections/readmodel"
)

var _ projections.Projection = (*View)(nil)

const schema = `
CREATE TABLE days (
	app TEXT NOT NULL, day TEXT NOT NULL, purpose TEXT NOT NULL, kind TEXT NOT NULL,
	events INTEGER NOT NULL,
	PRIMARY KEY (app, day, purpose, kind)
) WITHOUT ROWID;
CREATE TABLE totals (
	app TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL,
	events INTEGER NOT NULL,
	PRIMARY KEY (app, day, kind)
) WITHOUT ROWID;
`

// A View is the projection. Its queries may be called concurrently.
type View struct{ db *readmodel.DB }

// Open returns the View kept in the directory dir.
func Open(ctx context.Context, dir string) (*View, error) {
	db, err := readmodel.Open(ctx, dir, "activity", schema)
	return &View{db}, err
}

// Close closes the file.
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

type key struct {
	app                domain.AppName
	day, kind, purpose string
}

// Apply implements [projections.Projection].
func (v *View) Apply(ctx context.Context, entries []codec.Entry) error {
	days, totals := map[key]int64{}, map[key]int64{}
	for _, e := range entries {
		purposes, err := purposesOf(e.Event)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Position, err)
		}
		k := key{app: e.Stream.App, day: e.Recorded.String()[:len("2006-01-02")], kind: e.Kind()}
		totals[k]++
		if len(purposes) == 0 {
			days[k]++
		}
		for i, p := range purposes {
			if !slices.Contains(purposes[:i], p) {
				k.purpose = string(p)
				days[k]++
			}
		}
	}
	return v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error { return write(tx, days, totals) })
}

func write(tx *readmodel.Tx, days, totals map[key]int64) error {
	for _, k := range sorted(days) {
		if _, err := tx.Exec("INSERT INTO days VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
			string(k.app), k.day, k.purpose, k.kind, days[k]); err != nil {
			return err
		}
	}
	for _, k := range sorted(totals) {
		if _, err := tx.Exec("INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
			string(k.app), k.day, k.kind, totals[k]); err != nil {
			return err
		}
	}
	return nil
}

func sorted(m map[key]int64) []key {
	keys := make([]key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.day, y.day), cmp.Compare(x.purpose, y.purpose), cmp.Compare(x.kind, y.kind))
	})
	return keys
}

// purposesOf returns the purposes that an event names, none if it is about
// none in particular.
func purposesOf(e domain.Event) ([]domain.PurposeID, error) {
	switch e := e.(type) {
	case domain.ConsentGiven:
		ids := make([]domain.PurposeID, 0, len(e.Items))
		for _, item := range e.Items {
			ids = append(ids, item.Purpose)
		}
		return ids, nil
	case domain.ConsentRefused:
		return e.Scope.Purposes, nil
	case domain.ConsentWithdrawn:
		return e.Scope.Purposes, nil
	case domain.PermissionRevoked:
		return e.Withdraws, nil
	case domain.ConsentRequested:
		return e.Purposes, nil
	case domain.ExemptionInvoked:
		return e.Purposes, nil
	case domain.RequestReceived:
		return e.Purposes, nil
	case domain.CheckAnswered:
		return []domain.PurposeID{e.Purpose}, nil
	case domain.AppRegistered, domain.PolicyPublished, domain.PolicyEffective, domain.PolicyAcknowledged, domain.NoticePresented,
		domain.PermissionGranted, domain.PermissionDenied, domain.RecordVoided, domain.RecordDisputed, domain.SignerRegistered, domain.ServiceCeased,
		domain.BuildVoided, domain.BuildDisputed, domain.SurfacePublished, domain.ConsentUsed, domain.ExemptionEnded, domain.HoldPlaced, domain.HoldReleased,
		domain.RestrictionApplied, domain.RestrictionLifted, domain.AgeRecorded, domain.MinorDataFound, domain.GuardianVerified, domain.GuardianEnded,
		domain.SubjectLinked, domain.SubjectUnlinked, domain.SubjectReassigned, domain.SubjectClosed, domain.SubjectMarkedTest, domain.Noted,
		domain.RequestMade, domain.Stepped, domain.CalendarPublished, domain.DataAccessed, domain.ErasureOrdered, domain.SubjectErased,
		domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk, domain.ObligationOverdue:
		return nil, nil
	}
	return nil, fmt.Errorf("event %T has no case in activity", e)
}

// A Day is how many events of a kind named a purpose on a day.
type Day struct {
	Day     string // 2006-01-02
	Purpose domain.PurposeID
	Kind    string // as in consent.given
	Events  int64
}

// Days returns the days of an app from one to another, both included, and the
// position that the answer is as of. An event is counted once under every
// purpose that it names, or under "" if it names none.
func (v *View) Days(ctx context.Context, app domain.AppName, from, to string) ([]Day, eventstore.Position, error) {
	return v.query(ctx, "SELECT day, purpose, kind, events FROM days WHERE app = ? AND day BETWEEN ? AND ? ORDER BY day, purpose, kind", app, from, to)
}

// Totals is Days without purposes: every event is counted once.
func (v *View) Totals(ctx context.Context, app domain.AppName, from, to string) ([]Day, eventstore.Position, error) {
	return v.query(ctx, "SELECT day, '', kind, events FROM totals WHERE app = ? AND day BETWEEN ? AND ? ORDER BY day, kind", app, from, to)
}

func (v *View) query(ctx context.Context, query string, app domain.AppName, from, to string) ([]Day, eventstore.Position, error) {
	var days []Day
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each(query, []any{string(app), from, to}, func(scan func(...any) error) error {
			var d Day
			var purpose string
			err := scan(&d.Day, &purpose, &d.Kind, &d.Events)
			d.Purpose = domain.PurposeID(purpose)
			days = append(days, d)
			return err
		})
	})
	return days, asOf, err
}
