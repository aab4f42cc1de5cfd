package report_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"consentledger/api/report"
	"consentledger/domain/deadline"

	ics "github.com/arran4/golang-ical"
	"github.com/xuri/excelize/v2"
)

const at deadline.Instant = 1_780_000_000_000

// lines are obligations that spreadsheets and calendars may stumble over.
func lines() []report.Obligation {
	left := -2
	return []report.Obligation{
		{App: "shop", Stream: "request-shop-0123456789", ID: "00012e5", Person: "9007199254740993", Kind: "reply", Types: []string{"access", "copy"}, Rule: "d15", Source: "=HYPERLINK(1)",
			Basis: "promise", State: "overdue", Left: &left, DueDate: "2026-12-31", Due: "2026-12-31T16:00:00.000Z", Provisional: true, SafeTarget: "2026-12-29", Changed: "2026-12-01T00:00:00.000Z",
			Moves: []report.Move{{Why: "paused", Was: "2026-12-20"}, {Why: "resumed"}}, Revision: 3, Events: []string{"e"}},
		{App: "shop", Stream: "obligation-shop-1", ID: "delete.h24", Person: "abc", Kind: "delete", Target: "+ads", Rule: "h24", Source: "一、（二）", Basis: "law", State: "met", Keeps: []string{"tax", "gate"},
			Due: "2026-03-01T10:30:00.000Z", Changed: "2026-03-01T00:00:00.000Z", Revision: 2, Events: []string{"e"}},
		{App: "shop", Stream: "request-shop-2", ID: "facts15", Person: "def", Kind: "reply", Rule: "facts15", Basis: "promise", State: "paused", PausedSince: "2026-03-01T09:00:00.000Z", PausedFor: []string{"clarification", "third_party"}, Changed: "2026-03-01T00:00:00.000Z", Revision: 1, Events: []string{"e"}},
	}
}

func made(t *testing.T, f report.Form) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := report.New(f, &b, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines() {
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSameReportMakesTheSameBytes(t *testing.T) {
	for _, f := range []report.Form{report.CSV, report.XLSX, report.ICS} {
		if first, again := made(t, f), made(t, f); !bytes.Equal(first, again) || len(first) < 500 {
			t.Errorf("%s: %d bytes and %d", f, len(first), len(again))
		}
	}
}

func column(t *testing.T, name string) int {
	t.Helper()
	i := slices.Index(report.Columns, name)
	if i < 0 {
		t.Fatalf("no column %s", name)
	}
	return i
}

func TestNoCellOfCSVIsAFormula(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(made(t, report.CSV))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatal(rows, err)
	}
	for name, want := range map[string]string{"source": "'=HYPERLINK(1)", "working_days_left": "-2", "types": "access copy", "certainty": "provisional", "earlier_due_dates": "2026-12-20 none", "recomputed_because": "paused resumed"} {
		if got := rows[1][column(t, name)]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if first, second := rows[1][column(t, "keeps")], rows[2][column(t, "keeps")]; first != "" || second != "tax gate" {
		t.Errorf("what stays is %q and %q", first, second)
	}
	if got := rows[3][column(t, "paused_since")] + " " + rows[3][column(t, "paused_for")]; got != "2026-03-01T09:00:00.000Z clarification third_party" {
		t.Errorf("paused since and for %q", got)
	}
	if got := rows[2][column(t, "target")]; got != "'+ads" {
		t.Errorf("target is %q", got)
	}
}

func TestAWorkbookKeepsIdsAsTexts(t *testing.T) {
	f, err := excelize.OpenReader(bytes.NewReader(made(t, report.XLSX)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("deadlines")
	if err != nil || len(rows) != 4 || !slices.Equal(rows[0], report.Columns) {
		t.Fatal(rows, err)
	}
	for name, want := range map[string]struct {
		text string
		kind excelize.CellType
	}{
		"id":                {"00012e5", excelize.CellTypeInlineString},
		"person":            {"9007199254740993", excelize.CellTypeInlineString},
		"source":            {"=HYPERLINK(1)", excelize.CellTypeInlineString},
		"working_days_left": {"-2", excelize.CellTypeUnset}, // a number
	} {
		cell, err := excelize.CoordinatesToCellName(column(t, name)+1, 2)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := f.GetCellType("deadlines", cell)
		text, err2 := f.GetCellValue("deadlines", cell)
		formula, err3 := f.GetCellFormula("deadlines", cell)
		if err != nil || err2 != nil || err3 != nil || text != want.text || kind != want.kind || formula != "" {
			t.Errorf("%s is %q of kind %d with formula %q: %v %v %v", name, text, kind, formula, err, err2, err3)
		}
	}
}

func TestACalendarHasAnEventForEveryDateAndNoPerson(t *testing.T) {
	text := made(t, report.ICS)
	cal, err := ics.ParseCalendar(bytes.NewReader(text))
	if err != nil || len(cal.Events()) != 2 {
		t.Fatalf("%v\n%s", err, text)
	}
	value := func(e *ics.VEvent, p ics.ComponentProperty) string {
		if x := e.GetProperty(p); x != nil {
			return x.Value
		}
		return ""
	}
	day, hour := cal.Events()[0], cal.Events()[1]
	if day.Id() != "00012e5.request-shop-0123456789@consentledger" || value(day, ics.ComponentPropertySequence) != "3" || value(day, ics.ComponentPropertyStatus) != "TENTATIVE" ||
		value(day, ics.ComponentPropertyDtEnd) != "20270101" || value(day, ics.ComponentPropertySummary) != "Reply to a request: access, copy" {
		t.Errorf("%s", text)
	}
	if !strings.Contains(string(text), "DTSTART;VALUE=DATE:20261231\r\n") || value(hour, ics.ComponentPropertyDtStart) != "20260301T093000Z" || value(hour, ics.ComponentPropertyDtEnd) != "20260301T103000Z" || value(hour, ics.ComponentPropertyStatus) != "CANCELLED" ||
		value(hour, ics.ComponentPropertySummary) != "Cancelled, it is done: Delete the data (by +ads)" {
		t.Errorf("%s", text)
	}
	if !strings.Contains(string(text), "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n") || strings.Contains(string(text), "VALUE=DURATION;VALUE=DURATION") {
		t.Errorf("the interval at which to read it again is malformed:\n%s", text)
	}
	for _, l := range lines() {
		if strings.Contains(string(text), l.Person) {
			t.Errorf("the calendar names %s", l.Person)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
}
