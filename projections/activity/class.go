package activity

import (
	"strings"

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

// A Part is how much of an answer a sort says: Whole is all of it, as the row of its events. What is
// asked most often, by one thing that answers have in common, has sorts of its own that say only that,
// so that a question reads few rows however many combinations there are.
type Part string

// The parts. An answer is counted once under each, and under ByPurpose once for every purpose that it
// names.
const (
	Whole      Part = ""
	ByPurpose  Part = "purpose"
	ByVersion  Part = "version"
	ByLanguage Part = "language"
	ByScreen   Part = "screen" // surface and build
)

// A class is what events have in common: a row of the table sorts.
type class struct {
	app                   ident.AppName
	part                  Part
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

// parts are the classes that an answer of c counts under, besides c.
func (c class) parts() (all []class) {
	for purpose := range strings.SplitSeq(c.purposes, ",") {
		all = append(all, class{app: c.app, part: ByPurpose, answer: c.answer, purposes: purpose})
	}
	return append(all,
		class{app: c.app, part: ByVersion, answer: c.answer, version: c.version},
		class{app: c.app, part: ByLanguage, answer: c.answer, locale: c.locale},
		class{app: c.app, part: ByScreen, answer: c.answer, surface: c.surface, build: c.build})
}

// A sortOf is the number of a class, and those of its parts.
type sortOf struct {
	number int64
	parts  []partOf
}

type partOf struct {
	part   Part
	number int64
}

// classColumns are a class' columns of the table sorts, which is s.
const classColumns = "s.app, s.part, s.kind, s.purposes, s.build, s.answer, s.version, s.surface, s.locale"

// scan reads a class from classColumns, which follow other columns.
func (c *class) scan(scan func(...any) error, before ...any) error {
	var version, surface string
	err := scan(append(before, &c.app, &c.part, &c.kind, &c.purposes, &c.build, &c.answer, &version, &surface,
		&c.locale)...)
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
	return []any{string(c.app), string(c.part), c.kind, c.purposes, c.build, string(c.answer), hashText(c.version),
		hashText(c.surface), c.locale}
}

// sortOf returns the number of a class and of its parts, new ones if it was never heard of.
func (b *batch) sortOf(c class) (sortOf, error) {
	if s, ok := b.view.classes.Get(c); ok {
		return s, nil
	}

	number, fresh, err := b.number(c)
	if err != nil {
		return sortOf{}, err
	}
	s := sortOf{number: number}
	if fresh && c.answer != "" {
		for _, p := range c.parts() {
			n, _, err := b.number(p)
			if err != nil {
				return sortOf{}, err
			}
			if _, err := b.tx.Exec("INSERT INTO counted_as VALUES (?, ?)", number, n); err != nil {
				return sortOf{}, err
			}
		}
	}

	err = b.tx.Each("SELECT p.part, p.number FROM counted_as a CROSS JOIN sorts p ON p.number = a.part WHERE a.sort = ? "+
		"ORDER BY p.number", []any{number}, func(scan func(...any) error) error {
		var p partOf
		err := scan(&p.part, &p.number)
		s.parts = append(s.parts, p)
		return err
	})
	if err == nil {
		b.view.classes.Put(c, s)
	}
	return s, err
}

// number returns the number of a class, and whether it is a new one.
func (b *batch) number(c class) (n int64, fresh bool, err error) {
	err = b.tx.Each("SELECT number FROM sorts WHERE app = ? AND part = ? AND kind = ? AND purposes = ? AND build = ? AND "+
		"answer = ? AND version = ? AND surface = ? AND locale = ?", c.values(),
		func(scan func(...any) error) error { return scan(&n) })
	if err != nil || n != 0 {
		return n, false, err
	}

	b.classes++
	_, err = b.tx.Exec("INSERT INTO sorts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		append([]any{b.classes}, c.values()...)...)
	return b.classes, true, err
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
