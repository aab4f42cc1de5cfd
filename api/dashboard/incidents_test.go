package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Incidents by their states, those that are open with what is owed for them; as of a day, or
// of one state alone; and what to do where there is none.
func TestIncidentsAreListedAsOfADay(t *testing.T) {
	var asked []string
	h := Handler(Config{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case r.URL.Path == "/v1/apps/shop/incidents/i1":
			asked = append(asked, "i1?"+r.URL.RawQuery)
			fmt.Fprint(w, `{"id":"i1","obligations":[{"kind":"notify","state":"overdue","due":"2026-03-04T10:00:00Z"}]}`)
		case r.URL.Path == "/v1/apps/shop/incidents" && r.URL.Query().Get("state") == "detected":
			asked = append(asked, r.URL.RawQuery)
			fmt.Fprint(w, `{"cases":[{"id":"i1","state":"detected","at":"2026-03-01T10:00:00Z"}],"as_of":"9","next":"4"}`)
		case r.URL.Path == "/v1/apps/shop/incidents" && r.URL.Query().Get("state") == "closed" && r.URL.Query().Get("known_at") == "":
			fmt.Fprint(w, `{"cases":[{"id":"i0","state":"closed","at":"2026-01-01T10:00:00Z","closed":"2026-01-05T10:00:00Z"}],"as_of":"9"}`)
		case r.URL.Path == "/v1/apps/shop/incidents":
			fmt.Fprint(w, `{"cases":[],"as_of":"9"}`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"not of this key"}`)
		}
	}), Version: "test", Now: time.Now})
	see := func(query string) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/incidents?app=shop&lang=en"+query, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}

	page := see("")
	open, ended := strings.Index(page, "incidents/i1?"), strings.Index(page, "incidents/i0?")
	if open < 0 || ended < open || !strings.Contains(page, `<span class="state overdue">overdue</span> <time datetime="2026-03-04T10:00:00Z">`) {
		t.Errorf("%s", page)
	}
	if !strings.Contains(page, `<td data-column="Closed"><time datetime="2026-01-05T10:00:00Z">`) {
		t.Errorf("it is not said since when an incident is over: %s", page)
	}
	if !strings.Contains(page, "cursor=4&amp;state=detected") {
		t.Errorf("the list does not go on: %s", page)
	}

	asked = nil
	if page := see("&state=detected&as_of=2026-03-02&cursor=4"); strings.Contains(page, "incidents/i0?") {
		t.Errorf("another state is shown: %s", page)
	}
	if got := strings.Join(asked, " "); got != "cursor=4&known_at=2026-03-02T23%3A59%3A59.999Z&limit=100&state=detected i1?known_at=2026-03-02T23%3A59%3A59.999Z" {
		t.Errorf("asked %s", got)
	}

	if page := see("&state=open"); !strings.Contains(page, "incidents/i1?") || strings.Contains(page, "incidents/i0?") {
		t.Errorf("those that are open: %s", page)
	}
	if page := see("&state=over"); strings.Contains(page, "incidents/i1?") || !strings.Contains(page, "incidents/i0?") {
		t.Errorf("those that are over: %s", page)
	}
	if page := see("&state=dismissed"); !strings.Contains(page, "consentledger incident suspect --app shop") {
		t.Errorf("an empty page does not say what to do: %s", page)
	}
}
