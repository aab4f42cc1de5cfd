package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAnswersOverTimeAreDrawnAndFiltered asks for the page by what stands in its address.
func TestAnswersOverTimeAreDrawnAndFiltered(t *testing.T) {
	asked := ""
	list := `[{"value":"","given":2,"refused":2,"periods":[{"day":"2026-03-01","given":2,"refused":2}]},
		{"value":"2.0","given":1,"periods":[{"day":"2026-03-02","given":1}]},{"value":"","others":7,"withdrawn":1,"periods":[{"day":"2026-03-02","withdrawn":1}]}]`
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/consents/counts":
			fmt.Fprint(w, `{"counts":[{"purpose":"ads","status":"given","people":3}],"as_of":"7"}`)
		case "/v1/apps/shop/consents/over-time":
			asked = r.URL.RawQuery
			fmt.Fprintf(w, `{"by":"build","from":"2026-03-01","until":"2026-03-04","period":"day","values":%s,"as_of":"7"}`, list)
		default:
			t.Errorf("%s is asked for", r.URL)
		}
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})
	show := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}

	body := show("/ui/consents?by=build&screen=first+page&until=2026-03-04")
	if want := "by=build&screen=first+page&until=2026-03-04"; asked != want {
		t.Errorf("the API is asked %s, want %s", asked, want)
	}
	for _, want := range []string{
		`<rect x="0" y="30" width="225" height="30" class="fill given"/><rect x="0" y="0" width="225" height="30" class="fill refused"/>`,
		`<rect x="250" y="45" width="225" height="15" class="fill given"/>`,
		`href="/ui/consents?app=shop&amp;build=2.0&amp;by=build&amp;screen=first`, `value="first page"`,
		`<span class="label">not said</span>`, `<span class="label">7 others</span>`, `50.0 %`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s: %s", want, body)
		}
	}
	for _, kind := range []string{"opted out by a signal", "imported"} {
		if strings.Contains(body, kind) {
			t.Errorf("%s: there is none", kind)
		}
	}

	list = "[]"
	if body := show("/ui/consents"); !strings.Contains(body, "Choose other days") || asked != "" {
		t.Errorf("asked %q: %s", asked, body)
	}
}

// TestAFallIsMarked shows one on Today and in the chart and the table of its screen, and says what is not
// kept by its name.
func TestAFallIsMarked(t *testing.T) {
	api := systemAPI{
		"/v1/apps/shop/consents/counts": `{"counts":[],"as_of":"7"}`,
		"/v1/apps/shop/consents/over-time": `{"by":"screen","from":"2026-02-28","until":"2026-03-01","period":"day","as_of":"7","unnamed":4,"not_sought":["changes"],
			"values":[{"value":"welcome","given":90,"periods":[{"day":"2026-03-01","given":90}]}],
			"falls":[{"screen":"welcome","day":"2026-03-01","days":2,"answers":90,"usual":400}]}`,
		"/v1/apps/shop/consents/over-time?by=build": `{"by":"build","from":"2026-02-28","until":"2026-03-01","period":"day","as_of":"7",
			"values":[{"value":"*","given":90,"periods":[{"day":"2026-03-01","given":90}]}]}`,
	}
	for lang, want := range map[string][2]string{
		"en":    {"Screen welcome, on 2026-03-01: 90 answers, where there are usually 400 on that weekday; 2 days so far.", "other builds"},
		"zh-CN": {"界面 welcome，2026-03-01：90 次答复，同一星期几通常为 400 次；已持续 2 天。", "其他构建版本"},
	} {
		notSought := map[string]string{"en": "Sudden changes by build are not looked for", "zh-CN": "未查找各版本间的骤变"}[lang]
		if body := todayPage(t, api, lang); !strings.Contains(body, want[0]) || !strings.Contains(body, notSought) {
			t.Errorf("%s: Today has no %s, or no %s: %s", lang, want[0], notSought, body)
		}
		show := func(by string) string {
			w := httptest.NewRecorder()
			Handler(Config{API: api, Version: "test", Now: time.Now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/consents?app=shop&lang="+lang+"&by="+by, nil))
			return w.Body.String()
		}
		body := show("screen")
		if strings.Count(body, want[0]) != 2 || strings.Count(body, `class="fill mark-at"`) != 1 || strings.Count(body, `class="mark warn"`) != 1 {
			t.Errorf("%s: it is not marked above the chart, in it and in the table: %s", lang, body)
		}
		if !strings.Contains(body, map[string]string{"en": "4 answers more fit", "zh-CN": "另有 4 次答复"}[lang]) || !strings.Contains(body, notSought) {
			t.Errorf("%s: it is not said what is not kept by its name: %s", lang, body)
		}
		if body := show("build"); !strings.Contains(body, want[1]) {
			t.Errorf("%s: no %s: %s", lang, want[1], body)
		}
	}
}

// TestASuddenDropIsMarked shows one on Today, and in the chart and the table of its build.
func TestASuddenDropIsMarked(t *testing.T) {
	const answers = `{"by":"build","from":"2026-03-01","until":"2026-03-02","period":"day","as_of":"7",
		"values":[{"value":"1.0","given":90,"refused":10,"periods":[{"day":"2026-03-01","given":90,"refused":10}]},
			{"value":"2.0","given":30,"refused":70,"periods":[{"day":"2026-03-02","given":30,"refused":70}]}],
		"changes":[{"screen":"welcome","build":"2.0","before":"1.0","day":"2026-03-02","change":"drop","now":{"given":30,"asked":100},"then":{"given":90,"asked":100}}]}`
	api := systemAPI{"/v1/apps/shop/consents/over-time": answers, "/v1/apps/shop/consents/counts": `{"counts":[],"as_of":"7"}`}
	const said = "Build 2.0, screen welcome, from 2026-03-02: 30.0 % of 100 who were asked agreed; by build 1.0 before it 90.0 % of 100."
	if body := todayPage(t, api, "en"); !strings.Contains(body, said) || !strings.Contains(body, `/ui/consents?app=shop&amp;by=build">Sudden drop`) {
		t.Errorf("Today: %s", body)
	}

	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: time.Now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/consents?app=shop&by=build", nil))
	body := w.Body.String()
	const drawn, marked = `<rect x="500" width="4" height="60" class="fill mark-at">`, `30.0 % <span class="mark warn">Sudden drop</span>`
	for _, once := range []string{drawn, marked} {
		if strings.Count(body, once) != 1 {
			t.Errorf("the page has %d of %s: %s", strings.Count(body, once), once, body)
		}
	}
	if !strings.Contains(body, `<strong>Sudden drop</strong> `+said) {
		t.Errorf("the page does not say it: %s", body)
	}
}

// TestADayThatIsPastIsAskedFor passes the day of the address on, and keeps it in the page's other form.
func TestADayThatIsPastIsAskedFor(t *testing.T) {
	answers := systemAPI{"/v1/apps": `{"apps":[{"app":"shop"}]}`, "/v1/apps/shop/consents/counts": `{"counts":[],"as_of":"7"}`,
		"/v1/apps/shop/consents/over-time": `{"by":"purpose","from":"2026-03-01","until":"2026-03-02","period":"day","values":[],"as_of":"7"}`}
	asked := map[string]string{}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path] = r.URL.RawQuery
		answers.ServeHTTP(w, r)
	})
	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: time.Now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/consents?day=2026-03-01&by=build", nil))
	if asked["/v1/apps/shop/consents/counts"] != "day=2026-03-01" || asked["/v1/apps/shop/consents/over-time"] != "by=build" {
		t.Errorf("asked %v", asked)
	}
	for _, want := range []string{
		`type="date" value="2026-03-01"`, `<input type="hidden" name="day" value="2026-03-01">`,
		`<input type="hidden" name="by" value="build">`, "Nobody had answered by the end of this day.",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page has no %s: %s", want, w.Body)
		}
	}
}
