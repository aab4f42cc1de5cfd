// Package policies answers: which apps are there, and what did they promise
// when?
package policies

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

const schema = `
CREATE TABLE versions (
	app TEXT NOT NULL, version TEXT NOT NULL,
	policy TEXT NOT NULL, effective INTEGER NOT NULL,
	published_position INTEGER NOT NULL, recorded INTEGER NOT NULL, event TEXT NOT NULL,
	texts TEXT NOT NULL, purposes INTEGER NOT NULL, material TEXT NOT NULL, stale TEXT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (app, version)
) WITHOUT ROWID;
CREATE INDEX versions_by_position ON versions (app, published_position);
CREATE TABLE apps (
	app TEXT NOT NULL PRIMARY KEY,
	handler TEXT NOT NULL, environment TEXT NOT NULL, jurisdiction TEXT NOT NULL, time_zone TEXT NOT NULL,
	locales TEXT NOT NULL, since INTEGER NOT NULL, updated_position INTEGER NOT NULL
) WITHOUT ROWID;
`

// inColumns are what lies in texts, material, stale and locales. A document has a version of its own.
var inColumns = []any{[]textV1{}, domain.PolicyPublished{}.Material, domain.PolicyPublished{}.Stale,
	domain.App{}.Locales}

var shapes = readmodel.Shapes(inColumns...)

// A View is the projection. Its queries may be called concurrently.
type View struct{ db *readmodel.DB }

// Open returns the View kept in a place.
func Open(ctx context.Context, place readmodel.Place) (*View, error) {
	db, err := readmodel.Open(ctx, place, "policies", schema+shapes)
	return &View{db}, err
}

// Gate lets queries fail as long as check does; see [readmodel.DB.Gate].
func (v *View) Gate(check func(context.Context) error) { v.db.Gate(check) }

// Close closes the read model.
func (v *View) Close() error { return v.db.Close() }

// Name implements [projections.Projection].
func (*View) Name() string { return "policies" }

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
	return v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		for _, e := range entries {
			if err := apply(tx, e); err != nil {
				return fmt.Errorf("entry %d: %w", e.Position, err)
			}
		}
		return nil
	})
}

func apply(tx *readmodel.Tx, e codec.Entry) error {
	if !domain.ViewsOf(e.Event).Has(domain.InPolicies) {
		return nil
	}
	switch x := e.Event.(type) {
	case domain.AppRegistered:
		return register(tx, e, x.App)
	case domain.PolicyPublished:
		return publish(tx, e, x)
	}
	return fmt.Errorf("event %T has no case in policies", e.Event)
}

func register(tx *readmodel.Tx, e codec.Entry, a domain.App) error {
	locales, err := json.Marshal(a.Locales)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO apps VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (app) DO UPDATE SET handler = excluded.handler, environment = excluded.environment, jurisdiction = excluded.jurisdiction,
			time_zone = excluded.time_zone, locales = excluded.locales, updated_position = excluded.updated_position`,
		string(e.Stream.App), a.Handler, a.Environment.String(), a.Jurisdiction, a.TimeZone, string(locales),
		int64(e.Recorded), int64(e.Position))
	return err
}

// textV1 is a text of a version in the column texts.
type textV1 struct {
	Locale   string `json:"locale"`
	Hash     string `json:"hash"`
	Standing string `json:"standing"`
}

func publish(tx *readmodel.Tx, e codec.Entry, p domain.PolicyPublished) error {
	list := make([]textV1, 0, len(p.Document.Texts))
	for _, t := range p.Document.Texts {
		list = append(list, textV1{Locale: t.Locale, Hash: t.Hash.String(), Standing: t.Force.String()})
	}

	texts, err := json.Marshal(list)
	if err != nil {
		return err
	}

	material, err := json.Marshal(p.Material)
	if err != nil {
		return err
	}

	stale, err := json.Marshal(p.Stale)
	if err != nil {
		return err
	}

	document, err := policydoc.Marshal(p.Document)
	if err != nil {
		return err
	}

	_, err = tx.Exec("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		string(e.Stream.App), p.Version.String(), p.Document.Name, int64(p.Effective), int64(e.Position),
		int64(e.Recorded), e.ID.String(),
		string(texts), len(p.Document.Purposes), string(material), string(stale), string(document))
	return err
}
