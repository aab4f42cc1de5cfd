package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// A day ends with its last millisecond, which is the last moment that a record of it may have. What is
// owed is asked for as it was then, by what was known then: on the pages and in their files.
func TestWhatWasOwedIsAskedForByWhatWasKnownAtTheEndOfTheDay(t *testing.T) {
	var asked []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/reports/deadlines":
			asked = append(asked, r.URL.Query().Get("as_of")+" "+r.URL.Query().Get("known_at"))
			fmt.Fprint(w, `{"as_of":"7","obligations":[],"summary":{"states":[]}}`)
		default:
			fmt.Fprint(w, `{"as_of":"7"}`)
		}
	})
	now := func() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	for path, want := range map[string]string{
		"deadlines?as_of=2026-03-02":                 "2026-03-02T23:59:59.999Z 2026-03-02T23:59:59.999Z",
		"deadlines/file?format=csv&as_of=2026-03-02": "2026-03-02T23:59:59.999Z 2026-03-02T23:59:59.999Z",
		"deadlines?as_of=2026-03-02T09:00:00Z":       "2026-03-02T09:00:00Z 2026-03-02T09:00:00Z",
		"retention?as_of=2026-03-02":                 "2026-03-02T23:59:59.999Z 2026-03-02T23:59:59.999Z",
		"deadlines?as_of=2026-03-03":                 " ", // that day is not over
		"deadlines/file?format=csv":                  " ",
		"retention":                                  " ",
	} {
		asked = nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/"+path, nil))
		if w.Code != http.StatusOK || !slices.Equal(asked, []string{want}) {
			t.Errorf("%s: %d, asked for %q, want %q: %s", path, w.Code, asked, want, strings.TrimSpace(w.Body.String()))
		}
	}
}
