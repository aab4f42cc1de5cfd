package rest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A told is a route as the description tells it.
type told struct {
	method, path   string
	query, headers []string
	flags          map[string]bool
	body           bool
}

// routes returns every route, with members of its path filled in.
func (h *testServer) routes(t *testing.T) (all []told) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name  string `json:"name"`
				In    string `json:"in"`
				Empty bool   `json:"allowEmptyValue"`
			} `json:"parameters"`
			RequestBody jsontext.Value `json:"requestBody"`
		} `json:"paths"`
	}
	_, spec := h.do("GET", "/openapi.json", "")
	if err := json.Unmarshal([]byte(spec), &doc); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{app}", "demo", "{id}", "ann", "{purpose}", "mail", "{group}", "family", "{seq}", "7", "{name}", "event",
		"{hash}", "sha256:"+strings.Repeat("0", 64), "{version}", "sha256:"+strings.Repeat("0", 64), "{surface}", "sha256:"+strings.Repeat("0", 64),
		"{register}", "processing", "{token}", "secret", "{person}", strings.Repeat("0", 31)+"1")
	for path, item := range doc.Paths {
		if strings.HasPrefix(path, "/log/") {
			continue // package audit has it, and tests it
		}
		for method, op := range item {
			r := told{method: strings.ToUpper(method), path: fill.Replace(path), flags: map[string]bool{}, body: op.RequestBody != nil}
			for _, p := range op.Parameters {
				switch p.In {
				case "query":
					r.query = append(r.query, p.Name)
					r.flags[p.Name] = p.Empty
				case "header":
					r.headers = append(r.headers, p.Name)
				}
			}
			all = append(all, r)
		}
	}
	if len(all) < 60 {
		t.Fatalf("%d routes", len(all))
	}
	return all
}

func TestEveryRouteRefusesWhatItWouldNotSee(t *testing.T) {
	h := open(t)
	h.furnish()
	h.h = h.all()
	refused := func(r told, status int, query, body string, headers ...string) {
		t.Helper()
		code, b := h.do(r.method, r.path+"?"+query, body, headers...)
		if code != status || strings.Contains(b, "secret") {
			t.Errorf("%s %s?%s %q %v: %d %s, want %d", r.method, r.path, query, body, headers, code, b, status)
		}
	}
	for _, r := range h.routes(t) {
		body := ""
		if r.body {
			body = `{"secret":1}`
			refused(r, 415, "", body, "Content-Type: text/plain")
			refused(r, 415, "", body, "Content-Type: ")
		}
		if r.method == "GET" {
			refused(r, 400, "", `{"secret":1}`)
		}
		refused(r, 400, "secret=x", body)
		if strings.HasSuffix(r.path, "/bulk") {
			continue // it takes lines, each of which is refused by itself
		}
		refused(r, 400, "", body, "Consent-Secret: x")
		for _, name := range r.query {
			refused(r, 400, name+"=secret&"+name+"=secret", body)
			refused(r, 400, strings.ToUpper(name)+"=secret", body)
			if !r.flags[name] {
				refused(r, 400, name+"=", body)
				refused(r, 400, name, body)
				refused(r, 400, name+"=%ff", body)
			}
		}
		for _, name := range append(r.headers, "Idempotency-Key", "Content-Type") {
			if name == "Accept" || name == "If-None-Match" {
				continue // lists, which may stand on several lines
			}
			w, b := h.twice(r, name, body)
			if w != 400 || strings.Contains(b, "secret") {
				t.Errorf("%s %s with two of %s: %d %s", r.method, r.path, name, w, b)
			}
		}
	}
}

func TestAHeadRecordsNothing(t *testing.T) {
	h := open(t)
	h.furnish()
	h.receipt(appEndpoint, event("e1", "ann", "consent.given", yes))
	h.h = h.all()
	begun, err := h.ledg.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, r := range h.routes(t) {
		if r.method != "GET" {
			continue
		}
		code, _, header := h.head(r.path)
		if code == http.StatusMethodNotAllowed {
			recorded[r.path] = header.Get("Allow") == "GET"
		}
		if now, err := h.ledg.Head(t.Context()); err != nil || now != begun {
			t.Fatalf("HEAD %s is recorded, %v", r.path, err)
		}
	}
	want := map[string]bool{
		"/v1/replay": true, "/v1/apps/demo/lawful": true, "/v1/apps/demo/proposals/ann": true, "/v1/apps/demo/reports/audit": true, "/v1/rejected/7": true,
		"/v1/apps/demo/subjects/ann/purposes/mail/check": true,
	}
	if fmt.Sprint(recorded) != fmt.Sprint(want) {
		t.Errorf("a HEAD is not taken of %v, want %v", recorded, want)
	}

	h.want(200, "consent.given", "GET", "/v1/replay?app=demo", "")
	if now, err := h.ledg.Head(t.Context()); err != nil || now == begun {
		t.Errorf("a GET is not recorded, %v", err)
	}
}

// twice asks with a header that stands twice.
func (h *testServer) twice(r told, name, body string) (int, string) {
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header[name] = []string{"secret", "secret"}
	w := httptest.NewRecorder()
	h.h.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// head asks with HEAD. What is not there to be asked is as a handler that panics.
func (h *testServer) head(path string) (int, string, http.Header) {
	w := httptest.NewRecorder()
	h.h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil))
	return w.Code, w.Body.String(), w.Header()
}

// TestRequestsAreClosedAndAnswersOpen: a client that was made of the description
// takes what a later program answers, and hears of a member that is spelled wrongly.
func TestRequestsAreClosedAndAnswersOpen(t *testing.T) {
	h := open(t)
	h.h = h.all()
	for _, name := range []string{"/openapi.json", "/openapi-3.0.json"} {
		var doc map[string]any
		_, text := h.do("GET", name, "")
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		components := doc["components"].(map[string]any)["schemas"].(map[string]any)
		asked, answered := map[string]bool{}, map[string]bool{}
		for path, item := range doc["paths"].(map[string]any) {
			for method, op := range item.(map[string]any) {
				op := op.(map[string]any)
				if body, has := op["requestBody"]; has {
					open := strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/surfaces") // their members are looked at elsewhere
					shapes(body, components, asked, func(s map[string]any) {
						if s["properties"] != nil && s["additionalProperties"] != false && !open {
							t.Errorf("%s: %s %s takes any member: %v", name, method, path, s)
						}
					})
				}
				shapes(op["responses"], components, answered, func(s map[string]any) {
					if s["additionalProperties"] == false {
						t.Errorf("%s: %s %s never answers with a member more: %v", name, method, path, s)
					}
				})
			}
		}
		for one := range asked {
			if answered[one] {
				t.Errorf("%s: %s is asked and answered: it cannot be closed and open", name, one)
			}
		}
	}
}

// shapes visits every schema in a part of a description, and notes those that have
// a name.
func shapes(part any, components map[string]any, named map[string]bool, visit func(map[string]any)) {
	switch part := part.(type) {
	case map[string]any:
		if ref, is := part["$ref"].(string); is {
			name := ref[strings.LastIndex(ref, "/")+1:]
			if !named[name] {
				named[name] = true
				shapes(components[name], components, named, visit)
			}
		}
		visit(part)
		for _, of := range part {
			shapes(of, components, named, visit)
		}
	case []any:
		for _, of := range part {
			shapes(of, components, named, visit)
		}
	}
}
