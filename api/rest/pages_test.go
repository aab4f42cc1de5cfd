package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

var linkForm = regexp.MustCompile(`^<([^>]*)>; rel="(first|next)"$`)

// linksOf returns the addresses that the header Link has, by their relation.
func linksOf(t *testing.T, h http.Header) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, value := range h.Values("Link") {
		m := linkForm.FindStringSubmatch(value)
		if m == nil {
			t.Fatalf("the link %q has another form", value)
		}
		all[m[2]] = m[1]
	}
	return all
}

func TestWhoFollowsTheLinksSeesEveryPage(t *testing.T) {
	h := open(t)
	h.furnish()
	for i := range 5 {
		h.receipt(appEndpoint, event(fmt.Sprint(i), "ann", "consent.given", yes))
	}

	first := "/v1/apps/demo/subjects/ann/history?limit=2"
	var seen []string
	for at := first; at != ""; {
		status, answer, header := h.ask("GET", at, "")
		var page History
		if err := json.Unmarshal([]byte(answer), &page); status != 200 || err != nil || len(page.Entries) == 0 || len(page.Entries) > 2 {
			t.Fatalf("%s: %d %s, %v", at, status, answer, err)
		}
		for _, e := range page.Entries {
			seen = append(seen, e.EventID)
		}
		links := linksOf(t, header)
		if links["first"] != first {
			t.Errorf("%s: the first page is at %q", at, links["first"])
		}
		if (links["next"] == "") != (page.Next == "") {
			t.Errorf("%s: next is %q and %q", at, page.Next, links["next"])
		}
		at = links["next"]
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5 were seen", len(seen))
	}
	if _, _, header := h.ask("POST", "/v1/apps/demo/subjects/history", `{"subject":"ann"}`); len(header.Values("Link")) != 0 {
		t.Errorf("a body has no address: %v", header.Values("Link"))
	}
}

func TestALinkKeepsWhatWasAsked(t *testing.T) {
	asked, err := url.Parse("http://ledger.example/v1/apps/demo/requests?limit=2&cursor=7&state=open")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(links("cursor", *asked, "a/b&c"), " ")
	want := `</v1/apps/demo/requests?limit=2&state=open>; rel="first" </v1/apps/demo/requests?cursor=a%2Fb%26c&limit=2&state=open>; rel="next"`
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What comes in pages says so in its description, and what is as of a position has a tag.
func TestPagesAndTagsAreDescribed(t *testing.T) {
	doc := described("test")
	pages, tags := 0, 0
	for path, item := range doc.Paths {
		for method, op := range operations(item) {
			answer := op.Responses["200"]
			if answer == nil || answer.Content["application/json"] == nil {
				continue
			}
			schema := answer.Content["application/json"].Schema
			for schema.Ref != "" {
				schema = doc.Components.Schemas.SchemaFromRef(schema.Ref)
			}

			_, next := schema.Properties["next"]
			paged := next && method == http.MethodGet
			if _, says := answer.Headers["Link"]; says != paged {
				t.Errorf("%s %s: comes in pages %v, declares Link %v", method, path, paged, says)
			}
			_, at := schema.Properties["as_of"]
			_, tag := op.Responses["304"]
			if at && method == http.MethodGet && !untagged[op.OperationID] && !tag && op.Metadata[records] != true {
				t.Errorf("%s %s is as of a position, and declares no 304", method, path)
			}
			if isListed(method, op.OperationID) && !tag {
				t.Errorf("%s %s is a list, and declares no 304", method, path)
			}
			if tag && (answer.Headers["ETag"] == nil || !hasHeader(op, "If-None-Match")) {
				t.Errorf("%s %s declares 304, and not by which headers", method, path)
			}
			if paged {
				pages++
			}
			if tag {
				tags++
			}
		}
	}
	if pages < len(paged) || tags < 10 {
		t.Errorf("%d pages, %d tags: the test does not see them", pages, tags)
	}
}

func hasHeader(op *huma.Operation, name string) bool {
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == name {
			return true
		}
	}
	return false
}

func TestWhatIsKnownIsNotSentAgain(t *testing.T) {
	h := open(t)
	h.furnish()
	for _, path := range []string{
		"/v1/apps/demo", "/v1/apps/demo/policies", "/v1/apps/demo/surfaces", "/v1/apps/demo/calendars",
		"/v1/apps/demo/consents/counts", "/v1/schemas", "/v1/errors", "/v1/blobs/" + doc.Texts[0].Hash.String(),
	} {
		status, answer, header := h.ask("GET", path, "")
		tag := header.Get("ETag")
		if status != 200 || !regexp.MustCompile(`^"[^"]+"$`).MatchString(tag) {
			t.Errorf("%s: %d %s, tagged %q", path, status, answer, tag)
			continue
		}
		for _, known := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
			if status, answer, header := h.ask("GET", path, "", "If-None-Match: "+known); status != 304 || answer != "" || header.Get("ETag") != tag {
				t.Errorf("%s, %s is known: %d %q, tagged %q", path, known, status, answer, header.Get("ETag"))
			}
		}
		if status, again, _ := h.ask("GET", path, "", `If-None-Match: "other"`); status != 200 || again != answer {
			t.Errorf("%s, another is known: %d", path, status)
		}
	}

	_, _, before := h.ask("GET", "/v1/apps/demo/policies", "")
	h.receipt(appEndpoint, event("e1", "ann", "consent.given", yes))
	if status, _, after := h.ask("GET", "/v1/apps/demo/policies", "", "If-None-Match: "+before.Get("ETag")); status != 200 || after.Get("ETag") == before.Get("ETag") {
		t.Errorf("as of another position: %d, tagged %q and %q", status, before.Get("ETag"), after.Get("ETag"))
	}
	if status, _, header := h.ask("GET", "/v1/apps/nosuch/policies", "", "If-None-Match: *"); status != 404 || header.Get("ETag") != "" {
		t.Errorf("a refusal: %d, tagged %q", status, header.Get("ETag"))
	}
}

func TestAProblemLeadsToItsPage(t *testing.T) {
	h := open(t)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/apps/nosuch", ""}, {"GET", "/v1/apps?x=1", ""}, {"GET", "/nosuch", ""}, {"PATCH", "/v1/apps", ""},
		{"POST", "/v1/apps/nosuch/events", "{"}, {"GET", "/v1/blobs/x", ""}, {"GET", "/v1/schemas/nosuch", ""}, {"GET", "/v1/apps/../x", ""},
	} {
		status, answer, header := h.ask(c.method, c.path, c.body)
		var p struct{ Type, Code string }
		if err := json.Unmarshal([]byte(answer), &p, json.MatchCaseInsensitiveNames(true)); err != nil || status < 400 || !strings.HasSuffix(p.Type, ":"+p.Code) {
			t.Errorf("%s %s: %d %s, %v", c.method, c.path, status, answer, err)
			continue
		}
		if want := "</v1/errors/" + p.Code + `>; rel="help"`; header.Get("Link") != want {
			t.Errorf("%s %s: the link is %q, want %q", c.method, c.path, header.Values("Link"), want)
		}
		h.want(200, `"code":"`+p.Code+`"`, "GET", "/v1/errors/"+p.Code, "")
		if status, page, header := h.ask("GET", "/v1/errors/"+p.Code, "", "Accept: text/html,*/*"); status != 200 || !strings.Contains(page, "<h1>"+p.Code) || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			t.Errorf("the page of %s: %d %s", p.Code, status, page)
		}
	}
	h.want(404, "not-found", "GET", "/v1/errors/nosuch", "")
}
