package rest

import (
	"fmt"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/projections/activity"
)

// TestAScreenThatAnswersNoMoreIsMarked has screens with answers on each of 60 days, as many as are told.
func TestAScreenThatAnswersNoMoreIsMarked(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // a Monday
	fallsOf := func(answers func(ago int, day time.Time) int64) string {
		c := newFallCounter(&overTimeIn{}, daySpan{from: "2026-02-01", until: "2026-03-02"}, deadline.At(now))
		count := c.count(func(activity.Shown) shownOn { return shownOn{screen: "welcome"} })
		at, _ := count.Place(activity.Shown{Answer: activity.Given})
		for ago := 60; ago >= 0; ago-- {
			day := now.AddDate(0, 0, -ago)
			if text := day.Format(time.DateOnly); text <= count.Stretches[0].Last {
				count.Add(text, at, answers(ago, day))
			}
		}
		return fmt.Sprint(c.falls())
	}

	for _, tt := range []struct {
		name    string
		answers func(ago int, day time.Time) int64
		want    string
	}{
		{"as ever", func(int, time.Time) int64 { return 300 }, "[]"},
		{"today is not over", func(ago int, _ time.Time) int64 { return int64(min(ago, 1)) * 300 }, "[]"},
		{"weekends are quiet", func(_ int, day time.Time) int64 {
			return map[bool]int64{true: 40, false: 900}[day.Weekday()%6 == 0]
		}, "[]"},
		{"too few to say", func(ago int, _ time.Time) int64 { return map[bool]int64{true: 0, false: 99}[ago < 8] }, "[]"},
		{"a new screen", func(ago int, _ time.Time) int64 { return map[bool]int64{true: 500, false: 0}[ago < 8] }, "[]"},
		{"a half is no third", func(ago int, _ time.Time) int64 { return map[bool]int64{true: 150, false: 300}[ago < 8] }, "[]"},
		{"none any more", func(ago int, _ time.Time) int64 { return map[bool]int64{true: 0, false: 300}[ago < 4] }, "[{welcome 2026-02-27 3 0 300}]"},
		{"a third", func(ago int, _ time.Time) int64 { return map[bool]int64{true: 100, false: 300}[ago == 5] }, "[{welcome 2026-02-25 1 100 300}]"},
		{"twice", func(ago int, _ time.Time) int64 { return map[bool]int64{true: 1, false: 300}[ago == 5 || ago == 2] }, "[{welcome 2026-02-28 1 1 300} {welcome 2026-02-25 1 1 300}]"},
		{"a weekend does not part it", func(ago int, day time.Time) int64 {
			if day.Weekday()%6 == 0 {
				return 40
			}
			return map[bool]int64{true: 100, false: 900}[ago <= 10]
		}, "[{welcome 2026-02-20 6 100 900}]"},
	} {
		if got := fallsOf(tt.answers); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestTooManyBuildsAreSaid: answers are counted still where a client names too many builds, and what is not
// looked for then is said.
func TestTooManyBuildsAreSaid(t *testing.T) {
	span := daySpan{from: "2026-02-01", until: "2026-03-01", period: "day"}
	in := &overTimeIn{}
	c, f := newCounter(in, domain.Surfaces{}), newFallCounter(in, span, deadline.At(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)))
	if names := notSought(c, f); len(names) != 0 {
		t.Errorf("%q", names)
	}
	counts := append(c.counts(span), f.count(c.shownOn))
	for i, count := range counts {
		at, _ := count.Place(activity.Shown{Answer: activity.Given, Build: "1.0"})
		count.Add("2026-02-20", at, 300)
		if count.TooMany != nil {
			count.TooMany()
		} else if i > 0 {
			t.Errorf("count %d takes the whole answer with it", i)
		}
	}
	if names := fmt.Sprint(notSought(c, f)); names != "[changes falls]" || len(changes(c.builds)) != 0 || len(f.falls()) != 0 {
		t.Errorf("%s, %v, %v", names, changes(c.builds), f.falls())
	}
	if values := c.values(); len(values) != 1 || values[0].Given != 300 {
		t.Errorf("%+v", values)
	}
}
