package rest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"consentledger/domain/deadline"
	"consentledger/projections/activity"
)

// An AnswersFall is days on which a screen had far fewer answers than it usually has.
type AnswersFall struct {
	Screen  string `json:"screen" doc:"empty: the answers do not say"`
	Day     string `json:"day" format:"date" doc:"the first day of it"`
	Days    int    `json:"days" doc:"how many days it goes on, those left out on which the screen has few answers anyway"`
	Answers int64  `json:"answers" doc:"of the first day, given and refused"`
	Usual   int64  `json:"usual" doc:"the median of the same weekday in the four weeks before"`
}

// What a fall is. The same weekday is compared, so a weekend is none; four weeks, so that one odd day of
// before counts little. Of fewer than leastAsked answers chance alone might make a third.
const (
	fallenTo    = 3  // a part of the usual
	weeksBefore = 4  // that are compared with
	fallDays    = 30 // of the days that are asked for, the last
)

// A fallCounter counts the answers of screens by day.
type fallCounter struct {
	in          *overTimeIn
	first, last time.Time // the days that are looked at
	screens     map[string]map[string]int64
	found       []string // screens, by their place
	tooMany     bool     // there are more screens and builds than are counted
}

// newFallCounter looks at the last days of a span, without today, which is not over.
func newFallCounter(in *overTimeIn, span daySpan, now deadline.Instant) *fallCounter {
	c := &fallCounter{in: in, screens: map[string]map[string]int64{}}
	today, _ := time.Parse(time.DateOnly, now.String()[:len(time.DateOnly)])
	c.first, _ = time.Parse(time.DateOnly, span.from)
	c.last, _ = time.Parse(time.DateOnly, span.until)
	if !c.last.Before(today) {
		c.last = today.AddDate(0, 0, -1)
	}
	if earliest := c.last.AddDate(0, 0, 1-fallDays); c.first.Before(earliest) {
		c.first = earliest
	}
	return c
}

// count is what is asked of the projection.
func (c *fallCounter) count(shownOn func(activity.Shown) shownOn) activity.Count {
	return activity.Count{
		Part: activity.ByScreen,
		Stretches: []activity.Stretch{{
			Span:  activity.Days,
			First: c.first.AddDate(0, 0, -7*weeksBefore).Format(time.DateOnly),
			Last:  c.last.Format(time.DateOnly),
		}},
		Place: func(s activity.Shown) (int, bool) {
			screen := shownOn(s).screen
			if s.Answer != activity.Given && s.Answer != activity.Refused || c.in.Screen != "" && c.in.Screen != screen {
				return 0, false
			}
			c.found = append(c.found, screen)
			return len(c.found) - 1, true
		},
		Add: func(day string, at int, answers int64) {
			days := c.screens[c.found[at]]
			if days == nil {
				days = map[string]int64{}
				c.screens[c.found[at]] = days
			}
			days[day] += answers
		},
		TooMany: func() { c.tooMany, c.screens = true, nil },
	}
}

// falls returns those of every screen, the newest first.
func (c *fallCounter) falls() []AnswersFall {
	found := []AnswersFall{}
	for _, screen := range slices.Sorted(maps.Keys(c.screens)) {
		found = append(found, c.fallsOf(screen)...)
	}
	slices.SortStableFunc(found, func(x, y AnswersFall) int { return cmp.Compare(y.Day, x.Day) })
	return found[:min(len(found), mostChanges)]
}

func (c *fallCounter) fallsOf(screen string) (found []AnswersFall) {
	days, falling := c.screens[screen], false
	for day := c.first; !day.After(c.last); day = day.AddDate(0, 0, 1) {
		var before []int64
		for week := range weeksBefore {
			before = append(before, days[day.AddDate(0, 0, -7*(week+1)).Format(time.DateOnly)])
		}
		slices.Sort(before)
		usual, answers := (before[1]+before[2])/2, days[day.Format(time.DateOnly)]

		switch {
		case usual < leastAsked: // it says nothing, and ends nothing
		case answers*fallenTo > usual:
			falling = false
		case falling:
			found[len(found)-1].Days++
		default:
			falling = true
			found = append(found, AnswersFall{
				Screen: screen, Day: day.Format(time.DateOnly), Days: 1, Answers: answers, Usual: usual,
			})
		}
	}
	return found
}
