package activity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

type key struct {
	app                ident.AppName
	day, kind, purpose string // day: or an hour
}

// A count is what is added to a row.
type count struct{ events, voided int64 }

// A batch is one Apply.
type batch struct {
	view                    *View
	tx                      *readmodel.Tx
	*pending                      // of the view
	persons, classes, types int64 // the numbers given last
	builds                  bool  // a build was voided
}

// Pending is what a batch will write, gathered ahead of the file: the batches of a view take
// turns at one.
type pending struct {
	counts                                 map[counted]int64
	owners                                 map[ident.StreamID]*person // whose streams were looked up; nil: nobody's
	touched                                map[whom]*person
	order                                  []*person // those touched, by their numbers
	events, owned, newest, places, answers readmodel.Rows
}

func newPending() pending {
	return pending{
		counts: map[counted]int64{}, owners: map[ident.StreamID]*person{}, touched: map[whom]*person{},
		events: readmodel.RowsOf("INSERT INTO events", 8, ""),
		owned:  readmodel.RowsOf("INSERT INTO owners", 2, " ON CONFLICT DO NOTHING"),
		places: readmodel.RowsOf("INSERT INTO places", 2, ""),
		answers: readmodel.RowsOf("INSERT INTO answers", 6,
			" ON CONFLICT (app, part, span, first, sort) DO UPDATE SET held = answers.held + excluded.held"),
		newest: readmodel.RowsOf("INSERT INTO newest", 2,
			" ON CONFLICT (number) DO UPDATE SET last = excluded.last"),
	}
}

// clear makes room for the next batch.
func (d *pending) clear() {
	clear(d.counts)
	clear(d.owners)
	clear(d.touched)
	clear(d.order)
	d.order = d.order[:0]
	d.events.Forget()
	d.owned.Forget()
	d.newest.Forget()
	d.places.Forget()
	d.answers.Forget()
}

// A counted is an event as it is counted.
type counted struct {
	class
	hour   int64 // since 1970
	voided bool
}

func (b *batch) entry(e *codec.Entry) error {
	var room [16]policy.PurposeID
	ids, known := domain.PurposesOf(e.Event, room[:0])
	if !known {
		return fmt.Errorf("event %T is not in the table of events", e.Event)
	}

	if err := b.place(e); err != nil {
		return err
	}
	c := counted{class: classOf(e, listOf(ids)), hour: hourOf(e.Recorded)}
	said := c.build
	if said != "" {
		named, err := b.isNamed(build{c.app, c.day(), said})
		if err != nil {
			return err
		}
		if !named {
			c.build = OtherBuilds
		}
	}

	p, err := b.person(e)
	if err != nil {
		return err
	}

	if p == nil {
		b.add(c, 1)
		if x, is := e.Event.(domain.BuildVoided); is {
			return b.voidBuild(e, x)
		}
		return nil
	}
	return b.about(e, p, c, said)
}

// about counts an event about a person, which a build collected if it says so.
func (b *batch) about(e *codec.Entry, p *person, c counted, said string) error {
	var err error
	switch x := e.Event.(type) {
	case domain.SubjectMarkedTest:
		err = b.mark(e, p)
	case domain.RecordVoided:
		err = b.void(p, x.Records)
	}
	if err != nil {
		return err
	}
	if c.voided, err = b.isVoided(c.app, said, e.Recorded); err != nil {
		return err
	}

	sort, err := b.sortOf(c.class)
	if err != nil {
		return err
	}

	var built any
	switch c.build {
	case "":
	case OtherBuilds:
		if _, err := b.tx.Exec("INSERT INTO unnamed VALUES (?, ?, ?)", string(c.app), said, int64(e.Position)); err != nil {
			return err
		}
	default:
		built = sort.number
	}

	b.events.Add(int64(e.Position), int64(p.last), p.number, sort.number, built, e.ID[:], int64(e.Recorded), c.voided)
	p.last = e.Position
	if p.tests == 0 {
		b.add(c, 1)
	}
	return nil
}

// person returns whom an entry is about; nil: nobody.
func (b *batch) person(e *codec.Entry) (*person, error) {
	if e.Stream.Noun == ident.SubjectNoun || e.Stream.Noun == ident.AccessNoun {
		return b.whose(whom{e.Stream.App, e.Stream.ID})
	}
	if e.Stream.Noun != ident.RequestNoun && e.Stream.Noun != ident.ObligationNoun {
		return nil, nil
	}
	if history, _, owed := e.Stream.OwedSince(); owed {
		return b.whose(whom{e.Stream.App, history.ID})
	}

	if name := ownerNamed(e); name != "" {
		p, err := b.whose(whom{e.Stream.App, name})
		if err == nil && b.owners[e.Stream] == nil {
			b.owned.Add(e.Stream.String(), p.number)
		}
		b.owners[e.Stream] = p
		return p, err
	}

	p, known := b.owners[e.Stream]
	if known {
		return p, nil
	}

	var name string
	err := b.tx.Row("SELECT coalesce(max(p.person), '') FROM owners o JOIN people p ON p.number = o.person WHERE "+
		"o.stream = ?", []any{e.Stream.String()}, &name)
	if err == nil && name != "" {
		p, err = b.whose(whom{e.Stream.App, name})
	}

	b.owners[e.Stream] = p
	return p, err
}

// ownerNamed returns the person whose stream it is, as far as the entry says so.
func ownerNamed(e *codec.Entry) string {
	switch x := e.Event.(type) {
	case domain.RequestReceived:
		return x.Subject
	case domain.ObligationOpened:
		if e.Stream.Noun == ident.ObligationNoun {
			return x.Cause.Subject
		}
	}
	return ""
}

// add counts an event n times.
func (b *batch) add(c counted, n int64) { b.counts[c] += n }

// mistake counts an event that was counted as voided.
func (b *batch) mistake(c counted) {
	b.add(c, -1)
	c.voided = true
	b.add(c, 1)
}

// sums adds up what was counted by purposes, and whatever the purposes, by days and by hours.
func (b *batch) sums() (days, totals, hours map[key]count) {
	days, totals, hours = map[key]count{}, map[key]count{}, map[key]count{}
	for c, n := range b.counts {
		d := count{events: n}
		if c.voided {
			d.voided = n
		}
		plus(hours, key{app: c.app, day: hourText(c.hour), kind: c.kind}, d)
		k := key{app: c.app, day: dayText(c.day()), kind: c.kind}
		plus(totals, k, d)
		for p := range strings.SplitSeq(c.purposes, ",") {
			k.purpose = p
			plus(days, k, d)
		}
	}
	return days, totals, hours
}

// day returns the day of the hour, since 1970.
func (c counted) day() int64 { return c.hour / 24 }

func plus(m map[key]count, k key, d count) {
	m[k] = count{m[k].events + d.events, m[k].voided + d.voided}
}

// write writes the counts, and no row that counts nothing.
func (b *batch) write() error {
	if err := b.events.Write(b.tx); err != nil {
		return err
	}
	if err := b.owned.Write(b.tx); err != nil {
		return err
	}
	if err := b.places.Write(b.tx); err != nil {
		return err
	}
	if err := b.writePeople(); err != nil {
		return err
	}

	days, totals, hours := b.sums()
	for _, k := range sorted(days) {
		if _, err := b.tx.Exec("INSERT INTO days VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (app, day, purpose, kind) DO "+
			"UPDATE SET events = days.events + excluded.events, voided = days.voided + excluded.voided",
			string(k.app), k.day, k.purpose, k.kind, days[k].events, days[k].voided); err != nil {
			return err
		}
		if _, err := b.tx.Exec("DELETE FROM days WHERE app = ? AND day = ? AND purpose = ? AND kind = ? AND events = 0",
			string(k.app), k.day, k.purpose, k.kind); err != nil {
			return err
		}
	}

	if err := b.writeTotals("totals", "day", totals); err != nil {
		return err
	}
	if err := b.writeTotals("hours", "hour", hours); err != nil {
		return err
	}
	return b.writeAnswers()
}

// writeTotals writes counts whatever the purposes, by a column of time.
func (b *batch) writeTotals(table, column string, counts map[key]count) error {
	for _, k := range sorted(counts) {
		if _, err := b.tx.Exec("INSERT INTO "+table+" VALUES (?, ?, ?, ?, ?) ON CONFLICT (app, "+column+", kind) DO "+
			"UPDATE SET events = "+table+".events + excluded.events, voided = "+table+".voided + excluded.voided",
			string(k.app), k.day, k.kind, counts[k].events, counts[k].voided); err != nil {
			return err
		}
		if _, err := b.tx.Exec("DELETE FROM "+table+" WHERE app = ? AND "+column+" = ? AND kind = ? AND events = 0",
			string(k.app), k.day, k.kind); err != nil {
			return err
		}
	}
	return nil
}

func sorted(m map[key]count) []key {
	return slices.SortedFunc(maps.Keys(m), func(x, y key) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.day, y.day), cmp.Compare(x.purpose, y.purpose),
			cmp.Compare(x.kind, y.kind))
	})
}
