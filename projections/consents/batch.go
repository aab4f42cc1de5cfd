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
	newest int64  // the newest person's number
	fact   saidV1 // of the entry under way
	*desk         // of the view
}

// A desk is what a batch gathers, ahead of the file: the batches of a view take
// turns at one.
type desk struct {
	people map[key]*person // whom the batch touched
	order  []*person       // the same by their numbers
	dirty  []*person       // with rows that are not settled
	counts map[count]int64 // the change in people
	voided map[count]int64 // the change in voided answers; of no purpose
	facts  readmodel.Rows
	fresh  readmodel.Rows // people who are not in the file yet
	text   []byte         // where texts are written
}

func newDesk() desk {
	return desk{
		people: map[key]*person{}, counts: map[count]int64{}, voided: map[count]int64{},
		facts: readmodel.RowsOf("INSERT INTO facts", 11), fresh: readmodel.RowsOf("INSERT INTO people", 6),
	}
}

// clear makes room for the next batch.
func (d *desk) clear() {
	clear(d.people)
	clear(d.order)
	clear(d.dirty)
	clear(d.counts)
	clear(d.voided)
	d.order, d.dirty = d.order[:0], d.dirty[:0]
	d.facts.Forget()
	d.fresh.Forget()
}

func (b *batch) entry(e *codec.Entry) error {
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		return b.publish(e, x)
	case domain.BuildVoided:
		if err := b.void(e, x); err != nil {
			return fmt.Errorf("entry %d: %w", e.Position, err)
		}
		return nil
	}
	said, ok, err := saidIn(e)
	if err != nil || !ok {
		return err
	}
	b.fact = said
	f := &b.fact
	if b.text, err = f.appendTo(b.text[:0]); err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	kept, err := b.view.said.saying(b.text, f)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	fact := e.Fact()
	fact.Claimed, fact.Event = 0, kept.event
	p, err := b.person(key{e.Stream.App, e.Stream.ID}, e.Revision == 1)
	voids := f.Kind == voided || f.Build != ""
	ref := b.view.references.at(e.Stream.App, e.Position)
	if err == nil && voids {
		b.tally(p, ref, -1)
	}
	was := err == nil && p.subject.IsTest()
	if err == nil && (f.Kind == marked || f.Kind == voided && was) {
		err = b.recount(p, -1)
		if f.Kind == marked {
			b.tally(p, ref, -1)
		}
	}
	if err == nil {
		p.add(fact)
	}
	if err == nil && was && !p.subject.IsTest() {
		err = b.recount(p, 1)
	}
	if err == nil && voids {
		b.tally(p, ref, 1)
	}
	if err == nil {
		b.writeFact(p, e.Position, fact, f.Build, kept.text)
	}
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	ids := b.touched(p, f, e.Position)
	b.touch(p, ids, p.moment, e.Position)
	if err := b.cross(p, ids, e.Position); err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	return nil
}

func (b *batch) touch(p *person, ids []domain.PurposeID, moment domain.Instant, at eventstore.Position) {
	if !p.dirty && len(ids) > 0 {
		p.dirty, b.dirty = true, append(b.dirty, p)
	}
	if p.rows == nil {
		p.rows = make([]row, 0, len(ids))
	}
	for _, id := range ids {
		r := p.row(id)
		r.moment, r.position, r.touched = moment, at, true
	}
}

// cross touches the other histories of the same person: a no crosses at once.
func (b *batch) cross(p *person, ids []domain.PurposeID, at eventstore.Position) error {
	all, err := p.subject.Reached(p.person, b.histories(p.app))
	if err != nil {
		return err
	}
	for _, r := range all {
		other, err := b.person(key{p.app, r.Other}, false)
		if err != nil {
			return err
		}
		b.touch(other, slices.Concat(ids, other.purposes()), max(p.moment, other.moment), at)
	}
	return nil
}

// writeFact appends f to the chain of the person's facts.
func (b *batch) writeFact(p *person, at eventstore.Position, f domain.Fact, build, said string) {
	b.facts.Add(int64(at), p.number, int64(p.last),
		eventstore.EventID(f.ID).String(), int64(f.At), int64(f.Recorded), sourceText(f.Source), int64(f.Sequence), int64(f.Rules), build, said)
	p.last = at
}

// touched returns the purposes that f may change something about.
func (b *batch) touched(p *person, f *saidV1, at eventstore.Position) []domain.PurposeID {
	ids := slices.Concat(f.Purposes, f.Short, f.Assents)
	if f.All {
		ids = append(ids, b.view.references.at(p.app, at).Policies.Declared(p.moment)...)
	}
	switch f.Kind {
	case given, disputed, marked:
		return ids
	case refused, withdrawn, revoked:
		if !f.All {
			return ids
		}
	case voided, used, aged, linked, unlinked, ended, verified:
	}
	return append(ids, p.purposes()...)
}

// void touches everybody whose answers were a mistake of their build.
func (b *batch) void(e *codec.Entry, x domain.BuildVoided) error {
	if err := b.writePeople(); err != nil { // they are looked for in the file
		return err
	}
	before := b.view.references.at(e.Stream.App, e.Position)
	b.view.references.add(e.Stream.App, e.Position, e.Fact())
	_, err := b.tx.Exec("INSERT INTO voids VALUES (?, ?, ?, ?, ?, ?)",
		string(e.Stream.App), int64(e.Position), e.ID.String(), x.Build, int64(x.From), int64(x.To))
	if err != nil {
		return err
	}
	touched, err := b.answeredBy(e.Stream.App, x)
	if err != nil {
		return err
	}
	for _, k := range touched {
		p, err := b.person(k, false)
		if err != nil {
			return err
		}
		b.tally(p, before, -1)
		b.tally(p, b.view.references.at(k.app, e.Position), 1)
		b.touch(p, p.purposes(), max(p.moment, e.Recorded), e.Position)
		if err := b.cross(p, nil, e.Position); err != nil {
			return err
		}
	}
	return nil
}

// answeredBy returns the people who answered through a build in its span.
func (b *batch) answeredBy(app domain.AppName, x domain.BuildVoided) (keys []key, err error) {
	err = b.tx.Each(`SELECT DISTINCT p.number, p.person FROM facts f JOIN people p USING (number)
		WHERE f.build = ? AND f.recorded >= ? AND f.recorded < ? AND p.app = ? ORDER BY p.number`,
		[]any{x.Build, int64(x.From), int64(x.To), string(app)}, func(scan func(...any) error) error {
			var number int64
			k := key{app: app}
			err := scan(&number, &k.person)
			keys = append(keys, k)
			return err
		})
	return keys, err
}

// publish settles what was touched before the policies change, so that rows
// do not depend on where one batch ends and the next begins.
func (b *batch) publish(e *codec.Entry, p domain.PolicyPublished) error {
	if err := b.settle(); err != nil {
		return err
	}
	document, err := policydoc.Marshal(p.Document)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	stale, err := json.Marshal(p.Stale)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	scopes, err := json.Marshal(p.Scopes)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	later, err := json.Marshal(p.Later)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Position, err)
	}
	b.view.references.add(e.Stream.App, e.Position, e.Fact())
	_, err = b.tx.Exec("INSERT INTO policies VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		string(e.Stream.App), int64(e.Position), p.Version.String(), int64(p.Effective), string(stale), string(scopes), string(later), string(document))
	return err
}

// settle finds where people stand with the purposes that were touched.
func (b *batch) settle() error {
	for _, p := range b.dirty {
		subject, err := b.whole(p)
		if err != nil {
			return err
		}
		var last domain.Standing // and its proof: one answer seldom is about one purpose alone
		var proof string
		for i := range p.rows {
			r := &p.rows[i]
			if !r.touched {
				continue
			}
			s := subject.Standing(r.purpose, r.moment, b.view.references.at(p.app, r.position))
			if proof == "" || !same(&s, &last) {
				if b.text, err = appendProof(b.text[:0], &s); err != nil {
					return err
				}
				last, proof = s, string(b.text)
			}
			before := r.status
			r.status, r.proof, r.touched = s.Status, proof, false
			if before == r.status {
				continue
			}
			if before != unwritten {
				b.count(p, r.purpose, before, -1)
			}
			b.count(p, r.purpose, r.status, 1)
		}
		p.dirty = false
	}
	b.dirty = b.dirty[:0]
	return nil
}

// count counts a person, unless it is none but a test.
func (b *batch) count(p *person, id domain.PurposeID, s domain.Status, n int64) {
	if !p.subject.IsTest() {
		b.counts[count{p.app, id, s}] += n
	}
}

// tally counts the voided answers of a person, unless it is none but a test.
func (b *batch) tally(p *person, ref domain.Reference, n int64) {
	if p.subject.IsTest() {
		return
	}
	for status, answers := range p.subject.VoidedAnswers(ref) {
		b.voided[count{p.app, "", status}] += n * int64(answers)
	}
}

// recount takes out of the counts who turns out to be a test, and puts back who
// turns out to be none.
func (b *batch) recount(p *person, n int64) error {
	if err := b.settle(); err != nil {
		return err
	}
	for _, r := range p.rows {
		b.count(p, r.purpose, r.status, n)
	}
	return nil
}

// whole returns the person's fold with what crosses from others of the same
// person.
func (b *batch) whole(p *person) (domain.Subject, error) {
	return p.subject.Whole(p.person, b.histories(p.app))
}

// histories finds the folds of an app's persons.
func (b *batch) histories(app domain.AppName) domain.Histories {
	return func(other string) (domain.Subject, error) {
		p, err := b.person(key{app, other}, false)
		if err != nil {
			return domain.Subject{}, err
		}
		return p.subject, nil
	}
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
			if err := p.load(b.tx, b.view.said); err != nil {
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
