package requests

import (
	"math"
	"slices"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// mark takes out of the reports what is owed to who turns out to be a test.
func (b *batch) mark(e codec.Entry) error {
	b.tests = true
	_, err := b.tx.Exec("INSERT INTO tests VALUES (?, ?, ?, ?, ?)", string(e.Stream.App), e.Stream.ID, e.ID.String(),
		int64(e.Position), int64(math.MaxInt64))
	if err != nil {
		return err
	}
	return b.remark(e, true)
}

// unmark puts back who is no test after all, since every mark was voided. What
// was known in between stays known.
func (b *batch) unmark(e codec.Entry, ids []ident.EventID) error {
	was, err := b.isTest(e.Stream.App, e.Stream.ID)
	if err != nil || !was {
		return err
	}

	for _, id := range ids {
		_, err := b.tx.Exec("UPDATE tests SET ended = ? WHERE app = ? AND person = ? AND event = ? AND ended = "+now,
			int64(e.Position), string(e.Stream.App), e.Stream.ID, eventstore.EventID(id).String())
		if err != nil {
			return err
		}
	}

	if is, err := b.isTest(e.Stream.App, e.Stream.ID); err != nil || is {
		return err
	}
	return b.remark(e, false)
}

// remark adds rows of what is owed to a person, as to a test or as to none.
func (b *batch) remark(e codec.Entry, test bool) error {
	app, person := e.Stream.App, e.Stream.ID
	streams, err := b.owedTo(person)
	if err != nil {
		return err
	}

	for stream, list := range b.streams {
		if slices.ContainsFunc(list, func(o *Obligation) bool { return o.App == app && o.Person == person }) {
			streams = append(streams, stream)
		}
	}

	slices.Sort(streams)
	for _, stream := range slices.Compact(streams) {
		list, err := b.stream(stream, false)
		if err != nil {
			return err
		}
		for _, o := range list {
			if o.App != app || o.Person != person || o.Test == test {
				continue
			}
			o.Test = test
			if err := b.write(e, o); err != nil {
				return err
			}
		}
	}
	return b.remarkCases(e, test)
}

// owedTo returns the streams in which the file has something that is owed to a person.
func (b *batch) owedTo(person string) (streams []string, err error) {
	err = b.tx.Each("SELECT DISTINCT stream FROM duties WHERE person = ? AND person <> ''", []any{person},
		func(scan func(...any) error) error {
			var stream string
			err := scan(&stream)
			streams = append(streams, stream)
			return err
		})
	return streams, err
}

func (b *batch) remarkCases(e codec.Entry, test bool) error {
	var list []*Case
	err := b.tx.Each("SELECT "+caseColumns+" FROM cases WHERE app = ? AND person = ? AND person <> '' AND "+
		"to_position = "+now+" ORDER BY begun",
		[]any{string(e.Stream.App), e.Stream.ID}, func(scan func(...any) error) error {
			c, err := readCase(scan)
			list = append(list, c)
			return err
		})
	if err != nil {
		return err
	}

	for _, c := range list {
		if c.Test == test {
			continue
		}
		c.Test = test
		if err := b.writeCase(e, c); err != nil {
			return err
		}
	}
	return nil
}
