package dashboard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// What follows are the members of the API's answers that pages show.
type (
	obligation struct {
		Stream      string   `json:"stream"`
		ID          string   `json:"id"`
		Person      string   `json:"person"`
		Kind        string   `json:"kind"`
		Target      string   `json:"target"`
		Types       []string `json:"types"`
		Rule        string   `json:"rule"`
		Source      string   `json:"source"`
		Basis       string   `json:"basis"`
		State       string   `json:"state"`
		DueDate     string   `json:"due_date"`
		Due         string   `json:"due"`
		TimeZone    string   `json:"time_zone"`
		Days        *int     `json:"working_days_left"`
		Provisional bool     `json:"provisional"`
		Binding     bool     `json:"binding"`
		Opened      string   `json:"opened"`
		Moves       []move   `json:"moves"`
		Group       string   `json:"group"`
	}
	// A move is why a due date changed, and what it was before.
	move struct {
		Why      string `json:"why"`
		Was      string `json:"was"`
		Recorded string `json:"recorded"`
	}
	stateCount struct {
		State       string `json:"state"`
		Obligations int    `json:"obligations"`
	}
	report struct {
		At          string       `json:"at"`
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
func (o obligation) Case() (string, error) {
	for noun, page := range map[string]string{"request-": "requests/", "incident-": "incidents/"} {
		if rest, is := strings.CutPrefix(o.Stream, noun); is {
			return page + rest[strings.LastIndex(rest, "-")+1:], nil
		}
	}
	return "", nil
}

// stillOpen are the states of what is owed now.
const stillOpen = "overdue,at-risk,open,paused,held"

// pageRows is how many rows a page shows.
const pageRows = "100"

// today is what is due, and what somebody must look at.
type today struct {
	Lanes     []lane
	Others    []stateCount // everything else that is owed, counted
	Incidents []caseRow    // that are not closed
	Alarms    []alarm
	Rejected  []rejected // that may be an opt-out, and nobody has seen
	Checks    []check    // that are red
	Ready     bool
	At        string
	AsOf      string
}

// A lane is replies that are due in the same time.
type lane struct {
	Name        string
	Obligations []obligation
}

type alarm struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	App    string `json:"app"`
}

type rejected struct {
	Seq     uint64 `json:"seq"`
	App     string `json:"app"`
	At      string `json:"at"`
	Code    string `json:"code"`
	Path    string `json:"path"`
	MayBeNo bool   `json:"may_be_no"`
	Seen    bool   `json:"seen"`
}

type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// laneNames are the lanes of a day, the most urgent first.
var laneNames = []string{"overdue", "0", "3", "7", "later", "paused"}

func readToday(a *ask) (any, error) {
	var t today
	if err := t.health(a); err != nil || a.App == "" {
		return t, err
	}

	// Requests of persons have dates by law: they are never mixed with what follows from thousands of
	// changed preferences.
	var replies report
	query := url.Values{"group": {"requests"}, "state": {stillOpen}, "sort": {"due"}, "limit": {"1000"}}
	if err := a.get(a.of("/reports/deadlines"), query, &replies); err != nil {
		return nil, err
	}
	t.At, t.AsOf, t.Lanes = replies.At, replies.AsOf, lanes(replies.Obligations)

	var others report
	query = url.Values{"group": {"other"}, "state": {stillOpen}, "limit": {"1"}}
	if err := a.get(a.of("/reports/deadlines"), query, &others); err != nil {
		return nil, err
	}
	t.Others = others.Summary.States

	var incidents struct{ Cases []caseRow }
	if err := a.get(a.of("/incidents"), nil, &incidents); err != nil {
		return nil, err
	}
	t.Incidents = slices.DeleteFunc(incidents.Cases, func(c caseRow) bool { return c.Closed != "" || c.State == "closed" })
	return t, nil
}

// health reads what somebody must look at, whichever app it is of. What speaks of every
// app is left out for who may see some of them.
func (t *today) health(a *ask) error {
	var ready struct {
		OK     bool
		Checks []check
	}
	switch err := a.get("/readyz", url.Values{"verbose": {"1"}}, &ready); {
	case err == nil:
		t.Checks = slices.DeleteFunc(ready.Checks, func(c check) bool { return c.OK })
	case !isForbidden(err):
		return err
	default:
		if err := a.get("/readyz", nil, &ready); err != nil {
			return err
		}
	}
	t.Ready = ready.OK

	var alarms struct{ Alarms []alarm }
	if err := a.get("/v1/alarms", nil, &alarms); err != nil && !isForbidden(err) {
		return err
	}
	t.Alarms = alarms.Alarms

	var all struct{ Rejected []rejected }
	if err := a.get("/v1/rejected", nil, &all); err != nil && !isForbidden(err) {
		return err
	}
	t.Rejected = slices.DeleteFunc(all.Rejected, func(r rejected) bool { return !r.MayBeNo || r.Seen })
	return nil
}

// lanes sorts what is open by how many working days are left.
func lanes(open []obligation) []lane {
	all := make([]lane, len(laneNames))
	for i, name := range laneNames {
		all[i].Name = name
	}
	for _, o := range open {
		i := laneOf(o)
		all[i].Obligations = append(all[i].Obligations, o)
	}
	return all
}

func laneOf(o obligation) int {
	switch {
	case o.State == "paused" || o.State == "held":
		return 5
	case o.State == "overdue":
		return 0
	case o.Days == nil || *o.Days > 7:
		return 4
	case *o.Days <= 0:
		return 1
	case *o.Days <= 3:
		return 2
	}
	return 3
}

// filters are the members of a deadline report's query that a form may set.
var filters = []string{"state", "group", "kind", "type", "provisional", "due_before", "due_after", "sort", "cursor", "as_of"}

type deadlines struct {
	report
	Query  url.Values // what is asked, for links to the same as a file
	States []string
}

func readDeadlines(a *ask) (any, error) {
	d := deadlines{Query: url.Values{}, States: []string{"overdue", "at-risk", "open", "paused", "held", "not-started", "met-late", "met", "void"}}
	for _, name := range filters {
		if v := a.URL.Query().Get(name); v != "" {
			d.Query.Set(name, v)
		}
	}
	if a.App == "" {
		return d, nil
	}
	query := url.Values{"limit": {pageRows}}
	for name, values := range d.Query {
		query[name] = values
	}
	if day := query.Get("as_of"); len(day) == len("2006-01-02") {
		query.Set("as_of", day+"T23:59:59Z")
	}
	return &d, a.get(a.of("/reports/deadlines"), query, &d.report)
}

// Export returns the address of what the page shows, as a file.
func (d *deadlines) Export(p *page, format string) string {
	query := url.Values{"format": {format}}
	for name, values := range d.Query {
		if name != "cursor" {
			query[name] = values
		}
	}
	return "/v1/apps/" + url.PathEscape(p.App) + "/reports/deadlines?" + query.Encode()
}

// More returns the address of the next page.
func (d *deadlines) More(p *page) string {
	query := url.Values{"app": {p.App}, "cursor": {d.Next}}
	for name, values := range d.Query {
		if name != "cursor" {
			query[name] = values
		}
	}
	return Root + "deadlines?" + query.Encode()
}

// oneCase is a request or an incident, with what was done.
type oneCase struct {
	caseRow
	Noun        string
	Steps       []step       `json:"steps"`
	Obligations []obligation `json:"obligations"`
	AsOf        string       `json:"as_of"`
}

type step struct {
	Kind     string `json:"kind"`
	At       string `json:"at"`
	Recorded string `json:"recorded"`
	Actor    string `json:"actor"`
	Event    string `json:"event"`

	Fields map[string]string `json:"fields"`
}

func readRequest(a *ask) (any, error)  { return readCase(a, "requests") }
func readIncident(a *ask) (any, error) { return readCase(a, "incidents") }

func readCase(a *ask, many string) (any, error) {
	c := oneCase{Noun: many}
	return &c, a.get(a.of("/"+many+"/"+url.PathEscape(a.PathValue("id"))), nil, &c)
}

// consentCounts is how many persons stand where with each purpose.
type consentCounts struct {
	Purposes []purposeCounts
	Statuses []string // that occur, in their order
	AsOf     string
}

type purposeCounts struct {
	Purpose string
	People  map[string]int
	All     int
}

// statuses are in the order in which charts show them.
var statuses = []string{"given", "stale", "expired", "withdrawn", "refused", "never-asked"}

func readConsents(a *ask) (any, error) {
	var c consentCounts
	if a.App == "" {
		return &c, nil
	}
	var answer struct {
		Counts []struct {
			Purpose, Status string
			People          int
		}
		AsOf string `json:"as_of"`
	}
	if err := a.get(a.of("/consents/counts"), nil, &answer); err != nil {
		return nil, err
	}
	c.AsOf = answer.AsOf
	for _, one := range answer.Counts {
		if n := len(c.Purposes); n == 0 || c.Purposes[n-1].Purpose != one.Purpose {
			c.Purposes = append(c.Purposes, purposeCounts{Purpose: one.Purpose, People: map[string]int{}})
		}
		last := &c.Purposes[len(c.Purposes)-1]
		last.People[one.Status] += one.People
		last.All += one.People
		if !slices.Contains(c.Statuses, one.Status) {
			c.Statuses = append(c.Statuses, one.Status)
		}
	}
	slices.SortFunc(c.Statuses, func(x, y string) int { return cmp.Compare(rank(x), rank(y)) })
	return &c, nil
}

// rank is a status' place among those of a chart; what it does not know comes last.
func rank(status string) int {
	if i := slices.Index(statuses, status); i >= 0 {
		return i
	}
	return len(statuses)
}

// A bar is a part of a chart's row, in per mille of its width.
type bar struct {
	Status   string
	X, Width int
	People   int
}

// Bars returns a purpose's row of the chart.
func (c *consentCounts) Bars(of purposeCounts) []bar {
	var bars []bar
	x := 0
	for _, status := range c.Statuses {
		if n := of.People[status]; n > 0 {
			width := n * 1000 / of.All
			bars = append(bars, bar{Status: status, X: x, Width: width, People: n})
			x += width
		}
	}
	if n := len(bars); n > 0 {
		bars[n-1].Width = 1000 - bars[n-1].X // with what was rounded away
	}
	return bars
}

// person is what is known of one person, once the form was sent.
type person struct {
	Subject, Reason, By string
	Asked               bool
	Purposes            []standing
	Entries             []entry
}

type standing struct {
	Purpose string `json:"purpose"`
	Status  string `json:"status"`
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Since   string `json:"since"`
	Until   string `json:"until"`
	Version string `json:"version"`
}

type entry struct {
	EventID  string `json:"event_id"`
	Type     string `json:"type"`
	Position string `json:"position"`
	At       string `json:"at"`
	Recorded string `json:"recorded"`
	Actor    string `json:"actor"`
}

// reasons are the codes for which a person may be looked at here.
var reasons = []string{"subject-request", "dispute", "incident", "audit", "authority"}

// Reasons are for the form.
func (*person) Reasons() []string { return reasons }

func readPerson(a *ask) (any, error) {
	p := &person{}
	if a.Method != http.MethodPost || a.App == "" {
		return p, nil
	}
	p.Subject, p.Reason, p.By = a.PostFormValue("subject"), a.PostFormValue("reason"), a.PostFormValue("by")
	if p.Subject == "" || !slices.Contains(reasons, p.Reason) || p.By == "" {
		return nil, &problem{Status: http.StatusBadRequest, Code: "person-form"}
	}
	p.Asked = true

	// First the history, since reading it records who reads and why; without that record
	// nothing is shown.
	var lines bytes.Buffer
	asked := map[string]string{"app": a.App, "subject": p.Subject, "reason": p.Reason, "by": p.By}
	if err := a.do(http.MethodPost, "/v1/replay", asked, &lines); err != nil {
		return nil, err
	}
	for line := range bytes.Lines(lines.Bytes()) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, e)
	}
	slices.Reverse(p.Entries)
	if len(p.Entries) == 0 {
		return p, nil
	}

	var state struct{ Purposes []standing }
	err := a.do(http.MethodPost, a.of("/subjects/state"), map[string]string{"subject": p.Subject}, &state)
	p.Purposes = state.Purposes
	return p, err
}

type policies struct {
	Policies []policy `json:"policies"`
	AsOf     string   `json:"as_of"`
}

type policy struct {
	Policy    string   `json:"policy"`
	Version   string   `json:"version"`
	Effective string   `json:"effective"`
	Material  []string `json:"material"`
	InForce   bool     `json:"in_force"`
}

func readPolicies(a *ask) (any, error) {
	var p policies
	if a.App == "" {
		return &p, nil
	}
	if err := a.get(a.of("/policies"), nil, &p); err != nil && !isUnknown(err) {
		return nil, err
	}
	slices.Reverse(p.Policies) // the newest first
	return &p, nil
}

type system struct {
	Version     string `json:"version"`
	Store       string `json:"store"`
	Started     string `json:"started"`
	Head        string `json:"head"`
	Projections []struct {
		Name     string  `json:"name"`
		Position string  `json:"position"`
		Behind   uint64  `json:"behind"`
		Seconds  float64 `json:"seconds"`
	} `json:"projections"`
	Ready  bool    `json:"-"`
	Checks []check `json:"-"`
}

func readSystem(a *ask) (any, error) {
	var s system
	if err := a.get("/v1/status", nil, &s); err != nil {
		return nil, err
	}
	var ready struct {
		OK     bool
		Checks []check
	}
	if err := a.get("/readyz", url.Values{"verbose": {"1"}}, &ready); err != nil {
		return nil, err
	}
	s.Ready, s.Checks = ready.OK, ready.Checks
	return &s, nil
}
