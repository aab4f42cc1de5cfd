package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// An answer that is cut off, as a large file is when no more of it is taken, does not cut the page off.
func TestTheBeginningOfAFileIsShown(t *testing.T) {
	t.Parallel()
	parts := 0
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/errors":
			fmt.Fprint(w, `{"errors":[]}`)
		case "/openapi.json":
			fmt.Fprint(w, `{"paths":{"/v1/file":{"get":{"operationId":"file","responses":{}}}}}`)
		case "/v1/file":
			w.Header().Set("Content-Type", "text/csv")
			for range parts {
				if _, err := fmt.Fprint(w, strings.Repeat("a line\n", 4096)); err != nil {
					break
				}
			}
			panic(http.ErrAbortHandler)
		}
	})
	d := &fakeAPI{t: t, h: Handler(Config{API: api, Version: "test", Now: time.Now})}
	b := &browser{d: d}
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(b.do(httptest.NewRequest("GET", "/ui/api/file", nil)).Body.String(), -1) {
		form.Set(m[1], m[2])
	}

	for n, says := range map[int]string{1: "The answer broke off", 4: "only its beginning is shown"} {
		parts = n
		r := httptest.NewRequest("POST", "/ui/api/file", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := b.do(r)
		if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, says) || !strings.Contains(body, "a line\n") {
			t.Errorf("of %d parts: %d, want %q: %.3000s", parts, w.Code, says, body)
		}
	}
}

// Pages that are made at once of the one description do not write into it, which the race detector holds.
func TestPagesOfTheAPIAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	h := Handler(Config{Version: "test", Now: time.Now, API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openapi.json" {
			fmt.Fprint(w, `{"paths":{"/v1/apps":{"get":{"operationId":"list","tags":["apps"],"responses":{}}}}}`)
			return
		}
		fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
	})})
	var pages sync.WaitGroup
	for range 4 {
		pages.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/api", nil))
			if w.Code != 200 || !strings.Contains(w.Body.String(), `id="apps"`) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	pages.Wait()
}
