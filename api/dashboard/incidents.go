package dashboard

import (
	"net/url"
	"slices"
)

// incidents is what happened to personal data, as it was known at the end of a day.
type incidents struct {
	States []string // that an incident may be in, for the filter
	Lists  []incidentList
	AsOf   string
}

// An incidentList is incidents of one state.
type incidentList struct {
	State string
	Cases []clockedCase
	Next  string // where the list goes on; empty: there are no more
}

// A clockedCase is an incident, and what is owed for it.
type clockedCase struct {
	caseRow
	Obligations []obligation
}

// incidentStates are how an incident can stand: those that are open first.
var incidentStates = []string{"suspected", "detected", "contained", "closed", "dismissed"}

func readIncidents(a *ask) (any, error) {
	page := &incidents{States: incidentStates}
	if a.App == "" {
		return page, nil
	}

	asked, states := a.URL.Query(), incidentStates
	if state := asked.Get("state"); slices.Contains(incidentStates, state) {
		states = []string{state}
	}
	_, known := a.dayAsked()

	for _, state := range states {
		query := url.Values{"state": {state}, "limit": {pageRows}}
		if known != "" {
			query.Set("known_at", known)
		}
		if cursor := asked.Get("cursor"); cursor != "" && len(states) == 1 {
			query.Set("cursor", cursor)
		}
		list, asOf, err := a.incidentsOf(query, known)
		if err != nil {
			return nil, err
		}
		if page.AsOf = asOf; len(list.Cases) > 0 {
			page.Lists = append(page.Lists, list)
		}
	}
	return page, nil
}

// incidentsOf returns the incidents of a state. The first of those of which a clock may run have
// what is owed for them; the page of each one has that, too.
func (a *ask) incidentsOf(query url.Values, known string) (list incidentList, asOf string, err error) {
	var answer struct {
		Cases []caseRow
		Next  string
		AsOf  string `json:"as_of"`
	}
	if err := a.get(a.of("/incidents"), query, &answer); err != nil {
		return list, "", err
	}

	list = incidentList{State: query.Get("state"), Next: answer.Next}
	for i, c := range answer.Cases {
		one := clockedCase{caseRow: c}
		if i < mostClocks && !isOver(list.State) {
			if one.Obligations, err = a.owedFor(c.ID, known); err != nil {
				return list, "", err
			}
		}
		list.Cases = append(list.Cases, one)
	}
	return list, answer.AsOf, nil
}

// isOver reports whether nothing happens any more in a state of an incident.
func isOver(state string) bool { return state == "closed" || state == "dismissed" }

// owedFor returns what is owed for an incident, as it was known at a moment; empty: as it is now.
func (a *ask) owedFor(id, known string) ([]obligation, error) {
	query := url.Values{}
	if known != "" {
		query.Set("known_at", known)
	}
	var whole struct{ Obligations []obligation }
	err := a.get(a.of("/incidents/"+url.PathEscape(id)), query, &whole)
	return whole.Obligations, err
}

// More returns the address of the next page of a list.
func (l incidentList) More(p *page) string {
	return p.Link("incidents", "state", l.State, "as_of", p.Asked.Get("as_of"), "cursor", l.Next)
}
