package activity

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
)

// isVoided reports whether a build that recorded something was voided then.
func (b *batch) isVoided(app ident.AppName, build string, recorded deadline.Instant) (bool, error) {
	if !b.builds || build == "" {
		return false, nil
	}
	var is bool
	err := b.tx.Row("SELECT EXISTS (SELECT 1 FROM builds WHERE app = ? AND build = ? AND since <= ? AND ? < until)",
		[]any{string(app), build, int64(recorded), int64(recorded)}, &is)
	return is, err
}

// mark takes out what was counted of who turns out to be a test.
func (b *batch) mark(e *codec.Entry, p *person) error {
	if err := b.events.Write(b.tx); err != nil {
		return err
	}
	p.tests++
	_, err := b.tx.Exec("INSERT INTO tests VALUES (?, ?)", p.number, e.ID[:])
	if err != nil || p.tests > 1 {
		return err
	}
	return b.each(func(c counted) { b.add(c, -1) }, whole, int64(p.last))
}

// void counts records of a person as voided; a mark among them puts back what
// it took out.
func (b *batch) void(p *person, ids []ident.EventID) error {
	if err := b.events.Write(b.tx); err != nil {
		return err
	}

	was := p.tests > 0
	for _, id := range ids {
		if !was {
			if err := b.each(b.mistake, whole+" AND e.event = ? AND e.voided = 0", int64(p.last), id[:]); err != nil {
				return err
			}
		}
		if _, err := b.tx.Exec(chain+"UPDATE events SET voided = 1 WHERE position IN (SELECT position FROM chain) "+
			"AND event = ?", int64(p.last), id[:]); err != nil {
			return err
		}
		n, err := b.tx.Exec("DELETE FROM tests WHERE person = ? AND event = ?", p.number, id[:])
		if err != nil {
			return err
		}
		p.tests -= int(n)
	}

	if !was || p.tests > 0 {
		return nil
	}
	return b.each(func(c counted) { b.add(c, 1) }, whole, int64(p.last))
}

// voidBuild counts as voided what a build recorded in a span, and remembers it
// for what it still records then.
func (b *batch) voidBuild(e *codec.Entry, x domain.BuildVoided) error {
	if err := b.events.Write(b.tx); err != nil {
		return err
	}

	b.builds = true
	if _, err := b.tx.Exec("INSERT INTO builds VALUES (?, ?, ?, ?, ?)", int64(e.Position), string(e.Stream.App),
		x.Build, int64(x.From), int64(x.To)); err != nil {
		return err
	}

	// On a day of many builds some are not kept by their names, and their events are found one by one.
	for _, of := range []string{
		"built IN (SELECT number FROM sorts WHERE app = ? AND build = ?)",
		"position IN (SELECT position FROM unnamed WHERE app = ? AND build = ?)",
	} {
		where := of + " AND recorded >= ? AND recorded < ? AND voided = 0"
		which := []any{string(e.Stream.App), x.Build, int64(x.From), int64(x.To)}
		if err := b.each(b.mistake, "SELECT "+columns+" FROM events e JOIN sorts s "+
			"ON s.number = e.sort WHERE e."+where+
			" AND NOT EXISTS (SELECT 1 FROM tests t WHERE t.person = e.person)", which...); err != nil {
			return err
		}
		if _, err := b.tx.Exec("UPDATE events SET voided = 1 WHERE "+where, which...); err != nil {
			return err
		}
	}
	return nil
}

// whole selects what was counted of a person, by their newest event.
const whole = chain + "SELECT " + columns + " FROM chain c JOIN events e USING (position) JOIN sorts s " +
	"ON s.number = e.sort WHERE TRUE"

// columns are what [batch.each] reads of an event.
const columns = "e.recorded, e.voided, " + classColumns

// each calls f for every event that a query selects.
func (b *batch) each(f func(counted), query string, args ...any) error {
	return b.tx.Each(query, args, func(scan func(...any) error) error {
		var c counted
		var recorded int64
		if err := c.class.scan(scan, &recorded, &c.voided); err != nil {
			return err
		}
		c.hour = hourOf(deadline.Instant(recorded))
		f(c)
		return nil
	})
}

// hourOf returns the hour of a moment in UTC.
func hourOf(at deadline.Instant) int64 { return int64(at) / int64(deadline.Hour) }
