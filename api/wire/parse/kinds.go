package parse

import (
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// A Kind is a type of event that can be sent, as its schema describes it.
type Kind struct{ of kind }

// KindOf returns the kind of events of a type, by its name or its alias.
func KindOf(name string) (Kind, bool) {
	k, known := kinds[name]
	return Kind{k}, known
}

// Name returns the name by which records of the kind are known.
func (k Kind) Name() string { return k.of.name }

// Alias returns another name by which it may be sent; empty: there is none.
func (k Kind) Alias() string { return k.of.alias }

// NamesPerson reports whether every event of the kind has a subject.
func (k Kind) NamesPerson() bool { return k.of.about == aPerson }

// NamesNobody reports whether no event of the kind has a subject.
func (k Kind) NamesNobody() bool { return k.of.about == theApp }

// NeedsData reports whether an event of the kind says nothing without data.
func (k Kind) NeedsData() bool { return k.of.needsData() }

// Reads returns what is wrong with data that are canonical.
func (k Kind) Reads(data []byte) error { return k.of.reads(data) }

// Shape returns the shape of data, if no table of the domain lists their members.
func (k Kind) Shape() reflect.Type { return k.of.shapeOf() }

// Example returns data of the kind, as somebody sends them at the beginning of 1970.
func (k Kind) Example() jsontext.Value { return fill(1).example(k.of) }

// Sendable returns every name that an event's type may have.
func Sendable() []string { return sendable() }
