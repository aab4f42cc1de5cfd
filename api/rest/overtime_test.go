package rest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/projections/activity"

	"github.com/go-json-experiment/json"
)

// TestAnswersAreCountedOverTime tells what two builds and no build collected, and asks by everything
// that answers have in common.
func TestAnswersAreCountedOverTime(t *testing.T) {
	h := openWithViews(t)
	version := h.furnish()
	screen := h.surface(version)
	tell := func(id, who, kind, data string) {
		t.Helper()
		h.want(200, "", "POST", "/v1/apps/demo/events", event(id, who, kind, data))
	}
	for who, answer := range map[string]string{"ann": `{"notice":%q,"control":"yes"}`, "bo": `{"notice":%q,"control":"no","purposes":["mail"]}`} {
		notice := h.receipt(appEndpoint, event("n"+who, who, "notice.presented", fmt.Sprintf(`{"surface":%q,"locale":"en"}`, screen)))
		kind := map[string]string{"ann": "consent.given", "bo": "consent.refused"}[who]
		tell(who, who, kind, fmt.Sprintf(answer, notice.EventID))
	}
	tell("b", "bea", "consent.refused", fmt.Sprintf(`{"version":%q,"policy":"privacy","locale":"en","purposes":["mail"],"build":"2.0"}`, version))
	tell("c", "cy", "consent.given", yes)
	tell("d", "cy", "consent.withdrawn", `{"all":true}`)
	tell("e", "di", "consent.refused", `{"act":"gpc","all":true}`)
	tell("f", "robot", "consent.given", yes)
	tell("g", "robot", "subject.test", `{"reason":"load-test"}`)

	const path = "/v1/apps/demo/consents/over-time"
	for _, tt := range []struct{ query, want string }{
		{"", "mail: 2 2 0 0, : 0 0 1 1"},
		{"by=version", version.String() + ": 2 2 0 1, : 0 0 1 0"},
		{"by=screen", "welcome: 1 1 0 0, : 1 1 1 1"},
		{"by=language", "en: 2 2 0 0, : 0 0 1 1"},
		{"by=build", "1.0: 1 1 0 0, 2.0: 0 1 0 0, : 1 0 1 1"},
		{"by=build&screen=welcome", "1.0: 1 1 0 0"},
		{"by=screen&build=2.0", ": 0 1 0 0"},
		{"by=screen&build=1.0", "welcome: 1 1 0 0"},
		{"purpose=mail", "mail: 2 2 1 1"},
		{"purpose=location&by=language", ": 0 0 1 1"},
		{"version=" + version.String() + "&language=en&build=1.0&screen=welcome", "mail: 1 1 0 0"},
		{"language=fr", ""},
		{"until=2020-01-31", ""},
	} {
		_, body := h.do("GET", path+"?min_position=14&"+tt.query, "")
		var a OverTimeAnswer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatalf("%s: %v: %s", tt.query, err, body)
		}
		var got []string
		for _, v := range a.Values {
			got = append(got, fmt.Sprintf("%s: %d %d %d %d", v.Value, v.Given, v.Refused, v.Withdrawn, v.Signal))
			if len(v.Periods) != 1 || v.Periods[0].AnswersCount != v.AnswersCount {
				t.Errorf("%s: %+v is not what one day has", tt.query, v)
			}
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: %s, want %s", tt.query, text, tt.want)
		}
	}

	for query, why := range map[string]string{
		"by=weather":                       "by",
		"version=2":                        "version",
		"purpose=%20":                      "purpose",
		"from=2020-01-02&until=2020-01-01": "until: is before from",
		"from=2010-01-01&until=2020-01-01": "at most 732",
		"until=yesterday":                  "a day is written as in",
		"until=2999-01-01":                 "in the future",
	} {
		if status, body := h.do("GET", path+"?"+query, ""); status/100 != 4 || !strings.Contains(body, why) {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	h.want(404, "unknown-app", "GET", "/v1/apps/nosuch/consents/over-time", "")
}

// TestBuildsWithoutEndAreOthers records more builds of one day than are kept by their names.
func TestBuildsWithoutEndAreOthers(t *testing.T) {
	h := openWithViews(t)
	version := h.furnish()
	for n := range activity.MostBuilds + 3 {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(fmt.Sprint("e", n), fmt.Sprint("p", n), "consent.refused",
			fmt.Sprintf(`{"version":%q,"policy":"privacy","locale":"en","purposes":["mail"],"build":"9.%d"}`, version, n)))
	}
	last := fmt.Sprint("build=9.", activity.MostBuilds+2)
	for query, want := range map[string]string{
		"build=9.0":                "1 refused in 1 values, 3 unnamed",
		last:                       "0 refused in 0 values, 3 unnamed",
		"build=*&by=build":         "3 refused in 1 values, 0 unnamed",
		"by=build":                 fmt.Sprintf("%d refused in 9 values, 0 unnamed", activity.MostBuilds+3),
		"by=purpose":               fmt.Sprintf("%d refused in 1 values, 0 unnamed", activity.MostBuilds+3),
		last + "&purpose=location": "0 refused in 0 values, 0 unnamed",
	} {
		_, body := h.do("GET", "/v1/apps/demo/consents/over-time?min_position=203&"+query, "")
		var a OverTimeAnswer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatalf("%s: %v: %s", query, err, body)
		}
		var n AnswersCount
		for _, v := range a.Values {
			n.plus(v.AnswersCount)
		}
		if got := fmt.Sprintf("%d refused in %d values, %d unnamed", n.Refused, len(a.Values), a.Unnamed); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestALongAnswerIsOfWeeksAndFewValues adds answers of many builds on many days.
func TestALongAnswerIsOfWeeksAndFewValues(t *testing.T) {
	now, err := time.Parse(time.RFC3339, "2026-03-01T12:00:00Z") // a Sunday
	if err != nil {
		t.Fatal(err)
	}
	span, err := spanOf("2025-03-05", "", deadline.At(now))
	if err != nil || span.period != "week" || span.until != "2026-03-01" {
		t.Fatalf("%+v: %v", span, err)
	}
	if monday := span.periodOf("2026-03-01"); monday != "2026-02-23" {
		t.Errorf("a Sunday is of the week of %s", monday)
	}
	if monday := span.periodOf("2026-02-23"); monday != "2026-02-23" {
		t.Errorf("a Monday is of the week of %s", monday)
	}

	c := newCounter(&overTimeIn{By: "build"}, domain.Surfaces{})
	for n := range 3 * mostValues {
		at, _ := c.place(activity.Shown{Answer: activity.Given, Build: fmt.Sprint(n)})
		c.add("2026-02-16", at, int64(n+1))
		c.add("2026-02-23", at, 1)
	}
	values := c.values()
	others := values[len(values)-1]
	if len(values) != mostValues+1 || values[0].Value != fmt.Sprint(2*mostValues) || others.Others != 2*mostValues {
		t.Errorf("%+v", values)
	}
	if want := int64(2 * mostValues * (2*mostValues + 1) / 2); len(others.Periods) != 2 || others.Periods[0].Given != want || others.Given != want+2*mostValues {
		t.Errorf("others: %+v", others)
	}
}
