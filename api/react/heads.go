package react

import (
	"strconv"

	"consentledger/domain"
)

// heads are what an app remembers of the counts of persons: a rule that wants a
// number of persons begins when it was first reached, and never again.
type heads struct {
	counts  []headcount
	crossed map[string]bool // duties and rules that a count has opened
}

// A headcount is one count that was recorded.
type headcount struct {
	fields  []domain.Field
	day     domain.Date
	persons int
}

const headcountRecorded = "headcount.recorded"

// learn takes note of a count.
func (h *heads) learn(n domain.Noted) {
	if n.Kind != headcountRecorded {
		return
	}
	day, err := domain.ParseDate(member(n.Fields, "counted"))
	persons, bad := strconv.Atoi(member(n.Fields, "persons"))
	if bad != nil {
		persons = 0 // it says nothing of how many
	}
	if err == nil {
		h.counts = append(h.counts, headcount{n.Fields, day, persons})
	}
}

// reached returns when a rule's number of persons was first reached by the
// counts that open a duty, as midnight of the day on which they were counted;
// zero if it was not yet.
func (h *heads) reached(d domain.DutyRule, rule domain.DeadlineRule) domain.Instant {
	zone, err := domain.ParseZone(rule.TimeZone)
	if err != nil {
		return 0
	}
	var list []domain.Headcount
	for _, c := range h.counts {
		if d.Opens(headcountRecorded, c.fields) {
			list = append(list, domain.Headcount{At: zone.Midnight(c.day), Persons: c.persons})
		}
	}
	return rule.ReachedAt(list)
}

// cross reports whether a count opens a duty: the first one does that reaches
// its rule's number. Those that come later open nothing.
func (h *heads) cross(d domain.DutyRule, rule domain.DeadlineRule) bool {
	key := d.ID + " " + string(rule.ID)
	if h.crossed[key] || h.reached(d, rule) == 0 {
		return false
	}
	h.crossed[key] = true
	return true
}

// still reports whether a rule's number of persons is reached by the newest
// count.
func (h *heads) still(rule domain.DeadlineRule) bool {
	newest := headcount{}
	for _, c := range h.counts {
		if c.day >= newest.day {
			newest = c
		}
	}
	return newest.persons >= rule.Persons
}
