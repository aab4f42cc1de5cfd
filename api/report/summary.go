package report

import "consentledger/projections/requests"

// A Summary adds a report up.
type Summary struct {
	Tally
	States  []StateCount `json:"states"`
	Groups  []Group      `json:"by_month_and_type" doc:"by the month of opening; what answers several types is counted in each"`
	Grounds []Ground     `json:"rejections" doc:"of the whole app, whatever is asked for"`
	Fees    []Fee        `json:"fees" doc:"of the whole app, whatever is asked for"`
	Tests   int64        `json:"tests" doc:"how many obligations are left out, since they are owed to a test"`
}

// A Tally is how many obligations came to what.
type Tally struct {
	Obligations int64  `json:"obligations"`
	Met         int64  `json:"met"`
	Late        int64  `json:"met_late"`
	Overdue     int64  `json:"overdue"`
	OnTime      string `json:"on_time_percent,omitzero" doc:"those met in time, of those that were met or are overdue"`
	Replies     int64  `json:"replies" doc:"met obligations to reply that bind"`
	Median      string `json:"median_working_days,omitzero" doc:"from day zero to the reply, of those"`
}

// A StateCount is how many obligations are in a state.
type StateCount struct {
	State       string `json:"state"`
	Obligations int64  `json:"obligations"`
}

// A Group is the tally of one type in one month.
type Group struct {
	Month string `json:"month"`
	Type  string `json:"type" doc:"empty: not of a request"`
	Tally
}

// A Ground is how often a request was rejected on it.
type Ground struct {
	Code     string `json:"code"`
	Rejected int64  `json:"rejected"`
}

// A Fee is what was quoted, paid and waived in one currency.
type Fee struct {
	Currency string `json:"currency"`
	Quoted   string `json:"quoted,omitzero"`
	Paid     string `json:"paid,omitzero"`
	Waived   string `json:"waived,omitzero"`
}

// SummaryOf returns the public form of s.
func SummaryOf(s requests.Summary) Summary {
	out := Summary{Tally: Tally(s.Total), States: []StateCount{}, Groups: []Group{}, Grounds: []Ground{}, Fees: []Fee{},
		Tests: s.Tests}
	for _, x := range s.States {
		out.States = append(out.States, StateCount{x.State.String(), x.Obligations})
	}

	for _, g := range s.Groups {
		out.Groups = append(out.Groups, Group{g.Month, g.Type, Tally(g.Tally)})
	}

	for _, g := range s.Grounds {
		out.Grounds = append(out.Grounds, Ground(g))
	}

	for _, f := range s.Fees {
		out.Fees = append(out.Fees, Fee(f))
	}
	return out
}
