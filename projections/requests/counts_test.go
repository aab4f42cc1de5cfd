package requests_test

import (
	"maps"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/request"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// What is counted of all apps is what the summary of the one app counts, whatever became
// of the obligations; and nothing of tests.
func TestWhatStandsIsWhatTheSummaryCounts(t *testing.T) {
	w := begin(t)
	answered := w.Ask("p0", request.Complaint)
	w.Step(answered, "request.answered outcome=full channel=app")
	w.Ask("late", request.Complaint)
	w.Rest(60 * deadline.Day)
	w.Ask("new", request.Complaint)
	w.Ask("robot", request.Complaint)
	w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})

	v := viewOf(t, w.Entries())
	got, err := v.CountStates(t.Context(), w.Time())
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := v.Summary(t.Context(), requests.Query{App: projectiontest.App, At: w.Time()})
	if err != nil {
		t.Fatal(err)
	}
	want := map[requests.State]int64{}
	for _, state := range s.States {
		want[state.State] = state.Obligations
	}
	if !maps.Equal(got, want) || want[requests.StateOverdue] == 0 || want[requests.StateOpen] == 0 {
		t.Errorf("%v stand, the summary counts %v", got, want)
	}
}
