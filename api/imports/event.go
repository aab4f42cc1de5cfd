package imports

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"

	"github.com/go-json-experiment/json"
)

// An answer is one thing that a row says.
type answer struct {
	decision string
	purposes []string
	at       time.Time
	name     string // of the answer among those of its row; empty: it has one
}

// one returns the value of a field in a row; empty: the row has none.
func (f Field) one(r row, what string) (string, *Problem) {
	values, p := f.all(r, what)
	if p != nil || len(values) == 0 {
		return "", p
	}
	if len(values) > 1 {
		return "", &Problem{r.number, f.Column, "several", what + " has several values",
			"one, or list_separator where several are meant"}
	}
	return values[0], nil
}

// all returns the values of a field in a row.
func (f Field) all(r row, what string) ([]string, *Problem) {
	if f.Constant != "" {
		return []string{f.Constant}, nil
	}
	if f.Column == "" {
		return nil, nil
	}
	values, has := r.get(f.Column)
	if !has {
		return nil, nil
	}
	if f.ListSeparator != "" {
		values = split(values, f.ListSeparator)
	}

	meant := make([]string, 0, len(values))
	for _, v := range values {
		if f.Values != nil {
			to, known := f.Values[v]
			if !known {
				return nil, &Problem{r.number, f.Column, "unknown-value",
					what + " has a value that the mapping does not name",
					"one of " + strings.Join(slices.Sorted(maps.Keys(f.Values)), ", ") +
						"; or add it to the values of " + what}
			}
			v = to
		}
		meant = append(meant, f.Prefix+v)
	}
	return meant, nil
}

func split(values []string, separator string) (parts []string) {
	for _, v := range values {
		for part := range strings.SplitSeq(v, separator) {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

// instant returns a time of a row.
func (f Field) instant(r row) (time.Time, *Problem) {
	text, p := f.one(r, "time")
	if p != nil {
		return time.Time{}, p
	}
	if text == "" {
		return time.Time{}, &Problem{r.number, f.Column, "missing", "the row does not say when",
			"a time, or skip for what the row decides"}
	}
	zone, err := time.LoadLocation(f.Zone)
	if err != nil {
		zone = time.UTC
	}

	var at time.Time
	want := "RFC 3339, as in 2026-03-02T09:30:00Z; or say layout and zone"
	switch f.Layout {
	case "unix", "unix-ms":
		var n int64
		want = "a whole number of seconds since 1970, or of milliseconds with unix-ms"
		if n, err = strconv.ParseInt(text, 10, 64); err == nil && f.Layout == "unix" {
			at = time.Unix(n, 0)
		} else {
			at = time.UnixMilli(n)
		}
	case "", "rfc3339":
		at, err = time.Parse(time.RFC3339Nano, text)
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04:05.999999999-0700", text) // ISO 8601 knows the offset without a colon, too
		}
		if err != nil && f.Zone != "" {
			at, err = inZone(text, zone)
		}
	default:
		want = "as the layout says: " + f.Layout
		at, err = shownIn(f.Layout, text, zone)
	}
	if errors.Is(err, errSkipped) {
		return at, &Problem{r.number, f.Column, "time", "the clocks of zone did not show this time: they were set forward over it",
			wantShown}
	}
	if err != nil || at.Year() < 1990 || at.Year() > 9999 {
		return at, &Problem{r.number, f.Column, "time", "the time cannot be read", want}
	}
	return at.UTC(), nil
}

// inZone reads a time that names no zone.
func inZone(text string, zone *time.Location) (at time.Time, err error) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if at, err = shownIn(layout, text, zone); err == nil || errors.Is(err, errSkipped) {
			return at, err
		}
	}
	return at, err
}

// shownIn reads a time that the clocks of a zone showed.
func shownIn(layout, text string, zone *time.Location) (at time.Time, err error) {
	at, err = time.ParseInLocation(layout, text, zone)
	if err == nil && skipped(at, layout, text) {
		err = errSkipped
	}
	return at, err
}

// errSkipped is of a time that clocks were set forward over. It is a sign that the times
// are of another zone than the mapping says.
var errSkipped = errors.New("no clock showed this time")

const wantShown = "the zone that the times are of, or a time that its clocks showed"

// skipped reports whether at, which was read from text, is another time on the clocks of
// its zone than text says. A time that says its offset is the one that it says, and a day
// begins when it begins, also where that is at one o'clock.
func skipped(at time.Time, layout, text string) bool {
	said, err := time.Parse(layout, text)
	if err != nil || said.Equal(at) {
		return false
	}
	if hour, minute, second := said.Clock(); hour == 0 && minute == 0 && second == 0 {
		return false
	}
	return said.Format(time.DateTime) != at.Format(time.DateTime)
}

// answers returns what a row says; none for a row that says nothing.
func (m Mapping) answersOf(r row) (answers []answer, p *Problem) {
	if len(m.Decisions) == 0 {
		said, p := m.decided(r, m.Decision, "decision")
		if p != nil || said == skip {
			return nil, p
		}
		purposes, p := m.Purpose.all(r, "purpose")
		if p != nil {
			return nil, p
		}
		purposes = slices.DeleteFunc(purposes, func(s string) bool { return s == skip })
		if len(purposes) == 0 {
			return nil, &Problem{r.number, m.Purpose.Column, "missing", "the row does not say to what", "a purpose"}
		}
		answers = []answer{{decision: said, purposes: purposes}}
	}
	for _, purpose := range slices.Sorted(maps.Keys(m.Decisions)) {
		f := m.Decisions[purpose]
		if _, has := r.get(f.Column); f.Constant == "" && !has {
			continue // an empty cell says nothing
		}
		said, p := m.decided(r, f, "decisions."+purpose)
		if p != nil {
			return nil, p
		}
		if said != skip {
			answers = append(answers, answer{decision: said, purposes: []string{purpose}, name: purpose})
		}
	}

	for i, a := range answers {
		if answers[i].at, p = m.timeOf(a).instant(r); p != nil {
			return nil, p
		}
		for _, purpose := range a.purposes {
			if _, err := policy.ParsePurposeID(purpose); err != nil {
				return nil, &Problem{r.number, m.Purpose.Column, "purpose", "the value is no purpose's id",
					"say in the values of purpose what it means, as in {\"Email news\": newsletter}"}
			}
		}
	}
	return answers, nil
}

// timeOf returns where a row says when an answer was given.
func (m Mapping) timeOf(a answer) Field {
	if when, own := m.TimeOf[a.decision]; own {
		return when
	}
	return m.Time
}

func (m Mapping) decided(r row, f Field, what string) (string, *Problem) {
	said, p := f.one(r, what)
	if p != nil {
		return "", p
	}
	if !slices.Contains(decisions, said) {
		return "", &Problem{r.number, f.Column, "decision", "the row does not say what was decided",
			"given, refused, withdrawn or skip; or say in the values of " + what + " what a value means"}
	}
	return said, nil
}

// A File is what is known of the file that is imported.
type File struct {
	Hash       content.Hash
	FilteredBy string                       // the principal by whose list of erased persons it was filtered
	Tables     map[string]map[string]string // by their names
	Known      *Known                       // nil: rows are not held to the app's policies
}

// subject returns who a row is about.
func (m Mapping) subject(r row, file File) (string, *Problem) {
	who, p := m.Subject.one(r, "subject")
	if p != nil {
		return "", p
	}

	if who == "" {
		return "", &Problem{r.number, m.Subject.Column, "missing", "the row does not say who",
			"the id of an account or of an installation"}
	}

	if m.Subject.Table != "" {
		to, known := file.Tables[m.Subject.Table][strings.TrimPrefix(who, m.Subject.Prefix)]
		if !known {
			return "", &Problem{r.number, m.Subject.Column, "not-in-table", "the table has no row for this person",
				"a row in the table, or none here"}
		}
		who = m.Subject.Prefix + to
	}

	key, err := ident.ParsePersonKey(who)
	if err != nil {
		return "", &Problem{r.number, m.Subject.Column, "subject", err.Error(),
			"an id of the app's own; a table can say which one belongs to an address"}
	}
	return key.String(), nil
}

// event returns the event of one answer of a row.
func (m Mapping) event(r row, a answer, file File) ([]byte, *Problem) {
	who, p := m.subject(r, file)
	if p != nil {
		return nil, p
	}
	origin := map[string]any{"from": m.From}
	id, p := m.ID.one(r, "id")
	if p != nil {
		return nil, p
	}
	switch {
	case id != "":
		id = "import:" + m.From + ":" + id // the same row in a later export is the same event
	case m.ID.isSet():
		return nil, &Problem{r.number, m.ID.Column, "missing", "the row has no id",
			"one in every row, or a mapping without id"}
	default:
		id = fmt.Sprintf("import:%s:%d", file.Hash, r.number)
		origin["file"], origin["row"] = file.Hash.String(), r.number
	}
	if a.name != "" {
		id += "/" + a.name
	}
	if len(id) > 512 {
		return nil, &Problem{r.number, m.ID.Column, "id", "the id is too long", "at most 400 characters"}
	}
	if found := m.evidence(r); len(found) > 0 {
		origin["evidence"] = found
	}

	data := map[string]any{"purposes": a.purposes, "details": map[string]any{"imported": origin}}
	if p := m.given(r, a, file, data); p != nil {
		return nil, p
	}
	if p := file.Known.check(r, m, a, data); p != nil {
		return nil, p
	}
	event, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "source": "urn:consentledger:import:" + m.From, "type": "consent." + a.decision,
		"subject": who, "time": a.at.Format(time.RFC3339Nano), "data": data,
	}, json.Deterministic(true))
	if err != nil {
		return nil, &Problem{r.number, "", "text", "the row is no text in UTF-8", "a file in UTF-8"}
	}
	return event, nil
}

// given adds what a grant says, and refuses a grant that says too little.
func (m Mapping) given(r row, a answer, file File, data map[string]any) *Problem {
	if a.decision == "given" {
		data["import"] = true
		if file.FilteredBy != "" {
			data["filtered_by"] = file.FilteredBy
		}
	}

	for _, x := range []struct {
		name string
		f    Field
		is   bool // an event of the decision may have it
	}{{"act", m.Act, true}, {"version", m.Version, a.decision != "withdrawn"}, {"locale", m.Locale,
		a.decision != "withdrawn"}} {
		v, p := x.f.one(r, x.name)
		if p != nil {
			return p
		}
		if v != "" && x.is && (x.name != "act" || a.decision == "given") {
			data[x.name] = v
		}
	}

	if _, has := data["act"]; a.decision == "given" && !has {
		return &Problem{r.number, m.Act.Column, "missing", "a grant says what the person did",
			`an act of the policy, as in act: {constant: imported}`}
	}

	if v, has := data["version"]; has {
		if _, err := content.ParseHash(v.(string)); err != nil {
			return &Problem{r.number, m.Version.Column, "version", "the value is no version of a policy",
				"sha256: and 64 hex digits, see consentledger policy list; or say in the values of version what it " +
					"means"}
		}
	}
	return nil
}

// evidence returns what the row has as proof, as it is found.
func (m Mapping) evidence(r row) map[string]string {
	found := map[string]string{}
	for _, column := range m.Evidence {
		if values, has := r.get(column); has {
			found[column] = strings.Join(values, " ")
		}
	}
	return found
}
