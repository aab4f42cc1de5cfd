package activity

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

type key struct {
	app                domain.AppName
	day, kind, purpose string
}

// A count is what is added to a row.
type count struct{ events, voided int64 }

// A batch is one Apply.
type batch struct {
	tx            *readmodel.Tx
	days, totals  map[key]count
	owners        map[domain.StreamID]string // whose streams were looked up; empty: nobody's
	tests, builds bool                       // somebody is none but a test; a build was voided
}

// A counted is an event as it is counted.
type counted struct {
	key      // purpose is empty
	purposes []string
	voided   bool
}

func (b *batch) entry(e codec.Entry) error {
	purposes, err := purposesOf(e.Event)
	if err != nil {
		return err
	}
	c := counted{key: key{app: e.Stream.App, day: e.Recorded.String()[:len("2006-01-02")], kind: e.Kind()}}
	for _, p := range purposes {
		if !slices.Contains(c.purposes, string(p)) {
			c.purposes = append(c.purposes, string(p))
		}
	}
	person, err := b.person(e)
	if err != nil {
		return err
	}
	if person == "" {
		b.add(c, 1)
		if x, is := e.Event.(domain.BuildVoided); is {
			return b.voidBuild(e, x)
		}
		return nil
	}
	return b.about(e, person, c)
}

// about counts an event about a person.
func (b *batch) about(e codec.Entry, person string, c counted) error {
	was, err := b.isTest(c.app, person)
	if err != nil {
		return err
	}
	switch x := e.Event.(type) {
	case domain.SubjectMarkedTest:
		err = b.mark(e, was)
	case domain.RecordVoided:
		err = b.void(c.app, person, x.Records, was)
	}
	if err != nil {
		return err
	}
	build := domain.BuildOf(e.Event)
	if c.voided, err = b.isVoided(c.app, build, e.Recorded); err != nil {
		return err
	}
	_, err = b.tx.Exec("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", int64(e.Position), string(c.app), person, e.ID.String(),
		c.day, c.kind, strings.Join(c.purposes, ","), build, int64(e.Recorded), c.voided)
	if err != nil {
		return err
	}
	test, err := b.isTest(c.app, person)
	if !test {
		b.add(c, 1)
	}
	return err
}

// person returns whom an entry is about; empty: nobody.
func (b *batch) person(e codec.Entry) (person string, err error) {
	if e.Stream.Noun == domain.SubjectNoun || e.Stream.Noun == domain.AccessNoun {
		return e.Stream.ID, nil
	}
	if e.Stream.Noun != domain.RequestNoun && e.Stream.Noun != domain.ObligationNoun {
		return "", nil
	}
	switch x := e.Event.(type) {
	case domain.RequestReceived:
		person = x.Subject
	case domain.ObligationOpened:
		if e.Stream.Noun == domain.ObligationNoun {
			person = x.Cause.Subject
		}
	}
	if person != "" {
		b.owners[e.Stream] = person
		_, err = b.tx.Exec("INSERT INTO owners VALUES (?, ?) ON CONFLICT DO NOTHING", e.Stream.String(), person)
		return person, err
	}
	person, known := b.owners[e.Stream]
	if !known {
		err = b.tx.Row("SELECT coalesce(max(person), '') FROM owners WHERE stream = ?", []any{e.Stream.String()}, &person)
		b.owners[e.Stream] = person
	}
	return person, err
}

func (b *batch) isTest(app domain.AppName, person string) (is bool, err error) {
	if b.tests {
		err = b.tx.Row("SELECT EXISTS (SELECT 1 FROM tests WHERE app = ? AND person = ?)", []any{string(app), person}, &is)
	}
	return is, err
}

// isVoided reports whether a build that recorded something was voided then.
func (b *batch) isVoided(app domain.AppName, build string, recorded domain.Instant) (is bool, err error) {
	if b.builds && build != "" {
		err = b.tx.Row("SELECT EXISTS (SELECT 1 FROM builds WHERE app = ? AND build = ? AND since <= ? AND ? < until)",
			[]any{string(app), build, int64(recorded), int64(recorded)}, &is)
	}
	return is, err
}

// mark takes out what was counted of who turns out to be a test.
func (b *batch) mark(e codec.Entry, was bool) error {
	b.tests = true
	_, err := b.tx.Exec("INSERT INTO tests VALUES (?, ?, ?)", string(e.Stream.App), e.Stream.ID, e.ID.String())
	if err != nil || was {
		return err
	}
	return b.each(func(c counted) { b.add(c, -1) }, "app = ? AND person = ?", string(e.Stream.App), e.Stream.ID)
}

// void counts records of a person as voided; a mark among them puts back what
// it took out.
func (b *batch) void(app domain.AppName, person string, ids []domain.EventID, was bool) error {
	for _, id := range ids {
		which := []any{string(app), person, eventstore.EventID(id).String()}
		const where = "app = ? AND person = ? AND event = ? AND NOT voided"
		if !was {
			if err := b.each(b.mistake, where, which...); err != nil {
				return err
			}
		}
		if _, err := b.tx.Exec("UPDATE events SET voided = 1 WHERE "+where, which...); err != nil {
			return err
		}
		if _, err := b.tx.Exec("DELETE FROM tests WHERE app = ? AND person = ? AND event = ?", which...); err != nil {
			return err
		}
	}
	if is, err := b.isTest(app, person); err != nil || is || !was {
		return err
	}
	return b.each(func(c counted) { b.add(c, 1) }, "app = ? AND person = ?", string(app), person)
}

// voidBuild counts as voided what a build recorded in a span, and remembers it
// for what it still records then.
func (b *batch) voidBuild(e codec.Entry, x domain.BuildVoided) error {
	b.builds = true
	if _, err := b.tx.Exec("INSERT INTO builds VALUES (?, ?, ?, ?, ?)", int64(e.Position), string(e.Stream.App), x.Build, int64(x.From), int64(x.To)); err != nil {
		return err
	}
	const where = "build <> '' AND app = ? AND build = ? AND recorded >= ? AND recorded < ? AND NOT voided"
	which := []any{string(e.Stream.App), x.Build, int64(x.From), int64(x.To)}
	if err := b.each(b.mistake, where+" AND NOT EXISTS (SELECT 1 FROM tests WHERE tests.app = events.app AND tests.person = events.person)", which...); err != nil {
		return err
	}
	_, err := b.tx.Exec("UPDATE events SET voided = 1 WHERE "+where, which...)
	return err
}

// each calls f for every event about a person that matches.
func (b *batch) each(f func(counted), where string, args ...any) error {
	return b.tx.Each("SELECT app, day, kind, purposes, voided FROM events WHERE "+where, args, func(scan func(...any) error) error {
		var c counted
		var app, purposes string
		err := scan(&app, &c.day, &c.kind, &purposes, &c.voided)
		if c.app = domain.AppName(app); purposes != "" {
			c.purposes = strings.Split(purposes, ",")
		}
		f(c)
		return err
	})
}

// add counts an event n times.
func (b *batch) add(c counted, n int64) {
	d := count{events: n}
	if c.voided {
		d.voided = n
	}
	b.change(c, d)
}

// mistake counts an event that was counted as voided too.
func (b *batch) mistake(c counted) { b.change(c, count{voided: 1}) }

func (b *batch) change(c counted, d count) {
	plus(b.totals, c.key, d)
	if len(c.purposes) == 0 {
		plus(b.days, c.key, d)
	}
	for _, p := range c.purposes {
		k := c.key
		k.purpose = p
		plus(b.days, k, d)
	}
}

func plus(m map[key]count, k key, d count) {
	m[k] = count{m[k].events + d.events, m[k].voided + d.voided}
}

// write writes the counts, and no row that counts nothing.
func (b *batch) write() error {
	for _, k := range sorted(b.days) {
		if _, err := b.tx.Exec("INSERT INTO days VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events, voided = voided + excluded.voided",
			string(k.app), k.day, k.purpose, k.kind, b.days[k].events, b.days[k].voided); err != nil {
			return err
		}
		if _, err := b.tx.Exec("DELETE FROM days WHERE app = ? AND day = ? AND purpose = ? AND kind = ? AND events = 0", string(k.app), k.day, k.purpose, k.kind); err != nil {
			return err
		}
	}
	for _, k := range sorted(b.totals) {
		if _, err := b.tx.Exec("INSERT INTO totals VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events, voided = voided + excluded.voided",
			string(k.app), k.day, k.kind, b.totals[k].events, b.totals[k].voided); err != nil {
			return err
		}
		if _, err := b.tx.Exec("DELETE FROM totals WHERE app = ? AND day = ? AND kind = ? AND events = 0", string(k.app), k.day, k.kind); err != nil {
			return err
		}
	}
	return nil
}

func sorted(m map[key]count) []key {
	return slices.SortedFunc(maps.Keys(m), func(x, y key) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.day, y.day), cmp.Compare(x.purpose, y.purpose), cmp.Compare(x.kind, y.kind))
	})
}
