package register

import (
	"strconv"

	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// A counted is a count of persons that was noted.
type counted struct {
	fields  []policy.Field
	day     deadline.Date
	persons int
}

// countIn returns the count that a note says. Of a number that is none it says that
// nobody was counted.
func countIn(kind catalog.Note, fields []policy.Field) (counted, bool) {
	day, err := deadline.ParseDate(policy.FieldOf(fields, "counted"))
	if kind != catalog.HeadcountRecorded || err != nil {
		return counted{}, false
	}
	persons, err := strconv.Atoi(policy.FieldOf(fields, "persons"))
	if err != nil {
		persons = 0
	}
	return counted{fields, day, persons}, true
}

// Reached returns when a rule's number of persons was first reached by the counts
// that open a duty, as midnight of the day on which they were counted; zero if it
// was not yet.
func (r Register) Reached(d policy.DutyRule, rule deadline.Rule) deadline.Instant {
	zone, err := deadline.ParseZone(rule.TimeZone)
	if err != nil {
		return 0
	}
	var list []deadline.Headcount
	for _, c := range r.counts {
		if d.Opens(string(catalog.HeadcountRecorded), c.fields) {
			list = append(list, deadline.Headcount{At: zone.Midnight(c.day), Persons: c.persons})
		}
	}
	return rule.ReachedAt(list)
}

// Counts reports whether a rule's number of persons is reached by the newest count.
// It is of a rule that has no such number.
func (r Register) Counts(rule deadline.Rule) bool {
	newest := counted{}
	for _, c := range r.counts {
		if c.day >= newest.day {
			newest = c
		}
	}
	return rule.Persons == 0 || newest.persons >= rule.Persons
}
