package worklist

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestRequestsStandInTheOrderOfWork(t *testing.T) {
	var requests []json.RawMessage
	for _, r := range []string{
		`{"id":"closed","stream":"r-1","state":"answered"}`, `{"id":"later","stream":"r-2","state":"open"}`, `{"id":"undated","stream":"r-3","state":"open"}`,
		`{"id":"late","stream":"r-4","state":"open"}`, `{"id":"soon","stream":"r-5","state":"open"}`, `{"id":"later still late","stream":"r-6","state":"open"}`,
	} {
		requests = append(requests, json.RawMessage(r))
	}
	left := -3
	rows, err := inOrderOfWork(requests, map[string]due{
		"r-1": {State: "met", DueDate: "2026-01-01"}, "r-2": {State: "open", DueDate: "2026-05-01"}, "r-4": {State: "overdue", DueDate: "2026-02-01", Left: &left},
		"r-3": {State: "paused", Since: "2026-03-01T09:00:00.000Z"}, "r-5": {State: "at-risk", DueDate: "2026-04-01"}, "r-6": {State: "overdue", DueDate: "2026-02-02"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, row := range rows {
		var r struct {
			ID    string `json:"id"`
			Left  *int   `json:"working_days_left"`
			Since string `json:"paused_since"`
		}
		if err := json.Unmarshal(row, &r); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		if (r.ID == "late") != (r.Left != nil && *r.Left == -3) {
			t.Errorf("%s", row)
		}
		if (r.ID == "undated") != (r.Since == "2026-03-01T09:00:00.000Z") {
			t.Errorf("%s", row)
		}
		order = append(order, r.ID)
	}
	if want := []string{"late", "later still late", "soon", "later", "undated", "closed"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
}
