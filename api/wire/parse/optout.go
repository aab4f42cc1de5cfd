package parse

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An opt-out is not refused for what stands beside it. What cannot be read of its
// time, its number or any other member is left out of the record, which names it;
// what it said is kept, sealed. Who says it of whom, what is opted out of, and the
// name of the event have to be readable.

// isCore are the attributes without which nobody knows what was said, and of whom.
var isCore = map[string]bool{"id": true, "source": true, "type": true, "subject": true}

// A loose event is an opt-out that cannot be read to the letter, taken apart.
type loose struct {
	kind  kind
	attrs attributes
	data  jsontext.Value
	unread
}

// unread collects what is not understood.
type unread struct{ claims []claim }

// A claim is what a member said that was not understood.
type claim struct{ path, text string }

// add keeps a claim: the text of a JSON string, or any other JSON as it was sent.
func (u *unread) add(path string, v []byte) {
	text := string(v)
	if v := jsontext.Value(v); v.IsValid(jsontext.AllowDuplicateNames(true)) && v.Kind() == '"' {
		text = textIn(v)
	}
	u.addText(path, text)
}

func (u *unread) addText(path, text string) {
	if !utf8.ValidString(text) {
		text = "base64," + base64.StdEncoding.EncodeToString([]byte(text))
	}
	u.claims = append(u.claims, claim{strings.ToValidUTF8(path, "?"), text})
}

// maxNames is how many members a record names at most that were not understood.
const maxNames = 20

// kept returns the claims as a request has them, in one order whichever way the
// event came. Names that do not look like a member's are not shown.
func (u *unread) kept() ledger.Unread {
	if len(u.claims) == 0 {
		return ledger.Unread{}
	}
	slices.SortFunc(u.claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.text, b.text))
	})

	var names []string
	pairs := make([][2]string, 0, len(u.claims))
	for _, c := range u.claims {
		pairs = append(pairs, [2]string{c.path, c.text})
		if name := shownPath(c.path); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > maxNames {
		names = append(names[:maxNames], "...")
	}
	claims, err := json.Marshal(pairs)
	if err != nil {
		panic("parse: claims do not make JSON: " + err.Error())
	}
	return ledger.Unread{Names: strings.Join(names, ","), Claims: claims}
}

// indexAtEnd matches an index into a list at the end of a path.
var indexAtEnd = regexp.MustCompile(`\[[0-9]{1,4}\]$`)

// shownPath returns a path as a record may name it in the clear.
func shownPath(path string) string {
	member, inData := strings.CutPrefix(path, "data.")

	// Only an index as this package writes it is one: a bracket can as well be part
	// of a member's name, and so can anything after it.
	index := indexAtEnd.FindString(member)
	name := shown(strings.TrimSuffix(member, index)) + index
	if inData {
		return "data." + name
	}
	return name
}

// looseMembers takes a structured event apart, and reports whether it may be an
// opt-out whose surroundings are wrong.
func looseMembers(structured []byte) (e loose, is bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(structured), jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return e, false
	}

	ok := true
	for ok && d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return e, false
		}
		name := t.String()
		v, err := d.ReadValue()
		if err != nil {
			return e, false
		}
		end := int(d.InputOffset())
		ok = e.member(name, structured[end-len(v):end])
	}

	if _, err := d.ReadToken(); !ok || err != nil || len(bytes.TrimSpace(structured[d.InputOffset():])) > 0 {
		return e, false
	}
	return e, e.findKind()
}

// member takes a member of a structured event. Not ok: it says two things of what
// the event is.
func (e *loose) member(name string, v jsontext.Value) (ok bool) {
	if name == "data" || name == "data_base64" {
		data, err := dataOf(name, v)
		if err != nil && name == "data_base64" && v.Kind() == '"' {
			if data, err = decodeBase64(textIn(v)); err == nil {
				e.add(name, v)
			}
		}
		ok = err == nil && (e.data == nil || data == nil || sameData(e.data, data))
		if data != nil { // null is none, and takes nothing away
			e.data = data
		}
		return ok
	}

	text, err := textOf(name, v)
	switch {
	case isCore[name]:
		return err == nil && utf8.Valid(v) && e.attribute(name, text)
	case err != nil || !utf8.Valid(v):
		e.add(name, v)
	case isKnown(name) && v.Kind() != 'n':
		return e.attribute(name, text)
	}
	return true
}

// sameData reports whether data that stand twice say the same.
func sameData(a, b jsontext.Value) bool {
	if bytes.Equal(a, b) {
		return true
	}
	one, err := canonicalData(a)
	if err != nil {
		return false
	}
	other, err := canonicalData(b)
	return err == nil && bytes.Equal(one, other)
}

// attribute takes an attribute that is read here. If it stands twice and says two
// things, nobody knows which is meant.
func (e *loose) attribute(name, text string) (ok bool) {
	before, twice := e.attrs.lookup(name)
	switch {
	case !twice:
		e.attrs = append(e.attrs, attribute{name, text})
	case before != text && isCore[name]:
		return false
	case before != text:
		e.addText(name, before)
		e.addText(name, text)
		e.drop(name)
	}
	return true
}

func (e *loose) drop(name string) {
	e.attrs = slices.DeleteFunc(e.attrs, func(a attribute) bool { return a.name == name })
}

// findKind reports whether the event is of a kind by which people opt out.
func (e *loose) findKind() bool {
	e.kind = kinds[e.attrs.get("type")]
	return e.kind.optOut != nil
}

// parseLoosely reads an opt-out that was refused to the letter. It returns that
// refusal if the event turns out to be none.
func parseLoosely(app ident.AppName, e loose, refusal error, fromApp bool) (ledger.Request, error) {
	r := ledger.Request{App: app, RecordedBy: ident.Unauthenticated, FromApp: fromApp}
	if err := name(&r, e.attrs); err != nil {
		return ledger.Request{}, err
	}
	if err := e.kind.subject(&r, e.attrs); err != nil {
		return ledger.Request{}, err
	}
	if v := e.attrs.get("specversion"); v != "1.0" {
		e.addText("specversion", v)
	}
	sent := e.oddTime()
	for _, beside := range []struct {
		name string
		read func(*ledger.Request, attributes) error
	}{{"time", happened}, {"sequence", numbered}, {"actor", acts}, {"onbehalfof", onBehalf}, {"datacontenttype",
		contentType}} {
		if beside.read(&r, e.attrs) != nil {
			e.addText(beside.name, e.attrs.get(beside.name))
		}
	}

	data, err := e.readData()
	if errors.Is(err, errNothingLeft) || err == nil && readData(&r, e.kind, data) != nil {
		return ledger.Request{}, refusal // it says what was wrong with what was sent, not with what is left of it
	}
	if err != nil {
		return ledger.Request{}, err
	}
	if !domain.IsOptOut(r.Command) {
		return ledger.Request{}, refusal // a request of another kind
	}
	r.Unread = e.kept()
	r.Body = bodyOf(data, &r, e.kind.name)

	// A time that was understood is no part of what tells two bodies apart but by
	// what it means: whoever sends the opt-out again gets the same receipt.
	if sent != "" {
		r.Unread = r.Unread.With("time", sent)
	}
	return r, nil
}

// oddTime puts a time that differs from RFC 3339 in its form alone into its form,
// and returns it as it was sent; empty: there is none.
func (e *loose) oddTime() (sent string) {
	for i, a := range e.attrs {
		if a.name != "time" {
			continue
		}
		_, err := deadline.ParseInstant(a.text)
		at, odd := deadline.ParseLooseInstant(a.text)
		if err != nil && odd == nil {
			e.attrs[i].text = at.String()
			return a.text
		}
	}
	return ""
}

// errNothingLeft says that of an opt-out nothing can be read that it is about.
var errNothingLeft = errors.New("parse: nothing is left of an opt-out")

func contentType(_ *ledger.Request, attrs attributes) error {
	return checkContentType(attrs.get("datacontenttype"))
}
