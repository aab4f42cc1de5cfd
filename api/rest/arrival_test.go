package rest

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire/parse"
)

// What was kept and is handed on again, and says no time, is from when it came: by the
// roads of operators, of groups and of apps. What says a time is from that.
func TestWhatIsHandedOnAgainIsFromWhenItCame(t *testing.T) {
	h := openWithViews(t)
	h.want(200, "", "PUT", "/v1/apps/demo", strings.Replace(appJSON, "{", `{"group":"acme",`, 1))
	body, _ := publishedIn(t)
	h.want(200, "", "POST", "/v1/apps/demo/policies", body)
	time.Sleep(20 * time.Millisecond)
	came := h.ledg.Now() - 10

	for who, path := range map[string]string{"ann": "/v1/groups/acme/events", "bo": "/v1/apps/demo/events", "cy": "/v1/apps/demo/operator/events"} {
		kind := "consent.given"
		if who == "ann" {
			kind = "consent.refused" // a grant goes to no group
		}
		again := func(id, more string) {
			t.Helper()
			e := strings.Replace(event(id, who, kind, yes), "{", "{"+more, 1)
			r := httptest.NewRequest("POST", path, strings.NewReader(e))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.h.ServeHTTP(w, r.WithContext(parse.WithArrival(t.Context(), came)))
			if w.Code != 200 || !strings.Contains(w.Body.String(), `"recorded"`) {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		again("1", "")
		h.want(200, `"at":"`+came.String()+`"`, "POST", "/v1/apps/demo/subjects/history", `{"subject":"`+who+`"}`)
		said := came - 3
		again("2", `"time":"`+said.String()+`",`)
		h.want(200, `"at":"`+said.String()+`"`, "POST", "/v1/apps/demo/subjects/history", `{"subject":"`+who+`"}`)
	}
}
