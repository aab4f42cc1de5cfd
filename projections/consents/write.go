package consents

import (
	"cmp"
	"maps"
	"slices"

	"consentledger/domain"
)

// A count names a number of people.
type count struct {
	app     domain.AppName
	purpose domain.PurposeID
	status  domain.Status
}

// write writes what the batch changed, in the order of the tables' keys.
func (b *batch) write() error {
	if err := b.writePeople(); err != nil {
		return err
	}
	return b.writeCounts()
}

func (b *batch) writePeople() error {
	if err := b.settle(); err != nil {
		return err
	}
	if err := b.facts.Write(b.tx); err != nil {
		return err
	}
	b.order = slices.AppendSeq(b.order[:0], maps.Values(b.people))
	slices.SortFunc(b.order, func(x, y *person) int { return cmp.Compare(x.number, y.number) })
	for _, p := range b.order {
		if err := b.writePerson(p); err != nil {
			return err
		}
	}
	return b.fresh.Write(b.tx)
}

func (b *batch) writePerson(p *person) error {
	text, err := appendStandings(b.text[:0], p.rows)
	if err != nil {
		return err
	}
	b.text = text
	if p.fresh {
		p.fresh = false
		b.fresh.Add(p.number, string(p.app), p.person, int64(p.last), p.subject.IsTest(), string(text))
		return nil
	}
	// The bytes are bound as they are: a string of them would be garbage at once.
	_, err = b.tx.Exec("UPDATE people SET last = ?, test = ?, standings = CAST(? AS TEXT) WHERE number = ?", int64(p.last), p.subject.IsTest(), text, p.number)
	return err
}

func (b *batch) writeCounts() error {
	for k, n := range b.counts {
		if n == 0 {
			continue
		}
		if _, err := b.tx.Exec("INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET people = people + excluded.people",
			string(k.app), string(k.purpose), k.status.String(), n); err != nil {
			return err
		}
	}
	if _, err := b.tx.Exec("DELETE FROM counts WHERE people = 0"); err != nil {
		return err
	}
	return b.writeVoided()
}

func (b *batch) writeVoided() error {
	for k, n := range b.voided {
		if n == 0 {
			continue
		}
		if _, err := b.tx.Exec("INSERT INTO voided VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET answers = answers + excluded.answers",
			string(k.app), k.status.String(), n); err != nil {
			return err
		}
	}
	_, err := b.tx.Exec("DELETE FROM voided WHERE answers = 0")
	return err
}
