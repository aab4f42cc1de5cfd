package consents

import (
	"cmp"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/generations"
	"consentledger/projections/readmodel"
)

// A key names a person of an app.
type key struct {
	app    ident.AppName
	person string
}

func (k key) stream() ident.StreamID {
	return ident.SubjectStream(k.app, k.person)
}

// A person is what the file says of somebody, and, while it is needed, the fold
// of their history.
type person struct {
	key
	number   int64
	moment   deadline.Instant    // the latest that a row of theirs is as of
	revision eventstore.Revision // of the last fact of theirs that was read; zero: not since the file was opened
	test     bool
	linked   bool   // to another history, now or before
	minor    bool   // they have a row of minors
	builds   string // see [withBuild]
	written  bool   // as it is, but for the rows
	rows     []row  // in the order of purposes: they are few

	subject domain.Subject // if folded
	folded  bool
	dirty   bool // some rows were touched and not settled yet
	growing bool // whether they are a minor is not settled yet
	weight  int  // in the cache
}

// A row is where a person stands with a purpose.
type row struct {
	purpose  policy.PurposeID
	position eventstore.Position // of the last fact about it
	moment   deadline.Instant    // that it is as of
	asked    deadline.Instant    // since when the newest version binds that they were asked about; zero: about none
	askedBy  ident.EventID       // the first that asked about it
	first    eventstore.Position // of the record with which the row came: what asked before it marks nothing
	standing

	touched bool // and not settled yet
	changed bool // and not written yet
}

// A standing is what a row says. Texts are ids one after the other, 16 bytes each.
type standing struct {
	status         domain.Status
	since, until   deadline.Instant
	terms          int64            // what was agreed to; see [terms]
	bound          deadline.Instant // of an opt-out: see [batch.bound]
	guardian       bool             // a guardian agreed
	events         string           // that prove it
	opposedBy      string           // a machine's signal that is at odds with the person's own word; empty: none
	opposedByEvent string
}

// unwritten is the status of a row that was touched and not settled yet.
const unwritten domain.Status = 255

// purposes returns those that the person's rows are about.
func (p *person) purposes() []policy.PurposeID {
	ids := make([]policy.PurposeID, len(p.rows))
	for i := range p.rows {
		ids[i] = p.rows[i].purpose
	}
	return ids
}

// row returns the person's row about a purpose, unwritten if there was none: then it comes
// with the record at a position. It is good until the next is asked for.
func (p *person) row(id policy.PurposeID, at eventstore.Position) *row {
	i, there := slices.BinarySearchFunc(p.rows, id,
		func(r row, id policy.PurposeID) int { return cmp.Compare(r.purpose, id) })
	if !there {
		p.rows = slices.Insert(p.rows, i, row{purpose: id, first: at, standing: standing{status: unwritten}})
	}
	return &p.rows[i]
}

// withBuild returns a list of builds with one more. Each has a line, so that one
// is found between two ends of lines.
func withBuild(list, build string) string {
	switch line := "\n" + build + "\n"; {
	case build == "" || strings.Contains(list, line):
		return list
	case list == "":
		return line
	default:
		return list + line[1:]
	}
}

// load reads the person from the file. Who is not there keeps the number zero.
func (p *person) load(tx *readmodel.Tx) error {
	return tx.Each(`SELECT p.number, p.test, p.linked, p.minor, p.builds,
			coalesce(s.purpose, ''), coalesce(s.status, ''), coalesce(s.since, 0), coalesce(s.until, 0), coalesce(s.terms, 0),
			coalesce(s.guardian, 0), coalesce(s.events, ''), coalesce(s.opposed_by, ''), coalesce(s.opposed_by_event, ''), coalesce(s.as_of, 0), coalesce(s.updated_position, 0),
			coalesce(s.bound, 0), coalesce(s.asked, 0), coalesce(s.asked_by, ''), coalesce(s.first_position, 0)
		FROM people p LEFT JOIN standings s USING (number) WHERE p.app = ? AND p.person = ? ORDER BY s.purpose`,
		[]any{string(p.app), p.person}, func(scan func(...any) error) error {
			var r row
			var status, askedBy string
			err := scan(&p.number, &p.test, &p.linked, &p.minor, &p.builds,
				&r.purpose, &status, &r.since, &r.until, &r.terms, &r.guardian, &r.events, &r.opposedBy,
				&r.opposedByEvent, &r.moment, &r.position, &r.bound, &r.asked, &askedBy, &r.first)
			if p.written = true; err != nil || r.purpose == "" {
				return err
			}
			copy(r.askedBy[:], askedBy)
			r.status, err = domain.ParseStatus(status)
			p.moment = max(p.moment, r.moment)
			p.rows = append(p.rows, r)
			return err
		})
}

// memory bounds the people kept in memory, in bytes.
const memory = 48 << 20

// factBytes is about how many bytes a fact in a fold takes; its event lies in memory
// once for all who said the same.
const factBytes = 250

// weigh sets the weight that a person has in the cache.
func (p *person) weigh() {
	p.weight = 300 + len(p.builds) + 200*len(p.rows)
	if p.folded {
		p.weight += factBytes * int(p.revision)
	}
}

// newPeople returns a cache of those heard of last.
func newPeople() generations.Map[key, *person] {
	return generations.Map[key, *person]{Each: memory / 2, Weigh: func(_ key, p *person) int { return p.weight }}
}
