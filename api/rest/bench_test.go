package rest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"
)

// crowdDocument is a policy that promises by the rules that [BenchmarkReport] asks for, of which one
// owes nothing.
func crowdDocument() policy.Document {
	d := projectiontest.Document("crowd")
	owed := policy.DutyRule{ID: "crowd", Section: "1", On: []string{"consent.withdrawn"}, Kind: policy.DutyReply}
	for _, id := range []deadline.RuleID{"cn.d15", "cn.d17"} {
		d.DeadlineRules = append(d.DeadlineRules, deadline.Rule{ID: id, Source: "1", Unit: deadline.UnitWorkingDay, Length: 15,
			Calendar: "CN", TimeZone: "Asia/Shanghai"})
		owed.Rules = append(owed.Rules, id)
	}
	d.Duties = append(d.Duties, owed)
	return d
}

// BenchmarkReport asks over HTTP, with every filter, for one page of a hundred
// with the summary of the whole, of a hundred thousand obligations of which ten
// thousand are open.
func BenchmarkReport(b *testing.B) {
	w := projectiontest.NewTeller(b)
	w.Register()
	w.Publish(crowdDocument())
	view, err := requests.Open(b.Context(), readmodel.Dir(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	defer view.Close()
	at := projectiontest.Crowd(b, func(list []codec.Entry) {
		if err := view.Apply(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	})
	w.Rest(deadline.Span(at - w.Time()))
	server := httptest.NewServer(Handler(Config{Ledger: w.Ledger, Requests: view, Version: "test"}))
	defer server.Close()
	for _, bb := range []struct{ name, query string }{
		{"all", `{}`},
		{"open", `{"state":"overdue,at-risk,open"}`},
		{"overdue", `{"state":"overdue","sort":"opened"}`},
		{"met", `{"state":"met,met-late"}`},
		{"by state", `{"sort":"state"}`},
		{"void", `{"state":"void"}`},
		{"kind", `{"kind":"reply"}`},
		{"type", `{"type":"copy","binding":"true"}`},
		{"rule", `{"rule":"cn.d15"}`},
		{"no such rule", `{"rule":"cn.d17"}`},
		{"firm", `{"provisional":"false"}`},
		{"due before", `{"due_before":"2027-01-01"}`},
		{"due after", `{"due_after":"2027-01-01"}`},
		{"a person", `{"person":"` + fmt.Sprintf("%032x", 7) + `"}`},
		{"as it was", `{"as_of":"2026-09-01T00:00:00Z"}`},
	} {
		query := bb.query
		if !strings.Contains(query, "as_of") {
			query = strings.Replace(strings.TrimSuffix(query, "}")+`,"as_of":"`+at.String()+`"}`, "{,", "{", 1)
		}
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				r, err := http.Post(server.URL+"/v1/apps/"+string(projectiontest.App)+"/reports/deadlines", "application/json", bytes.NewReader([]byte(query)))
				if err != nil {
					b.Fatal(err)
				}
				var body bytes.Buffer
				_, err = body.ReadFrom(r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != http.StatusOK || !bytes.Contains(body.Bytes(), []byte(`"summary":`)) {
					b.Fatal(r.Status, err, body.String())
				}
			}
		})
	}
}
