package edge

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var takes = Route{
	Query: []string{"app", "person", "after"}, Flags: []string{"verbose"},
	Headers: []string{"Consent-Reason", "Idempotency-Key"}, Types: []string{"application/json"},
}

func TestWhatARouteWouldNotSeeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, method, query, headers, body string
		status                             int // 0: it is taken
		says                               string
	}{
		{"nothing", "GET", "", "", "", 0, ""},
		{"what it knows", "GET", "app=demo&verbose", "", "", 0, ""},
		{"a flag with a value", "GET", "verbose=true", "", "", 0, ""},
		{"a name that is not known", "GET", "secret=x", "", "", 400, "its parameters are app, person, after, verbose"},
		{"a name that is spelled wrongly", "GET", "perosn=secret", "", "", 400, "does not know"},
		{"a name in capitals", "GET", "Person=secret", "", "", 400, "write it person"},
		{"a name that stands twice", "GET", "app=secret&app=demo", "", "", 400, "app stands twice"},
		{"one that stands twice with one value", "GET", "app=demo&app=demo", "", "", 400, "app stands twice"},
		{"one that stands twice, once escaped", "GET", "app=demo&%61pp=x", "", "", 400, "app stands twice"},
		{"an empty value", "GET", "person=", "", "", 400, "person is empty"},
		{"no value", "GET", "person&app=demo", "", "", 400, "person is empty"},
		{"a flag that stands twice", "GET", "verbose&verbose", "", "", 400, "verbose stands twice"},
		{"a flag with a strange value", "GET", "verbose=secret", "", "", 400, "needs no value"},
		{"a value that is no UTF-8", "GET", "app=%ff", "", "", 400, "not UTF-8"},
		{"a value with a line end", "GET", "app=a%0ab", "", "", 400, "control"},
		{"semicolons", "GET", "app=a;person=secret", "", "", 400, "not well formed"},
		{"a broken escape", "GET", "app=%zz", "", "", 400, "not well formed"},
		{"a GET with a body", "GET", "", "Content-Type: application/json", `{"person":"secret"}`, 400, "a GET has no body"},
		{"a query on a POST", "POST", "after=7", "Content-Type: application/json", `{}`, 0, ""},
		{"a wrong query on a POST", "POST", "afetr=7", "Content-Type: application/json", `{}`, 400, "does not know"},

		{"one key", "POST", "", "Idempotency-Key: k", "", 0, ""},
		{"two keys", "POST", "", "Idempotency-Key: secret\nIdempotency-Key: l", "", 400, "Idempotency-Key stands twice"},
		{"the same key twice", "POST", "", "Idempotency-Key: k\nidempotency-key: k", "", 400, "Idempotency-Key stands twice"},
		{"an empty key", "POST", "", "Idempotency-Key: ", "", 400, "Idempotency-Key is empty"},
		{"two reasons", "GET", "", "Consent-Reason: audit\nConsent-Reason: incident", "", 400, "Consent-Reason stands twice"},
		{"two attributes of an event", "POST", "", "Ce-Id: a\nCe-Id: b", "", 400, "Ce-Id stands twice"},
		{"two origins", "GET", "", "Origin: http://a\nOrigin: http://b", "", 400, "Origin stands twice"},
		{"a header of ours that is spelled wrongly", "GET", "", "Consent-Reson: secret", "", 400, "its headers are Consent-Reason"},
		{"a header of ours that other routes take", "POST", "", "Consent-Signature: secret", "", 400, "does not take"},
		{"headers of others may stand twice", "GET", "", "X-Forwarded-For: a\nX-Forwarded-For: b", "", 0, ""},

		{"JSON", "POST", "", "Content-Type: application/json", `{}`, 0, ""},
		{"JSON in capitals", "POST", "", "Content-Type: Application/JSON; Charset=UTF-8", `{}`, 0, ""},
		{"CloudEvents in capitals", "POST", "", "Content-Type: APPLICATION/CLOUDEVENTS+JSON", `{}`, 0, ""},
		{"a batch of CloudEvents", "POST", "", "Content-Type: application/cloudevents-batch+json; charset=utf-8", `[]`, 0, ""},
		{"a type of somebody's own", "POST", "", "Content-Type: application/vnd.shop.consent+json", `{}`, 0, ""},
		{"plain text, as a page may send it", "POST", "", "Content-Type: text/plain", `{}`, 415, "the body is application/json"},
		{"a form", "POST", "", "Content-Type: application/x-www-form-urlencoded", `{}`, 415, ""},
		{"a form with files", "POST", "", "Content-Type: multipart/form-data; boundary=json", `{}`, 415, ""},
		{"plain text that speaks of JSON", "POST", "", "Content-Type: text/plain; application/json", `{}`, 415, ""},
		{"a body without a type, as a page may send it", "POST", "", "", `{}`, 415, ""},
		{"two types", "POST", "", "Content-Type: application/json\nContent-Type: text/plain", `{}`, 400, "Content-Type stands twice"},
		{"two types on one line", "POST", "", "Content-Type: text/plain, application/json", `{}`, 415, ""},
		{"JSON in another encoding", "POST", "", "Content-Type: application/json; charset=utf-16", `{}`, 415, "JSON is UTF-8"},
		{"JSON that is compressed", "POST", "", "Content-Type: application/json\nContent-Encoding: gzip", `{}`, 415, "without Content-Encoding"},
		{"XML", "POST", "", "Content-Type: application/xml", `{}`, 415, ""},
		{"no body and no type", "POST", "", "", "", 0, ""},
		{"no body and any type", "POST", "", "Content-Type: text/plain", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				r := httptest.NewRequest(c.method, "http://localhost/x?"+c.query, strings.NewReader(c.body))
				if chunked {
					r.ContentLength = -1
				}
				for line := range strings.Lines(c.headers) {
					name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
					r.Header.Add(name, value)
				}
				err := takes.Check(r)
				no, refused := errors.AsType[*Refused](err)
				if refused != (c.status != 0) || refused != (err != nil) {
					t.Fatalf("chunked %v: %v", chunked, err)
				}
				if refused && (no.Status != c.status || !strings.Contains(no.Detail, c.says) || strings.Contains(no.Detail, "secret")) {
					t.Errorf("chunked %v: %d %s, want %d %s", chunked, no.Status, no.Detail, c.status, c.says)
				}
				if body, err := io.ReadAll(r.Body); !refused && (err != nil || string(body) != c.body) {
					t.Errorf("chunked %v: the route would read %q, %v", chunked, body, err)
				}
			}
		})
	}
}

func TestARouteWithoutABodyTakesNone(t *testing.T) {
	for body, taken := range map[string]bool{"": true, "{}": true, " {} \n": true, "null": true, `{"seq":7}`: false, "[]": false, strings.Repeat(" ", 80) + "7": false} {
		r := httptest.NewRequest("POST", "http://localhost/x", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if err := (Route{}).Check(r); (err == nil) != taken {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestAHeadDoesNotReadWhatIsRecorded(t *testing.T) {
	read := Route{Records: true}
	no, is := errors.AsType[*Refused](read.Check(httptest.NewRequest("HEAD", "http://localhost/x", nil)))
	if !is || no.Status != http.StatusMethodNotAllowed || no.Allow != "GET" {
		t.Errorf("%+v", no)
	}
	if err := read.Check(httptest.NewRequest("GET", "http://localhost/x", nil)); err != nil {
		t.Error(err)
	}
	if err := (Route{}).Check(httptest.NewRequest("HEAD", "http://localhost/x", nil)); err != nil {
		t.Error(err)
	}
}
