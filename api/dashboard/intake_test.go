package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Of a day that is past there is what came in by the hour, and what was rejected then, and nothing of
// now: no newest records, no forms, no stream. What is not kept is said.
func TestIntakeOnADayThatIsPast(t *testing.T) {
	asked := map[string]string{}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path] = r.URL.RawQuery
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/activity":
			fmt.Fprint(w, `{"as_of":"7","days":[{"day":"2026-03-02","hour":"13:00","type":"consent.given","count":12,"voided":3}]}`)
		case "/v1/apps/shop/newest":
			fmt.Fprint(w, `{"as_of":"7","records":[{"position":"7","type":"consent.now"}]}`)
		case "/v1/rejected":
			if r.URL.Query().Get("day") == "2026-01-05" {
				fmt.Fprint(w, `{"rejected":[]}`)
				return
			}
			fmt.Fprint(w, `{"rejected":[{"seq":4,"app":"shop","at":"2026-03-02T13:05:00.000Z","code":"unknown-act"}],"next":"4"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"status":404,"code":"unknown","detail":"none"}`)
		}
	})
	page := func(query string) string {
		now := func() time.Time { return time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC) }
		w := httptest.NewRecorder()
		Handler(Config{API: api, Version: "test", Now: now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/intake?app=shop&"+query, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}

	for lang, says := range map[string]string{"en": "was told to its sender and is not kept", "zh-CN": "已告知发送方，不予保存"} {
		body := page("as_of=2026-03-02&lang=" + lang)
		for _, want := range []string{says, `class="past"`, `<time datetime="2026-03-02T13:00Z">13:00</time></td><td><code>consent.given</code></td><td class="number">12</td><td class="number">3</td>`,
			"2026-03-02 13:05 UTC", `as_of=2026-03-02`, `after=4`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the page has no %s", lang, want)
			}
		}
		for _, never := range []string{"consent.now", "data-stream", `value="retry"`} {
			if strings.Contains(body, never) {
				t.Errorf("%s: the page of a day that is past has %s", lang, never)
			}
		}
	}
	if asked["/v1/apps/shop/activity"] != "by=hour&from=2026-03-02&until=2026-03-02" || asked["/v1/rejected"] != "day=2026-03-02&limit=100" || asked["/v1/apps/shop/newest"] != "" {
		t.Errorf("asked the API for %v", asked)
	}
	if body := page("as_of=2026-01-05"); !strings.Contains(body, "is not known any more") {
		t.Errorf("a day whose messages are gone: %s", body)
	}

	body := page("as_of=2026-03-20") // today
	if strings.Contains(body, `class="past"`) || !strings.Contains(body, "consent.now") || !strings.Contains(body, `value="retry"`) {
		t.Errorf("today: %s", body)
	}
}
