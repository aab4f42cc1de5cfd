package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// todayPage returns the page Today in a language, at noon of 2 March 2026, of an API with these answers.
func todayPage(t *testing.T, api systemAPI, lang string) string {
	t.Helper()
	for path, answer := range map[string]string{
		"/v1/apps":                        `{"apps":[{"app":"shop"}]}`,
		"/readyz":                         `{"ok":true}`,
		"/v1/apps/shop/reports/deadlines": `{"as_of":"7","obligations":[],"summary":{"states":[]}}`,
		"/v1/apps/shop/incidents":         `{"cases":[]}`,
	} {
		if _, has := api[path]; !has {
			api[path] = answer
		}
	}

	now := func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }
	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: now}).
		ServeHTTP(w, httptest.NewRequest("GET", "/ui/?app=shop&lang="+lang, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// A reply whose clock stands still says since when, and for what it waits.
func TestTodaySaysSinceWhenAReplyIsPaused(t *testing.T) {
	const paused = `{"as_of":"7","obligations":[{"stream":"request-shop-r1","kind":"reply","types":["copy"],"state":"paused",` +
		`"paused_since":"2026-02-27T09:30:00.000Z","paused_for":["clarification","third_party"]},` +
		`{"stream":"request-shop-r2","kind":"reply","types":["copy"],"state":"open","due_date":"2026-03-05"}],` +
		`"summary":{"obligations":2,"states":[]}}`
	for lang, want := range map[string]string{
		"en":    `paused</span> since <time datetime="2026-02-27T09:30:00.000Z">2026-02-27 09:30 UTC</time> · an explanation is awaited · third_party</td>`,
		"zh-CN": `已中止</span> 自 <time datetime="2026-02-27T09:30:00.000Z">2026-02-27 09:30 UTC</time> · 等待说明 · third_party</td>`,
	} {
		body := todayPage(t, systemAPI{"/v1/apps/shop/reports/deadlines": paused}, lang)
		if !strings.Contains(body, want) || strings.Count(body, "2026-02-27 09:30") != 1 {
			t.Errorf("%s: not once %s in %s", lang, want, body)
		}
	}
}
