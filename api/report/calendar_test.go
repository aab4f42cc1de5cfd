package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/internal/npm"
	"consentledger/api/report"

	ics "github.com/arran4/golang-ical"
)

// owed are deadlines of every kind that a calendar shows.
func owed() []report.Obligation {
	line := func(id, state string, change func(*report.Obligation)) report.Obligation {
		o := report.Obligation{App: "shop", Stream: "request-shop-1", ID: id, Kind: "reply", Types: []string{"access"}, Rule: "d15", Source: "VII, 1", Basis: "promise", State: state,
			Start: "2026-03-02T01:00:00.000Z", DueDate: "2026-03-23", Due: "2026-03-23T16:00:00.000Z", Binding: true, Changed: "2026-03-02T01:00:00.000Z", Revision: 1}
		change(&o)
		return o
	}
	return []report.Obligation{
		line("day", "open", func(o *report.Obligation) {}),
		line("safe", "at-risk", func(o *report.Obligation) {
			o.Provisional, o.Reported, o.SafeTarget, o.Keeps = true, true, "2026-03-18", []string{"tax", "gate"}
		}),
		line("other", "open", func(o *report.Obligation) { o.Binding = false }),
		line("hours", "overdue", func(o *report.Obligation) {
			o.Kind, o.Types, o.DueDate, o.Due = "tell-authority", nil, "", "2026-03-02T05:00:00.000Z"
		}),
		line("short", "open", func(o *report.Obligation) { o.DueDate, o.Due = "", "2026-03-02T01:30:00.000Z" }),
		line("met", "met", func(o *report.Obligation) { o.Revision = 4 }),
		line("void", "void", func(o *report.Obligation) { o.DueDate, o.Due = "", "2026-03-02T05:00:00.000Z" }),
		line("paused", "paused", func(o *report.Obligation) {
			o.DueDate, o.Due, o.Moves = "", "", []report.Move{{Why: "paused", Was: "2026-03-23"}}
		}),
		line("waits", "not-started", func(o *report.Obligation) { o.DueDate, o.Due, o.Start = "", "", "" }),
	}
}

func calendarOf(t *testing.T, lang string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := report.NewCalendar(&b, "shop", lang)
	for _, o := range owed() {
		if err := w.Write(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An entry is one event as a reader understands it.
type entry struct {
	ID, Title, Status, Start, End string
	Whole                         bool
	Reminders                     []string // before the start, or a moment
}

// entries is what every reader is to find, in English.
var entries = []entry{
	{"day", "Reply to a request: access", "CONFIRMED", "2026-03-23", "2026-03-24", true, []string{"-P3D"}},
	{"safe", "Reply to a request: access", "TENTATIVE", "2026-03-23", "2026-03-24", true, []string{"-P5D"}},
	{"other", "Reply to a request: access", "CONFIRMED", "2026-03-23", "2026-03-24", true, nil},
	{"hours", "Tell the authority", "CONFIRMED", "2026-03-02T04:00:00Z", "2026-03-02T05:00:00Z", false, []string{"2026-03-02T04:00:00Z"}},
	{"short", "Reply to a request: access", "CONFIRMED", "2026-03-02T01:00:00Z", "2026-03-02T01:30:00Z", false, []string{"2026-03-02T01:22:30Z"}},
	{"met", "Cancelled, it is done: Reply to a request: access", "CANCELLED", "2026-03-23", "2026-03-24", true, nil},
	{"void", "Cancelled, nothing is owed any more: Reply to a request: access", "CANCELLED", "2026-03-02T04:00:00Z", "2026-03-02T05:00:00Z", false, nil},
	{"paused", "Cancelled, the clock stands still: Reply to a request: access", "CANCELLED", "2026-03-23", "2026-03-24", true, nil},
}

func TestACalendarIsReadAlikeByGolangICal(t *testing.T) {
	cal, err := ics.ParseCalendar(bytes.NewReader(calendarOf(t, "en")))
	if err != nil {
		t.Fatal(err)
	}
	var got []entry
	for _, e := range cal.Events() {
		start, err := e.GetStartAt()
		end, bad := e.GetEndAt()
		if err != nil || bad != nil {
			t.Fatal(err, bad)
		}
		id, _, _ := strings.Cut(e.Id(), ".")
		x := entry{ID: id, Title: e.GetProperty(ics.ComponentPropertySummary).Value, Status: e.GetProperty(ics.ComponentPropertyStatus).Value}
		x.Whole = slices.Equal(e.GetProperty(ics.ComponentPropertyDtStart).ICalParameters["VALUE"], []string{"DATE"})
		form := time.RFC3339
		if x.Whole {
			form = time.DateOnly
		}
		x.Start, x.End = start.UTC().Format(form), end.UTC().Format(form)
		x.Title = ics.FromText(x.Title)
		for _, a := range e.Alarms() {
			text := a.GetProperty(ics.ComponentPropertyTrigger).Value
			if at, err := time.Parse("20060102T150405Z", text); err == nil {
				text = at.Format(time.RFC3339)
			}
			x.Reminders = append(x.Reminders, text)
		}
		got = append(got, x)
	}
	compare(t, got)
}

// reader prints what ical.js finds in the calendar on its standard input.
const reader = `
const ICAL = require("ical.js").default || require("ical.js");
const root = new ICAL.Component(ICAL.parse(require("fs").readFileSync(0, "utf8")));
const moment = t => t.isDate ? t.toString() : t.toJSDate().toISOString().replace(".000Z", "Z");
if (root.getAllSubcomponents("vtimezone").length) throw new Error("a time zone of its own");
console.log(JSON.stringify(root.getAllSubcomponents("vevent").map(v => {
	const e = new ICAL.Event(v);
	if (!e.startDate.isDate && e.startDate.zone !== ICAL.Timezone.utcTimezone) throw new Error("a moment that is not in UTC");
	return {
		ID: e.uid.split(".")[0], Title: e.summary, Status: v.getFirstPropertyValue("status"), Start: moment(e.startDate), End: moment(e.endDate), Whole: e.startDate.isDate,
		Reminders: v.getAllSubcomponents("valarm").map(a => { const t = a.getFirstPropertyValue("trigger"); return t instanceof ICAL.Duration ? t.toString() : moment(t); }),
	};
})));
`

func TestACalendarIsReadAlikeByICalJS(t *testing.T) {
	modules := npm.Modules(t)
	c := exec.Command("node", "-e", reader)
	c.Stdin, c.Stderr = bytes.NewReader(calendarOf(t, "en")), os.Stderr
	c.Env = append(os.Environ(), "NODE_PATH="+modules, "TZ=America/New_York")
	out, err := c.Output()
	var got []entry
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	compare(t, got)
}

// Whoever deletes by the calendar reads there what is not to be deleted.
func TestACalendarSaysWhatStays(t *testing.T) {
	for lang, want := range map[string]string{"en": "What stays, since it rests on no consent: tax, gate", "zh": "不以同意为依据、予以保留的目的：tax、gate"} {
		cal, err := ics.ParseCalendar(bytes.NewReader(calendarOf(t, lang)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range cal.Events() {
			text := ics.FromText(e.GetProperty(ics.ComponentPropertyDescription).Value)
			id, _, _ := strings.Cut(e.Id(), ".")
			if says := strings.Contains(text, want); says != (id == "safe") {
				t.Errorf("%s, %s: %s", lang, id, text)
			}
		}
	}
}

func compare(t *testing.T, got []entry) {
	t.Helper()
	if len(got) != len(entries) {
		t.Fatalf("%d entries, want %d", len(got), len(entries))
	}
	for i, want := range entries {
		x := got[i]
		if same := slices.Equal(x.Reminders, want.Reminders); !same {
			t.Errorf("%s reminds at %v, want %v", want.ID, x.Reminders, want.Reminders)
		}
		x.Reminders, want.Reminders = nil, nil
		if x.ID != want.ID || x.Title != want.Title || x.Status != want.Status || x.Start != want.Start || x.End != want.End || x.Whole != want.Whole {
			t.Errorf("read\n%+v, want\n%+v", x, want)
		}
		if x.End <= x.Start {
			t.Errorf("%s ends at %s, where it begins", x.ID, x.End)
		}
	}
}

func TestACalendarSpeaksTheAppsLanguageAndIsTheSameBytes(t *testing.T) {
	text := string(calendarOf(t, "zh-CN"))
	for _, want := range []string{"SUMMARY:答复请求：查阅\r\n", "SUMMARY:已取消（已完成）：答复请求：查阅\r\n", "X-WR-CALNAME:期限 shop\r\n", "SUMMARY:报告主管部门\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !bytes.Equal(calendarOf(t, "en"), calendarOf(t, "en")) {
		t.Error("the same deadlines are other bytes")
	}
}
