package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/session"
	"consentledger/domain/deadline"
)

// office is an API with papers and rejected messages.
func office(t *testing.T, did *[]string) http.Handler {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		no := func(status int, text string) { w.WriteHeader(status); fmt.Fprint(w, text) }
		switch r.Method + " " + r.URL.Path {
		case "GET /v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "GET /v1/apps/shop/activity":
			fmt.Fprint(w, `{"days":[{"day":"2026-03-01","type":"subject.erased","count":2},{"day":"2026-03-02","type":"subject.erased","count":3},{"day":"2026-03-02","type":"consent.given","count":1}],"as_of":"7"}`)
		case "GET /v1/apps/shop/reports/deadlines":
			no(400, `{"status":400,"code":"malformed","detail":"kind: nothing of that kind is owed"}`)
		case "GET /v1/rejected":
			if r.Header.Get("Authorization") == "Bearer of-one-app" {
				no(403, `{"status":403,"code":"forbidden","detail":"no"}`)
				return
			}
			fmt.Fprint(w, `{"rejected":[{"seq":1,"app":"shop","at":"2026-03-01T00:00:00Z","code":"malformed","seen":true},{"seq":2,"app":"shop","at":"2026-03-02T00:00:00Z","code":"unknown-act","may_be_no":true}]}`)
		case "GET /v1/apps/shop/erasures":
			fmt.Fprint(w, `{"jobs":[{"id":"spring","of":"closed","state":"running","began":"2026-03-01T00:00:00Z","persons":9,"erased":4,"kept":1}]}`)
		case "GET /v1/apps/shop/proofs":
			fmt.Fprint(w, `{"proofs":[{"person":"0a0b","duty":"claims","law":"GDPR 17(3)(e)","reason":"disputes","until":"2029-11-30","state":"kept","disclosures":[{},{}]}],"next":"0a0b"}`)
		case "POST /v1/rejected/2/retry":
			*did = append(*did, "retry")
			no(422, `{"status":422,"code":"unknown-act","path":"data.act","detail":"no such act"}`)
		case "POST /v1/rejected/2/seen":
			*did = append(*did, "seen")
			fmt.Fprint(w, `{"why":"x"}`)
		case "POST /v1/rejected/9/retry":
			no(404, `{"status":404,"code":"unknown-message","detail":"gone"}`)
		case "GET /v1/apps/shop/reports/audit", "GET /v1/apps/shop/registers/retention":
			*did = append(*did, r.URL.RawQuery+" "+r.Header.Get("Consent-Reason")+" "+r.Header.Get("Consent-By"))
			fmt.Fprint(w, "<!doctype html><title>the paper</title>")
		default:
			no(404, `{"status":404,"code":"unknown","detail":"none"}`)
		}
	})
	return Handler(Config{API: api, Version: "test", Now: time.Now})
}

func TestRejectedMessagesAreHandledFromThePage(t *testing.T) {
	var did []string
	b := &browser{d: &fakeAPI{t: t, h: office(t, &did)}}
	page := func(method string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/ui/intake?app=shop", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.do(r)
	}
	body := page("GET", nil).Body.String()
	if n := strings.Count(body, "<form method"); n != 1 || !strings.Contains(body, "may be an opt-out") {
		t.Errorf("%d forms to send again in %s", n, body)
	}
	token := tokenIn.FindStringSubmatch(body)[1]
	if w := page("POST", url.Values{"token": {token}, "form": {"retry"}, "seq": {"2"}}); w.Code != 422 || !strings.Contains(w.Body.String(), "Message 2: ") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := page("POST", url.Values{"token": {token}, "form": {"retry"}, "seq": {"9"}}); w.Code != 404 || !strings.Contains(w.Body.String(), "not there any more") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := page("POST", url.Values{"token": {token}, "form": {"seen"}, "seq": {"2"}, "why": {"a trial"}}); w.Code != 303 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := page("POST", url.Values{"form": {"seen"}, "seq": {"2"}, "why": {"a trial"}}); w.Code != 403 || len(did) != 2 {
		t.Errorf("without a token: %d, %v", w.Code, did)
	}

	b.key = "of-one-app"
	if body := page("GET", nil).Body.String(); strings.Contains(body, "<form method=\"post\"") || !strings.Contains(body, "may not see rejected messages") {
		t.Errorf("who may not sees %s", body)
	}
}

func TestRetentionCountsWhatWasErased(t *testing.T) {
	b := &browser{d: &fakeAPI{t: t, h: office(t, new([]string))}}
	body := b.do(httptest.NewRequest("GET", "/ui/retention", nil)).Body.String()
	for _, want := range []string{"Nothing has to be deleted", `Persons erased</th><td class="number">5</td>`, `Holds placed</th><td class="number">0</td>`,
		`spring</th><td>closed accounts</td><td>running</td>`, `<td class="number">9</td><td class="number">4</td><td class="number">1</td>`,
		`<code>0a0b</code></th><td>claims: disputes</td><td>GDPR 17(3)(e)</td><td>2029-11-30</td><td class="number">2</td>`, "kept-proof list shows all"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}

// As of a day there is what was owed then. Jobs and proofs are known of now alone.
func TestRetentionIsAsOfADay(t *testing.T) {
	b := &browser{d: &fakeAPI{t: t, h: office(t, new([]string))}}
	body := b.do(httptest.NewRequest("GET", "/ui/retention?as_of=2026-01-02", nil)).Body.String()
	if !strings.Contains(body, `value="2026-01-02"`) || !strings.Contains(body, `Persons erased</th><td class="number">5</td>`) || strings.Contains(body, "closed accounts") || strings.Contains(body, "0a0b") {
		t.Errorf("%s", body)
	}
}

// A paper is the API's own page. The audit report leaves a record of who read it, and so
// is asked for with a form that was shown to this browser.
func TestPapersAreTakenThroughThePages(t *testing.T) {
	var did []string
	b := &browser{d: &fakeAPI{t: t, h: office(t, &did)}}
	w := b.do(httptest.NewRequest("GET", "/ui/registers/retention?app=shop&lang=zh-CN", nil))
	csp := w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "the paper") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script") || did[0] != "format=html&lang=zh  " {
		t.Errorf("%d %q %q", w.Code, csp, did)
	}
	if w := b.do(httptest.NewRequest("GET", "/ui/registers/nosuch", nil)); w.Code != 404 {
		t.Errorf("of none: %d", w.Code)
	}

	send := func(form url.Values) int {
		r := httptest.NewRequest("POST", "/ui/audit/report?app=shop", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.do(r).Code
	}
	shown := b.do(httptest.NewRequest("GET", "/ui/audit?app=shop", nil)).Body.String()
	form := url.Values{"token": {hidden.FindStringSubmatch(shown)[2]}, "reason": {"audit"}, "by": {"张 O’Brien"}, "from": {"2026-03-02"}}
	if code := send(url.Values{"reason": {"audit"}, "by": {"ann"}}); code != 403 {
		t.Errorf("without a token: %d", code)
	}
	if code := send(url.Values{"token": form["token"], "reason": {"curiosity"}, "by": {"ann"}}); code != 400 || len(did) != 1 {
		t.Errorf("without a reason: %d, %v", code, did)
	}
	if code := send(form); code != 200 || did[1] != "format=html&from=2026-03-02T00%3A00%3A00Z&lang=en audit "+url.PathEscape("张 O’Brien") {
		t.Errorf("%d %q", code, did)
	}
}

var tokenIn = regexp.MustCompile(`name="token" value="([^"]*)"`)

// TestWhoIsSignedInIsWhoReads: a page that is recorded asks nobody for a name who is signed
// in, and takes none from them.
func TestWhoIsSignedInIsWhoReads(t *testing.T) {
	var did []string
	sessions := session.New(session.Config{Now: func() deadline.Instant { return 0 }})
	one := session.Session{Principal: auth.Principal{Pseudonym: "p-ann"}}
	h := office(t, &did)
	b := &browser{d: &fakeAPI{t: t, h: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(sessions.With(r.Context(), one)))
	})}}
	for _, path := range []string{"/ui/minors?app=shop", "/ui/person?app=shop"} {
		if body := b.do(httptest.NewRequest("GET", path, nil)).Body.String(); strings.Contains(body, `name="by"`) || !strings.Contains(body, `name="reason"`) {
			t.Errorf("%s asks: %s", path, body)
		}
	}
	shown := b.do(httptest.NewRequest("GET", "/ui/audit?app=shop", nil)).Body.String()
	if strings.Contains(shown, `name="by"`) {
		t.Errorf("the audit page asks: %s", shown)
	}

	form := url.Values{"token": {tokenIn.FindStringSubmatch(shown)[1]}, "reason": {"audit"}, "by": {"somebody else"}}
	r := httptest.NewRequest("POST", "/ui/audit/report?app=shop", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := b.do(r); w.Code != 200 || len(did) != 1 || !strings.HasSuffix(did[0], " audit p-ann") {
		t.Errorf("%d %q", w.Code, did)
	}
}
