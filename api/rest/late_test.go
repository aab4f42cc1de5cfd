package rest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// A list that is written answer by answer has the bytes of the whole; one that breaks off is no JSON.
func TestALateReportIsWrittenAsItComes(t *testing.T) {
	for n := range 4 {
		a := LateYeses{App: "shop", KnownAt: "2026-03-02T01:00:00.000Z", Answered: []report.LateYes{}}
		if n == 0 {
			a.KnownAt = ""
		}
		answers := func(do func(requests.LateAnswer) error) (eventstore.Position, error) {
			for i := range n {
				y := requests.LateAnswer{Person: "p", Purpose: fmt.Sprint("<", i, ">"), Valid: 1, Answered: 2, Withdrawn: 3, Recorded: 4}
				if err := do(y); err != nil {
					return 0, err
				}
			}
			return 7, nil
		}
		var got, torn bytes.Buffer
		if err := writeLate(&got, a, answers); err != nil {
			t.Fatal(err)
		}
		lost := errors.New("lost")
		if err := writeLate(&torn, a, func(do func(requests.LateAnswer) error) (eventstore.Position, error) {
			_, err := answers(do)
			return 7, errors.Join(err, lost)
		}); !errors.Is(err, lost) || jsontext.Value(torn.Bytes()).IsValid() {
			t.Errorf("%v: %s", err, &torn)
		}

		a.AsOf = wire.FormatPosition(7)
		if _, err := answers(func(y requests.LateAnswer) error {
			a.Answered = append(a.Answered, report.LateYesOf(y))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if want, err := json.Marshal(a); err != nil || got.String() != string(want) {
			t.Errorf("%s\nwant\n%s, %v", &got, want, err)
		}
	}
}
