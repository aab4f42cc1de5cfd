package consents

import (
	"context"
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"
)

// A batch is one Apply. People are written once per batch.
type batch struct {
	ctx      context.Context // of Apply
	view     *View
	tx       *readmodel.Tx
	newest   int64               // the newest person's number
	at       eventstore.Position // of the entry under way: what was known then is asked for
	day      deadline.Instant    // that the entry under way was recorded on
	*pending                     // of the view
}

// Pending is what a batch will write, gathered ahead of the file: the batches of a view take
// turns at one.
type pending struct {
	people map[key]*person  // whom the batch touched
	dirty  []*person        // with rows that are not settled
	young  []*person        // of whom it is not settled whether they are minors
	counts map[group]int64  // the change in people
	ends   map[shift]int64  // the change in people whose consent ends, by when
	moves  map[shift]int64  // the change in people, by the day on which they came into the group
	voided map[answer]int64 // the change in voided answers

	order     []*person // room for the people in the order of their numbers
	persons   readmodel.Rows
	standings readmodel.Rows
}

// An answer names a number of answers.
type answer struct {
	app    ident.AppName
	status domain.Status
}

func newPending() pending {
	return pending{
		people: map[key]*person{}, counts: map[group]int64{}, ends: map[shift]int64{}, moves: map[shift]int64{},
		voided: map[answer]int64{},
		persons: readmodel.RowsOf("INSERT INTO people", 7,
			" ON CONFLICT (number) DO UPDATE SET test = excluded.test, linked = excluded.linked, minor = "+
				"excluded.minor, builds = excluded.builds"),
		standings: readmodel.RowsOf("INSERT INTO standings", 17,
			" ON CONFLICT (number, purpose) DO UPDATE SET status = excluded.status, since = excluded.since, "+
				"until = excluded.until, terms = excluded.terms, guardian = excluded.guardian, events = "+
				"excluded.events, opposed_by = excluded.opposed_by, "+
				"opposed_by_event = excluded.opposed_by_event, as_of = excluded.as_of, updated_position = "+
				"excluded.updated_position, bound = excluded.bound, asked = excluded.asked, "+
				"asked_by = excluded.asked_by"),
	}
}

// clear makes room for the next batch.
func (d *pending) clear() {
	clear(d.people)
	clear(d.order)
	clear(d.dirty)
	clear(d.young)
	clear(d.counts)
	clear(d.ends)
	clear(d.moves)
	clear(d.voided)
	d.order, d.dirty, d.young = d.order[:0], d.dirty[:0], d.young[:0]
	d.persons.Forget()
	d.standings.Forget()
}

func (b *batch) entry(e *codec.Entry) error {
	if err := b.begin(e); err != nil {
		return err
	}
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		return b.publish(e, x)
	case domain.BuildVoided:
		return b.void(e, x)
	case domain.NoticePresented, domain.ConsentRequested:
		return b.ask(e)
	case domain.ConsentGiven:
		if err := b.agree(x, e.Rules); err != nil {
			return err
		}
	}
	w, ok, err := wordIn(e)
	if err != nil || !ok && !ofMinors(e.Event) {
		return err
	}
	p, err := b.person(key{e.Stream.App, e.Stream.ID}, e.Revision == 1 && !w.links)
	if err != nil {
		return err
	}
	if w.recount {
		err = b.recounted(p, e)
	} else {
		b.add(p, e)
		b.tallyNew(p, e)
	}
	if err != nil {
		return err
	}

	if err := b.age(p, e); err != nil || !ok {
		return err
	}
	if w.links && !p.linked {
		p.linked, p.written = true, false
	}
	as := max(p.moment, moment(e.Fact()))
	ids := b.touched(p, w, as)
	b.touch(p, ids, as)
	return b.cross(p, ids, as)
}

// add notes an entry of a person's.
func (b *batch) add(p *person, e *codec.Entry) {
	if p.folded {
		p.subject = p.subject.Evolve(e.Fact())
	}
	p.revision = e.Revision
	_, build := answerIn(e)
	if list := withBuild(p.builds, build); list != p.builds {
		p.builds, p.written = list, false
	}
}

// recounted adds an entry that may change which answers were mistakes, or whether
// the person is a test: who is one is not counted.
func (b *batch) recounted(p *person, e *codec.Entry) error {
	b.at = e.Position - 1 // the ledger may know of the entry already
	if err := b.settle(); err != nil {
		return err
	}

	before, err := b.fold(p)
	if err != nil {
		return err
	}

	b.at = e.Position
	ref := b.view.references.at(p.app, e.Position)
	b.countAll(p, before, ref, -1)
	b.add(p, e)
	if x, is := e.Event.(domain.RecordVoided); is {
		if err := b.askAnew(p, x.Records); err != nil {
			return err
		}
	}
	if is := p.subject.IsTest(); is != p.test {
		p.test, p.written = is, false
	}

	b.countAll(p, p.subject, ref, 1)
	return nil
}

// countAll counts a person's rows and voided answers, unless they are none but a
// test.
func (b *batch) countAll(p *person, s domain.Subject, ref domain.Reference, n int64) {
	for i := range p.rows {
		b.count(p, &p.rows[i], n)
	}
	b.tally(p, s.VoidedAnswers(ref), n)
}

// tallyNew counts an answer that was a mistake before it came, with its build.
func (b *batch) tallyNew(p *person, e *codec.Entry) {
	answer, build := answerIn(e)
	if build != "" && b.view.references.at(p.app, e.Position).Service.Voids(e.Fact()) {
		b.tally(p, map[domain.Status]int{answer: 1}, 1)
	}
}

func (b *batch) tally(p *person, answers map[domain.Status]int, n int64) {
	if p.test {
		return
	}
	for status, k := range answers {
		b.voided[answer{p.app, status}] += n * int64(k)
	}
}

// touched returns the purposes that a word of a person may change something about,
// as of a moment.
func (b *batch) touched(p *person, w word, as deadline.Instant) []policy.PurposeID {
	ids := w.purposes
	if w.all {
		ids = slices.Concat(ids, b.view.references.at(p.app, b.at).Policies.Declared(as))
	}
	if w.rows {
		ids = slices.Concat(ids, p.purposes())
	}
	return ids
}

// touch says that a person's rows about some purposes are to be found anew, as of a
// moment.
func (b *batch) touch(p *person, ids []policy.PurposeID, as deadline.Instant) {
	if len(ids) == 0 {
		return
	}

	p.moment = max(p.moment, as)
	if !p.dirty {
		p.dirty, b.dirty = true, append(b.dirty, p)
	}
	if p.rows == nil {
		p.rows = make([]row, 0, len(ids))
	}

	for _, id := range ids {
		r := p.row(id, b.at)
		r.moment, r.position, r.touched = as, b.at, true
	}
}

// cross touches the other histories of the same person: an opt-out crosses at once.
func (b *batch) cross(p *person, ids []policy.PurposeID, as deadline.Instant) error {
	if !p.linked {
		return nil
	}

	s, err := b.fold(p)
	if err != nil {
		return err
	}

	all, err := s.Reached(p.person, b.histories(p.app))
	if err != nil {
		return err
	}

	for _, r := range all {
		other, err := b.person(key{p.app, r.Other}, false)
		if err != nil {
			return err
		}
		b.touch(other, slices.Concat(ids, other.purposes()), max(as, other.moment))
	}
	return nil
}

// void touches everybody whose answers were a mistake of their build.
func (b *batch) void(e *codec.Entry, x domain.BuildVoided) error {
	if err := b.writePeople(); err != nil { // they are looked for in the file
		return err
	}

	app := e.Stream.App
	before := b.view.references.at(app, e.Position)
	b.view.references.add(app, e.Position, e.Fact())
	after := b.view.references.at(app, e.Position)
	_, err := b.tx.Exec("INSERT INTO voids VALUES (?, ?, ?, ?, ?, ?)",
		string(app), int64(e.Position), e.ID.String(), x.Build, int64(x.From), int64(x.To))
	if err != nil {
		return err
	}

	answered, err := b.answeredBy(app, x.Build)
	if err != nil {
		return err
	}

	for _, k := range answered {
		p, err := b.person(k, false)
		if err != nil {
			return err
		}
		s, err := b.fold(p)
		if err != nil {
			return err
		}
		was, is := s.VoidedAnswers(before), s.VoidedAnswers(after)
		if maps.Equal(was, is) {
			continue // they did not answer in its span
		}
		b.tally(p, was, -1)
		b.tally(p, is, 1)
		as := max(p.moment, e.Recorded)
		b.touch(p, p.purposes(), as)
		if err := b.cross(p, nil, as); err != nil {
			return err
		}
	}
	return nil
}

// answeredBy returns the people who ever answered through a build. It looks at all
// of an app's: a build is seldom voided.
func (b *batch) answeredBy(app ident.AppName, build string) (keys []key, err error) {
	err = b.tx.Each("SELECT person FROM people WHERE app = ? AND instr(builds, ?) > 0 ORDER BY number",
		[]any{string(app), withBuild("", build)}, func(scan func(...any) error) error {
			k := key{app: app}
			err := scan(&k.person)
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
		return err
	}

	stale, err := json.Marshal(p.Stale)
	if err != nil {
		return err
	}

	scopes, err := json.Marshal(p.Scopes)
	if err != nil {
		return err
	}

	later, err := json.Marshal(p.Later)
	if err != nil {
		return err
	}

	b.view.references.add(e.Stream.App, e.Position, e.Fact())
	_, err = b.tx.Exec("INSERT INTO policies VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		string(e.Stream.App), int64(e.Position), p.Version.String(), int64(p.Effective), string(stale),
		string(scopes), string(later), string(document))
	return err
}

// settle finds where people stand with the purposes that were touched.
func (b *batch) settle() error {
	if err := b.foldDirty(); err != nil {
		return err
	}
	for _, p := range b.dirty {
		s, err := b.fold(p)
		if err != nil {
			return err
		}
		if s, err = s.Whole(p.person, b.histories(p.app)); err != nil {
			return err
		}
		for i := range p.rows {
			if r := &p.rows[i]; r.touched {
				if err := b.settleRow(p, r, &s); err != nil {
					return err
				}
			}
		}
		p.dirty = false
	}

	clear(b.dirty)
	b.dirty = b.dirty[:0]
	return b.settleMinors()
}

func (b *batch) settleRow(p *person, r *row, s *domain.Subject) error {
	is := s.Standing(r.purpose, r.moment, b.view.references.at(p.app, r.position))
	number, err := b.view.numberOf(&is)
	if err != nil {
		return err
	}

	b.count(p, r, -1)
	was := r.guardian
	r.touched, r.changed = false, true
	r.standing = standing{
		status:    is.Status,
		since:     is.Since,
		until:     is.Until,
		terms:     number,
		bound:     b.bound(p, r, &is),
		guardian:  is.Guardian != "",
		events:    joined(is.Because),
		opposedBy: string(is.Opposed.Signal),
	}
	if is.Opposed.Signal != "" {
		r.opposedByEvent = joined([]ident.EventID{is.Opposed.Because})
	}

	b.count(p, r, 1)
	return b.guarded(p, r, was)
}

// joined writes ids one after the other.
func joined(ids []ident.EventID) string {
	var text strings.Builder
	for i := range ids {
		text.Write(ids[i][:])
	}
	return text.String()
}

const (
	foldersAtOnce = 8
	foldedByOne   = 64 // persons, until the next folder takes its share
)

// foldDirty folds the histories of those who were touched, several at a time. A batch that
// is far behind has thousands of persons whom the ledger has to read from the disk.
func (b *batch) foldDirty() error {
	var folders errgroup.Group
	folders.SetLimit(foldersAtOnce)
	for share := range slices.Chunk(b.dirty, foldedByOne) {
		folders.Go(func() error {
			for _, p := range share {
				if _, err := b.fold(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return folders.Wait()
}

// fold returns a person's history as of the entry under way.
func (b *batch) fold(p *person) (s domain.Subject, err error) {
	if p.folded {
		return p.subject, nil
	}
	p.subject, err = b.view.persons.SubjectUntil(b.ctx, p.stream(), p.revision, b.at)
	p.folded = err == nil
	return p.subject, err
}

// histories finds the folds of an app's persons.
func (b *batch) histories(app ident.AppName) domain.Histories {
	return func(other string) (domain.Subject, error) {
		p, err := b.person(key{app, other}, false)
		if err != nil {
			return domain.Subject{}, err
		}
		return b.fold(p)
	}
}

// person returns somebody, who gets a number if they have none.
func (b *batch) person(k key, fresh bool) (*person, error) {
	p, err := b.find(k, fresh)
	if err != nil {
		return nil, err
	}
	if p.number == 0 {
		b.newest++
		p.number = b.newest
	}

	b.people[k] = p
	return p, nil
}

// find returns somebody, from memory or from the file. Who said nothing before is not
// looked for. Who is in neither has the number zero.
func (b *batch) find(k key, fresh bool) (*person, error) {
	if p, ok := b.people[k]; ok {
		return p, nil
	}
	if p, ok := b.view.people.Get(k); ok {
		return p, nil
	}
	p := &person{key: k, folded: fresh} // nothing comes before the first entry
	if fresh {
		return p, nil
	}
	return p, p.load(b.tx)
}
