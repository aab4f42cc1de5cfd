package deadline

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
func (r Rule) ReachedAt(counts []Headcount) Instant {
	var first Instant
	for _, c := range counts {
		if c.Persons >= r.Persons && (first == 0 || c.At < first) {
			first = c.At
		}
	}
	return first
}
