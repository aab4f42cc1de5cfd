package dashboard

import (
	"net/url"
	"slices"

	"consentledger/domain/cases"
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

// Clocks returns what is owed whose clock runs.
func (c clockedCase) Clocks() (running []obligation) {
	for _, o := range c.Obligations {
		if o.Due != "" && (o.State == "overdue" || o.State == "at-risk" || o.State == "open") {
			running = append(running, o)
		}
	}
	return running
}

// mostClocks is of how many incidents a list shows the clocks; the page of each one has them, too.
const mostClocks = 10

func readIncidents(a *ask) (any, error) {
	openIncidents, overIncidents := cases.OpenIncidents(), cases.OverIncidents()
	page := &incidents{States: slices.Concat([]string{"open"}, openIncidents, []string{"over"}, overIncidents)}
	if a.App == "" {
		return page, nil
	}

	asked, states := a.URL.Query(), slices.Concat(openIncidents, overIncidents)
	switch state := asked.Get("state"); {
	case state == "open":
		states = openIncidents
	case state == "over":
		states = overIncidents
	case slices.Contains(states, state):
		states = []string{state}
	}
	_, known, err := a.pastDay()
	if err != nil {
		return nil, err
	}

	for _, state := range states {
		query := knownAt(known)
		query.Set("state", state)
		query.Set("limit", pageRows)
		if cursor := asked.Get("cursor"); cursor != "" && len(states) == 1 {
			query.Set("cursor", cursor)
		}
		answer, err := a.incidents(query)
		if err != nil {
			return nil, err
		}
		list := incidentList{State: state, Next: answer.Next}
		if list.Cases, err = a.withClocks(answer.Cases, known); err != nil {
			return nil, err
		}
		if page.AsOf = answer.AsOf; len(list.Cases) > 0 {
			page.Lists = append(page.Lists, list)
		}
	}
	return page, nil
}

// An incidentPage is a page of the list of incidents.
type incidentPage struct {
	Cases []caseRow
	Next  string
	AsOf  string `json:"as_of"`
}

func (a *ask) incidents(query url.Values) (p incidentPage, err error) {
	return p, a.get(a.of("/incidents"), query, &p)
}

// withClocks returns a list of incidents, the first of which a clock may run with what is owed for
// them, as it was known at a moment; empty: as it is now.
func (a *ask) withClocks(list []caseRow, known string) (all []clockedCase, err error) {
	for i, c := range list {
		one := clockedCase{caseRow: c}
		if i < mostClocks && !isOver(c.State) {
			if one.Obligations, err = a.owedFor(c.ID, known); err != nil {
				return nil, err
			}
		}
		all = append(all, one)
	}
	return all, nil
}

// isOver reports whether nothing happens any more in a state of an incident.
func isOver(state string) bool { return cases.Incident{State: state}.Over() }

// owedFor returns what is owed for an incident, as it was known at a moment; empty: as it is now.
func (a *ask) owedFor(id, known string) ([]obligation, error) {
	var whole struct{ Obligations []obligation }
	err := a.get(a.of("/incidents/"+url.PathEscape(id)), knownAt(known), &whole)
	return whole.Obligations, err
}

// Over reports whether the incidents of the list are over.
func (l incidentList) Over() bool { return isOver(l.State) }

// More returns the address of the next page of a list.
func (l incidentList) More(p *page) string {
	return p.Link("incidents", "state", l.State, "as_of", p.Asked.Get("as_of"), "cursor", l.Next)
}
