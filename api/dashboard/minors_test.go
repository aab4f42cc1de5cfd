package dashboard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestThePageOfMinorsSaysWhoIsOfAnotherAgeSoon(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var list minorList
	list.Bands = append(list.Bands, struct {
		Band   string `json:"band"`
		People int64  `json:"people"`
	}{"15-17", 4}, struct {
		Band   string `json:"band"`
		People int64  `json:"people"`
	}{"under-14", 2})
	list.Minors = []minor{
		{Person: "dan", Band: "14", Basis: "birthday", Next: "2026-07-01T00:00:00.000Z"},
		{Person: "ada", Band: "15-17", Basis: "declared", Next: "2026-11-28T00:00:00.000Z"},
		{Person: "bob", Band: "under-14", Basis: "declared", Next: "2040-01-01T00:00:00.000Z"},
	}

	m := &minors{}
	m.take(list, now)
	var got []string
	for _, p := range m.Due {
		got = append(got, fmt.Sprint(p.Person, " ", p.Day(), " ", p.Exact(), " ", p.Then()))
	}
	if want := "[dan 2026-07-01 true next-band ada 2026-11-28 false adult]"; fmt.Sprint(got) != want {
		t.Errorf("of another age soon: %v\nwant %s", got, want)
	}
	if want := "[{under-14 2 500} {14 0 0} {15-17 4 1000}]"; fmt.Sprint(m.Bands) != want {
		t.Errorf("%v\nwant %s", m.Bands, want)
	}
}

// A day that is past is asked of the API, is said above the page, and stays in its links.
func TestThePageOfMinorsOnADayThatIsPast(t *testing.T) {
	var asked string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/minors":
			body, _ := io.ReadAll(r.Body)
			asked = string(body)
			fmt.Fprint(w, `{"bands":[{"band":"14","people":1}],"erased_since":3,"as_of":"7","next":"5-6","minors":[{"person":"dan","band":"14","basis":"birthday","next":"2026-04-01T00:00:00.000Z"}]}`)
		}
	})
	now := func() time.Time { return time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) }
	b := &browser{d: &fakeAPI{t: t, h: Handler(Config{API: api, Version: "test", Now: now})}}
	ask := func(method, path, body string) string {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := b.do(r)
		return fmt.Sprint(w.Code, " ", w.Body)
	}

	form := ask("GET", "/ui/minors?app=shop&as_of=2026-03-02", "")
	why := "reason=audit&by=ann&token=" + tokenIn.FindStringSubmatch(form)[1]
	body := ask("POST", "/ui/minors?app=shop&as_of=2026-03-02", why)
	if asked != `{"by":"ann","day":"2026-03-02","limit":"100","reason":"audit"}` {
		t.Errorf("asked the API for %s", asked)
	}
	for _, want := range []string{"A day that is past is shown: the end of 2026-03-02 (UTC).",
		`<a href="/ui/minors?app=shop">Show now</a>`, "in no count and no list: 3", `<time datetime="2026-04-01">`,
		`method="post" action="/ui/minors?app=shop&amp;as_of=2026-03-02"`, `href="/ui/incidents?app=shop&amp;as_of=2026-03-02"`,
		`href="/ui/consents?app=shop&amp;day=2026-03-02"`, `href="/ui/audit?app=shop"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if !strings.Contains(form, `name="as_of" type="date" value="2026-03-02"`) {
		t.Errorf("the form: %s", form)
	}
	if body := ask("POST", "/ui/minors?app=shop", why); strings.Contains(body, `class="past"`) || strings.Contains(asked, "day") {
		t.Errorf("now: %s, asked for %s", body, asked)
	}
	for _, day := range []string{"soon", "2026-12-02"} {
		if body := ask("GET", "/ui/minors?app=shop&as_of="+day, ""); !strings.HasPrefix(body, "400") {
			t.Errorf("%s: %s", day, body)
		}
	}
}
