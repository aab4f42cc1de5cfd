package dashboard

import (
	"fmt"
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

	return todayOf(t, api, lang)
}

// todayOf is todayPage of any API.
func todayOf(t *testing.T, api http.Handler, lang string) string {
	t.Helper()
	return todayOn(t, api, lang, "")
}

// todayOn is todayOf as of a day.
func todayOn(t *testing.T, api http.Handler, lang, day string) string {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }
	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: now}).
		ServeHTTP(w, httptest.NewRequest("GET", "/ui/?app=shop&lang="+lang+"&as_of="+day, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// Today asks for the incidents that are open; each shows the clocks that run, by the hour.
func TestTodayShowsTheClocksOfIncidents(t *testing.T) {
	api := systemAPI{
		"/v1/apps/shop/incidents?limit=1000&state=open": `{"cases":[{"id":"i1","state":"detected","at":"2026-03-01T12:00:00Z"}]}`,
		"/v1/apps/shop/incidents/i1": `{"obligations":[{"kind":"notify","target":"authority","source":"GDPR 33","state":"open","due":"2026-03-04T12:30:00Z"},
			{"kind":"notify","target":"police","state":"overdue","due":"2026-03-02T07:00:00Z"},{"kind":"notify","target":"met","state":"met","due":"2026-03-02T07:00:00Z"},{"kind":"notify","target":"waits","state":"not-started"}]}`,
		"/v1/rejected": `{"rejected":[{"may_be_no":true},{"may_be_no":true,"seen":true},{"may_be_no":false}]}`,
	}
	for lang, want := range map[string][]string{
		"en": {"Open incident, 24 hours since it happened", "Notify · authority (GDPR 33): <strong>48 hours left</strong> · <time datetime=\"2026-03-04T12:30:00Z\">", "Notify · police: <strong>5 hours over</strong>",
			`<li class="bad"><strong>1 rejected messages may be opt-outs that are not recorded.</strong> <a href="/ui/intake?app=shop">`},
		"zh-CN": {"还剩 48 小时", "已超过 5 小时"},
	} {
		body := todayPage(t, api, lang)
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %s in %s", lang, text, body)
			}
		}
		if strings.Contains(body, "· met") || strings.Contains(body, "· waits") {
			t.Errorf("%s: a clock that does not run in %s", lang, body)
		}
	}
}

// What is paused has no due date, and is shown however many replies have one. Of the dates that are
// shown the page says how many are provisional.
func TestTodayShowsWhatIsPausedHoweverMuchIsDue(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := `{"stream":"request-shop-r1","kind":"reply","state":"open","due_date":"2026-03-05","provisional":true}`
		switch {
		case r.URL.Path == "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case r.URL.Path == "/readyz":
			fmt.Fprint(w, `{"ok":true}`)
		case r.URL.Query().Get("state") == "paused,held":
			fmt.Fprint(w, `{"as_of":"7","obligations":[{"stream":"request-shop-r9","kind":"reply","state":"paused","paused_since":"2026-02-27T09:30:00Z"}],"summary":{"obligations":1,"states":[]}}`)
		case r.URL.Query().Get("group") == "requests":
			fmt.Fprint(w, `{"as_of":"7","obligations":[`+one+strings.Repeat(","+one, 199)+`],"summary":{"obligations":211,"states":[]}}`)
		case strings.HasSuffix(r.URL.Path, "/reports/deadlines"):
			fmt.Fprint(w, `{"as_of":"7","obligations":[],"summary":{"states":[]}}`)
		case strings.HasSuffix(r.URL.Path, "/incidents"):
			fmt.Fprint(w, `{"cases":[]}`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"not of this key"}`)
		}
	})
	body := todayOf(t, api, "en")
	for _, want := range []string{`since <time datetime="2026-02-27T09:30:00Z">`, "Due after these: 10 more", "200 of these dates rest on a year whose calendar is not announced", "provisional=true"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
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
