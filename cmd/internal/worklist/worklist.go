// Package worklist puts requests into the order in which they are worked on.
package worklist

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// A due is what binds of what is owed for a request.
type due struct {
	Stream  string `json:"stream"`
	State   string `json:"state"`
	DueDate string `json:"due_date"`
	Left    *int   `json:"working_days_left"`
	Since   string `json:"paused_since"`
}

// WithDueDates returns requests with the date by which each is to be answered next, in
// the order of work: overdue, due next, without a date, closed. Whoever may list
// requests and not deadlines gets them without.
func WithDueDates(c *cobra.Command, app, knownAt string, requests []json.RawMessage) ([]json.RawMessage, error) {
	q := rest.DeadlineQuery{Group: "requests", Binding: "true", KnownAt: knownAt, Limit: "1000"}
	_, rows, err := remote.Pages(c, remote.App(app)+"/obligations/query", &q.Cursor, func() any { return q },
		"obligations")
	if problem, is := errors.AsType[*exit.ProblemError](err); is && problem.Status == http.StatusForbidden {
		fmt.Fprintln(c.ErrOrStderr(), "note: without due dates, which the key may not read")
		return requests, nil
	}
	if err != nil {
		return nil, err
	}

	next := map[string]due{}
	for _, row := range rows {
		var d due
		if err := json.Unmarshal(row, &d); err != nil {
			return nil, err
		}
		if was, has := next[d.Stream]; !has || d.before(was) {
			next[d.Stream] = d
		}
	}
	return inOrderOfWork(requests, next)
}

// rank is the order of states in which a request is worked on.
func (d due) rank() int {
	switch d.State {
	case "overdue":
		return 0
	case "at-risk", "open", "paused", "held", "not-started":
		return 1
	case "":
		return 2
	}
	return 3 // met, met-late, void
}

// before reports whether d is to be looked at before another obligation of its request.
func (d due) before(other due) bool {
	return cmp.Or(cmp.Compare(d.rank(), other.rank()),
		cmp.Compare(cmp.Or(d.DueDate, "9999"), cmp.Or(other.DueDate, "9999"))) < 0
}

func inOrderOfWork(requests []json.RawMessage, next map[string]due) ([]json.RawMessage, error) {
	type item struct {
		due  due
		row  json.RawMessage
		done bool
	}
	items := make([]item, len(requests))
	for i, row := range requests {
		var r struct{ Stream, State string }
		if err := json.Unmarshal(row, &r); err != nil {
			return nil, err
		}
		d := next[r.Stream]
		items[i] = item{d, withMembers(row, d), r.State != "open"}
	}

	slices.SortStableFunc(items, func(a, b item) int {
		if a.done != b.done {
			return map[bool]int{false: -1, true: 1}[a.done]
		}
		if a.done {
			return 0
		}
		return cmp.Or(cmp.Compare(a.due.rank(), b.due.rank()),
			cmp.Compare(cmp.Or(a.due.DueDate, "9999"), cmp.Or(b.due.DueDate, "9999")))
	})
	rows := make([]json.RawMessage, len(items))
	for i, x := range items {
		rows[i] = x.row
	}
	return rows, nil
}

// withMembers returns a request with what is due, behind its own members.
func withMembers(row json.RawMessage, d due) json.RawMessage {
	if d.State == "" {
		return row
	}
	members := map[string]any{"due_state": d.State}
	if d.DueDate != "" {
		members["due_date"] = d.DueDate
	}
	if d.Since != "" {
		members["paused_since"] = d.Since
	}
	if d.Left != nil {
		members["working_days_left"] = *d.Left
	}
	more := output.Object(members)
	body := bytes.TrimSuffix(bytes.TrimSpace(row), []byte("}"))
	return slices.Concat(body, []byte(","), more[1:])
}
