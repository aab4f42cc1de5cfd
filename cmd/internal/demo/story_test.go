package demo

import (
	"context"
	"testing"
	"time"

	"consentledger/cmd/consentledger/law"
	"consentledger/domain/deadline"
)

// The story holds on every day: what is nearly due is, and what is late.
func TestTheDemosStoryHoldsOnEveryDay(t *testing.T) {
	calendars, err := law.Calendars()
	if err != nil {
		t.Fatal(err)
	}
	rule := deadline.Rule{ID: "own.demo", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai"}
	zone, err := deadline.ParseZone(rule.TimeZone)
	if err != nil {
		t.Fatal(err)
	}
	for day := deadline.NewDate(2024, time.January, 1); day < deadline.NewDate(2028, time.January, 1); day += 3 {
		now := zone.Midnight(day).Add(15 * deadline.Hour)
		s, err := newStory(now, calendars)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range s.inOrder() {
			if a.at >= now || a.at < now.Add(-weeks) {
				t.Fatalf("%s: %s happens at %s", day, a.id, a.at)
			}
			due, err := deadline.Compute(rule, a.at, nil, false, calendars)
			switch {
			case err != nil:
				t.Fatal(err)
			case a.id == "late-question" && due.InTime(now):
				t.Errorf("%s: the late question is due on %s", day, due.Date)
			case a.id == "question" && (!due.InTime(now) || due.Date > day+12):
				t.Errorf("%s: the next question is due on %s", day, due.Date)
			}
		}
		if _, known := calendars.Workdays("CN").IsWorkingDay(s.unannounced()); known {
			t.Errorf("%s: %s is announced", day, s.unannounced())
		}
	}
}

// A demo whose messages were rejected before sends them no more.
func TestADemoStumblesOnce(t *testing.T) {
	s := &Simulation{rejected: func(context.Context) (bool, error) { return true, nil }} // without a road: it must not publish
	if err := s.stumble(t.Context()); err != nil {
		t.Error(err)
	}
}
