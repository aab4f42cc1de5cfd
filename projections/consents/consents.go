// Package consents answers: where does everybody stand with every purpose?
//
// A row is as of the moment at which the person's newest fact about its
// purpose counts; no clock takes part. What time and later policies made of it
// since is found when it is read: by [View.Get]. [View.List] and [View.Counts]
// show the rows as they are.
package consents

import (
	"context"
	"fmt"
	"slices"

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
-- facts: factV1
CREATE TABLE facts (
	app TEXT NOT NULL, person TEXT NOT NULL, position INTEGER NOT NULL,
	fact TEXT NOT NULL,
	PRIMARY KEY (app, person, position)
) WITHOUT ROWID;
CREATE TABLE policies (
	app TEXT NOT NULL, position INTEGER NOT NULL,
	version TEXT NOT NULL, effective INTEGER NOT NULL, stale TEXT NOT NULL, document TEXT NOT NULL,
	PRIMARY KEY (app, position)
) WITHOUT ROWID;
CREATE TABLE consents (
	app TEXT NOT NULL, person TEXT NOT NULL, purpose TEXT NOT NULL,
	status TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
	policy TEXT NOT NULL, version TEXT NOT NULL, act TEXT NOT NULL,
	events TEXT NOT NULL, updated_position INTEGER NOT NULL,
	PRIMARY KEY (app, person, purpose)
) WITHOUT ROWID;
CREATE TABLE counts (
	app TEXT NOT NULL, purpose TEXT NOT NULL, status TEXT NOT NULL,
	people INTEGER NOT NULL,
	PRIMARY KEY (app, purpose, status)
) WITHOUT ROWID;
`

// A View is the projection. Its queries may be called concurrently.
type View struct {
	db         *readmodel.DB
	references references
	people     people // owned by Apply
}

// Open returns the View kept in the directory dir.
func Open(ctx context.Context, dir string) (*View, error) {
	db, err := readmodel.Open(ctx, dir, "consents", schema)
	if err != nil {
		return nil, err
	}
	v := &View{db: db}
	if err := db.View(ctx, v.loadPolicies); err != nil {
		db.Close()
		return nil, fmt.Errorf("consents: %w", err)
	}
	return v, nil
}

// Close closes the file.
func (v *View) Close() error { return v.db.Close() }

// Name implements [projections.Projection].
func (*View) Name() string { return "consents" }

// Checkpoint implements [projections.Projection].
func (v *View) Checkpoint(ctx context.Context) (eventstore.Position, error) {
	return v.db.Position(ctx)
}

// Hash returns the content hash of every table.
func (v *View) Hash(ctx context.Context) (map[string]readmodel.Sum, error) { return v.db.Hash(ctx) }

func (v *View) loadPolicies(tx *readmodel.Tx, _ eventstore.Position) error {
	return tx.Each("SELECT app, position, version, effective, stale, document FROM policies ORDER BY position", nil, func(scan func(...any) error) error {
		var app, version, stale, document string
		var position, effective int64
		err := scan(&app, &position, &version, &effective, &stale, &document)
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
		v.references.add(domain.AppName(app), eventstore.Position(position), domain.Fact{Event: e})
		return nil
	})
}

// Apply implements [projections.Projection].
func (v *View) Apply(ctx context.Context, entries []codec.Entry) error {
	before, err := v.db.Position(ctx)
	if err != nil {
		return err
	}
	people := map[key]*person{}
	err = v.db.Apply(ctx, entries, func(tx *readmodel.Tx) error {
		b := batch{view: v, tx: tx, people: people, dirty: map[rowKey]touch{}, counts: map[count]int64{}}
		for _, e := range entries {
			if err := b.entry(e); err != nil {
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
	for k, p := range people {
		v.people.put(k, p)
	}
	return nil
}

// A batch is one Apply. Facts are written once, rows once per batch.
type batch struct {
	view   *View
	tx     *readmodel.Tx
	people map[key]*person // whom the batch touched: ahead of the file
	facts  []storedFact
	dirty  map[rowKey]touch // touched since the policies changed last
	rows   map[rowKey]row
	counts map[count]int64 // the change in people
}

type rowKey struct {
	key
	purpose domain.PurposeID
}

// A touch is the last fact about a row, and the moment that the row is as of.
type touch struct {
	person   *person
	moment   domain.Instant
	position eventstore.Position
}

type row struct {
	domain.Standing
	position eventstore.Position
}

type storedFact struct {
	key
	position eventstore.Position
	factV1
}

func (b *batch) entry(e codec.Entry) error {
	if p, ok := e.Event.(domain.PolicyPublished); ok {
		return b.publish(e, p)
	}
	f, ok, err := factOf(e)
	if err != nil || !ok {
		return err
	}
	k := key{e.Stream.App, e.Stream.ID}
	p, err := b.person(k, e.Revision == 1)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	if err := p.add(f); err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	b.facts = append(b.facts, storedFact{k, e.Position, f})
	for _, id := range b.touched(k, p, f, e.Position) {
		b.dirty[rowKey{k, id}] = touch{p, p.moment, e.Position}
	}
	return nil
}

// touched returns the purposes that f may change something about.
func (b *batch) touched(k key, p *person, f factV1, at eventstore.Position) []domain.PurposeID {
	ids := append(slices.Clone(f.Purposes), f.Short...)
	if f.All {
		ids = append(ids, declared(b.view.references.at(k.app, at), p.moment)...)
	}
	for _, id := range ids {
		if _, known := p.rows[id]; !known {
			p.rows[id] = unwritten
		}
	}
	if f.All || f.Kind == voided {
		ids = ids[:0]
		for id := range p.rows {
			ids = append(ids, id)
		}
	}
	return ids
}

// unwritten is the status of a row that the file does not have yet.
const unwritten domain.Status = 255

// publish settles what was touched before the policies change, so that rows
// do not depend on where one batch ends and the next begins.
func (b *batch) publish(e codec.Entry, p domain.PolicyPublished) error {
	b.settle()
	document, err := policydoc.Marshal(p.Document)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	stale, err := json.Marshal(p.Stale)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	b.view.references.add(e.Stream.App, e.Position, e.Fact())
	_, err = b.tx.Exec("INSERT INTO policies VALUES (?, ?, ?, ?, ?, ?)",
		string(e.Stream.App), int64(e.Position), p.Version.String(), int64(p.Effective), string(stale), string(document))
	return err
}

func (b *batch) settle() {
	if b.rows == nil {
		b.rows = make(map[rowKey]row, len(b.dirty))
	}
	for k, t := range b.dirty {
		policies := b.view.references.at(k.app, t.position)
		b.rows[k] = row{t.person.subject.Standing(k.purpose, t.moment, policies), t.position}
		if old := t.person.rows[k.purpose]; old != unwritten {
			b.counts[count{k.app, k.purpose, old}]--
		}
		status := b.rows[k].Status
		b.counts[count{k.app, k.purpose, status}]++
		t.person.rows[k.purpose] = status
	}
	clear(b.dirty)
}

// person returns somebody's fold, from memory or from the file. Who said
// nothing before is not looked for.
func (b *batch) person(k key, fresh bool) (*person, error) {
	if p, ok := b.people[k]; ok {
		return p, nil
	}
	if p, ok := b.view.people.get(k); ok {
		b.people[k] = p
		return p, nil
	}
	p := &person{rows: map[domain.PurposeID]domain.Status{}}
	if !fresh {
		if err := load(b.tx, k, p); err != nil {
			return nil, err
		}
	}
	b.people[k] = p
	return p, nil
}

func load(tx *readmodel.Tx, k key, p *person) error {
	err := tx.Each("SELECT fact FROM facts WHERE app = ? AND person = ? ORDER BY position", []any{string(k.app), k.person}, func(scan func(...any) error) error {
		var text []byte
		if err := scan(&text); err != nil {
			return err
		}
		f, err := readFact(text)
		if err != nil {
			return err
		}
		return p.add(f)
	})
	if err != nil {
		return err
	}
	return tx.Each("SELECT purpose, status FROM consents WHERE app = ? AND person = ?", []any{string(k.app), k.person}, func(scan func(...any) error) error {
		var purpose, status string
		err := scan(&purpose, &status)
		if err == nil {
			p.rows[domain.PurposeID(purpose)], err = domain.ParseStatus(status)
		}
		return err
	})
}
