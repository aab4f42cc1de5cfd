package consents

import (
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// A batch is one Apply. Facts are written once, people once per batch.
type batch struct {
	view   *View
	tx     *readmodel.Tx
	newest int64            // the newest person's number
	people map[key]*person  // whom the batch touched: ahead of the file
	dirty  map[rowKey]touch // touched since the policies changed last
	counts map[count]int64  // the change in people
}

type rowKey struct {
	*person
	purpose domain.PurposeID
}

// A touch is the last fact about a row, and the moment that the row is as of.
type touch struct {
	moment   domain.Instant
	position eventstore.Position
}

func (b *batch) entry(e codec.Entry) error {
	if p, ok := e.Event.(domain.PolicyPublished); ok {
		return b.publish(e, p)
	}
	f, ok, err := factOf(e)
	if err != nil || !ok {
		return err
	}
	p, err := b.person(key{e.Stream.App, e.Stream.ID}, e.Revision == 1)
	if err == nil {
		err = p.add(f)
	}
	if err == nil {
		err = b.writeFact(p, e.Position, f)
	}
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	for _, id := range b.touched(p, f, e.Position) {
		b.dirty[rowKey{p, id}] = touch{p.moment, e.Position}
	}
	return nil
}

// writeFact appends f to the chain of the person's facts.
func (b *batch) writeFact(p *person, at eventstore.Position, f factV1) error {
	text, err := json.Marshal(&f)
	if err != nil {
		return err
	}
	_, err = b.tx.Exec("INSERT INTO facts VALUES (?, ?, ?)", int64(at), int64(p.last), string(text))
	p.last = at
	return err
}

// touched returns the purposes that f may change something about.
func (b *batch) touched(p *person, f factV1, at eventstore.Position) []domain.PurposeID {
	ids := append(slices.Clone(f.Purposes), f.Short...)
	if f.All {
		ids = append(ids, declared(b.view.references.at(p.app, at), p.moment)...)
	}
	if !f.All && f.Kind != voided {
		return ids
	}
	for id := range p.rows {
		ids = append(ids, id)
	}
	return ids
}

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

// settle finds where people stand with the purposes that were touched.
func (b *batch) settle() {
	for k, t := range b.dirty {
		policies := b.view.references.at(k.app, t.position)
		r := row{k.subject.Standing(k.purpose, t.moment, policies), t.position}
		if old, known := k.rows[k.purpose]; known {
			b.counts[count{k.app, k.purpose, old.Status}]--
		}
		b.counts[count{k.app, k.purpose, r.Status}]++
		k.rows[k.purpose] = r
	}
	clear(b.dirty)
}

// person returns somebody's fold, from memory or from the file. Who said
// nothing before is not looked for.
func (b *batch) person(k key, fresh bool) (*person, error) {
	if p, ok := b.people[k]; ok {
		return p, nil
	}
	p, ok := b.view.people.get(k)
	if !ok {
		p = newPerson(k)
		if !fresh {
			if err := p.load(b.tx); err != nil {
				return nil, err
			}
		}
		if p.number == 0 {
			b.newest++
			p.number, p.fresh = b.newest, true
		}
	}
	b.people[k] = p
	return p, nil
}
