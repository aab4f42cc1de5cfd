package domain

import (
	"fmt"
	"reflect"
	"slices"

	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// Events is the table of all events, each once: what is the same for all events of one
// type. The rows stand beside the types. What reads events elsewhere (their shapes on disk,
// how they are sent, the read models, their names in Chinese) is derived from the table or
// tested against it.
var Events = slices.Concat(appEvents, consentEvents, personEvents, requestEvents, dutyEvents, accessEvents, kindEvents)

// kindEvents are the rows of the two types whose events have kinds, each by a table of its
// own: [catalog.NoteRules] and [catalog.StepRules].
var kindEvents = []EventRule{
	{Name: "noted", Event: Noted{}, Nouns: in(ident.SubjectNoun, ident.ServiceNoun), By: ByKind, Views: InRequests | InReport},
	{Name: "stepped", Event: Stepped{}, Nouns: in(ident.RequestNoun, ident.IncidentNoun), By: ByKind, Views: InRequests | InReport | InFollowUps},
}

// An EventRule is a row of [Events].
type EventRule struct {
	Name  string       // of its records, without the version of their shape
	Event Event        // an empty one
	Nouns []ident.Noun // in the streams of which nouns it is recorded
	By    Sender       // who may ask for it
	Views Views        // what depends on it
	Idle  bool         // no state of its noun changes by it

	lasts    lasting           // why it cannot be voided; zero: it can
	check    func(Event) error // of what is said about a person and nothing else is asked of; nil: see [Subject.Decide]
	purposes func(e Event, room []policy.PurposeID) []policy.PurposeID
}

// A Sender says who may ask for something to be recorded.
type Sender uint8

const (
	ByLedger    Sender = iota + 1 // nobody sends it: the ledger finds it, or does it
	ByPublisher                   // an operator, by an operation of its own
	ByOperator                    // an operator
	ByApp                         // an app or an operator
	ByKind                        // the table of its kinds says: [catalog.NoteRules] or [catalog.StepRules]
)

func (s Sender) String() string {
	return [...]string{"", "the ledger", "an operator, by an operation of its own", "an operator", "an app",
		"see its kinds"}[s]
}

// Views are what depends on a type of event, beside the state of its noun.
type Views uint8

const (
	InConsents Views = 1 << iota // the read model of consents
	InRequests                   // that of requests, incidents and obligations
	InPolicies                   // that of apps and policies
	InReport                     // the audit report
	// what follows by a later date or in another stream, beside what a policy's duties say
	InFollowUps
)

// Has reports whether one of the views is among v.
func (v Views) Has(view Views) bool { return v&view != 0 }

// RuleOf returns the row of an event.
func RuleOf(e Event) *EventRule {
	if r := ruleOfType[reflect.TypeOf(e)]; r != nil {
		return r
	}
	panic(fmt.Sprintf("domain: event %T has no row in Events", e))
}

var ruleOfType = func() map[reflect.Type]*EventRule {
	m := make(map[reflect.Type]*EventRule, len(Events))
	for i := range Events {
		m[reflect.TypeOf(Events[i].Event)] = &Events[i]
	}
	return m
}()

// EventRuleOf returns the row of the events of a name, and whether there is one. Notes
// and steps have names of their own, see [catalog.NoteRuleOf] and [catalog.StepRuleOf].
func EventRuleOf(name string) (*EventRule, bool) {
	r, ok := ruleOfName[name]
	return r, ok
}

var ruleOfName = func() map[string]*EventRule {
	m := make(map[string]*EventRule, len(Events))
	for i := range Events {
		m[Events[i].Name] = &Events[i]
	}
	return m
}()

// NameOf returns what an event is called: a note or a step by its own kind.
func NameOf(e Event) string {
	switch x := e.(type) {
	case Noted:
		return string(x.Kind)
	case Stepped:
		return string(x.Kind)
	}
	return RuleOf(e).Name
}

// ViewsOf returns what depends on an event. Of one that has no row it returns everything,
// so that every view that meets it says that it has no case for it.
func ViewsOf(e Event) Views {
	if r := ruleOfType[reflect.TypeOf(e)]; r != nil {
		return r.Views
	}
	return ^Views(0)
}

// PurposesOf returns the purposes that an event names, none if it is about none in
// particular, and whether the event has a row. They may lie in room, which is empty.
func PurposesOf(e Event, room []policy.PurposeID) (ids []policy.PurposeID, known bool) {
	r := ruleOfType[reflect.TypeOf(e)]
	if r == nil || r.purposes == nil {
		return nil, r != nil
	}
	return r.purposes(e, room), true
}

// names makes a row say which purposes an event of its type names.
func names[E Event](of func(E) []policy.PurposeID) func(Event, []policy.PurposeID) []policy.PurposeID {
	return func(e Event, _ []policy.PurposeID) []policy.PurposeID { return of(e.(E)) }
}

// must makes a row say what an event of its type must be to be recorded as it is.
func must[E Event](check func(E) error) func(Event) error {
	return func(e Event) error { return check(e.(E)) }
}

// in lists nouns.
func in(nouns ...ident.Noun) []ident.Noun { return nouns }
