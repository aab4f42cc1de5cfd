package parse

import (
	"reflect"
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// A kind is a type of event that can be sent.
type kind struct {
	name    string
	alias   string // another name by which it may be sent and asked for; records have the first
	about   about
	lessens bool     // it takes away, or shows that something must not be done
	optOut  []string // not nil: a person says no by it, and these members of its data say to what, see [parseLoosely]
	fans    bool     // it may be said to all apps of a group at once
	read    func(*reader, []byte) domain.Command
	example string // the members of its data
}

// about is what a kind of event is about.
type about uint8

const (
	aPerson about = iota
	theApp
	either
)

// groups are the kinds by what they are about, in the order in which they are listed.
var groups = []struct {
	name  string
	kinds []kind
}{
	{"consents", consentKinds}, {"notices and permissions", screenKinds}, {"mistakes and disputes", recordKinds},
	{"persons", subjectKinds}, {"exemptions and holds", processingKinds}, {"the app", serviceKinds},
	{"requests, incidents, obligations", requestKinds()}, {"registers", noteKinds()},
}

// order is every kind, in the order in which they are listed.
var order = func() (all []kind) {
	for _, g := range groups {
		all = append(all, g.kinds...)
	}
	return all
}()

// kinds is every kind by its name.
var kinds = func() map[string]kind {
	m := make(map[string]kind, len(order))
	for _, k := range order {
		m[k.name] = k
		if k.alias != "" {
			m[k.alias] = k
		}
	}
	return m
}()

// Types returns the types that can be sent.
func Types() []string {
	names := make([]string, len(order))
	for i, k := range order {
		names[i] = k.name
	}
	return names
}

// A Listed type says what it is about, and by whom it may be sent.
type Listed struct {
	Type   string `json:"type"`
	Group  string `json:"group"`
	SentBy string `json:"sent_by"` // app, or operator
}

// List returns the types that can be sent, by their groups.
func List() (all []Listed) {
	for _, g := range groups {
		for _, k := range g.kinds {
			l := Listed{Type: k.name, Group: g.name, SentBy: "app"}
			if k.operator() {
				l.SentBy = "operator"
			}
			all = append(all, l)
		}
	}
	return all
}

// Canonical returns the name by which records of a type are known: nearly always
// the one it has.
func Canonical(name string) string {
	if k, ok := kinds[name]; ok {
		return k.name
	}
	return name
}

// sendable is every name that an event's type may have.
func sendable() []string {
	names := Types()
	for _, k := range order {
		if k.alias != "" {
			names = append(names, k.alias)
		}
	}
	return names
}

// kindOfType returns the kind of events that have a type.
func kindOfType(name string) (kind, bool) {
	k, known := kinds[name]
	return k, known
}

// kindsInOrder returns every kind, in the order in which they are listed.
func kindsInOrder() []kind { return slices.Clone(order) }

// reads returns what is wrong with data that are canonical.
func (k kind) reads(data []byte) error {
	r := reader{kind: k.name}
	k.read(&r, data)
	return r.err
}

// shapeOf returns the shape of data, if no table of the domain lists their members.
func (k kind) shapeOf() reflect.Type {
	var shape reflect.Type
	k.read(&reader{kind: k.name, shape: &shape}, nil)
	return shape
}

// needsData reports whether an event of the kind says nothing without data.
func (k kind) needsData() bool { return k.optOut != nil || k.reads([]byte(noData)) != nil }

// operator reports whether apps may not say it: the domain's tables decide.
func (k kind) operator() bool {
	if r, event := domain.EventRuleOf(k.name); event {
		return r.By != domain.ByApp
	}
	note, _ := catalog.NoteRuleOf(catalog.Note(k.name))
	return !note.Person // a step is an operator's, too
}

// subject reads whom an event is about.
func (k kind) subject(r *ledger.Request, attrs attributes) (err error) {
	subject, said := attrs.lookup("subject")
	switch {
	case r.FromApp && (k.operator() || k.about == theApp):
		// Said before the data are looked at: what they lack is nothing that the app can mend.
		return refusal.Refusal{Code: refusal.NotForApps, Path: "type",
			Text: "type: " + k.name + " is recorded by an operator, never by an app; see consentledger record " +
				"--operator"}
	case k.about == theApp && subject != "":
		return wrong("subject", " must be left out: this is about the app as a whole")
	case said && subject == "" && k.about == either:
		return wrong("subject", ` is empty: name the person as "account:ID" or "device:ID", or leave it out if nobody knows who it is`)
	case subject == "" && (k.about == theApp || k.about == either && !r.FromApp):
		return nil
	case subject == "":
		return wrong("subject", ` is missing: name the person as "account:ID" or "device:ID"`)
	}

	if r.Person, err = ident.ParsePersonKey(subject); err != nil {
		return wrong("subject", ": %v", err)
	}
	return nil
}
