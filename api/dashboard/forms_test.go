package dashboard

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentledger/domain/catalog"
)

// A fakeAPI is an API with one request, which takes what is sent to it as the ledger does:
// what has an id that it knows is answered as before.
type fakeAPI struct {
	t     *testing.T
	h     http.Handler
	taken []map[string]any
	seen  map[string]bool
	role  bool   // whoever asks may record
	wrong string // the problem that the next event meets
	asked string // why somebody opened what is sealed
}

func newFakeAPI(t *testing.T) *fakeAPI {
	d := &fakeAPI{t: t, seen: map[string]bool{}, role: true}
	d.h = Handler(Config{API: d, Version: "test", Now: time.Now})
	return d
}

func (d *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/apps":
		fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
	case "GET /v1/apps/shop/requests/r1":
		fmt.Fprint(w, `{"id":"r1","state":"open","done":["question"],"steps":[],"obligations":[],"as_of":"7"}`)
	case "GET /v1/apps/shop/requests/r1/next":
		if !d.role {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"no"}`)
			return
		}
		fmt.Fprint(w, `{"recorded_by":"p-1","steps":[{"type":"request.rejected","reasons":true,"details":true,"fields":[
			{"name":"codes","form":"codes","required":true,"several":true,"options":[{"code":"REJ-1","title":"security"},{"code":"REJ-2"}]},
			{"name":"approved_by","form":"principal","required":true}]}]}`)
	case "POST /v1/apps/shop/requests/r1/reveal":
		body, _ := io.ReadAll(r.Body)
		d.asked = string(body)
		if d.wrong != "" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, d.wrong)
			return
		}
		fmt.Fprint(w, `{"id":"r1","subject":"account:ada","texts":[{"event":"e1","type":"request.received","recorded":"2026-03-01T00:00:00Z","role":"details","text":"Stop <b>this</b>."},{"event":"e2","type":"clarification.requested","text":"{\"reasons\":\"Stop what?\"}"}]}`)
	case "POST /v1/apps/shop/operator/events":
		var e map[string]any
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &e); err != nil || r.Header.Get("Content-Type") != "application/json" {
			d.t.Errorf("%s, %v", body, err)
		}
		if d.wrong != "" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, d.wrong)
			return
		}
		if id := fmt.Sprint(e["id"]); !d.seen[id] {
			d.seen[id] = true
			d.taken = append(d.taken, e)
		}
		fmt.Fprint(w, `{"position":"8"}`)
	default:
		d.t.Errorf("asked %s %s", r.Method, r.URL)
	}
}

// A browser keeps the cookies of one.
type browser struct {
	d       *fakeAPI
	cookies []*http.Cookie
	key     string
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	if b.key != "" {
		r.SetBasicAuth("officer", b.key)
	}
	w := httptest.NewRecorder()
	b.d.h.ServeHTTP(w, r)
	b.cookies = append(b.cookies, w.Result().Cookies()...)
	return w
}

const requestPage = "/ui/requests/r1?app=shop"

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// open shows the page, and returns what its form holds and what an officer adds.
func (b *browser) open() (body string, form url.Values) {
	body = b.do(httptest.NewRequest("GET", requestPage, nil)).Body.String()
	form = url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	form["f.codes"] = []string{"REJ-1", "REJ-2"}
	form.Set("f.approved_by", "boss")
	form.Set("details", "because")
	form.Set("time", "2026-03-02T09:30")
	return body, form
}

func (b *browser) send(form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", requestPage, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func TestAFormRecordsOnceWhatItSays(t *testing.T) {
	d := newFakeAPI(t)
	b := &browser{d: d}
	body, form := b.open()
	if !strings.Contains(body, "p-1") || !strings.Contains(body, "REJ-1 · security") {
		t.Errorf("%s", body)
	}
	for range 2 { // a double click
		w := b.send(form)
		if to := w.Header().Get("Location"); w.Code != 303 || to != "/ui/requests/r1?app=shop&at=8&done=request.rejected" {
			t.Fatalf("%d to %q: %s", w.Code, to, w.Body)
		}
	}
	if len(d.taken) != 1 {
		t.Fatalf("recorded: %v", d.taken)
	}
	got, _ := json.Marshal(d.taken[0]["data"])
	want := `{"approved_by":"boss","codes":"REJ-1,REJ-2","details":{"reasons":"because"},"request":"r1"}`
	if string(got) != want || d.taken[0]["type"] != "request.rejected" || d.taken[0]["time"] != "2026-03-02T09:30:00Z" {
		t.Errorf("%v, want the data %s", d.taken[0], want)
	}
	c := b.cookies[0]
	if c.SameSite != http.SameSiteStrictMode || !c.HttpOnly || c.Path != "/ui/" {
		t.Errorf("the cookie is %v", c)
	}
	if shown := b.do(httptest.NewRequest("GET", requestPage+"&at=8&done=request.rejected", nil)).Body.String(); !strings.Contains(shown, `role="status">Recorded: Rejected`) {
		t.Errorf("%s", shown)
	}
	if shown := b.do(httptest.NewRequest("GET", requestPage+"&done=pay-me", nil)).Body.String(); strings.Contains(shown, `role="status"`) {
		t.Error("an address makes the page say what it likes")
	}
}

// What was not shown to this browser, with this key and for this app, cannot
// let it record anything.
func TestAFormIsBoundToItsBrowser(t *testing.T) {
	d := newFakeAPI(t)
	b := &browser{d: d, key: "clk_ann"}
	_, form := b.open()
	for name, change := range map[string]func(form url.Values) *browser{
		"no token":         func(f url.Values) *browser { f.Del("token"); return b },
		"another token":    func(f url.Values) *browser { f.Set("token", strings.Repeat("0", 64)); return b },
		"no cookie":        func(url.Values) *browser { return &browser{d: d, key: b.key} },
		"another's cookie": func(url.Values) *browser { o := &browser{d: d, key: b.key}; o.open(); return o },
		"another's key":    func(url.Values) *browser { return &browser{d: d, key: "clk_bo", cookies: b.cookies} },
		"a cookie that is set": func(url.Values) *browser {
			return &browser{d: d, key: b.key, cookies: []*http.Cookie{{Name: formCookie, Value: "x"}}}
		},
	} {
		changed, _ := url.ParseQuery(form.Encode())
		who := change(changed)
		if w := who.send(changed); w.Code != 403 || len(d.taken) != 0 || !strings.Contains(w.Body.String(), "was not sent from a page") {
			t.Errorf("%s: %d, %v", name, w.Code, d.taken)
		}
	}
	if w := b.send(form); w.Code != 303 || len(d.taken) != 1 {
		t.Errorf("as it was shown: %d, %v", w.Code, d.taken)
	}
}

// What the API refuses is said at the field that it is about, with what was typed, and
// under the id that the form had: nothing is recorded under it.
func TestWhatIsWrongStandsAtItsField(t *testing.T) {
	for _, c := range []struct{ problem, at, says string }{
		{`{"status":422,"code":"two-persons-needed","path":"data.approved_by","detail":"two"}`, `id="request-rejected-approved_by-wrong"`, "Two different persons"},
		{`{"status":422,"code":"unknown-ground","path":"data.codes","detail":"none"}`, `id="request-rejected-codes-wrong"`, "not in the policy"},
		{`{"status":422,"code":"illegal-move","detail":"too late"}`, `<p class="wrong" role="alert">`, "not possible now"},
		{`{"status":503,"code":"outcome-unknown","detail":"ask again"}`, `<p class="wrong" role="alert">`, "Send it again"},
		{`{"status":422,"code":"a-code-of-tomorrow","path":"data.nowhere","detail":"well"}`, `<p class="wrong" role="alert">`, "well"},
	} {
		d := newFakeAPI(t)
		b := &browser{d: d}
		_, form := b.open()
		d.wrong = c.problem
		body := b.send(form).Body.String()
		for _, want := range []string{c.at, c.says, `<details open>`, `value="REJ-2" checked`, `value="boss"`, ">because</textarea>", `name="event" value="` + form.Get("event") + `"`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in %s", c.problem, want, body)
			}
		}
		if n := strings.Count(body, `class="wrong"`); n != 1 {
			t.Errorf("%s is said %d times", c.problem, n)
		}
	}

	d := newFakeAPI(t)
	b := &browser{d: d}
	_, form := b.open()
	d.wrong = `{"status":409,"code":"id-reused","detail":"other"}`
	if body := b.send(form).Body.String(); strings.Contains(body, form.Get("event")) || !strings.Contains(body, "<details open>") {
		t.Errorf("an id that is used up is offered again: %s", body)
	}
	form.Set("time", "yesterday")
	if body := b.send(form).Body.String(); !strings.Contains(body, `id="request-rejected-time-wrong"`) {
		t.Errorf("%s", body)
	}
}

func TestWhoMayNotSeesNoForm(t *testing.T) {
	d := newFakeAPI(t)
	d.role = false
	body, _ := (&browser{d: d}).open()
	if strings.Contains(body, "<details") || strings.Contains(body, `class="step"`) || !strings.Contains(body, "As of position 7") {
		t.Errorf("%s", body)
	}
}

// Every step, every field and everything that a field may say has a text.
func TestEveryStepHasItsWords(t *testing.T) {
	words := readWords(files)["en"]
	want := func(key string) {
		t.Helper()
		if words[key] == "" {
			t.Errorf("%s is no text", key)
		}
	}
	for _, rule := range catalog.StepRules {
		want("step." + string(rule.Kind))
		for _, f := range rule.Fields {
			want("field." + f.Name)
			for _, c := range f.Choices {
				want("choice." + c)
			}
			if len(f.Choices) == 0 && f.Form != catalog.FormYes {
				want("form." + f.Form.Code())
			}
		}
	}
}
