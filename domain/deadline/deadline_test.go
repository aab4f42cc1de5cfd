package deadline_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"consentledger/domain/deadline"
)

// beijing is an instant at noon of a day in China.
func beijing(d deadline.Date) deadline.Instant {
	return deadline.At(time.Date(1, 1, int(d), 4, 0, 0, 0, time.UTC))
}

func day(t testing.TB, s string) deadline.Date {
	t.Helper()
	d, err := deadline.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func compute(t testing.TB, r deadline.Rule, start deadline.Instant, pauses []deadline.Pause, c deadline.Calendars) deadline.Due {
	t.Helper()
	d, err := deadline.Compute(r, start, pauses, false, c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// paused is a pause from noon to noon; open if it has no end.
func paused(from, to deadline.Date) deadline.Pause {
	p := deadline.Pause{From: beijing(from)}
	if to != 0 {
		p.To = beijing(to)
	}
	return p
}

// slow counts days one by one, as a person would.
func slow(w *deadline.Workdays, start deadline.Date, n int, pauses []deadline.Pause) deadline.Date {
	d := start
	for n > 0 {
		d++
		stopped := false
		for _, p := range pauses {
			stopped = stopped || beijing(d) > p.From && (beijing(d) <= p.To)
		}
		if works, _ := w.IsWorkingDay(d); works && !stopped {
			n--
		}
	}
	return d
}

// Every start of four years and a half, and pauses of every kind, come out as
// counting by hand does.
func TestWorkingDaysAreCountedAsByHand(t *testing.T) {
	c, rule := shipped(t), ruleOf(t, "cn.policy.request_reply.pausable")
	w := c.Workdays("CN")
	dice := rand.New(rand.NewPCG(1, 2))
	for start := day(t, "2022-03-01"); start <= day(t, "2026-10-31"); start++ {
		rule.Length = 1 + dice.IntN(60)
		var pauses []deadline.Pause
		for range dice.IntN(4) {
			from := start + deadline.Date(dice.IntN(80)-10)
			pauses = append(pauses, paused(from, from+deadline.Date(dice.IntN(25))))
		}
		d := compute(t, rule, beijing(start), pauses, c)
		if want := slow(w, start, rule.Length, pauses); d.Date != want {
			t.Fatalf("%d working days from %s with %v: %s, want %s", rule.Length, start, pauses, d.Date, want)
		}
	}
}

// A later start or a longer length is never due earlier.
func TestDueDatesOnlyMoveOn(t *testing.T) {
	c := shipped(t)
	for _, id := range []string{"cn.policy.withdrawal_reply", "cn.policy.cessation_notice.latest", "cn.gbt35273.request_reply", "eu.gdpr12_3.reply", "cn.pipl56.pia_retention", "eu.gdpr33.breach"} {
		rule := ruleOf(t, id)
		rule.Calendar = "CN"
		var before deadline.Due
		for start := day(t, "2022-03-01"); start <= day(t, "2026-10-31"); start++ {
			d := compute(t, rule, beijing(start), nil, c)
			if d.Until < before.Until {
				t.Fatalf("%s: a start on %s is due %s, one on the day before on %s", id, start, d.Date, before.Date)
			}
			before = d
			longer := rule
			longer.Length++
			l := compute(t, longer, beijing(start), nil, c)
			if backward := rule.Direction == deadline.Backward; backward == (l.Until > d.Until) && l.Until != d.Until || l.Until == d.Until && rule.Roll == deadline.RollNone {
				t.Fatalf("%s: from %s %d is due %s, %d %s", id, start, rule.Length, d.Date, longer.Length, l.Date)
			}
		}
	}
}

// A notice is late enough for what happens on a day, counted on, exactly when
// it is early enough, counted back: on every pair of days.
func TestForwardAndBackwardAreDual(t *testing.T) {
	c := shipped(t)
	for _, unit := range []deadline.Unit{deadline.UnitWorkingDay, deadline.UnitCalendarDay, deadline.UnitMonth} {
		forward, backward := ruleOf(t, "cn.policy.cessation_notice.forward"), ruleOf(t, "cn.policy.cessation_notice.latest")
		forward.Unit, backward.Unit = unit, unit
		if unit == deadline.UnitMonth {
			forward.Length, backward.Length = 1, 1
		}
		latest := map[deadline.Date]deadline.Date{}
		for stop := day(t, "2022-03-01"); stop <= day(t, "2026-12-31"); stop++ {
			latest[stop] = compute(t, backward, beijing(stop), nil, c).Date
		}
		for notice := day(t, "2022-03-01"); notice <= day(t, "2026-10-31"); notice++ {
			earliest := compute(t, forward, beijing(notice), nil, c).Earliest
			for stop := notice + 1; stop < notice+60; stop++ {
				if on, back := stop >= earliest, notice <= latest[stop]; on != back {
					t.Fatalf("%s: a notice of %s for %s: in time counted on %t (from %s), counted back %t (to %s)", unit, notice, stop, on, earliest, back, latest[stop])
				}
			}
		}
	}
}

// What is assumed of a year without a calendar errs to the safe side as far as
// REQUIREMENTS says it does: measured over every start of the known years.
func TestTheSafeTargetWasNeverLate(t *testing.T) {
	known := shipped(t)
	// Of another place nothing is known: only Saturdays and Sundays are off.
	rule, guess := ruleOf(t, "cn.policy.withdrawal_reply"), ruleOf(t, "cn.policy.withdrawal_reply")
	guess.Calendar = "NZ"
	for _, n := range []int{10, 15, 30} {
		rule.Length, guess.Length = n, n
		starts, late, most := 0, 0, deadline.Date(0)
		for start := day(t, "2022-01-01"); start <= day(t, "2026-09-30"); start++ {
			want, d := compute(t, rule, beijing(start), nil, known), compute(t, guess, beijing(start), nil, known)
			if starts++; d.Date > want.Date {
				late, most = late+1, max(most, d.Date-want.Date)
			}
			if d.SafeTarget > want.Date {
				t.Errorf("%d days from %s: the safe target %s is after %s", n, start, d.SafeTarget, want.Date)
			}
			if !d.Provisional || d.Gap != start+1 || want.Provisional || want.SafeTarget != 0 {
				t.Fatalf("%s: provisional %t from %s, with a calendar %t", start, d.Provisional, d.Gap, want.Provisional)
			}
		}
		if n == 15 && (starts != 1734 || late != 97 || most != 3) {
			t.Errorf("%d starts, %d late, by %d days at most; want 1734, 97 and 3", starts, late, most)
		}
	}
}

// A notice counted back through a year without a calendar is early enough for
// the calendar that came.
func TestANoticeThroughAnUnknownYearIsEarlyEnough(t *testing.T) {
	var upTo deadline.Calendars // all but the last year
	known := shipped(t)
	for _, k := range known.Published() {
		if k.Year < 2026 {
			upTo = upTo.Add(k, 0)
		}
	}
	back, on := ruleOf(t, "cn.policy.cessation_notice.latest"), ruleOf(t, "cn.policy.cessation_notice.forward")
	for stop := day(t, "2026-01-05"); stop <= day(t, "2026-12-31"); stop++ {
		d, want := compute(t, back, beijing(stop), nil, upTo), compute(t, back, beijing(stop), nil, known)
		if !d.Provisional || d.Gap != stop-1 || d.Date > want.Date {
			t.Errorf("for %s the latest notice is %s (provisional %t), the calendar says %s", stop, d.Date, d.Provisional, want.Date)
		}
		f, want := compute(t, on, beijing(stop-30), nil, upTo), compute(t, on, beijing(stop-30), nil, known)
		if f.Provisional && f.SafeNotice < want.Earliest {
			t.Errorf("a notice of %s counts from %s at the safe end, the calendar says %s", stop-30, f.SafeNotice, want.Earliest)
		}
	}
}

// A pause that begins and ends on one day changes nothing; one from the day of
// receipt is a start on the day it ends; its pieces are as good as the whole.
func TestPausesAreNeutral(t *testing.T) {
	c := shipped(t)
	for _, id := range []string{"cn.policy.request_reply.pausable", "cn.gbt35273.request_reply", "eu.gdpr12_3.reply"} {
		rule := ruleOf(t, id)
		rule.Calendar, rule.TimeZone, rule.Pause = "CN", "Asia/Shanghai", []string{"clarification"}
		for start := day(t, "2022-03-01"); start <= day(t, "2026-08-31"); start++ {
			plain := compute(t, rule, beijing(start), nil, c)
			at := start + start%20
			if d := compute(t, rule, beijing(start), []deadline.Pause{{From: beijing(at), To: beijing(at) + 1000}}, c); d.Date != plain.Date {
				t.Fatalf("%s from %s: a pause within %s moves %s to %s", id, start, at, plain.Date, d.Date)
			}
			if d := compute(t, rule, beijing(start), []deadline.Pause{paused(plain.Date, plain.Date+9)}, c); d.Date != plain.Date {
				t.Fatalf("%s from %s: a pause at the end moves %s to %s", id, start, plain.Date, d.Date)
			}
			whole := compute(t, rule, beijing(start), []deadline.Pause{paused(at, at+7)}, c)
			pieces := compute(t, rule, beijing(start), []deadline.Pause{paused(at+3, at+7), paused(at, at+2), paused(at+1, at+3)}, c)
			if whole.Date != pieces.Date || whole.Date < plain.Date {
				t.Fatalf("%s from %s: %s in one piece, %s in three, %s without", id, start, whole.Date, pieces.Date, plain.Date)
			}
			if rule.Unit != deadline.UnitWorkingDay && rule.Unit != deadline.UnitCalendarDay {
				continue // a month from another day is another month
			}
			fromReceipt := compute(t, rule, beijing(start), []deadline.Pause{paused(start, at)}, c)
			if d := compute(t, rule, beijing(at), nil, c); d.Date != fromReceipt.Date {
				t.Fatalf("%s: paused from receipt on %s to %s is due %s, started then %s", id, start, at, fromReceipt.Date, d.Date)
			}
		}
	}
}

// While a pause is open there is no date; ended at once it takes nothing away.
func TestAnOpenPauseHasNoDate(t *testing.T) {
	c := shipped(t)
	clarify := func(id string) deadline.Rule {
		r := ruleOf(t, id)
		r.Pause = []string{"clarification"}
		return r
	}
	for _, tt := range []struct {
		rule               string
		start              string
		pauses             []deadline.Pause
		elapsed, remaining int64
	}{
		{"cn.policy.request_reply", "2026-03-02", []deadline.Pause{paused(day(t, "2026-03-04"), 0)}, 2, 28},
		{"cn.policy.request_reply", "2026-03-02", []deadline.Pause{paused(day(t, "2026-03-02"), 0)}, 0, 30},
		{"cn.policy.request_reply", "2026-03-02", []deadline.Pause{paused(day(t, "2026-03-04"), day(t, "2026-03-06")), paused(day(t, "2026-03-16"), 0)}, 8, 22},
		{"cn.policy.request_reply", "2026-03-02", []deadline.Pause{paused(day(t, "2026-03-10"), 0), paused(day(t, "2026-03-04"), 0)}, 2, 28},
		{"cn.policy.request_reply", "2026-02-10", []deadline.Pause{paused(day(t, "2026-02-20"), 0)}, 4, 26},
		{"cn.gbt35273.request_reply", "2026-01-20", []deadline.Pause{paused(day(t, "2026-01-25"), day(t, "2026-01-27")), paused(day(t, "2026-01-30"), 0)}, 8, 22},
		{"eu.gdpr12_3.reply", "2026-01-31", []deadline.Pause{paused(day(t, "2026-02-10"), 0)}, 10, 18},
		{"cn.csir2025.report", "2026-10-01", []deadline.Pause{{From: beijing(day(t, "2026-10-01")) + 5_400_000}}, 5_400_000, 9_000_000},
	} {
		start := beijing(day(t, tt.start))
		d := compute(t, clarify(tt.rule), start, tt.pauses, c)
		if d.State != deadline.Suspended || d.Date != 0 || d.Until != 0 || d.Elapsed != tt.elapsed || d.Remaining != tt.remaining || d.SafeTarget != 0 {
			t.Errorf("%s from %s: %s %s, %d elapsed, %d remaining; want %d, %d", tt.rule, tt.start, d.State, d.Date, d.Elapsed, d.Remaining, tt.elapsed, tt.remaining)
		}
		if !d.InTime(start + 1e12) {
			t.Errorf("%s: late while the clock stands still", tt.rule)
		}
	}
	rule := clarify("cn.policy.withdrawal_reply")
	plain := compute(t, rule, beijing(day(t, "2026-03-02")), nil, c)
	d := compute(t, rule, plain.Start, []deadline.Pause{paused(plain.Date, 0)}, c)
	if d.State != deadline.Running || d.Date != plain.Date {
		t.Errorf("a pause on the last day: %s, %s", d.State, d.Date)
	}
}

// A pause stops the rules that name its reason, and the others say that it did not.
func TestAPauseStopsWhatNamesIt(t *testing.T) {
	c, start := shipped(t), beijing(day(t, "2026-03-02"))
	pause := paused(day(t, "2026-03-04"), day(t, "2026-03-11"))
	for _, tt := range []struct {
		rule, reason, want string
		ignored            int
	}{
		{"cn.policy.request_reply.pausable", "", "2026-04-21", 0},
		{"cn.policy.request_reply.pausable", "clarification", "2026-04-21", 0},
		{"cn.policy.request_reply.pausable", "weather", "2026-04-14", 1},
		{"cn.policy.request_reply", "clarification", "2026-04-14", 1},
		{"cn.policy.request_reply", "", "2026-04-14", 1},
	} {
		pause.Reason = tt.reason
		d := compute(t, ruleOf(t, tt.rule), start, []deadline.Pause{pause}, c)
		if d.Date.String() != tt.want || d.Ignored != tt.ignored {
			t.Errorf("%s, %q: %s, %d ignored; want %s, %d", tt.rule, tt.reason, d.Date, d.Ignored, tt.want, tt.ignored)
		}
	}
}

// An extension counts from day 0, not from the first due date (2026-02-28, a
// Saturday, rolled to 2 March).
func TestAnExtensionCountsFromDayZero(t *testing.T) {
	rule := ruleOf(t, "eu.gdpr12_3.reply")
	start := instant(t, "2026-01-31T10:00:00+01:00")
	d, err := deadline.Compute(rule, start, nil, true, deadline.Calendars{})
	if err != nil || d.Date.String() != "2026-04-30" || d.BeforeRoll != 0 || !d.Extended || utc(d.Until) != "2026-04-30T22:00:00Z" {
		t.Errorf("%s, before its roll %q, until %s: %v", d.Date, d.BeforeRoll, d.Until, err)
	}
	if _, err := deadline.Compute(ruleOf(t, "cn.policy.request_reply"), start, nil, true, deadline.Calendars{}); err == nil || !strings.Contains(err.Error(), "cn.policy.request_reply: cannot be extended") {
		t.Errorf("a rule without an extension: %v", err)
	}
}

// Months, years, days of the year, hours and counting back, at their edges.
func TestUnits(t *testing.T) {
	c := shipped(t)
	rule := func(unit deadline.Unit, n int, more ...func(*deadline.Rule)) deadline.Rule {
		r := deadline.Rule{ID: "r", Unit: unit, Length: n, Calendar: "CN", TimeZone: "Asia/Shanghai"}
		for _, f := range more {
			f(&r)
		}
		return r
	}
	rolls := func(r *deadline.Rule) { r.Roll = deadline.RollNextWorkingDay }
	back := func(r *deadline.Rule) { r.Direction = deadline.Backward }
	on := func(d deadline.YearDay) func(*deadline.Rule) {
		return func(r *deadline.Rule) { r.YearDay = d }
	}
	for _, tt := range []struct {
		name  string
		rule  deadline.Rule
		start string
		want  string // the date, what it was before it rolled, and whether it is provisional
	}{
		{"three years", rule(deadline.UnitYear, 3), "2024-02-29", "2027-02-28"},
		{"a year that rolls", rule(deadline.UnitYear, 1, rolls), "2025-10-03", "2026-10-08 from 2026-10-03"},
		{"a month that rolls into a year without a calendar", rule(deadline.UnitMonth, 1, rolls), "2026-12-02", "2027-01-04 from 2027-01-02 provisional safe 2027-01-02"},
		{"a month that ends there on a weekday", rule(deadline.UnitMonth, 1, rolls), "2026-12-01", "2027-01-01 provisional safe 2027-01-01"},
		{"a month that does not roll needs no calendar", rule(deadline.UnitMonth, 1), "2026-12-02", "2027-01-02"},
		{"by the end of January, each year", rule(deadline.UnitYear, 1, on("01-31")), "2026-03-05", "2027-01-31"},
		{"and if it starts on that day", rule(deadline.UnitYear, 1, on("01-31")), "2026-01-31", "2027-01-31"},
		{"or the day before", rule(deadline.UnitYear, 1, on("01-31")), "2026-01-30", "2026-01-31"},
		{"every second year", rule(deadline.UnitYear, 2, on("01-31"), rolls), "2024-03-05", "2026-02-02 from 2026-01-31"},
		{"three days before", rule(deadline.UnitCalendarDay, 3, back), "2026-03-10", "2026-03-06"},
		{"a month before the end of one", rule(deadline.UnitMonth, 1, back), "2026-03-01", "2026-01-31"},
		{"a month before its last day", rule(deadline.UnitMonth, 1, back), "2026-03-31", "2026-02-28"},
		{"two working days in a year without a calendar", rule(deadline.UnitWorkingDay, 2), "2027-06-04", "2027-06-08 provisional safe 2027-06-05"},
		{"on the last day before the tail", rule(deadline.UnitWorkingDay, 1), "2026-12-23", "2026-12-24"},
		{"in the tail", rule(deadline.UnitWorkingDay, 1), "2026-12-24", "2026-12-25 tail"},
		{"in the tail of a year whose next is known", rule(deadline.UnitWorkingDay, 1), "2025-12-24", "2025-12-25"},
		{"rolling in the tail", rule(deadline.UnitCalendarDay, 1, rolls), "2026-12-25", "2026-12-28 from 2026-12-26 tail"},
		{"counting back through the tail", rule(deadline.UnitWorkingDay, 3, back), "2026-12-28", "2026-12-22 tail"},
	} {
		d := compute(t, tt.rule, beijing(day(t, tt.start)), nil, c)
		if got := describe(d); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// describe says what is special about a due date.
func describe(d deadline.Due) string {
	text := d.Date.String()
	if d.BeforeRoll != 0 {
		text += " from " + d.BeforeRoll.String()
	}
	if d.Provisional {
		text += " provisional"
	}
	if d.SafeTarget != 0 {
		text += " safe " + d.SafeTarget.String()
	}
	if d.TailExposed {
		text += " tail"
	}
	return text
}

// Hours are counted in instants, over a change of clocks and a pause.
func TestHours(t *testing.T) {
	rule := ruleOf(t, "eu.gdpr33.breach")
	start := instant(t, "2026-10-24T18:00:00+02:00")
	d := compute(t, rule, start, nil, deadline.Calendars{})
	if got := zoneOf(t, d.TimeZone).Local(d.Until); got != "2026-10-27T17:00:00+01:00" || d.Date != 0 || d.Provisional || d.Calendar != "" {
		t.Errorf("72 hours over the end of summer time: %s", got)
	}
	if !d.InTime(d.Until) || d.InTime(d.Until+1) {
		t.Error("in time is up to the last instant")
	}
	rule.Pause = []string{"clarification"}
	p := deadline.Pause{From: start + 1000, To: start + 4500}
	if moved := compute(t, rule, start, []deadline.Pause{p, p}, deadline.Calendars{}); moved.Until != d.Until+3500 {
		t.Errorf("paused for 3500 ms it moves by %d", moved.Until-d.Until)
	}
	rule.Direction = deadline.Backward
	if back := compute(t, rule, start, nil, deadline.Calendars{}); back.Until != start-72*3_600_000 {
		t.Errorf("72 hours before: %s", back.Until)
	}
}

// A day's end is exclusive.
func TestInTimeIsBeforeMidnight(t *testing.T) {
	d := compute(t, ruleOf(t, "cn.policy.withdrawal_reply"), instant(t, "2026-02-10T09:00:00+08:00"), nil, shipped(t))
	if !d.InTime(d.Until-1) || d.InTime(d.Until) || utc(d.Until) != "2026-03-09T16:00:00Z" {
		t.Errorf("until %s", d.Until)
	}
	if want := []deadline.CalendarVersion{{Jurisdiction: "CN", Year: 2026, Version: 1}}; !reflect.DeepEqual(d.Versions, want) {
		t.Errorf("rests on %v", d.Versions)
	}
}

// What cannot be computed says why, and never guesses.
func TestWhatCannotBeComputed(t *testing.T) {
	ok := deadline.Rule{ID: "r", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai", Pause: []string{"p"}}
	start := beijing(day(t, "2026-03-02"))
	for _, tt := range []struct {
		name   string
		change func(*deadline.Rule)
		start  deadline.Instant
		pauses []deadline.Pause
		want   string
	}{
		{"no zone", func(r *deadline.Rule) { r.TimeZone = "" }, start, nil, "rule r: a time zone is a name"},
		{"no length", func(r *deadline.Rule) { r.Length = 0 }, start, nil, "length 0: want 1 to"},
		{"too long", func(r *deadline.Rule) { r.Length = 1 << 40 }, start, nil, "want 1 to 100000"},
		{"a pause that ends before it begins", func(*deadline.Rule) {}, start, []deadline.Pause{{From: start}, {From: start + 2, To: start}}, "pause 2: ends at"},
		{"a pause from nowhere", func(*deadline.Rule) {}, start, []deadline.Pause{{To: start}}, "pause 1: has no beginning"},
		{"after all years", func(*deadline.Rule) {}, instant(t, "9998-12-28T00:00:00Z"), nil, "outside the years"},
		{"months after all years", func(r *deadline.Rule) { r.Unit, r.Length = deadline.UnitYear, 99_999 }, start, nil, "outside the years"},
		{"before all years", func(r *deadline.Rule) { r.Direction, r.Length = deadline.Backward, 100_000 }, instant(t, "0300-01-01T00:00:00Z"), nil, "outside the years"},
		{"a day of no year", func(r *deadline.Rule) { r.Unit, r.YearDay = deadline.UnitYear, "02-30" }, start, nil, "01-31"},
		{"a day of the year in months", func(r *deadline.Rule) { r.Unit, r.YearDay = deadline.UnitMonth, "01-31" }, start, nil, "rules in years"},
	} {
		r := ok
		tt.change(&r)
		d, err := deadline.Compute(r, tt.start, tt.pauses, false, deadline.Calendars{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !reflect.DeepEqual(d, deadline.Due{}) {
			t.Errorf("%s: %v, %v; want %s", tt.name, d, err, tt.want)
		}
	}
	d := compute(t, ok, 0, nil, deadline.Calendars{})
	if d.State != deadline.NotStarted || d.Date != 0 || d.Until != 0 || !d.InTime(1e15) {
		t.Errorf("a clock that nothing has started: %v", d)
	}
}

// A calendar that comes later changes the due dates that it touches, and no
// other.
func TestALaterCalendarChangesWhatItTouches(t *testing.T) {
	before := shipped(t)
	amended, _ := before.Latest("CN", 2026)
	amended.Version, amended.WorkingDays = 2, 0
	amended.Off = append(amended.Off[:len(amended.Off):len(amended.Off)], day(t, "2026-09-03"))
	for _, k := range []deadline.Calendar{
		{Jurisdiction: "CN", Year: 2027, Version: 1, Partial: true, Off: []deadline.Date{day(t, "2026-12-31"), day(t, "2027-01-01")}, MakeUp: []deadline.Date{day(t, "2026-12-26")}},
		amended,
		{Jurisdiction: "DE", Year: 2026, Version: 1, Partial: true, Off: []deadline.Date{day(t, "2026-09-03")}},
	} {
		news, wrong := before.Publish(k)
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
		after := before.Add(k, 0)
		changed, touched := 0, 0
		for _, id := range []string{"cn.policy.withdrawal_reply", "cn.policy.request_reply.pausable", "cn.gbt35273.request_reply", "cn.policy.cessation_notice.forward", "cn.policy.cessation_notice.latest", "cn.csir2025.report"} {
			for start := day(t, "2026-01-01"); start <= day(t, "2027-03-31"); start++ {
				var pauses []deadline.Pause
				if start%3 == 0 {
					pauses = append(pauses, paused(start+2, (start+9)*(start%2)))
				}
				was, is := compute(t, ruleOf(t, id), beijing(start), pauses, before), compute(t, ruleOf(t, id), beijing(start), pauses, after)
				is.Versions, was.Versions = nil, nil
				touches := before.Touches(news, was)
				if !reflect.DeepEqual(was, is) {
					changed++
				}
				if touches {
					touched++
				} else if !reflect.DeepEqual(was, is) {
					t.Errorf("%s touches nothing of %s from %s, and yet %s became %s", k.ID(), id, start, describe(was), describe(is))
				}
			}
		}
		if k.Jurisdiction == "CN" && (changed == 0 || touched > 5*changed) || k.Jurisdiction == "DE" && changed+touched > 0 {
			t.Errorf("%s changed %d due dates and touches %d", k.ID(), changed, touched)
		}
	}
}

// A clock that a number of persons starts, starts when it was first reached.
func TestANumberOfPersonsStartsAClock(t *testing.T) {
	rule := deadline.Rule{Persons: 1_000_000}
	counts := []deadline.Headcount{{At: 30, Persons: 2_000_000}, {At: 10, Persons: 999_999}, {At: 20, Persons: 1_000_000}, {At: 25, Persons: 5}}
	if at := rule.ReachedAt(counts); at != 20 {
		t.Errorf("reached at %d", at)
	}
	if at := rule.ReachedAt(counts[1:2]); at != 0 {
		t.Errorf("one too few reach it at %d", at)
	}
}

// Of several deadlines for one request the earliest binds.
func TestTheEarliestBinds(t *testing.T) {
	dues := []deadline.Due{{}, {State: deadline.Running, Until: 9}, {State: deadline.Suspended}, {State: deadline.Running, Until: 7}, {State: deadline.Running, Until: 8}}
	if got := deadline.Binding(dues); got != 3 {
		t.Errorf("%d binds", got)
	}
	if got := deadline.Binding(dues[:1]); got != -1 {
		t.Errorf("%d binds of none", got)
	}
}

func BenchmarkCompute(b *testing.B) {
	c, start := shipped(b), beijing(day(b, "2026-01-26"))
	for _, id := range []string{"cn.policy.request_reply", "cn.gbt35273.request_reply", "eu.gdpr33.breach"} {
		rule := ruleOf(b, id)
		b.Run(fmt.Sprint(rule.Length, rule.Unit), func(b *testing.B) {
			for b.Loop() {
				compute(b, rule, start, nil, c)
			}
		})
	}
	unknown := beijing(day(b, "2026-12-28"))
	b.Run("into a year without a calendar", func(b *testing.B) {
		rule := ruleOf(b, "cn.policy.request_reply")
		for b.Loop() {
			compute(b, rule, unknown, nil, c)
		}
	})
}
