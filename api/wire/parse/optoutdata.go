package parse

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain/catalog"
	"consentledger/domain/policy"
	"consentledger/domain/request"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// members are those of an opt-out's data, by name, in the order of their names.
type looseData struct {
	names  []string
	values map[string]jsontext.Value
}

// readData returns the data of an opt-out, canonical: the members that say what it
// is about, and of the others those that can be read.
func (e *loose) readData() ([]byte, error) {
	data := e.data
	if len(bytes.TrimSpace(data)) == 0 {
		data = jsontext.Value(noData)
	}
	if object, _, ok := inside(data); ok {
		e.add("data", data)
		data = object
	}
	if !isObject(data) {
		_, err := canonicalData(data)
		return nil, err
	}
	d, err := e.dataMembers(data)
	if err != nil {
		return nil, err
	}
	for _, name := range e.kind.optOut {
		if v, has := d.values[name]; has {
			d.values[name] = e.coerce(name, v)
		}
	}
	if v, has := d.values["act"]; has {
		d.values["act"] = e.signalIn(v)
	}

	e.readChannel(&d)

	// What the opt-out is about comes first: it has to be readable by itself.
	var taken []string
	for _, name := range d.names {
		if slices.Contains(e.kind.optOut, name) && d.values[name] != nil {
			taken = append(taken, name)
		}
	}
	canonical, err := d.canonical(taken)
	if err != nil {
		return nil, err
	}
	if e.kind.reads(canonical) != nil {
		return nil, errNothingLeft
	}
	for _, name := range d.names {
		if slices.Contains(e.kind.optOut, name) {
			continue
		}
		more, err := d.canonical(append(taken, name))
		if err != nil || e.kind.reads(more) != nil {
			e.add("data."+name, d.values[name])
			continue
		}
		taken, canonical = append(taken, name), more
	}
	return canonical, nil
}

// canonical returns the members that are named, as RFC 8785 writes them.
func (d looseData) canonical(names []string) ([]byte, error) {
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, name) // of a-z, digits and "_"
		b = append(append(b, ':'), d.values[name]...)
	}
	return canonicalData(append(b, '}'))
}

// dataMembers takes data apart. A member that is known by another spelling is
// taken for it, if it does not stand there too.
func (e *loose) dataMembers(data jsontext.Value) (looseData, error) {
	d := looseData{values: map[string]jsontext.Value{}}
	known := e.kind.members()
	other := map[string]jsontext.Value{} // by the member that is meant
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true))
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() != '}' {
		t, bad := dec.ReadToken()
		if bad != nil {
			return d, notJSON(bad, "data")
		}
		name := t.String()
		v, bad := dec.ReadValue()
		if bad != nil {
			return d, notJSON(bad, "data")
		}
		end := int(dec.InputOffset())
		raw := data[end-len(v) : end]
		meant := spelled(name, known)
		switch {
		case meant == "":
			e.add("data."+name, raw)
		case meant == name:
			err = d.put(e, name, raw)
		case other[meant] == nil:
			other[meant] = raw
			e.add("data."+name, raw)
		case e.isAbout(meant):
			err = wrong("data."+meant, " stands twice, in two spellings")
		default:
			e.add("data."+name, raw)
		}
	}
	if err != nil {
		return d, err
	}

	for meant, v := range other {
		if d.values[meant] == nil {
			d.values[meant] = v
		}
	}

	for name := range d.values {
		d.names = append(d.names, name)
	}

	slices.Sort(d.names)
	return d, nil
}

// isAbout reports whether a member says what the opt-out is about, or who says it,
// so that two of them are two opt-outs. By which channel it came is not that.
func (e *loose) isAbout(name string) bool {
	return name != "channel" && slices.Contains(e.kind.optOut, name)
}

// put takes a member that is known. If it stands twice and says two things it is
// nothing that is understood, or, if the opt-out is about it, refused.
func (d looseData) put(e *loose, name string, v jsontext.Value) error {
	before, twice := d.values[name]
	switch {
	case !twice:
		d.values[name] = v
	case bytes.Equal(before, v):
	case e.isAbout(name):
		return wrong("data."+name, " stands twice and says two things")
	default:
		e.add("data."+name, before)
		d.values[name] = v
	}
	return nil
}

// members returns the names of the members that data of a kind may have.
func (k kind) members() (names []string) {
	if rule, is := catalog.NoteRuleOf(catalog.Note(k.name)); is {
		return fieldNames(rule.Fields)
	}
	return membersOf(k.shapeOf())
}

// spelled returns the member that a name means: itself, or one that differs in
// the case of its letters, in hyphens, or is the plural; empty: none.
func spelled(name string, known []string) string {
	if slices.Contains(known, name) {
		return name
	}
	plain := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	for _, k := range known {
		if plain == strings.ReplaceAll(k, "_", "") || plain+"s" == k {
			return k
		}
	}
	return ""
}

// coerce returns a member that an opt-out is about in the form that it should
// have had, if the form alone is wrong. What of a list cannot be read does not
// undo the rest; nil: nothing can.
func (e *loose) coerce(name string, v jsontext.Value) jsontext.Value {
	path := "data." + name
	switch {
	case v.Kind() == 'n':
		return nil
	case name == "all" && v.Kind() == '"' && strings.EqualFold(textIn(v), "true"):
		e.add(path, v)
		return jsontext.Value("true")
	case name == "all" && v.Kind() != 't' && v.Kind() != 'f':
		e.add(path, v)
		return nil
	case name != "purposes" && name != "types":
		return v
	case v.Kind() == '"':
		e.add(path, v)
		return slices.Concat([]byte("["), v, []byte("]"))
	case v.Kind() == '[':
		return e.readable(path, v)
	}
	return v
}

// unsaid is the channel of a request to stop that does not say by which it came.
const unsaid = "unsaid"

// readChannel gives a request to stop a channel if it has none that can be read:
// by which way it came stands beside what is asked for. Another request is not
// looked at: it is refused if it has none.
func (e *loose) readChannel(d *looseData) {
	v := d.values["channel"]
	if !slices.Contains(e.kind.optOut, "channel") || IsName(textIn(v), 64) {
		return
	}
	if v == nil {
		v = jsontext.Value(`""`)
	}
	e.add("data.channel", v)
	if !slices.Contains(d.names, "channel") {
		d.names = append(d.names, "channel")
		slices.Sort(d.names)
	}
	d.values["channel"] = jsontext.Value(`"` + unsaid + `"`)
}

// signalIn returns an act as it is, or the machine's signal that it means by another
// spelling, as of a header or of a property of a browser: taken for the person's own
// word it would undo, page by page, what the person agreed to since.
func (e *loose) signalIn(act jsontext.Value) jsontext.Value {
	plain := strings.NewReplacer("-", "", "_", "", " ", "")
	text := strings.ToLower(plain.Replace(textIn(act)))
	for _, signal := range policy.Signals {
		if text == plain.Replace(string(signal)) && textIn(act) != string(signal) {
			e.add("data.act", act)
			return jsontext.Value(`"` + string(signal) + `"`)
		}
	}
	return act
}

// readable returns what of a list can be read, which may be nothing.
func (e *loose) readable(path string, v jsontext.Value) jsontext.Value {
	var list []jsontext.Value
	if json.Unmarshal(v, &list, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return v
	}

	kept := list[:0:0]
	for i, item := range list {
		bad := item.Kind() != '"' || !item.IsValid()
		if !bad && path == "data.types" {
			_, err := request.ParseType(textIn(item))
			bad = err != nil
		}
		if bad {
			e.add(path+"["+strconv.Itoa(i)+"]", item)
			continue
		}
		kept = append(kept, item)
	}

	b, err := json.Marshal(kept)
	if err != nil {
		return v
	}
	return b
}
