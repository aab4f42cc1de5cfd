package domain

import "strconv"

// A Headcount is how many persons' data were handled, counted at an instant.
type Headcount struct {
	At      Instant
	Persons int
}

// ReachedAt returns when a number of persons was first reached, which starts
// the clock of a rule that has such a number: one million for naming the
// person in charge to the authority, 100,000 for filing face recognition. The
// counts may come in any order. A rule without a number is reached at once by
// the first count. Zero: it never was.
func (r DeadlineRule) ReachedAt(counts []Headcount) Instant {
	var first Instant
	for _, c := range counts {
		if c.Persons >= r.Persons && (first == 0 || c.At < first) {
			first = c.At
		}
	}
	return first
}

// HeadcountRecorded is the kind of note that says how many persons' data are
// handled.
const HeadcountRecorded NoteKind = "headcount.recorded"

// A counted is a count of persons that was noted.
type counted struct {
	fields  []Field
	day     Date
	persons int
}

// countIn returns the count that a note says. Of a number that is none it says that
// nobody was counted.
func countIn(n Noted) (counted, bool) {
	day, err := ParseDate(fieldOf(n.Fields, "counted"))
	if n.Kind != HeadcountRecorded || err != nil {
		return counted{}, false
	}
	persons, err := strconv.Atoi(fieldOf(n.Fields, "persons"))
	if err != nil {
		persons = 0
	}
	return counted{n.Fields, day, persons}, true
}

// Reached returns when a rule's number of persons was first reached by the counts
// that open a duty, as midnight of the day on which they were counted; zero if it
// was not yet.
func (s Service) Reached(d DutyRule, rule DeadlineRule) Instant {
	zone, err := ParseZone(rule.TimeZone)
	if err != nil {
		return 0
	}
	var list []Headcount
	for _, c := range s.counts {
		if d.Opens(string(HeadcountRecorded), c.fields) {
			list = append(list, Headcount{At: zone.Midnight(c.day), Persons: c.persons})
		}
	}
	return rule.ReachedAt(list)
}

// Counts reports whether a rule's number of persons is reached by the newest count.
// It is of a rule that has no such number.
func (s Service) Counts(rule DeadlineRule) bool {
	newest := counted{}
	for _, c := range s.counts {
		if c.day >= newest.day {
			newest = c
		}
	}
	return rule.Persons == 0 || newest.persons >= rule.Persons
}
