package deadline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// days reads dates, and spans of them as in "2026-10-01..07".
func days(t testing.TB, texts ...string) (list []Date) {
	t.Helper()
	for _, text := range texts {
		from, until, ok := strings.Cut(text, "..")
		if !ok {
			until = from[8:]
		}
		first, err := ParseDate(from)
		last, wrong := ParseDate(from[:8] + until)
		if err != nil || wrong != nil {
			t.Fatal(text, err, wrong)
		}
		for d := first; d <= last; d++ {
			list = append(list, d)
		}
	}
	return list
}

// china2026 is the notice 国办发明电〔2025〕7号.
func china2026(t testing.TB) Calendar {
	return Calendar{Jurisdiction: "CN", Year: 2026, Version: 1, Notice: "国办发明电〔2025〕7号", WorkingDays: 248, Issued: NewDate(2025, time.November, 4),
		Off:    days(t, "2026-01-01..03", "2026-02-15..23", "2026-04-04..06", "2026-05-01..05", "2026-06-19..21", "2026-09-25..27", "2026-10-01..07"),
		MakeUp: days(t, "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")}
}

// publish folds calendars, each taken at an instant one later than the one before.
func publish(t testing.TB, c Calendars, list ...Calendar) Calendars {
	t.Helper()
	for _, k := range list {
		_, wrong := c.Publish(k)
		if len(wrong) > 0 {
			t.Fatalf("%s: %v", k.ID(), wrong)
		}
		c = c.Add(k, Instant(len(c.published)+1))
	}
	return c
}

// What is no calendar is not published, and the reason says what would be right.
func TestGuardsOfAPublication(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Calendar)
		want   string
	}{
		{"a lower-case jurisdiction", func(k *Calendar) { k.Jurisdiction = "cn" }, `jurisdiction: "cn" is no jurisdiction: want one as in "CN" or "CN-GX"`},
		{"adding to itself", func(k *Calendar) { k.AddsTo = "CN" }, `adds_to: "CN" is not another jurisdiction`},
		{"no year", func(k *Calendar) { k.Year = 0 }, "year: 0 is no year"},
		{"no version", func(k *Calendar) { k.Version = 0 }, "version: is at least 1"},
		{"a version that skips", func(k *Calendar) { k.Version = 2 }, "version: 2 is not 1: CN has no calendar of 2026 yet"},
		{"made up on a Monday", func(k *Calendar) { k.MakeUp[0]++ }, "makeup[0]: 2026-01-05 is a Monday: only a Saturday or Sunday is worked to make up"},
		{"off and made up", func(k *Calendar) { k.Off = append(k.Off, k.MakeUp[0]) }, "makeup[0]: 2026-01-04 is both a day off and worked to make up"},
		{"named twice", func(k *Calendar) { k.Off = append(k.Off, k.Off[0]) }, "off[33]: 2026-01-01 is named twice"},
		{"a day of another year", func(k *Calendar) { k.Off[0] = NewDate(2027, time.February, 1) }, "off[0]: 2027-02-01 is not in 2026, nor in the December before or the January after"},
		{"a day too few", func(k *Calendar) { k.Off = k.Off[:len(k.Off)-1]; k.WorkingDays = 0 }, "off: 2026 has 12 weekdays off more than weekends worked, the statute gives 13 days"},
		{"a sum that is wrong", func(k *Calendar) { k.WorkingDays = 250 }, "working_days: says 250, but the days off and worked leave 248"},
	} {
		k := china2026(t)
		tt.change(&k)
		_, wrong := Calendars{}.Publish(k)
		if got := fmt.Sprint(wrong); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	c := publish(t, Calendars{}, china2026(t))
	if _, wrong := c.Publish(china2026(t)); !strings.Contains(fmt.Sprint(wrong), "version: 1 does not follow: CN 2026 v1 is published, the next is 2") {
		t.Errorf("published twice: %v", wrong)
	}
	c = publish(t, c, Calendar{Jurisdiction: "CN-GX", AddsTo: "CN", Year: 2026, Version: 1})
	if _, wrong := c.Publish(Calendar{Jurisdiction: "CN", AddsTo: "CN-GX", Year: 2027, Version: 1, Partial: true}); !strings.Contains(fmt.Sprint(wrong), "adds to CN already") {
		t.Errorf("a circle: %v", wrong)
	}
}

// An amendment is a version of its own; what was known before it stays known
// as it was.
func TestAmendmentsAndWhatWasKnownWhen(t *testing.T) {
	first := Calendar{Jurisdiction: "CN", Year: 2020, Version: 1, Partial: true, Off: days(t, "2020-01-01", "2020-01-24..30"), MakeUp: days(t, "2020-01-19", "2020-02-01")}
	amended := Calendar{Jurisdiction: "CN", Year: 2020, Version: 2, Partial: true, Off: append(days(t, "2020-02-01..02"), days(t, "2020-01-01", "2020-01-24..31")...), MakeUp: days(t, "2020-01-19")}
	c := publish(t, Calendars{}, first, amended)
	friday, saturday := days(t, "2020-01-31")[0], days(t, "2020-02-01")[0]
	for at, works := range map[Instant]bool{1: true, 2: false, 99: false} {
		then := c.KnownAt(at)
		for _, d := range []Date{friday, saturday} {
			if got, known := then.Workdays("CN").IsWorkingDay(d); got != works || !known {
				t.Errorf("known at %d: %s worked %t, known %t", at, d, got, known)
			}
		}
	}
	if w := c.KnownAt(0).Workdays("CN"); w.Known(2020) || len(c.KnownAt(0).Published()) != 0 {
		t.Errorf("2020 is known before it was published")
	}
	if got := c.Workdays("CN").Versions(2020); !slices.Equal(got, []CalendarVersion{{"CN", 2020, 2}}) {
		t.Errorf("versions %v", got)
	}
	e, _ := publish(t, Calendars{}, first).Publish(amended)
	if !slices.Equal(e.Affects, []Date{friday, saturday}) { // Sunday was off anyway
		t.Errorf("affects %v", e.Affects)
	}
	if k, ok := c.Find(CalendarVersion{"CN", 2020, 1}); !ok || k.Version != 1 {
		t.Errorf("version 1 is gone: %v", k)
	}
}

// A notice may change the December before its year, and says so.
func TestANoticeChangesTheDecemberBefore(t *testing.T) {
	c := publish(t, Calendars{}, china2026(t))
	next := Calendar{Jurisdiction: "CN", Year: 2027, Version: 1, Partial: true, Off: days(t, "2026-12-31", "2027-01-01..02"), MakeUp: days(t, "2026-12-26")}
	e, wrong := c.Publish(next)
	want := append(days(t, "2026-12-26"), days(t, "2026-12-31", "2027-01-01")...)
	if len(wrong) > 0 || !slices.Equal(e.Affects, want) {
		t.Fatalf("affects %v, %v", e.Affects, wrong)
	}
	w := c.Add(next, 0).Workdays("CN")
	if got := w.Versions(2026); !slices.Equal(got, []CalendarVersion{{"CN", 2026, 1}, {"CN", 2027, 1}}) {
		t.Errorf("2026 rests on %v", got)
	}
	before := c.Workdays("CN")
	for d := NewDate(2026, time.January, 1); d.Year() == 2026; d++ {
		was, _ := before.IsWorkingDay(d)
		if is, _ := w.IsWorkingDay(d); (is != was) != slices.Contains(e.Affects, d) {
			t.Errorf("%s was %t and is %t", d, was, is)
		}
	}
}

// A region's days lie over its country's, and neither knows a year without the
// other. Other jurisdictions are not touched.
func TestARegionAddsToItsCountry(t *testing.T) {
	region := Calendar{Jurisdiction: "CN-GX", AddsTo: "CN", Year: 2026, Version: 1, Off: days(t, "2026-04-20..21")}
	c := publish(t, Calendars{}, region)
	if c.Workdays("CN-GX").Known(2026) {
		t.Error("the region knows a year that its country does not")
	}
	c = publish(t, c, china2026(t), Calendar{Jurisdiction: "DE", Year: 2026, Version: 1, Partial: true, Off: days(t, "2026-05-14")})
	for _, tt := range []struct {
		jurisdiction, date string
		want               bool
	}{
		{"CN-GX", "2026-04-20", false}, {"CN", "2026-04-20", true}, {"DE", "2026-04-20", true}, {"CN-GX", "2026-02-14", true}, {"DE", "2026-02-14", false},
		{"CN-GX", "2026-10-05", false}, {"DE", "2026-10-05", true}, {"DE", "2026-05-14", false}, {"CN", "2026-05-14", true},
	} {
		got, known := c.Workdays(tt.jurisdiction).IsWorkingDay(days(t, tt.date)[0])
		if got != tt.want || !known {
			t.Errorf("%s %s: worked %t, known %t", tt.jurisdiction, tt.date, got, known)
		}
	}
	next := Calendar{Jurisdiction: "CN", Year: 2027, Version: 1, Partial: true, Off: days(t, "2027-01-01")}
	if c = publish(t, c, next); !c.Workdays("CN").Known(2027) || c.Workdays("CN-GX").Known(2027) {
		t.Error("the country's notice is the region's")
	}
}

// Of a year that nothing is known of, the most is assumed that may be worked,
// or the least.
func TestWhatIsAssumedOfAYearWithoutACalendar(t *testing.T) {
	c := publish(t, Calendars{}, china2026(t), Calendar{Jurisdiction: "CN", Year: 2027, Version: 1, Projected: true, Off: days(t, "2027-06-09")})
	w := c.Workdays("CN")
	if w.Known(2027) || w.Known(2028) {
		t.Fatal("a projection makes a year known")
	}
	for year, lost := range map[int]int{2027: 1, 2028: 20} { // 2028 by the season of 2026
		most, fewest := w.index(year, mostWorkingDays), w.index(year, fewestWorkingDays)
		for d := most.first; d.Year() == year; d++ {
			if most.works(d) == d.IsWeekend() || fewest.works(d) && !most.works(d) {
				t.Errorf("%s: most %t, fewest %t", d, most.works(d), fewest.works(d))
			}
		}
		if got := len(most.days) - len(fewest.days); got < lost {
			t.Errorf("%d: %d days fewer, want %d at least", year, got, lost)
		}
	}
}
