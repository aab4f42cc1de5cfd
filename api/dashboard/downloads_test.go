package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A file goes on to the browser as it comes, under the name that the API gives it. What the
// API refuses is said on the page.
func TestAFileGoesOnAsItComes(t *testing.T) {
	to := httptest.NewRecorder()
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case r.URL.Query().Get("format") != "csv":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"status":400,"code":"malformed","detail":"format: no such one"}`)
		default:
			w.Header().Set("Content-Type", "text/csv")
			w.Header().Set("Content-Disposition", `attachment; filename="deadlines-shop.csv"`)
			for _, row := range []string{"one\n", "two\n"} {
				fmt.Fprint(w, row)
				if !strings.HasSuffix(to.Body.String(), row) {
					t.Errorf("after %q the browser has %q", row, to.Body)
				}
			}
		}
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})

	h.ServeHTTP(to, httptest.NewRequest(http.MethodGet, "/ui/deadlines/file?format=csv", nil))
	if to.Code != http.StatusOK || to.Body.String() != "one\ntwo\n" || to.Header().Get("Content-Type") != "text/csv" ||
		!strings.Contains(to.Header().Get("Content-Disposition"), "deadlines-shop.csv") {
		t.Errorf("%d %v %s", to.Code, to.Header(), to.Body)
	}

	to = httptest.NewRecorder()
	h.ServeHTTP(to, httptest.NewRequest(http.MethodGet, "/ui/deadlines/file?format=pdf", nil))
	if to.Code != http.StatusBadRequest || !strings.Contains(to.Body.String(), "format: no such one") {
		t.Errorf("%d %s", to.Code, to.Body)
	}
}
