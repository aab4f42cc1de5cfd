package dashboard

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What follows are the members of the API's answers that pages show.
type (
	obligation struct {
		Stream      string   `json:"stream"`
		Person      string   `json:"person"`
		Kind        string   `json:"kind"`
		Target      string   `json:"target"`
		Types       []string `json:"types"`
		Source      string   `json:"source"`
		State       string   `json:"state"`
		DueDate     string   `json:"due_date"`
		TimeZone    string   `json:"time_zone"`
		Days        *int     `json:"working_days_left"`
		Provisional bool     `json:"provisional"`
		Gap         string   `json:"gap"`          // the first day of a year that is not announced
		PausedSince string   `json:"paused_since"` // empty: its clock does not stand still
		PausedFor   []string `json:"paused_for"`
		Binding     bool     `json:"binding"`
		Moves       []move   `json:"moves"`
		Opened      string   `json:"opened"`
		Start       string   `json:"start"` // when its clock began; empty: not yet
		Due         string   `json:"due"`   // the instant at which it is late
		Met         string   `json:"met_at"`
		Changed     string   `json:"changed"`
	}
	// A move is why a due date changed, when that was recorded, and what the date was before and
	// after. By is the calendar that was published; empty: none was.
	move struct {
		Why      string `json:"why"`
		By       string `json:"by"`
		Recorded string `json:"recorded"`
		Was      string `json:"was"`
		Is       string `json:"is"`
	}
	stateCount struct {
		State       string `json:"state"`
		Obligations int    `json:"obligations"`
	}
	report struct {
		AsOf        string       `json:"as_of"`
		Next        string       `json:"next"`
		Obligations []obligation `json:"obligations"`
		Summary     struct {
			Obligations int          `json:"obligations"`
			OnTime      string       `json:"on_time_percent"`
			States      []stateCount `json:"states"`
		} `json:"summary"`
	}
	caseRow struct {
		ID       string   `json:"id"`
		State    string   `json:"state"`
		Person   string   `json:"person"`
		Types    []string `json:"types"`
		Channel  string   `json:"channel"`
		At       string   `json:"at"`
		Recorded string   `json:"recorded"`
		Closed   string   `json:"closed"`
		Marks    []string `json:"marks"`
	}
)

// Case returns the id of the request or incident that an obligation is of, and the
// page that shows it; empty: it is of none.
func (o obligation) Case() string {
	for noun, page := range map[string]string{"request-": "requests/", "incident-": "incidents/"} {
		if rest, is := strings.CutPrefix(o.Stream, noun); is {
			return page + rest[strings.LastIndex(rest, "-")+1:]
		}
	}
	return ""
}

// stillOpen are the states of what is owed now.
const stillOpen = "overdue,at-risk,open,paused,held"

// pageRows is how many rows a page shows.
const pageRows = "100"

// filters are the members of a deadline report's query that a form may set.
var filters = []string{"state", "group", "kind", "type", "provisional", "due_before", "due_after", "sort", "cursor",
	"as_of"}

type deadlines struct {
	report
	Query  url.Values // what is asked, for links to the same as a file
	States []string
}

// filtered returns what the address asks for.
func filtered(a *ask) url.Values {
	query := url.Values{}
	for _, name := range filters {
		if v := a.URL.Query().Get(name); v != "" {
			query.Set(name, v)
		}
	}
	return query
}

func readDeadlines(a *ask) (any, error) {
	d := deadlines{Query: filtered(a),
		States: []string{"overdue", "at-risk", "open", "paused", "held", "not-started", "met-late", "met", "void"}}
	if a.App == "" {
		return d, nil
	}
	if _, err := time.Parse(time.RFC3339, d.Query.Get(asOfDay)); err != nil { // else it is an instant
		if _, _, err := a.pastDay(); err != nil {
			return nil, err
		}
	}
	query := asKnown(d.Query, a.now)
	query.Set("limit", pageRows)
	return &d, a.get(a.of("/reports/deadlines"), query, &d.report)
}

// endOfDay returns the query for the API, which is asked as of an instant where the form
// has a day: its end, or now if that day is not over. The API knows instants to the millisecond.
func endOfDay(query url.Values, now time.Time) url.Values {
	query = maps.Clone(query)
	switch day := query.Get("as_of"); {
	case day == now.UTC().Format(time.DateOnly):
		query.Del("as_of")
	case len(day) == len(time.DateOnly):
		query.Set("as_of", day+"T23:59:59.999Z")
	}
	return query
}

// asKnown is endOfDay for what is owed: judged at a moment, and by what was known then, as every other
// page of a day that is past. By as_of alone the API counts what was recorded since, too: a late
// request, a step or a void would change a day that is over.
func asKnown(query url.Values, now time.Time) url.Values {
	query = endOfDay(query, now)
	if at := query.Get("as_of"); at != "" {
		query.Set("known_at", at)
	}
	return query
}

// dayAsked returns the day as of which a page is asked for, and its end as the API is asked for
// it; both are empty where the page is as of now.
func (a *ask) dayAsked() (day, end string) { return a.dayIn(asOfDay) }

// dayIn is dayAsked by a parameter of the address.
func (a *ask) dayIn(name string) (day, end string) {
	day = a.URL.Query().Get(name)
	if _, err := time.Parse(time.DateOnly, day); err != nil || day > a.now.UTC().Format(time.DateOnly) {
		return "", ""
	}
	if end = endOfDay(url.Values{"as_of": {day}}, a.now).Get("as_of"); end == "" {
		return "", ""
	}
	return day, end
}

// pastDay is dayAsked, and refuses what is no day, or one that has not come.
func (a *ask) pastDay() (day, end string, err error) {
	text := a.URL.Query().Get(asOfDay)
	if text == "" {
		return "", "", nil
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil || text > a.now.UTC().Format(time.DateOnly) {
		return "", "", &problem{Status: http.StatusBadRequest, Code: "malformed", Path: asOfDay,
			Detail: "as_of: is a day as in 2026-03-02, and has come"}
	}
	day, end = a.dayAsked()
	return day, end, nil
}

// knownAt is the query for what was known at a moment; empty: for what is known now.
func knownAt(moment string) url.Values {
	if moment == "" {
		return url.Values{}
	}
	return url.Values{"known_at": {moment}}
}

// Export returns the address of what the page shows, as a file.
func (d *deadlines) Export(p *page, format string) string {
	return d.link(p, "deadlines/file", "format", format)
}

// More returns the address of the next page.
func (d *deadlines) More(p *page) string { return d.link(p, "deadlines", "cursor", d.Next) }

// link returns the address of something else for the same query, from its beginning.
func (d *deadlines) link(p *page, to, name, value string) string {
	query := maps.Clone(d.Query)
	query.Del("cursor")
	query.Set("app", p.App)
	query.Set(name, value)
	return Root + to + "?" + query.Encode()
}

// oneCase is a request or an incident, with what was done.
type oneCase struct {
	caseRow
	Noun        string
	Steps       []step       `json:"steps"`
	Obligations []obligation `json:"obligations"`
	AsOf        string       `json:"as_of"`

	// What follows is of the page and not of the API's answer, whose "done" is something else.
	May        bool       `json:"-"` // whoever looks may take steps
	Forms      []stepForm `json:"-"`
	RecordedBy string     `json:"-"`
	Done       string     `json:"-"` // the step that was just taken
	Wrong      *problem   `json:"-"` // why a form was not taken that is not there any more
	Reveal     *revealing `json:"-"` // nil: whoever looks may not open what is sealed
	Unknown    bool       `json:"-"` // none of this id was known by the end of the day that is shown
}

type step struct {
	Kind     string `json:"kind"`
	At       string `json:"at"`
	Recorded string `json:"recorded"`
	Actor    string `json:"actor"`

	Fields map[string]string `json:"fields"`
}

func readIncident(a *ask) (any, error) { return readCase(a, "incidents") }

func readRequest(a *ask) (any, error) {
	c, err := readCase(a, "requests")
	if err != nil || c.Unknown {
		return c, err
	}
	c.reveal(a)
	return c, nil
}

// readCase reads a request or an incident, and what may be done next; or how it stood at the end of a day
// that is past, on which nothing can be done.
func readCase(a *ask, many string) (*oneCase, error) {
	day, known, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	if day != "" {
		return readCaseThen(a, many, known)
	}

	c := oneCase{Noun: many, Done: a.URL.Query().Get("done")}
	query := url.Values{}
	if at := a.URL.Query().Get("at"); at != "" && strings.Trim(at, "0123456789") == "" {
		query.Set("min_position", at) // the page shows what was just recorded
	}
	if err := a.get(a.of("/"+many+"/"+url.PathEscape(a.PathValue("id"))), query, &c); err != nil {
		return nil, err
	}
	return &c, c.forms(a, many)
}

// readCaseThen reads a request or an incident as it was known at a moment.
func readCaseThen(a *ask, many, known string) (*oneCase, error) {
	c := oneCase{Noun: many}
	err := a.get(a.of("/"+many+"/"+url.PathEscape(a.PathValue("id"))), knownAt(known), &c)
	if p, is := errors.AsType[*problem](err); is && p.Code == "not-found" {
		c.ID, c.Unknown, a.status = a.PathValue("id"), true, http.StatusNotFound
		return &c, nil
	}
	if s := a.sent; s != nil {
		c.Wrong = s.Problem // the form of a step is on the page of now alone
	}
	return &c, err
}
