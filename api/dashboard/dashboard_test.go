package dashboard

import (
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryTextIsInEveryLanguage(t *testing.T) {
	all := readWords(files)
	names := slices.Sorted(maps.Keys(all[langs[0]]))
	for _, lang := range langs[1:] {
		if other := slices.Sorted(maps.Keys(all[lang])); !slices.Equal(names, other) {
			t.Errorf("%s has other texts than %s", lang, langs[0])
		}
	}

	verb := regexp.MustCompile(`%[a-z%]`)
	for _, name := range names {
		want := verb.FindAllString(all[langs[0]][name], -1)
		for _, lang := range langs {
			text := all[lang][name]
			if got := verb.FindAllString(text, -1); text == "" || !slices.Equal(verbs(got), verbs(want)) {
				t.Errorf("%s in %s is %q", name, lang, text)
			}
		}
	}
}

// verbs leaves out what stands for a per cent sign alone.
func verbs(all []string) []string {
	return slices.DeleteFunc(all, func(v string) bool { return v == "%%" })
}

// What a template asks for by name is there, and no template has a text of its own.
func TestTemplatesHaveNoTextOfTheirOwn(t *testing.T) {
	all := readWords(files)[langs[0]]
	named := regexp.MustCompile(`(?:T|Say) "([a-z0-9.-]+)"`)
	own := regexp.MustCompile(`>([^<>{}]*[A-Za-z]{3,}[^<>{}]*)<`)
	action := regexp.MustCompile(`\{\{[^}]*\}\}`)
	pages, err := fs.Glob(files, "pages/*.html")
	if err != nil || len(pages) < 8 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		text, err := fs.ReadFile(files, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllSubmatch(text, -1) {
			if _, ok := all[string(m[1])]; !ok {
				t.Errorf("%s asks for %s, which is no text", page, m[1])
			}
		}
		for _, m := range own.FindAllSubmatch(action.ReplaceAll(text, nil), -1) {
			said := strings.TrimSpace(string(m[1]))
			if !strings.Contains(said, "consentledger") && said != "CSV" && said != "XLSX" && said != "iCalendar" && !strings.HasSuffix(said, "UTC") {
				t.Errorf("%s says %q in one language", page, said)
			}
		}
	}
}

func TestTheLanguageIsTheOneThatIsAskedFor(t *testing.T) {
	all := readWords(files)
	for _, c := range []struct{ query, cookie, accept, want string }{
		{"", "", "", "en"},
		{"", "", "de-DE,de;q=0.9", "en"},
		{"", "", "zh-Hans-CN,en;q=0.5", "zh-CN"},
		{"", "", "zh-TW, zh;q=0.9", "zh-CN"},
		{"", "zh-CN", "en-US", "zh-CN"},
		{"en", "zh-CN", "zh-CN", "en"},
		{"fr", "xx", "en-US", "en"},
	} {
		r := httptest.NewRequest("GET", "/ui/?lang="+c.query, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: langCookie, Value: c.cookie})
		}
		if got := all.choose(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestRepliesStandInTheLaneOfTheirDay(t *testing.T) {
	days := func(n int) *int { return &n }
	for _, c := range []struct {
		o    obligation
		want string
	}{
		{obligation{State: "overdue", Days: days(-1)}, "overdue"},
		{obligation{State: "open", Days: days(0)}, "0"},
		{obligation{State: "at-risk", Days: days(1)}, "3"},
		{obligation{State: "at-risk", Days: days(3)}, "3"},
		{obligation{State: "open", Days: days(4)}, "7"},
		{obligation{State: "open", Days: days(7)}, "7"},
		{obligation{State: "open", Days: days(8)}, "later"},
		{obligation{State: "open"}, "later"},
		{obligation{State: "paused", Days: days(1)}, "paused"},
		{obligation{State: "held"}, "paused"},
	} {
		if got := laneNames[laneOf(c.o)]; got != c.want {
			t.Errorf("%+v: %s, want %s", c.o, got, c.want)
		}
	}
	for _, l := range lanes(nil) {
		for _, prefix := range []string{"lane.", "lane-empty."} { // its name, and what it says if it is empty
			if _, ok := readWords(files)["en"][prefix+l.Name]; !ok {
				t.Errorf("there is no text %s%s", prefix, l.Name)
			}
		}
	}
}

// A row of the chart is as wide as every other one, and says every number.
func TestBarsFillTheirRow(t *testing.T) {
	c := consentCounts{Statuses: []string{"given", "withdrawn", "refused"}}
	for _, people := range []map[string]int{{"given": 1, "withdrawn": 1, "refused": 1}, {"given": 7}, {"refused": 3, "given": 4}, {"given": 999, "withdrawn": 1}} {
		of := purposeCounts{People: people}
		for _, n := range people {
			of.All += n
		}
		width, seen := 0, map[string]int{}
		for _, b := range c.Bars(of) {
			if b.X != width {
				t.Errorf("%v: a bar begins at %d, want %d", people, b.X, width)
			}
			width += b.Width
			seen[b.Status] = b.People
		}
		if width != 1000 || !maps.Equal(seen, people) {
			t.Errorf("%v: %d wide, %v", people, width, seen)
		}
	}
}

// What the API refuses is said on the page with the API's status, and what broke is not.
func TestAPageSaysWhatTheAPISays(t *testing.T) {
	answers := map[string]string{"/v1/apps": `{"apps":[{"app":"shop"}]}`}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text, ok := answers[r.URL.Path]; ok {
			fmt.Fprint(w, text)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"status":403,"code":"forbidden","title":"Not allowed","detail":"one of these roles may: viewer"}`)
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}

	w := ask("/ui/consents")
	if body := w.Body.String(); w.Code != 403 || !strings.Contains(body, "one of these roles may: viewer") || !strings.Contains(body, "/ui/consents?app=shop") {
		t.Errorf("%d %s", w.Code, body)
	}
	answers["/v1/apps/shop/consents/counts"] = `{"counts":"secret"}`
	if w := ask("/ui/consents"); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("/ui/nowhere"); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
	csp := ask("/ui/").Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "script-src 'self'; connect-src 'self'") {
		t.Error(csp)
	}
	if csp := ask("/ui/person").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("a page without a script: %s", csp)
	}
}

// A page that somebody may not see is not in their menu.
func TestTheMenuHasNoPageThatIsRefused(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"apps":[]}`) })
	guard := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/status" || r.Header.Get("Authorization") != "Bearer officer" {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprint(w, "{}")
	})
	for _, tt := range []struct {
		key  string
		may  http.Handler
		want bool
	}{{"officer", guard, true}, {"support", guard, false}, {"anybody", nil, true}} {
		r := httptest.NewRequest("GET", "/ui/policies", nil)
		r.SetBasicAuth("somebody", tt.key)
		w := httptest.NewRecorder()
		Handler(Config{API: api, May: tt.may, Version: "test", Now: time.Now}).ServeHTTP(w, r)
		body := w.Body.String()
		if w.Code != 200 || strings.Contains(body, `href="/ui/system`) != tt.want || !strings.Contains(body, `href="/ui/policies`) {
			t.Errorf("%s: %d %s", tt.key, w.Code, body)
		}
	}
}

// Who holds a key for one app gets in with it as a browser's password, and sees nothing
// that speaks of every app.
func TestAKeyIsAPassword(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer clk_secret":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"status":401,"code":"unauthenticated","detail":"say who you are"}`)
		case r.URL.Path == "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case r.URL.Path == "/v1/apps/shop/reports/deadlines":
			fmt.Fprint(w, `{"as_of":"7","obligations":[],"summary":{"states":[]}}`)
		case r.URL.Path == "/v1/apps/shop/incidents":
			fmt.Fprint(w, `{"cases":[]}`)
		case r.URL.Path == "/readyz" && r.URL.RawQuery == "":
			fmt.Fprint(w, `{"ok":true}`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"not of this key"}`)
		}
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})
	r := httptest.NewRequest("GET", "/ui/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("%d %q", w.Code, w.Header())
	}

	r.SetBasicAuth("officer", "clk_secret")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, "As of position 7") || strings.Contains(body, "clk_secret") {
		t.Errorf("%d %s", w.Code, body)
	}
}
