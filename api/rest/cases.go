package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/projections/requests"

	"github.com/danielgtaylor/huma/v2"
)

// A Case is a request or an incident as it stands.
type Case struct {
	ID            string   `json:"id"`
	Stream        string   `json:"stream"`
	State         string   `json:"state" doc:"of a request: open, answered, rejected, withdrawn or duplicate; of an incident: suspected, detected, contained, closed or dismissed"`
	Person        string   `json:"person,omitzero" doc:"who asks: a pseudonym"`
	Types         []string `json:"types,omitempty"`
	Channel       string   `json:"channel,omitzero"`
	Policy        string   `json:"policy,omitzero"`
	Version       string   `json:"version,omitzero" doc:"whose promises bind"`
	Authenticated bool     `json:"authenticated,omitzero"`
	Purposes      []string `json:"purposes,omitempty"`
	Unpromised    []string `json:"unpromised,omitempty" doc:"types for which the policy promises no date"`
	Document      string   `json:"document,omitzero"`
	Cause         string   `json:"cause,omitzero" doc:"the withdrawal that came with it"`
	At            string   `json:"at" format:"date-time" doc:"as its source says"`
	Recorded      string   `json:"recorded" format:"date-time"`
	Closed        string   `json:"closed,omitzero" format:"date-time" doc:"when the step was recorded by which it is over; absent: it is open"`
	Marks         []string `json:"marks,omitempty" doc:"what is true of it, in the words of its steps"`
	Done          []string `json:"done,omitempty" doc:"the types that have their answer"`
	Test          bool     `json:"test,omitzero" doc:"it is of a test, and in no list"`
	Event         string   `json:"event"`
}

// A Step is one step of a request or an incident.
type Step struct {
	Kind       string            `json:"kind"`
	At         string            `json:"at" format:"date-time"`
	Recorded   string            `json:"recorded" format:"date-time"`
	Actor      string            `json:"actor"`
	RecordedBy string            `json:"recorded_by"`
	Fields     map[string]string `json:"fields,omitempty"`
	Evidence   string            `json:"evidence,omitzero"`
	Details    bool              `json:"details,omitzero" doc:"there is a text, sealed for the person"`
	Event      string            `json:"event"`
	Position   string            `json:"position"`
}

// Cases is requests or incidents in the order in which they were begun.
type Cases struct {
	App   string `json:"app"`
	Cases []Case `json:"cases"`
	Next  string `json:"next,omitzero" doc:"ask again with cursor= this; absent: there is no more"`
	AsOf  string `json:"as_of"`
}

// WholeCase is a request or an incident with its steps and what is owed.
type WholeCase struct {
	App string `json:"app"`
	Case
	Steps       []Step              `json:"steps"`
	Obligations []report.Obligation `json:"obligations"`
	Judged      string              `json:"judged_at" format:"date-time"`
	AsOf        string              `json:"as_of"`
}

type casesIn struct {
	App     string `path:"app"`
	State   string `query:"state" doc:"a state of one of them; or open or over, those in any state of that kind"`
	Type    string `query:"type" doc:"a type of request, as in access"`
	Subject string `query:"subject" doc:"account:ID, device:ID or ID; better asked in a body"`
	Person  string `query:"person" doc:"a pseudonym"`
	KnownAt string `query:"known_at" doc:"RFC 3339; only what was known then counts"`
	Cursor  string `query:"cursor" doc:"next of the page before"`
	Limit   string `query:"limit" doc:"at most so many on a page, up to 1000; 100 if not said"`
	Min     string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

type casesBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

// A CaseQuery is the query of a list in a body, so that no id stands in a URL.
type CaseQuery struct {
	State   string `json:"state,omitzero" doc:"a state of one of them; or open or over, those in any state of that kind"`
	Type    string `json:"type,omitzero"`
	Subject string `json:"subject,omitzero" doc:"account:ID, device:ID or ID"`
	Person  string `json:"person,omitzero" doc:"a pseudonym"`
	KnownAt string `json:"known_at,omitzero"`
	Cursor  string `json:"cursor,omitzero"`
	Limit   string `json:"limit,omitzero"`
	Min     string `json:"min_position,omitzero"`
}

type caseIn struct {
	App     string `path:"app"`
	ID      string `path:"id"`
	AsOf    string `query:"as_of" doc:"RFC 3339; the moment at which the obligations are judged; absent: known_at, or else now"`
	KnownAt string `query:"known_at" doc:"RFC 3339; only what was known then counts"`
	Min     string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

func (s *server) caseRoutes(api huma.API) {
	for _, n := range []struct {
		noun         ident.Noun
		many, plural string
	}{{ident.RequestNoun, "requests", "Requests"}, {ident.IncidentNoun, "incidents", "Incidents"}} {
		path := "/v1/apps/{app}/" + n.many
		route(s, api, "list-"+n.many, http.MethodGet, path, n.plural+", oldest first",
			func(ctx context.Context, in *casesIn) (*out[Cases], error) {
				return s.cases(ctx, n.noun, in.App,
					CaseQuery{in.State, in.Type, in.Subject, in.Person, in.KnownAt, in.Cursor, in.Limit, in.Min})
			})
		bodied[CaseQuery](s, api, "query-"+n.many, http.MethodPost, path+"/query", "The same, with no id in the URL",
			maxBody, func(ctx context.Context, in *casesBody) (*out[Cases], error) {
				var q CaseQuery
				if err := question(in.RawBody, &q); err != nil {
					return nil, err
				}
				return s.cases(ctx, n.noun, in.App, q)
			})
		route(s, api, "get-"+string(n.noun), http.MethodGet, path+"/{id}", "One with its steps and what is owed",
			func(ctx context.Context, in *caseIn) (*out[WholeCase], error) {
				return s.wholeCase(ctx, n.noun, in)
			})
	}
}

func (s *server) cases(ctx context.Context, noun ident.Noun, app string, c CaseQuery) (*out[Cases], error) {
	name, err := s.app(ctx, app)
	if err != nil {
		return nil, err
	}
	if err := checkCases(noun, c); err != nil {
		return nil, err
	}

	q := requests.CaseQuery{App: name, Noun: noun, States: statesOf(noun, c.State), Type: c.Type, Limit: 100}
	if c.Limit != "" {
		if q.Limit, err = count(c.Limit, maxRows); err != nil {
			return nil, err
		}
	}

	if q.After, err = s.place(c.Cursor); err != nil {
		return nil, err
	}
	if q.Person, err = s.pseudonym(ctx, name, c.Subject, c.Person); err != nil {
		return nil, err
	}
	if err := s.wait(ctx, c.Min); err != nil {
		return nil, err
	}
	if q.Known, _, err = s.moments(ctx, c.KnownAt, ""); err != nil {
		return nil, err
	}

	limit := q.Limit
	q.Limit++
	list, asOf, err := s.Requests.Cases(ctx, q)
	if err != nil {
		return nil, behind(err)
	}

	a := Cases{App: app, Cases: []Case{}, AsOf: wire.FormatPosition(asOf)}
	if len(list) > limit {
		list = list[:limit]
		a.Next = wire.FormatPosition(list[limit-1].Begun)
	}

	for _, c := range list {
		a.Cases = append(a.Cases, caseOf(c))
	}
	return ok(a)
}

// caseStates are how requests and incidents can stand while something of them is to be done, and how
// when they are over.
var caseStates = map[ident.Noun]struct{ open, over []string }{
	ident.RequestNoun:  {[]string{"open"}, []string{"answered", "rejected", "withdrawn", "duplicate"}},
	ident.IncidentNoun: {cases.OpenIncidents(), cases.OverIncidents()},
}

// statesOf returns the states that a filter means; none: any.
func statesOf(noun ident.Noun, filter string) []string {
	switch filter {
	case "":
		return nil
	case "open":
		return caseStates[noun].open
	case "over":
		return caseStates[noun].over
	}
	return []string{filter}
}

// checkCases refuses to look for what there cannot be.
func checkCases(noun ident.Noun, c CaseQuery) error {
	states := caseStates[noun]
	filters := slices.Concat([]string{"open"}, states.open, []string{"over"}, states.over)
	if filters = slices.Compact(filters); c.State != "" && !slices.Contains(filters, c.State) {
		return bad("state: want one of " + strings.Join(filters, ", "))
	}
	if noun != ident.RequestNoun && (c.Subject != "" || c.Person != "") {
		return bad("subject, person: an incident is of no one person: leave them out")
	}
	if c.Type == "" {
		return nil
	}
	if noun != ident.RequestNoun {
		return bad("type: an incident has none")
	}
	if _, err := request.ParseType(c.Type); err != nil {
		return bad("type: " + err.Error())
	}
	return nil
}

func caseOf(c requests.Case) Case {
	return Case{
		ID:            c.ID,
		Stream:        ident.StreamID{Noun: c.Noun, App: c.App, ID: c.ID}.String(),
		State:         c.State,
		Person:        c.Person,
		Types:         c.Types,
		Channel:       c.Channel,
		Policy:        c.Policy,
		Version:       c.Version,
		Authenticated: c.Authenticated,
		Purposes:      words(c.Purposes),
		Unpromised:    c.Unpromised,
		Document:      c.Document,
		Cause:         c.Cause,
		At:            report.Time(c.At),
		Recorded:      report.Time(c.Recorded),
		Closed:        report.Time(c.Closed),
		Marks:         c.Marks,
		Done:          c.Done,
		Test:          c.Test,
		Event:         c.Event,
	}
}

func (s *server) wholeCase(ctx context.Context, noun ident.Noun, in *caseIn) (*out[WholeCase], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, in.Min); err != nil {
		return nil, err
	}

	known, at, err := s.moments(ctx, in.KnownAt, in.AsOf)
	if err != nil {
		return nil, err
	}

	c, steps, duties, found, asOf, err := s.Requests.Case(ctx, ident.StreamID{
		Noun: noun,
		App:  name,
		ID:   in.ID,
	}, known, at)
	if err != nil {
		return nil, behind(err)
	}
	if !found {
		return nil, noCase(noun, in.KnownAt)
	}
	return ok(wholeCaseOf(c, steps, duties, at, asOf))
}

// noCase says that there is no request or incident of an id, or that none was known at a moment.
func noCase(noun ident.Noun, knownAt string) error {
	text := "there is no " + string(noun) + " of that id"
	if knownAt != "" {
		text = "no " + string(noun) + " of that id was known at " + knownAt
	}
	return failure{plain(http.StatusNotFound, text)}
}

func wholeCaseOf(
	c requests.Case, steps []requests.Step, duties []requests.Obligation, at deadline.Instant, asOf eventstore.Position,
) WholeCase {
	a := WholeCase{
		App:         string(c.App),
		Case:        caseOf(c),
		Steps:       []Step{},
		Obligations: []report.Obligation{},
		Judged:      at.String(),
		AsOf:        wire.FormatPosition(asOf),
	}
	for _, x := range steps {
		step := Step{Kind: x.Kind, At: report.Time(x.At), Recorded: report.Time(x.Recorded), Actor: x.Actor,
			RecordedBy: x.RecordedBy,
			Evidence:   x.Evidence, Details: x.Details, Event: x.Event, Position: wire.FormatPosition(x.Position)}
		for _, f := range x.Fields {
			if step.Fields == nil {
				step.Fields = map[string]string{}
			}
			step.Fields[f.Name] = f.Value
		}
		a.Steps = append(a.Steps, step)
	}

	for _, o := range duties {
		a.Obligations = append(a.Obligations, report.Of(o))
	}
	return a
}
