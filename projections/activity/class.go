package activity

import (
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
)

// An Answer is what an event says of consent.
type Answer string

// The answers. A signal is an opt-out that a machine sent, such as gpc: nobody was asked. An imported
// grant was given elsewhere, on another day.
const (
	Given     Answer = "given"
	Refused   Answer = "refused"
	Withdrawn Answer = "withdrawn"
	Signal    Answer = "signal"
	Imported  Answer = "imported"
)

// A class is what events have in common: a row of the table sorts.
type class struct {
	app                   ident.AppName
	kind, purposes, build string

	// Of an answer alone: what was shown to whoever gave it, as far as it is known.
	answer  Answer
	version content.Hash // of the policy
	surface content.Hash
	locale  string
}

// classOf returns the class of an entry that names purposes.
func classOf(e *codec.Entry, purposes string) class {
	c := class{app: e.Stream.App, kind: e.Kind(), purposes: purposes, build: domain.BuildOf(e.Event)}
	signal := false
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		c.answer, c.version, c.surface, c.locale = Given, x.Version, x.Surface, x.Locale
		if x.Import {
			c.answer = Imported
		}
	case domain.ConsentRefused:
		c.answer, c.version, c.surface, c.locale, signal = Refused, x.Version, x.Surface, x.Locale, x.Signal
	case domain.ConsentWithdrawn:
		c.answer, signal = Withdrawn, x.Signal
	}
	if signal {
		c.answer = Signal
	}
	return c
}

// classColumns are a class' columns of the table sorts, which is s.
const classColumns = "s.app, s.kind, s.purposes, s.build, s.answer, s.version, s.surface, s.locale"

// scan reads a class from classColumns, which follow other columns.
func (c *class) scan(scan func(...any) error, before ...any) error {
	var version, surface string
	err := scan(append(before, &c.app, &c.kind, &c.purposes, &c.build, &c.answer, &version, &surface, &c.locale)...)
	if err != nil {
		return err
	}
	if c.version, err = parseHash(version); err != nil {
		return err
	}
	c.surface, err = parseHash(surface)
	return err
}

// values are a class' columns in the order of the table.
func (c *class) values() []any {
	return []any{string(c.app), c.kind, c.purposes, c.build, string(c.answer), hashText(c.version), hashText(c.surface),
		c.locale}
}

// number returns the number of a class, a new one if it was never heard of.
func (b *batch) number(c class) (int64, error) {
	if n, ok := b.view.classes.Get(c); ok {
		return n, nil
	}

	var n int64
	err := b.tx.Each("SELECT number FROM sorts WHERE app = ? AND kind = ? AND purposes = ? AND build = ? AND "+
		"answer = ? AND version = ? AND surface = ? AND locale = ?", c.values(),
		func(scan func(...any) error) error { return scan(&n) })
	if err == nil && n == 0 {
		b.classes++
		n = b.classes
		_, err = b.tx.Exec("INSERT INTO sorts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", append([]any{n}, c.values()...)...)
	}
	if err == nil {
		b.view.classes.Put(c, n)
	}
	return n, err
}

// hashText writes a hash; the zero hash, which is not known, as no text.
func hashText(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return h.String()
}

func parseHash(text string) (content.Hash, error) {
	if text == "" {
		return content.Hash{}, nil
	}
	return content.ParseHash(text)
}
