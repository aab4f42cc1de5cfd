package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A day ends with its last millisecond, which is the last moment that a record of it may have. What is
// owed is asked for as it was then, by what was known then: on the pages and in their files.
func TestWhatWasOwedIsAskedForByWhatWasKnownAtTheEndOfTheDay(t *testing.T) {
	var asked []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/reports/deadlines":
			asked = append(asked, r.URL.Query().Get("as_of")+" "+r.URL.Query().Get("known_at"))
			fmt.Fprint(w, `{"as_of":"7","obligations":[],"summary":{"states":[]}}`)
		default:
			fmt.Fprint(w, `{"as_of":"7"}`)
		}
	})
	now := func() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	for path, want := range map[string]string{
		"deadlines?as_of=2026-03-02":                 "2026-03-02T23:59:59.999Z 2026-03-02T23:59:59.999Z",
		"deadlines/file?format=csv&as_of=2026-03-02": "2026-03-02T23:59:59.999Z 2026-03-02T23:59:59.999Z",
		"deadlines?as_of=2026-03-02T09:00:00Z":       "2026-03-02T09:00:00Z 2026-03-02T09:00:00Z",
		"retention?as_of=2026-03-02":                 "2026-03-02T23:59:59.999Z 2026-03-02T23:59:59.999Z",
		"deadlines?as_of=2026-03-03":                 " ", // that day is not over
		"deadlines/file?format=csv":                  " ",
		"retention":                                  " ",
	} {
		asked = nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/"+path, nil))
		if w.Code != http.StatusOK || !slices.Equal(asked, []string{want}) {
			t.Errorf("%s: %d, asked for %q, want %q: %s", path, w.Code, asked, want, strings.TrimSpace(w.Body.String()))
		}
	}
}

// What is no day, and a day that has not come, is refused and never shown as if it were now.
func TestNoPageTakesADayThatIsNone(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/apps" {
			t.Errorf("asked for %s", r.URL)
		}
		fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
	})
	now := func() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	for _, page := range []string{"deadlines", "retention", "incidents", "policies", ""} {
		for _, day := range []string{"2026-02-30", "2026-03-04", "yesterday"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/"+page+"?app=shop&as_of="+day, nil))
			body := w.Body.String()
			if w.Code != http.StatusBadRequest || !strings.Contains(body, "as_of: is a day as in") || strings.Contains(body, `class="past"`) {
				t.Errorf("%s as of %s: %d %s", page, day, w.Code, body)
			}
		}
	}
}

// Today as of a day that is past asks for what was known at its end, and counts the hours of clocks from
// there. What is known of now alone is left out, is not asked for, and the page says so.
func TestTodayOnADayThatIsPast(t *testing.T) {
	const owed = `{"as_of":"7","obligations":[{"stream":"request-shop-r1","kind":"reply","state":"overdue","due_date":"2026-02-27","provisional":true}],"summary":{"obligations":1,"states":[{"state":"open","obligations":4}]}}`
	const asOf = "2026-02-28T23%3A59%3A59.999Z"
	api := systemAPI{
		"/v1/apps": `{"apps":[{"app":"shop"}]}`,
		"/v1/apps/shop/reports/deadlines?group=requests&known_at=" + asOf + "&limit=200&sort=due&state=overdue%2Cat-risk%2Copen%2Cpaused%2Cheld": owed,
		"/v1/apps/shop/reports/deadlines?group=other&known_at=" + asOf + "&limit=1&state=overdue%2Cat-risk%2Copen%2Cpaused%2Cheld":               owed,
		"/v1/apps/shop/incidents?known_at=" + asOf + "&limit=1000&state=open":                                                                    `{"cases":[{"id":"i1","state":"detected","at":"2026-02-28T12:00:00Z"}]}`,
		"/v1/apps/shop/incidents/i1?known_at=" + asOf:                                                                                            `{"obligations":[{"kind":"notify","target":"authority","state":"open","due":"2026-03-03T12:00:00Z"}]}`,
		"/v1/apps/shop/consents/over-time?by=purpose&until=2026-02-28":                                                                           `{"falls":[{"screen":"welcome","day":"2026-02-20","days":2,"answers":90,"usual":400}]}`,
	}
	for _, never := range []string{"/v1/status", "/readyz", "/v1/alarms", "/v1/rejected"} {
		api[never] = `never` // which is no JSON: the page would break
	}
	for lang, said := range map[string][]string{
		"en":    {"are known of now alone", "11 hours since it happened", "60 hours left"},
		"zh-CN": {"只有当前的", "还剩 60 小时"},
	} {
		body := todayOn(t, api, lang, "2026-02-28")
		for _, want := range append(said, `class="past"`, "welcome", `name="as_of" type="date" value="2026-02-28"`,
			`<time datetime="2026-02-27"`, `class="figure">4<`, `href="/ui/deadlines?app=shop&amp;as_of=2026-02-28&amp;group=other&amp;state=open"`,
			`href="/ui/deadlines?app=shop&amp;as_of=2026-02-28&amp;group=requests&amp;provisional=true"`, `href="/ui/policies?app=shop&amp;as_of=2026-02-28"`,
			`href="/ui/intake?app=shop&amp;as_of=2026-02-28"`, `href="/ui/consents?app=shop&amp;by=screen&amp;day=2026-02-28&amp;until=2026-02-28"`) {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in %s", lang, want, body)
			}
		}
		for _, never := range []string{"data-stream", `id="integrity"`, "The ledger is"} {
			if strings.Contains(body, never) {
				t.Errorf("%s: the page of a day that is past has %s", lang, never)
			}
		}
	}

	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: time.Now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/?app=shop&as_of=2999-01-01", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a day that has not come: %d", w.Code)
	}
}

// Policies as of a day that is past has the versions that had been published, and leads to each on that day.
func TestPoliciesOnADayThatIsPast(t *testing.T) {
	api := systemAPI{
		"/v1/apps": `{"apps":[{"app":"shop"}]}`,
		"/v1/apps/shop/policies?known_at=2026-02-28T23%3A59%3A59.999Z": `{"as_of":"7","policies":[{"policy":"privacy","version":"sha256:01","effective":"2026-01-01T00:00:00Z","in_force":true}]}`,
		"/v1/apps/shop/policies?known_at=2026-01-01T23%3A59%3A59.999Z": `{"as_of":"0","policies":[]}`,
	}
	now := func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	for query, want := range map[string][]string{
		"as_of=2026-02-28":            {"200", `class="past"`, `name="as_of" type="date" value="2026-02-28"`, `day=2026-02-28&amp;version=sha256%3A01`, `class="state met"`},
		"as_of=2026-01-01":            {"200", "No policy was published by then."},
		"as_of=2026-01-01&lang=zh-CN": {"200", "当时尚未发布政策。"},
		"as_of=2026-03-03":            {"400"},
	} {
		hasAll(t, h, "/ui/policies?app=shop&"+query, want)
	}
}

// The page of a request as of a day that is past has what was known then, ends its chart there, and offers
// nothing that changes the request; who asks is opened as of then, too.
func TestARequestOnADayThatIsPast(t *testing.T) {
	then := "/v1/apps/shop/requests/r1?known_at=2026-03-04T23%3A59%3A59.999Z"
	api := systemAPI{
		"/v1/apps": `{"apps":[{"app":"shop"}]}`,
		then: `{"id":"r1","state":"open","at":"2026-03-01T00:00:00Z","recorded":"2026-03-01T00:00:00Z","as_of":"9",
			"steps":[{"kind":"identity.requested","at":"2026-03-04T23:59:59.999Z","recorded":"2026-03-04T23:59:59.999Z","actor":"operator"}],
			"obligations":[{"stream":"request-shop-r1","kind":"reply","state":"paused","opened":"2026-03-01T00:00:00Z","start":"2026-03-01T00:00:00Z",
			"moves":[{"why":"paused","recorded":"2026-03-04T23:59:59.999Z","was":"2026-03-15"}]}]}`,
		"/v1/apps/shop/requests/r1/next":                                   `never`, // which is no JSON: the page would break
		"/v1/apps/shop/incidents/i1?known_at=2026-03-04T23%3A59%3A59.999Z": `{"id":"i1","state":"detected","at":"2026-03-01T00:00:00Z","recorded":"2026-03-01T00:00:00Z","as_of":"9"}`,
		"/v1/apps/shop/incidents/i1/next":                                  `never`,
	}
	now := func() time.Time { return time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	see := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/"+path, nil))
		return w.Code, w.Body.String()
	}

	for path, said := range map[string][]string{
		"requests/r1?app=shop&as_of=2026-03-04": {"Which steps were possible is not kept of past days", "End of this day",
			"Who asks, and what they wrote by then", `action="/ui/requests/r1?app=shop&amp;as_of=2026-03-04#who"`},
		"requests/r1?app=shop&as_of=2026-03-04&lang=zh-CN": {"不保留过往的记录", "当日结束", "可在此打开"},
		"incidents/i1?app=shop&as_of=2026-03-04":           {"Which steps were possible is not kept of past days"},
	} {
		code, body := see(path)
		for _, want := range append(said, `class="past"`, `name="as_of" type="date" value="2026-03-04"`) {
			if code != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, no %s in %s", path, code, want, body)
			}
		}
		if strings.Contains(body, `<form class="step"`) || strings.Contains(body, ">Now<") {
			t.Errorf("%s offers a step, or speaks of now: %s", path, body)
		}
	}

	_, body := see("requests/r1?app=shop&as_of=2026-03-04")
	rows := rowsOf(body)
	if len(rows) != 5 || !strings.HasPrefix(rows[4], "2026-03-04 23:59 UTC") || !strings.Contains(rows[4], "End of this day") {
		t.Errorf("what happened by then: %q", rows)
	}
}

// What is opened on the page of a day that is past is what was written by then, and the answer stays on that
// day. A request that nobody knew then is said to be unknown, and no form stands there.
func TestWhoAsksIsOpenedAsOfTheDayThatIsShown(t *testing.T) {
	d := newFakeAPI(t)
	b := &browser{d: d}
	open, _ := b.open()
	form := url.Values{"form": {"reveal"}, "reason": {"dispute"}, "why": {"she called"}, "by": {"ann"}, "token": {tokenIn.FindStringSubmatch(open)[1]}}
	r := httptest.NewRequest("POST", requestPage+"&as_of=2026-03-04", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := b.do(r)
	if d.asked != `{"by":"ann","known_at":"2026-03-04T23:59:59.999Z","reason":"dispute","why":"she called"}` {
		t.Errorf("asked the API for %s", d.asked)
	}
	if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, "account:ada") ||
		!strings.Contains(body, `<a href="/ui/requests/r1?app=shop&amp;as_of=2026-03-04">Close`) {
		t.Errorf("%d %s", w.Code, body)
	}

	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/apps" {
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"status":404,"code":"not-found","detail":"no request of that id was known at 2026-03-04T23:59:59.999Z"}`)
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})
	for path, want := range map[string]string{
		requestPage + "&as_of=2026-03-04":                       "No request of this id was known at the end of this day.",
		requestPage + "&as_of=2026-03-04&lang=zh-CN":            "尚无此标识的请求。",
		"/ui/incidents/i1?app=shop&as_of=2026-03-04":            "No incident of this id was known at the end of this day.",
		"/ui/incidents/i1?app=shop&as_of=2026-03-04&lang=zh-CN": "尚无此标识的事件。",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		body := w.Body.String()
		if w.Code != http.StatusNotFound || !strings.Contains(body, want) || !strings.Contains(body, `class="past"`) || strings.Contains(body, `value="reveal"`) {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", requestPage+"&as_of=2999-01-01", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a day that has not come: %d", w.Code)
	}
}

// To approve as of a day that is past has what waited then and what was decided by then, and offers no
// decision; erasures of many are known of now alone and are not asked for.
func TestWhatWaitedToBeApprovedOnADayThatIsPast(t *testing.T) {
	const at = "known_at=2026-03-04T23%3A59%3A59.999Z"
	api := systemAPI{
		"/v1/apps":                         `{"apps":[{"app":"shop"}]}`,
		"/v1/apps/shop/proposals?" + at:    `{"authenticated":true,"proposals":[{"id":"p1","command":"record.voided","reason":"mistake","state":"open","by":"p-first"}]}`,
		"/v1/apps/shop/proposals/p1?" + at: `{"id":"p1","proposed":{"type":"record.voided"}}`,
		"/v1/apps/shop/erasures":           `never`, // which is no JSON: the page would break
		"/v1/apps/shop/proposals?known_at=2026-03-03T23%3A59%3A59.999Z": `{"authenticated":true,"proposals":[]}`,
	}
	now := func() time.Time { return time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	for query, want := range map[string][]string{
		"as_of=2026-03-04":            {"200", `class="past"`, `name="as_of" type="date" value="2026-03-04"`, "Which erasures of many waited is not kept", `href="/ui/approvals?app=shop&amp;as_of=2026-03-04&amp;show=p1"`},
		"as_of=2026-03-04&show=p1":    {"200", "&#34;record.voided&#34;"},
		"as_of=2026-03-04&lang=zh-CN": {"200", "不保留过往的记录"},
		"as_of=2026-03-03":            {"200", "Nothing waited to be approved."},
		"as_of=2026-03-12":            {"400"},
	} {
		body := hasAll(t, h, "/ui/approvals?app=shop&"+query, want)
		if strings.Contains(body, `method="post"`) {
			t.Errorf("%s offers a decision: %s", query, body)
		}
	}
}

// hasAll returns a page, after its status, and fails for each text that is not on it.
func hasAll(t *testing.T, h http.Handler, address string, want []string) (body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", address, nil))
	body = fmt.Sprint(w.Code, " ", w.Body)
	for _, text := range want {
		if !strings.Contains(body, text) {
			t.Errorf("%s: no %s in %s", address, text, body)
		}
	}
	return body
}
