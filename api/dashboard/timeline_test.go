package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// aCase answers as an API that has one request, and nothing that may be done with it.
func aCase(t *testing.T, request string) func(query string) string {
	t.Helper()
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/requests/r1":
			fmt.Fprint(w, request)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"no"}`)
		}
	})
	now := func() time.Time { return time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC) }
	h := Handler(Config{API: api, Version: "test", Now: now})
	return func(query string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/ui/requests/r1?app=shop"+query, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
}

// pausedRequest came on the 1st of March, stood still from the 3rd to the 5th, and its due
// date moved from the 16th to the 21st, when a calendar was published.
const pausedRequest = `{"id":"r1","state":"open","at":"2026-03-01T00:00:00Z","recorded":"2026-03-01T00:00:00Z","as_of":"9",
"steps":[
 {"kind":"identity.requested","at":"2026-03-02T23:00:00Z","recorded":"2026-03-03T00:00:00Z","actor":"operator","fields":{"elements":"phone"}},
 {"kind":"identity.passed","at":"2026-03-05T00:00:00Z","recorded":"2026-03-05T00:00:00Z","actor":"operator"}],
"obligations":[{"stream":"request-shop-r1","kind":"reply","state":"open","opened":"2026-03-01T00:00:00Z","start":"2026-03-01T00:00:00Z",
 "due_date":"2026-03-20","due":"2026-03-21T00:00:00Z","time_zone":"UTC","moves":[
 {"why":"paused","recorded":"2026-03-03T00:00:00Z","was":"2026-03-15"},
 {"why":"resumed","recorded":"2026-03-05T00:00:00Z","is":"2026-03-17"},
 {"why":"calendar","by":"0a","recorded":"2026-03-06T00:00:00Z","was":"2026-03-17","is":"2026-03-20"}]}]}`

var tagsIn = regexp.MustCompile(`<[^>]*>`)

// rowsOf returns the rows of the timeline's table as they are read.
func rowsOf(body string) (rows []string) {
	_, table, _ := strings.Cut(body, `<table class="life">`)
	_, table, _ = strings.Cut(table, "<tbody>")
	table, _, _ = strings.Cut(table, "</tbody>")
	for row := range strings.SplitSeq(strings.ReplaceAll(table, "\n", ""), "</tr>") {
		if row != "" {
			row = strings.ReplaceAll(row, "</td>", "|")
			rows = append(rows, strings.TrimSuffix(tagsIn.ReplaceAllString(row, ""), "|"))
		}
	}
	return rows
}

// TestATimelineTellsALifeInOrder: what happened, each pause with its end, and each move of a
// due date with its cause, before and after.
func TestATimelineTellsALifeInOrder(t *testing.T) {
	want := []string{
		"2026-03-01 00:00 UTC|–|The request came|–|–|–",
		"2026-03-01 00:00 UTC|–|It is owed from now on|Reply|–|2026-03-15",
		"2026-03-02 23:00 UTC|–|Proof of identity asked for · operator · What shows who it is: phone|–|–|–",
		"2026-03-03 00:00 UTC|2026-03-05 00:00 UTC|The due date moved: paused (Proof of identity asked for)|Reply|2026-03-15|–",
		"2026-03-05 00:00 UTC|–|Identity verified · operator|–|–|–",
		"2026-03-05 00:00 UTC|–|The due date moved: resumed (Identity verified)|Reply|–|2026-03-17",
		"2026-03-06 00:00 UTC|–|The due date moved: the calendar was published|Reply|2026-03-17|2026-03-20",
		"2026-03-11 00:00 UTC|–|Now|–|–|–",
	}
	page := aCase(t, pausedRequest)
	if got := rowsOf(page("")); !slices.Equal(got, want) {
		t.Errorf("the table says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	body := page("&lang=zh-CN")
	for _, want := range []string{"期限暂停", "原到期日", "到期日变更"} {
		if !strings.Contains(body, want) {
			t.Errorf("in Chinese the page does not say %s", want)
		}
	}
}

// TestATimelineIsDrawn: twenty days are a thousand per mille, so a day is fifty.
func TestATimelineIsDrawn(t *testing.T) {
	body := aCase(t, pausedRequest)("")
	for _, want := range []string{
		`<rect x="0" width="6" height="24" class="fill received">`,
		`<rect x="200" width="6" height="24" class="fill step">`,
		`<rect x="0" y="6" width="100" height="12" class="fill running">`,
		`<rect x="100" y="6" width="100" height="12" class="fill paused">`,
		`<rect x="200" y="6" width="300" height="12" class="fill running">`,
		`<rect x="750" y="12" height="12" width="6" class="fill was-due">`,
		`<rect x="850" y="12" height="12" width="6" class="fill was-due">`,
		`<rect x="994" height="24" width="6" class="fill due">`,
		`<rect x="500" width="6" height="24" class="fill now">`,
		`aria-label="Reply: The clock runs 2026-03-01 00:00 UTC, The clock stands still 2026-03-03 00:00 UTC,`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if strings.Contains(body, "style=") {
		t.Error("the page has a style of its own, which no browser follows")
	}
}

// TestATimelineOfWhatIsLateOrClosed: what is after the due date is late, a clock that stands
// still has no due date, one that has not begun waits, and what is closed ends before now.
func TestATimelineOfWhatIsLateOrClosed(t *testing.T) {
	const head = `{"id":"r1","state":"open","at":"2026-03-01T00:00:00Z","as_of":"9","steps":[],`
	const owed = `"obligations":[{"kind":"reply","opened":"2026-03-01T00:00:00Z",`
	for name, c := range map[string]struct {
		request  string
		has, not []string
	}{
		"late": {
			head + owed + `"state":"overdue","start":"2026-03-01T00:00:00Z","due_date":"2026-03-05","due":"2026-03-06T00:00:00Z"}]}`,
			[]string{`<rect x="0" y="6" width="500" height="12" class="fill running">`, `<rect x="500" y="6" width="500" height="12" class="fill late">`, `<tr class="late">`},
			[]string{"fill paused"},
		},
		"paused": {
			head + owed + `"state":"paused","start":"2026-03-01T00:00:00Z","moves":[{"why":"paused","recorded":"2026-03-06T00:00:00Z","was":"2026-03-08"}]}]}`,
			[]string{`<rect x="500" y="6" width="500" height="12" class="fill paused">`, "fill was-due", "2026-03-06 00:00 UTC – Now"},
			[]string{`class="fill due"`, "fill late"},
		},
		"not begun": {
			head + owed + `"state":"not-started"}]}`,
			[]string{`<rect x="0" y="6" width="1000" height="12" class="fill waiting">`},
			[]string{"fill running", `class="fill due"`},
		},
		"begun later": {
			head + owed + `"state":"met","start":"2026-03-06T00:00:00Z","met_at":"2026-03-11T00:00:00Z","due":"2026-03-11T00:00:00Z"}]}`,
			[]string{`<rect x="0" y="6" width="500" height="12" class="fill waiting">`, `<rect x="500" y="6" width="500" height="12" class="fill running">`},
			[]string{"fill late"},
		},
		"closed": {
			`{"id":"r1","state":"answered","at":"2026-03-01T00:00:00Z","closed":"2026-03-02T00:00:00Z","as_of":"9","steps":[],` + owed +
				`"state":"met","start":"2026-03-01T00:00:00Z","met_at":"2026-03-02T00:00:00Z","due_date":"2026-03-04","due":"2026-03-05T00:00:00Z"}]}`,
			[]string{"the chart ends with the last that belongs to it", `<rect x="0" y="6" width="250" height="12" class="fill running">`},
			[]string{`class="fill now"`},
		},
		"nothing owed": {head + `"obligations":[]}`, []string{"fill received", "fill now"}, []string{"fill running"}},
	} {
		body := aCase(t, c.request)("")
		for _, want := range c.has {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in %s", name, want, body)
			}
		}
		for _, no := range c.not {
			if strings.Contains(body, no) {
				t.Errorf("%s: %s in %s", name, no, body)
			}
		}
	}
}

// TestWhatATimelineDrawsHasAText: each kind of what is drawn, and of a line of the table.
func TestWhatATimelineDrawsHasAText(t *testing.T) {
	style, err := files.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range append([]string{"opened"}, timelineKinds...) {
		if readWords(files)["en"]["timeline."+kind] == "" && kind != "received" { // which is called by its noun
			t.Errorf("%s has no text", kind)
		}
		if kind != "opened" && !strings.Contains(string(style), ".fill."+kind+" ") && !strings.Contains(string(style), ".fill."+kind+",") {
			t.Errorf("%s has no colour", kind)
		}
	}
}

func TestADueDateIsOverAtTheEndOfItsDay(t *testing.T) {
	for _, c := range []struct{ date, zone, want string }{
		{"2026-03-05", "Asia/Shanghai", "2026-03-06T00:00:00+08:00"},
		{"2026-03-05", "UTC", "2026-03-06T00:00:00Z"},
		{"2026-03-05", "Nowhere/City", "2026-03-06T00:00:00Z"},
		{"2026-03-05T09:00:00Z", "Asia/Shanghai", "2026-03-05T09:00:00Z"}, // of a rule in hours
	} {
		if got := endOf(c.date, c.zone); got != c.want {
			t.Errorf("%s in %s ends at %s, want %s", c.date, c.zone, got, c.want)
		}
	}
}

// A step of the second in which the page is asked for stands before now.
func TestAStepOfThisSecondIsBeforeNow(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/requests/r1":
			fmt.Fprint(w, `{"id":"r1","state":"open","at":"2026-03-01T00:00:00Z","recorded":"2026-03-01T00:00:00Z","as_of":"9",
			"steps":[{"kind":"identity.passed","at":"2026-03-11T00:00:00.200Z","recorded":"2026-03-11T00:00:00.200Z","actor":"operator"}]}`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"forbidden","detail":"no"}`)
		}
	})
	now := func() time.Time { return time.Date(2026, 3, 11, 0, 0, 0, 500_000_000, time.UTC) }
	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/requests/r1?app=shop", nil))

	rows := rowsOf(w.Body.String())
	if len(rows) != 3 || !strings.Contains(rows[1], "Identity verified") || !strings.Contains(rows[2], "Now") {
		t.Errorf("%q", rows)
	}
}
