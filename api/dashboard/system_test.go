package dashboard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// A systemAPI answers what pages ask for, by paths, with the query or without.
type systemAPI map[string]string

func (s systemAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil { // as handlers may, of any request
		w.WriteHeader(http.StatusBadRequest)
	}
	for _, asked := range []string{r.URL.RequestURI(), r.URL.Path} {
		if text, ok := s[asked]; ok {
			fmt.Fprint(w, text)
			return
		}
	}
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"not of this key"}`)
}

func (s systemAPI) page(t *testing.T, lang string) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(Config{API: s, Version: "test", Now: time.Now}).
		ServeHTTP(w, httptest.NewRequest("GET", "/ui/system?app=shop&lang="+lang, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func newSystemAPI() systemAPI {
	return systemAPI{
		"/v1/apps":   `{"apps":[{"app":"shop"}]}`,
		"/v1/status": `{"version":"test","head":"7"}`,
		"/readyz":    `{"ok":true}`,
		"/v1/vault/keys": `{"state":"rewrapping","epoch":4,"epochs":[3,4,5],"wrapped":{"3":812,"4":97},` +
			`"total":900,"done":88,"error":"the disk is full"}`,
		"/v1/apps/shop/calendars": `{"calendars":[
			{"jurisdiction":"CN","year":2026,"version":1,"notice":"older"},
			{"jurisdiction":"CN","year":2026,"version":2,"notice":"amended"},
			{"jurisdiction":"CN","year":2027,"reported":true}]}`,
		"/v1/apps/shop/reports/deadlines": `{"as_of":"7","obligations":[
			{"due_date":"2027-03-02","gap":"2027-01-01","provisional":true},
			{"due_date":"2027-01-11","gap":"2027-01-01","provisional":true},
			{"gap":"2028-01-03","provisional":true}],"summary":{"obligations":5}}`,
	}
}

func TestSystemShowsTheKeysOfTheVaultAndNothingOfThemToOthers(t *testing.T) {
	api := newSystemAPI()
	page := api.page(t, "en")
	for _, want := range []string{
		`<th scope="row">3</th><td>older, opens what it wraps</td><td class="number">812</td>`,
		`<th scope="row">4</th><td>wraps new keys</td><td class="number">97</td>`,
		`<th scope="row">5</th><td>newer, does not wrap yet</td><td class="number">0</td>`,
		"88 of 900 done.", "the disk is full",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}

	delete(api, "/v1/vault/keys")
	page = api.page(t, "en")
	if strings.Contains(page, "812") || !strings.Contains(page, "Only administrators see them.") {
		t.Errorf("who may not see the keys: %s", page)
	}
}

func TestSystemNamesTheYearsThatAreMissing(t *testing.T) {
	api := newSystemAPI()
	page := api.page(t, "en")
	for _, want := range []string{
		"The calendar of 2027 is not announced.</strong> Due dates that rest on it: 2",
		`<time datetime="2027-01-11">`,
		"The calendar of 2028 is not announced.</strong> Due dates that rest on it: 1</li>",
		"Looked at the 3 that are due first, of 5",
		"amended", "reported, no notice yet",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, "older</td>") {
		t.Error("a calendar that was amended is shown as well")
	}
	if zh := api.page(t, "zh-CN"); !strings.Contains(zh, "2027 年的日历尚未公布。") {
		t.Errorf("in Chinese: %s", zh)
	}

	api["/v1/apps/shop/reports/deadlines"] = `{"obligations":[],"summary":{"obligations":0}}`
	if page := api.page(t, "en"); !strings.Contains(page, "No year is missing for what is owed.") {
		t.Errorf("nothing is missing: %s", page)
	}

	// What nobody may say is not said to be well.
	delete(api, "/v1/apps/shop/reports/deadlines")
	if page := api.page(t, "en"); strings.Contains(page, "No year is missing") || !strings.Contains(page, "amended") {
		t.Errorf("who may not see what is owed: %s", page)
	}
	delete(api, "/v1/apps/shop/calendars")
	if page := api.page(t, "en"); !strings.Contains(page, "may not read this app&#39;s calendars") {
		t.Errorf("who may not see calendars: %s", page)
	}
}

// Of a day that is past there is what was recorded by then: apps, the keys that signed then, calendars. What
// is known of now alone is left out, and is not asked for.
func TestSystemOnADayThatIsPast(t *testing.T) {
	asked := map[string]string{}
	api := newSystemAPI()
	api["/v1/apps/shop/log/keys"] = `{"key":"log.example/shop+cccc+K","joined":"2026-03-01T09:00:00Z","next":"log.example/shop+dddd+K","since":"2026-03-03T09:00:00Z","former":[
		{"key":"log.example/shop+aaaa+K","retired":"2026-01-31T09:00:00Z"},{"key":"log.example/shop+bbbb+K","joined":"2026-01-30T09:00:00Z","retired":"2026-03-05T09:00:00Z"}]}`
	api["/v1/apps"] = `{"apps":[{"app":"shop","policies":3}]}`
	page := func(query string) string {
		w := httptest.NewRecorder()
		now := func() time.Time { return time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) }
		Handler(Config{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[r.URL.Path] = r.URL.RawQuery
			api.ServeHTTP(w, r)
		}), Version: "test", Now: now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/system?app=shop&"+query, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}

	body := page("as_of=2026-03-02")
	for _, want := range []string{`class="past"`, `<th scope="row">shop</th><td class="number">3</td>`, "are known of now alone",
		"<code>bbbb</code>", "<code>cccc</code>", "The calendar of 2027 is not announced."} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, never := range []string{"<code>aaaa</code>", "<code>dddd</code>", "812", `id="checks"`, `id="projections"`, "Newest position</dt>"} {
		if strings.Contains(body, never) {
			t.Errorf("the page of a day that is past has %s", never)
		}
	}
	for path, want := range map[string]string{"/v1/apps": "known_at=2026-03-02T23%3A59%3A59.999Z", "/v1/apps/shop/calendars": "known_at=2026-03-02T23%3A59%3A59.999Z"} {
		if asked[path] != want {
			t.Errorf("asked %s for %s, want %s", path, asked[path], want)
		}
	}
	for _, path := range []string{"/v1/status", "/readyz", "/v1/vault/keys"} {
		if _, was := asked[path]; was {
			t.Errorf("asked for %s, which is of now", path)
		}
	}
	if zh := page("as_of=2026-03-02&lang=zh-CN"); !strings.Contains(zh, "当时为该应用日志签名的密钥") {
		t.Errorf("in Chinese: %s", zh)
	}

	delete(api, "/v1/apps/shop/log/keys")
	if body := page("as_of=2026-03-02"); strings.Contains(body, `id="log-keys"`) {
		t.Errorf("who may not see the keys: %s", body)
	}
}

func TestOnlyTheNewestNoticeOfAYearIsListed(t *testing.T) {
	years := newestYears([]calendarYear{
		{Jurisdiction: "CN-GX", Year: 2026, Version: 1},
		{Jurisdiction: "CN", Year: 2027, Reported: true},
		{Jurisdiction: "CN", Year: 2027, Version: 1},
		{Jurisdiction: "CN", Year: 2026, Version: 2},
		{Jurisdiction: "CN", Year: 2026, Version: 1},
		{Jurisdiction: "CN", Year: 2028, Projected: true},
	})
	var got []string
	for _, y := range years {
		got = append(got, fmt.Sprint(y.Jurisdiction, " ", y.Year, " ", y.Version, " ", y.Standing()))
	}
	want := []string{"CN 2026 2 announced", "CN 2027 1 announced", "CN 2027 0 reported", "CN 2028 0 projected",
		"CN-GX 2026 1 announced"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
