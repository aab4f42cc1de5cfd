package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Every request that a page may send, from every origin: the header that lets a page read
// an answer is there for what is allowed, and for nothing else.
func TestOnlyOriginsOfTheAppMayReadWhatIsOnePersons(t *testing.T) {
	origins, err := ParseOrigins([]string{"shop=https://shop.example.com", "shop=http://localhost:3000", "bank=https://bank.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	var through, page bool
	h := GuardWith(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { through, page = true, FromPage(r.Context()) }), Hosts{}, origins)
	ask := func(method, path, origin, wants string) *httptest.ResponseRecorder {
		through, page = false, false
		r := httptest.NewRequest(method, "http://localhost:8080"+path, nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		if wants != "" {
			r.Header.Set("Access-Control-Request-Method", wants)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		method, path, origin string
		want                 bool
	}{
		{"POST", "/v1/apps/shop/events", "https://shop.example.com", true},
		{"POST", "/v1/apps/shop/events", "http://localhost:3000", true},
		{"POST", "/v1/apps/shop/check", "https://shop.example.com", true},
		{"POST", "/v1/apps/shop/subjects/prompt", "https://shop.example.com", true},
		{"POST", "/v1/apps/bank/events", "https://bank.example.com", true},
		{"GET", "/v1/blobs/sha256:00", "https://bank.example.com", true},

		{"POST", "/v1/apps/bank/events", "https://shop.example.com", false},
		{"POST", "/v1/apps/cafe/events", "https://shop.example.com", false},
		{"POST", "/v1/apps/shop/events", "https://evil.example", false},
		{"POST", "/v1/apps/shop/events", "null", false},
		{"POST", "/v1/apps/shop/events", "https://shop.example.com.evil.example", false},
		{"POST", "/v1/apps/shop/events", "http://shop.example.com", false},
		{"POST", "/v1/apps/shop/events", "https://shop.example.com:8443", false},
		{"POST", "/v1/apps/shop/events", "https://SHOP.example.com", false},
		{"POST", "/v1/apps/shop/events/", "https://shop.example.com", false},
		{"POST", "/v1/apps/shop/operator/events", "https://shop.example.com", false},
		{"POST", "/v1/apps/shop/subjects/erase", "https://shop.example.com", false},
		{"POST", "/v1/apps/shop/subjects/history", "https://shop.example.com", false},
		{"POST", "/v1/apps/shop/tokens", "https://shop.example.com", false},
		{"GET", "/v1/apps/shop/subjects/ada/prompt", "https://shop.example.com", false},
		{"PUT", "/v1/apps/shop", "https://shop.example.com", false},
		{"GET", "/v1/apps", "https://shop.example.com", false},
		{"GET", "/log/shop/checkpoint", "https://shop.example.com", false},
		{"GET", "/openapi.json", "https://shop.example.com", false},
		{"GET", "/ui/", "https://shop.example.com", false},
		{"POST", "/v1/access/keys", "https://shop.example.com", false},
		{"GET", "/v1/blobs/sha256:00", "https://evil.example", false},
	} {
		w := ask(c.method, c.path, c.origin, "")
		got := w.Header().Get("Access-Control-Allow-Origin")
		if c.want && (got != c.origin || !through || !page) || !c.want && (got != "" || page) {
			t.Errorf("%s %s from %s: %q, through %v", c.method, c.path, c.origin, got, through)
		}
		before := ask("OPTIONS", c.path, c.origin, c.method)
		if allowed := before.Code == http.StatusNoContent; allowed != c.want || through {
			t.Errorf("asked before %s %s from %s: %d %v", c.method, c.path, c.origin, before.Code, before.Header())
		}
		if names := before.Header().Get("Access-Control-Allow-Headers"); (names != "") != c.want {
			t.Errorf("asked before %s %s from %s: headers %q", c.method, c.path, c.origin, names)
		}
		for _, w := range []*httptest.ResponseRecorder{w, before} {
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") && !c.want || name == "Access-Control-Allow-Credentials" {
					t.Errorf("%s %s from %s: %s", c.method, c.path, c.origin, name)
				}
			}
		}
	}

	if w := ask("OPTIONS", "/v1/apps/shop/events", "https://shop.example.com", "DELETE"); w.Code == http.StatusNoContent {
		t.Errorf("a method that there is not: %d", w.Code)
	}
	if w := ask("POST", "/v1/apps/shop/events", "", ""); !through || page || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("a program is taken for a page")
	}
}

func TestWhatIsNoOriginIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "shop", "shop=", "=https://shop.example.com", "Shop=https://shop.example.com", "*=https://shop.example.com", "shop=*", "shop=null",
		"shop=https://*.example.com", "shop=http://shop.example.com", "shop=https://shop.example.com/", "shop=https://shop.example.com/a", "shop=https://SHOP.example.com",
		"shop=https://shop.example.com:443", "shop=http://localhost:80", "shop=https://u@shop.example.com", "shop=ftp://localhost", "shop=shop.example.com",
		"shop=https://shop.example.com?a", "shop=https://shop.example.com,https://evil.example",
	} {
		if o, err := ParseOrigins([]string{text}); err == nil {
			t.Errorf("%q is taken: %v", text, o)
		}
	}
}
