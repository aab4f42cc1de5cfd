package parse

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"consentledger/api/wire/tag"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A reader parses the members of data and keeps the first refusal.
type reader struct {
	kind   string // of the event
	other  ident.PersonKey
	stream ident.StreamID // that the event is about, if it names one
	shape  *reflect.Type  // not nil: nothing is parsed, and the shape of data is told
	err    error
}

// asked reports whether r only wants to know the shape of data, and tells it.
func asked[S any](r *reader) bool {
	if r.shape != nil {
		*r.shape = reflect.TypeFor[S]()
	}
	return r.shape != nil
}

// wrongShape says which member does not fit, without its value.
func wrongShape(err error, root string) error {
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return notJSON(err, root)
	case errors.Is(err, json.ErrUnknownName):
		return malformed("%s is no member that is known here", pathOf(root, e.JSONPointer))
	case e.GoType == nil:
		return malformed("%s has the wrong form", pathOf(root, e.JSONPointer))
	}
	return wrong(pathOf(root, e.JSONPointer), " must be %s", kindOf(e.GoType.Kind().String())) // a known member
}

// misspelled refuses a member of data that is known by another spelling, as
// Purposes is, which C# writes; nil: there is none.
func misspelled(err error, known []string) error {
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok || !errors.Is(err, json.ErrUnknownName) || e.JSONPointer.Parent() != "" {
		return nil
	}
	if name := e.JSONPointer.LastToken(); spelled(name, known) != "" {
		return wrong("data."+shown(name), " is no member that is known here: it is spelled %s", spelled(name, known))
	}
	return nil
}

func kindOf(goKind string) string {
	switch goKind {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "slice":
		return "a list of strings"
	}
	return "an object"
}

func (r *reader) fail(member, format string, args ...any) {
	if r.err == nil {
		if format[0] != ':' {
			format = " " + format
		}
		r.err = wrong("data."+member, format, args...)
	}
}

// need refuses a member that is missing.
func (r *reader) need(member string, there bool) {
	if !there {
		r.fail(member, "is missing")
	}
}

func (r *reader) name(member, s string, max int) string {
	if s != "" && !IsName(s, max) {
		r.fail(member, `must be 1 to %d of a-z, 0-9 and "-"`, max)
	}
	return s
}

// reason reads why, by a code: it is kept in the clear.
func (r *reader) reason(s string) string {
	r.need("reason", s != "")
	return r.name("reason", s, 64)
}

// token reads a name that is not ours, as of a build: it is kept in the clear.
func (r *reader) token(member, s string) string {
	if len(s) > 64 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+_-") != "" {
		r.fail(member, "must be 1 to 64 of A-Z, a-z, 0-9, dot, plus, underscore and hyphen")
	}
	return s
}

// build reads which build of an app it was: a version, which has a digit.
func (r *reader) build(s string) string {
	if s != "" && !tag.IsBuild(s) {
		r.fail("build", `is a version as in 5.2.1+1203: 1 to 64 of A-Z, a-z, 0-9 and ".+_-", a digit among them, and nothing that looks personal`)
	}
	return s
}

// public reads a text that is kept in the clear.
func (r *reader) public(member, s string) string {
	if len(s) > 200 {
		r.fail(member, "is a public text of at most 200 bytes")
	}
	return s
}

// sealed reads a text about a person. It is never in a message.
func (r *reader) sealed(member, s string) domain.Personal {
	if len(s) > 4000 {
		r.fail(member, "has at most 4000 bytes")
	}
	return domain.Personal(s)
}

// date reads a day that says something about a person.
func (r *reader) date(member, s string) domain.Personal {
	if s == "" {
		return ""
	}
	if t, err := time.Parse(time.DateOnly, s); err != nil || t.Year() < 1850 {
		r.fail(member, "must be a real date, as in 2015-06-30")
	}
	return domain.Personal(s)
}

// person reads whom the event names besides its subject.
func (r *reader) person(member, s string) {
	who, err := ident.ParsePersonKey(s)
	if err != nil {
		r.fail(member, ": %v", err)
	}
	r.other = who
}

// guardian reads which guardian says it; empty: the person does.
func (r *reader) guardian(s string) {
	if s != "" {
		r.person("guardian", s)
	}
}

func (r *reader) principal(member, s string) string {
	name, err := ident.ParsePrincipal(s)
	if err != nil {
		r.fail(member, ": %v", err)
	}
	return name
}

func (r *reader) locale(s string) string {
	if s != "" && !tag.IsLocale(s) {
		r.fail("locale", "must be a language tag, as in zh-CN")
	}
	return s
}

func (r *reader) purposes(names []string) []policy.PurposeID {
	var ids []policy.PurposeID
	for i, s := range names {
		id, err := policy.ParsePurposeID(s)
		if err != nil {
			r.fail(fmt.Sprintf("purposes[%d]", i), ": %v", err)
		}
		ids = append(ids, id)
	}
	return ids
}

// denied reads the purposes of an opt-out. One that cannot be read does not undo the
// others: it goes on as it came, and the domain knows no purpose of that name.
func (r *reader) denied(names []string) []policy.PurposeID {
	readable := slices.ContainsFunc(names, func(s string) bool {
		_, err := policy.ParsePurposeID(s)
		return err == nil
	})
	if !readable {
		return r.purposes(names)
	}
	var ids []policy.PurposeID
	for _, s := range names {
		ids = append(ids, policy.PurposeID(s))
	}
	return ids
}

// parseAs reads a member by a parser of the domain; an empty one is the zero
// value.
func parseAs[T any](r *reader, member, s string, parse func(string) (T, error)) T {
	var v T
	if s == "" {
		return v
	}
	v, err := parse(s)
	if err != nil {
		r.fail(member, ": %v", err)
	}
	return v
}

func (r *reader) hash(member, s string) content.Hash {
	return parseAs(r, member, s, content.ParseNamedHash)
}

func (r *reader) time(member, s string) deadline.Instant {
	return parseAs(r, member, s, deadline.ParseInstant)
}

func (r *reader) eventID(member, s string) ident.EventID {
	if s == "" {
		return ident.EventID{}
	}
	id, err := eventstore.ParseEventID(s)
	if err != nil || id == (eventstore.EventID{}) { // zeros, as of an empty Guid, would be taken for none
		r.fail(member, "must be an event_id of a receipt, as in 01234567-89ab-cdef-0123-456789abcdef")
	}
	return ident.EventID(id)
}

func (r *reader) eventIDs(member string, list []string) []ident.EventID {
	var ids []ident.EventID
	for i, s := range list {
		at := fmt.Sprintf("%s[%d]", member, i)
		if s == "" {
			r.fail(at, "is empty")
		}
		ids = append(ids, r.eventID(at, s))
	}
	return ids
}

// two reads the two persons who decided.
func (r *reader) two(names []string) (by [2]string) {
	if len(names) != 2 {
		r.fail("by", "names the two who decided: two texts of 1 to 128 printable characters without spaces")
		return by
	}
	return [2]string{r.principal("by[0]", names[0]), r.principal("by[1]", names[1])}
}

// details returns the text of an object; it came canonical.
func (r *reader) details(v jsontext.Value) domain.Personal {
	if v == nil || v.Kind() == 'n' {
		return ""
	}
	if v.Kind() != '{' {
		r.fail("details", "must be an object")
	}
	return domain.Personal(v)
}
