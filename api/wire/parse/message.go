package parse

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strings"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json/jsontext"
)

// A Mode is how a message carries CloudEvents.
type Mode uint8

const (
	Structured Mode = iota + 1 // the body is one event
	Batch                      // the body is an array of them
	Binary                     // the headers are the event's attributes, and the body its data
	Plain                      // nothing says so: the body is one event or more
)

// ErrContentType refuses a message that is said to be no JSON.
var ErrContentType error = refusal.Refusal{Code: refusal.Malformed, Path: "content-type",
	Text: "events come as application/cloudevents+json, application/cloudevents-batch+json, or in binary mode, with " +
		"ce- headers, as application/json"}

// ModeOf tells how a message carries events. The content type decides: ce- headers
// may stand beside a structured event, as some SDKs send them, and say nothing
// then. Names of headers may be written in any case. After [ErrContentType] the
// mode is what it would be if the content type were left out; zero if it says
// that the message is an event in another format.
func ModeOf(header map[string][]string) (Mode, error) {
	types := values(header, "content-type")
	if len(types) == 0 || len(types) == 1 && types[0] == "" {
		return looksLike(header), nil
	}

	kind, ok := mediaType(types[0])
	switch {
	case !ok || len(types) > 1:
		return looksLike(header), ErrContentType
	case kind == "application/cloudevents+json":
		return Structured, nil
	case kind == "application/cloudevents-batch+json":
		return Batch, nil
	case strings.HasPrefix(kind, "application/cloudevents"):
		return 0, ErrContentType
	case !isJSON(kind):
		return looksLike(header), ErrContentType
	}
	return looksLike(header), nil
}

// looksLike tells the mode of a message by its ce- headers.
func looksLike(header map[string][]string) Mode {
	for name, values := range header {
		if len(values) == 0 || !isAttributeHeader(name) {
			continue
		}
		if slices.Contains(binaryMarks, strings.ToLower(name[len(attributePrefix):])) {
			return Binary
		}
	}
	return Plain
}

// binaryMarks are the attributes of which any in a header says that the message is
// an event in binary mode.
var binaryMarks = []string{"specversion", "id", "type", "source", "subject"}

// attributePrefix begins the names of the headers that are attributes.
const attributePrefix = "ce-"

func isAttributeHeader(name string) bool {
	return len(name) > len(attributePrefix) && strings.EqualFold(name[:len(attributePrefix)], attributePrefix)
}

// values returns the values of a header, however its name is written.
func values(header map[string][]string, name string) (all []string) {
	spellings := 0
	for written, its := range header {
		if strings.EqualFold(written, name) {
			spellings, all = spellings+1, its
		}
	}
	if spellings < 2 {
		return all
	}

	all = nil // in an order that is always the same
	for _, written := range slices.Sorted(maps.Keys(header)) {
		if strings.EqualFold(written, name) {
			all = append(all, header[written]...)
		}
	}
	return all
}

// Repeated reports whether a header stands more than once, however its name is
// written.
func Repeated(header map[string][]string, name string) bool { return len(values(header, name)) > 1 }

// one returns the value of a header that stands once; else none.
func one(header map[string][]string, name string) string {
	if v := values(header, name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// BinaryType returns the type of an event in binary mode.
func BinaryType(header map[string][]string) string { return plainText(rawText(one(header, "ce-type"))) }

// BinaryEvent is [Event] for a CloudEvent in binary mode. Its attributes are
// read as escapes.go says. An event that has no id gets the id that is given;
// empty: it must have one.
func BinaryEvent(app ident.AppName, header map[string][]string, data []byte, id string) (ledger.Request, error) {
	return parseBinary(app, header, data, id, true)
}

// OperatorBinaryEvent is [OperatorEvent] for a CloudEvent in binary mode.
func OperatorBinaryEvent(
	app ident.AppName, header map[string][]string, data []byte, id string,
) (ledger.Request, error) {
	return parseBinary(app, header, data, id, false)
}

func parseBinary(
	app ident.AppName, header map[string][]string, data []byte, id string, fromApp bool,
) (ledger.Request, error) {
	if len(data) > MaxEvent {
		return ledger.Request{}, errLarge
	}
	e, err := binaryMembers(header, WithoutMark(data))
	if err != nil {
		return ledger.Request{}, err
	}
	if _, has := e.attrs.lookup("id"); !has && id != "" {
		e.attrs = append(e.attrs, attribute{"id", id})
	}

	r, err := binaryToTheLetter(app, e, fromApp)
	if err != nil && e.findKind() {
		r, err = parseLoosely(app, e, err, fromApp)
	}
	if err != nil {
		return ledger.Request{}, err
	}
	r.Raw, r.Former = otherNames(r, header)
	r.Traceparent = one(header, attributePrefix+traceparent)
	return r, nil
}

func binaryToTheLetter(app ident.AppName, e loose, fromApp bool) (ledger.Request, error) {
	if len(e.claims) > 0 {
		return ledger.Request{}, wrong(shownPath(e.claims[0].path),
			" is no attribute that is read here, or its header stands twice")
	}
	return parse(app, e.attrs, e.data, fromApp)
}

// binaryMembers takes an event in binary mode apart. What it has of claims are
// headers that no attribute comes of.
func binaryMembers(header map[string][]string, data []byte) (e loose, err error) {
	e.data = jsontext.Value(data)
	seen := map[string]bool{}
	for _, written := range slices.Sorted(maps.Keys(header)) {
		name, isCE := strings.CutPrefix(strings.ToLower(written), "ce-")
		if !isCE || seen[name] {
			continue
		}
		seen[name] = true
		switch all := values(header, "ce-"+name); {
		case name == "datacontenttype": // the content type says it
		case len(all) > 1 && isCore[name]:
			return e, malformed("the header ce-%s stands twice", name)
		case !isAttribute(name) || name == "data" || len(all) > 1:
			for _, v := range all {
				e.addText(name, rawText(v))
			}
		case len(all) == 1 && isKnown(name):
			e.attrs = append(e.attrs, attribute{name, attributeText(name, all[0])})
		}
	}
	return e, nil
}

// StructuredOf writes an event in binary mode as a structured one that says the same:
// for whoever keeps events until others are told of them. What is wrong with the event is for who
// parses it, but for headers that stand twice and decide what it
// is, and for data that are no JSON.
func StructuredOf(header map[string][]string, data []byte) ([]byte, error) {
	if len(data) > MaxEvent {
		return nil, errLarge
	}
	e, err := binaryMembers(header, WithoutMark(data))
	if err != nil {
		return nil, err
	}

	event, separator := []byte{'{'}, ""
	add := func(name string, value []byte) {
		event = append(event, separator...)
		event, _ = jsontext.AppendQuote(event, name)
		event = append(append(event, ':'), value...)
		separator = ","
	}
	quote := func(text string) []byte {
		quoted, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "?"))
		return quoted
	}
	for _, a := range e.attrs {
		add(a.name, quote(a.text))
	}
	for _, c := range e.claims {
		if strings.HasPrefix(c.path, "data") { // data come in the body alone
			c.path = "ce-" + c.path
		}
		add(c.path, quote(c.text))
	}
	if e.data = bytes.TrimSpace(e.data); len(e.data) > 0 {
		if !e.data.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
			return nil, wrong("data", " must be a JSON object")
		}
		add("data", e.data)
	}
	return append(event, '}'), nil
}

// attributeText returns what the header of an attribute says.
func attributeText(name, header string) string {
	text := rawText(header)
	if name == "source" || name == "dataschema" {
		return plainURI(text)
	}
	return plainText(text)
}

// otherNames returns by what name an event goes if its headers hold no escapes,
// and by which one it went before escapes were told from other text; zero: by the
// same.
func otherNames(r ledger.Request, header map[string][]string) (raw, former ledger.Name) {
	source, id := rawText(one(header, "ce-source")), rawText(one(header, "ce-id"))
	if id == "" {
		id = r.ID
	}

	is := ledger.Name{Source: r.Source, ID: r.ID}
	if raw = (ledger.Name{Source: normalURI(source), ID: id}); raw == is {
		raw = ledger.Name{}
	}

	wasSource, err := url.PathUnescape(source)
	wasID, bad := url.PathUnescape(id)
	if former = (ledger.Name{Source: wasSource, ID: wasID}); former == is || err != nil || bad != nil {
		former = ledger.Name{}
	}
	return raw, former
}
