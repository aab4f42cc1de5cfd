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
