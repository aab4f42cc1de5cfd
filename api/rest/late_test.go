package rest

import (
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
)

func TestYesesBeforeALateWithdrawalAreReported(t *testing.T) {
	d, _, _ := openTimed(t)
	ann := ident.PersonKey{Kind: "account", ID: "ann"}
	said := d.Time()
	d.Rest(deadline.Hour)
	check := ledger.Request{App: projectiontest.App, Person: ann, Source: "test", ID: "check", Body: []byte("x"), Actor: "system", RecordedBy: "test"}
	if err := d.LogCheck(t.Context(), check, domain.CheckAnswered{Purpose: "location", Action: policy.Use, Valid: d.Time(), Allowed: true, Status: domain.Given}); err != nil {
		t.Fatal(err)
	}
	d.Rest(deadline.Hour)
	no := ledger.Request{App: projectiontest.App, Person: ann, Source: "test", ID: "no", Body: []byte("x"), At: said, Actor: "person", RecordedBy: "test", Command: domain.WithdrawConsent{Scope: policy.Scope{All: true}}}
	if _, err := d.Execute(t.Context(), no); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	const path = "/v1/apps/smartkey/reports/late-withdrawals"
	part := `"answered_after_withdrawal":[{"person":"` + d.Pseudonym("ann") + `","purpose":"location"`
	d.want(200, part, "POST", path, `{}`)
	d.want(200, part, "POST", path, `{"subject":"ann"}`)
	d.want(200, part, "GET", reports, "")
	d.want(200, `"answered_after_withdrawal":[]`, "POST", path, `{"subject":"bo"}`)
	d.want(200, `"answered_after_withdrawal":[]`, "POST", path, `{"known_at":"`+said.String()+`"}`)
	if code, text, header := d.ask("POST", path, `{"format":"csv"}`); code != 200 || header.Get("Content-Type") != "text/csv; charset=utf-8" || strings.Count(text, "\n") != 2 || !strings.HasPrefix(text, "\ufeffperson,purpose,") {
		t.Errorf("%d %v %s", code, header, text)
	}
	d.want(400, "json or csv", "POST", path, `{"format":"ics"}`)
	d.want(400, "", "POST", path, `{"other":1}`)
}
