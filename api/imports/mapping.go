// Package imports reads consents that are kept elsewhere, row by row, as events for
// the ledger. A mapping says which column of the file is what. Nothing is guessed: a
// row that the mapping does not explain is an error with its number and its column,
// and never with what stands in it, which may be personal.
//
// What is imported says so: a grant has "import", and its evidence is of the quality
// "imported", whatever the file calls proof. What the file has as proof is kept with
// the event, sealed, as it was found.
package imports

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a mapping means the same on every machine

	"consentledger/api/policyfile"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema names the shape of a mapping.
const Schema = "import/1"

// A Mapping says what the columns of a file are. CSV has a head with their names; in
// NDJSON a column is a member, and a.b is the member b of the member a.
type Mapping struct {
	Schema    string           `json:"schema"`
	From      string           `json:"from"`      // the system that the consents come from: 1 to 64 of a-z, 0-9 and "-"
	Format    string           `json:"format"`    // csv or ndjson
	Separator string           `json:"separator"` // between columns of CSV; left out: a comma
	Subject   Field            `json:"subject"`   // who: an id of the app's own
	Purpose   Field            `json:"purpose"`   // to what; with list_separator, or as a JSON array, to several
	Decision  Field            `json:"decision"`  // given, refused, withdrawn, or skip for a row that says nothing
	Decisions map[string]Field `json:"decisions"` // instead of purpose and decision: a column for each purpose
	Time      Field            `json:"time"`      // when the person said so
	TimeOf    map[string]Field `json:"time_of"`   // where a decision has a column of its own for that
	Version   Field            `json:"version"`   // of the policy that was shown: sha256:...
	Locale    Field            `json:"locale"`
	Act       Field            `json:"act"`      // of the policy: what the person did; needed for grants
	ID        Field            `json:"id"`       // names the row for ever; left out: the file's hash and the row's number
	Evidence  []string         `json:"evidence"` // columns that are kept with the event, sealed
}

// A Field says where a value comes from. A text alone is the name of a column.
type Field struct {
	Column        string            `json:"column"`
	Constant      string            `json:"constant"`
	Values        map[string]string `json:"values"`         // what the values of the column mean; empty: they mean themselves
	Table         string            `json:"table"`          // a CSV file of two columns, with a head: a value, and what it means
	Prefix        string            `json:"prefix"`         // before the value, as in "device:"
	ListSeparator string            `json:"list_separator"` // between several values
	Layout        string            `json:"layout"`         // of a time: rfc3339, unix, unix-ms, or one of Go's; left out: rfc3339
	Zone          string            `json:"zone"`           // of a time that names none
}

// UnmarshalJSONFrom reads a text as the name of a column.
func (f *Field) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &f.Column)
	}
	type members Field
	return json.UnmarshalDecode(dec, (*members)(f), json.RejectUnknownMembers(true))
}

func (f Field) isSet() bool { return f.Column != "" || f.Constant != "" }

//go:embed presets
var presets embed.FS

// Presets returns the names of the mappings that there are.
func Presets() (names []string) {
	files, err := presets.ReadDir("presets")
	if err != nil {
		panic("imports: " + err.Error())
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return names
}

// Preset returns the mapping file of a preset, to be read or changed.
func Preset(name string) ([]byte, bool) {
	text, err := presets.ReadFile("presets/" + name + ".yaml")
	return text, err == nil
}

// ParseMapping reads the mapping file called name. The error says what is wrong, and
// what would be right.
func ParseMapping(name string, file []byte) (m Mapping, err error) {
	body, err := policyfile.JSON(name, file)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(body, &m, json.RejectUnknownMembers(true)); err != nil {
		e, ok := errors.AsType[*json.SemanticError](err)
		switch {
		case ok && errors.Is(err, json.ErrUnknownName):
			return m, fmt.Errorf("%s: %s%s", name, within(e.JSONPointer), policyfile.Unknown(e.JSONPointer, members))
		case ok:
			return m, fmt.Errorf("%s: %s does not fit; docs/import.md shows how it is written", name, e.JSONPointer)
		}
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// within names the member in which another one stands, if it stands in one.
func within(pointer jsontext.Pointer) string {
	if parent := pointer.Parent(); parent != "" {
		return strings.ReplaceAll(strings.TrimPrefix(string(parent), "/"), "/", ".") + ": "
	}
	return ""
}

// members returns the members that a map of a mapping may have.
func members(pointer string) (names []string) {
	shape := reflect.TypeFor[Field]()
	if pointer == "" {
		shape = reflect.TypeFor[Mapping]()
	}
	for i := range shape.NumField() {
		names = append(names, shape.Field(i).Tag.Get("json"))
	}
	return names
}

// decisions are what a row may say.
var decisions = []string{"given", "refused", "withdrawn", skip}

const skip = "skip"

// check returns what is missing in a mapping, or contradicts itself.
func (m Mapping) check() error {
	switch {
	case m.Schema != Schema:
		return fmt.Errorf("schema: want %s", Schema)
	case !isName(m.From):
		return errors.New(`from: name the system that the consents come from: 1 to 64 of a-z, 0-9 and "-"`)
	case m.Format != "csv" && m.Format != "ndjson":
		return errors.New("format: want csv or ndjson")
	case len(m.Separator) > 1 || m.Separator != "" && m.Format != "csv" ||
		strings.ContainsAny(m.Separator, "\"\r\n\x00"):
		return errors.New("separator: one character of ASCII that is no quote and no end of a line, and of csv alone")
	case !m.Subject.isSet() || m.Subject.Constant != "":
		return errors.New("subject: name the column with the person's id")
	case !m.Time.isSet() && len(m.TimeOf) < len(decisions)-1:
		return errors.New("time: name the column that says when the person said so")
	case len(m.Decisions) > 0 && (m.Purpose.isSet() || m.Decision.isSet()):
		return errors.New("decisions: stands instead of purpose and decision, not beside them")
	case len(m.Decisions) == 0 && (!m.Purpose.isSet() || !m.Decision.isSet()):
		return errors.New("purpose, decision: name the columns that say to what, and what was said; or decisions, " +
			"with a column for each purpose")
	}

	for where, f := range m.fields() {
		if err := f.check(); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}

	for name, f := range m.answers() {
		for _, said := range f.Values {
			if !slices.Contains(decisions, said) {
				return fmt.Errorf("%s.values: a decision is one of %s", name, strings.Join(decisions, ", "))
			}
		}
	}

	for said := range m.TimeOf {
		if !slices.Contains(decisions[:3], said) {
			return errors.New("time_of: is of given, refused and withdrawn")
		}
	}
	return nil
}

// answers returns the fields that say what was decided.
func (m Mapping) answers() map[string]Field {
	if len(m.Decisions) == 0 {
		return map[string]Field{"decision": m.Decision}
	}
	all := map[string]Field{}
	for purpose, f := range m.Decisions {
		all["decisions."+purpose] = f
	}
	return all
}

// fields returns every field by its place in the mapping.
func (m Mapping) fields() map[string]Field {
	all := map[string]Field{
		"subject": m.Subject, "purpose": m.Purpose, "decision": m.Decision, "time": m.Time,
		"version": m.Version, "locale": m.Locale, "act": m.Act, "id": m.ID,
	}
	maps.Copy(all, m.answers())
	for said, f := range m.TimeOf {
		all["time_of."+said] = f
	}
	return all
}

func (f Field) check() error {
	if f.Column != "" && f.Constant != "" {
		return errors.New("a column or a constant, not both")
	}
	if len(f.Values) > 0 && f.Table != "" {
		return errors.New("values or a table, not both")
	}
	if _, err := time.LoadLocation(f.Zone); err != nil || f.Zone == "Local" {
		return errors.New(`zone: is a name of the IANA database, as in "Europe/Berlin"`)
	}
	return f.checkLayout()
}

// checkLayout refuses a layout by which a time would be guessed: what stands in a file
// without an offset is of some zone, and an abbreviation such as CST is of several.
func (f Field) checkLayout() error {
	switch {
	case f.Layout == "" || f.Layout == "rfc3339" || f.Layout == "unix" || f.Layout == "unix-ms":
		return nil
	case strings.Contains(f.Layout, "MST"):
		return errors.New(`layout: an abbreviation of a zone, as MST, is not of one zone: say zone, and write into the layout what stands in the file, as in "2006-01-02 15:04 UTC"`)
	case f.Zone == "" && !strings.Contains(f.Layout, "Z07") && !strings.Contains(f.Layout, "-07"):
		return errors.New(`layout: it has no offset, so say zone, as in "Europe/Berlin" or "UTC"`)
	}
	return nil
}

// isName reports whether a text is 1 to 64 of a-z, 0-9 and "-".
func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
