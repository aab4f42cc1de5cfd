package rest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A brokenApp is a ledger that cannot say what became of one app's events.
type brokenApp struct {
	Ledger
	app ident.AppName
}

func (b brokenApp) Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	if req.App == b.app && req.Person != (ident.PersonKey{}) {
		return ledger.Receipt{}, errors.New("the disk is full")
	}
	return b.Ledger.Execute(ctx, req)
}

// toldGroups returns what is recorded of groups that were told: app and record.
func (h *testServer) toldGroups() (notes []string) {
	h.t.Helper()
	for line := range strings.Lines(h.want(200, "", "GET", "/v1/replay?type=group.told", "")) {
		var e struct {
			By   string `json:"recorded_by"`
			Data struct {
				Fields map[string]string `json:"fields"`
			} `json:"data"`
			Stream string `json:"stream"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			h.t.Fatal(err)
		}
		notes = append(notes, e.Stream+" "+e.Data.Fields["group"]+" "+e.Data.Fields["record"]+" by "+e.By)
	}
	return notes
}

// Whoever finishes what a process that died began must know what is finished:
// it is said once, in the first app that took it, when every app took or refused.
func TestThatAGroupWasToldIsRecordedOnce(t *testing.T) {
	for _, tt := range []struct {
		name    string
		broken  ident.AppName // while the event comes for the first time
		refuses string        // the app that has no policy
		first   string        // the app in which it is said; empty: nowhere
		before  bool          // it is said before the event is sent again
	}{
		{"every app took it", "", "", "demo", true},
		{"the last refused it", "", "demo2", "demo", true},
		{"the first refused it", "", "demo", "demo2", true},
		{"every app refused it", "", "demo demo2", "", false},
		{"nobody knows of the last", "demo2", "", "demo", false},
		{"nobody knows of the first", "demo", "", "demo", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := openWithViews(t)
			body, _ := publishedIn(t)
			for _, app := range []string{"demo", "demo2"} {
				h.want(200, "", "PUT", "/v1/apps/"+app, strings.Replace(appJSON, "{", `{"group":"acme",`, 1))
				if !strings.Contains(tt.refuses+" ", app+" ") {
					h.want(200, "", "POST", "/v1/apps/"+app+"/policies", body)
				}
			}
			whole := h.conf.Ledger
			h.conf.Ledger = brokenApp{whole, tt.broken}
			h.h = Handler(h.conf)
			const path = "/v1/groups/acme/events"
			no := event("e1", "ann", "consent.refused", `{"purposes":["mail"]}`)
			h.want(200, "", "POST", path, no)
			if told := h.toldGroups(); (len(told) == 1) != tt.before || len(told) > 1 {
				t.Fatalf("at first it is said %v", told)
			}
			h.conf.Ledger = whole
			h.h = Handler(h.conf)
			var answer GroupRows
			for range 2 {
				if err := json.Unmarshal([]byte(h.want(200, "", "POST", path, no)), &answer); err != nil {
					t.Fatal(err)
				}
			}
			var want string
			for _, row := range answer.Results {
				if row.App == tt.first && row.Receipt != nil {
					want = fmt.Sprintf("[service-%s-main acme %s by ledger]", row.App, row.Receipt.EventID)
				}
			}
			if told := h.toldGroups(); len(told) > 1 || (len(told) == 1) != (tt.first != "") || len(told) == 1 && fmt.Sprint(told) != want {
				t.Errorf("it is said %v, want %s", told, want)
			}
		})
	}
}

// What the ledger says of itself comes in by no endpoint.
func TestWhatTheLedgerSaysOfItselfComesInByNoEndpoint(t *testing.T) {
	h := openWithViews(t)
	h.furnish()
	h.want(200, "", "PUT", "/v1/apps/demo", strings.Replace(appJSON, "{", `{"group":"acme",`, 1))
	given := h.receipt(appEndpoint, event("e1", "ann", "consent.given", yes))
	for kind, data := range map[string]string{
		"group.told":     fmt.Sprintf(`{"group":"acme","record":%q}`, given.EventID),
		"clock.observed": `{"observation":"steady","watched":"86400"}`,
		"key.issued":     `{"key":"abcdefghijkl"}`,
		"logkey.joined":  `{"key":"abcdefghijkl"}`,
		"messages.lost":  `{"stream":"incoming","how":"gap","first":"387"}`,
	} {
		for _, path := range []string{appEndpoint, operatorEndpoint, "/v1/groups/acme/events"} {
			for _, e := range []string{aboutApp(kind, kind, data), event(kind, "ann", kind, data)} {
				h.want(403, "what the ledger says of itself", "POST", path, e)
				if path != "/v1/groups/acme/events" {
					h.want(200, `"status":403`, "POST", path, "["+e+"]")
				}
			}
		}
	}
	if told := h.toldGroups(); len(told) != 0 {
		t.Errorf("%v", told)
	}
}
