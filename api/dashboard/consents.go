package dashboard

import (
	"cmp"
	"net/url"
	"slices"
)

// A consentsPage is where everybody stands, and what was answered over time.
type consentsPage struct {
	consentCounts
	Time overTime
}

// consentCounts is how many persons stand where with each purpose.
type consentCounts struct {
	Purposes []purposeCounts
	Statuses []string // that occur, in their order
	AsOf     string
}

type purposeCounts struct {
	Purpose string
	People  map[string]int
	All     int
}

// statuses are in the order in which charts show them.
var statuses = []string{"given", "stale", "expired", "withdrawn", "refused", "ask-again", "never-asked"}

func readConsents(a *ask) (any, error) {
	var c consentsPage
	if a.App == "" {
		return &c, nil
	}

	var answer struct {
		Counts []struct {
			Purpose, Status string
			People          int
		}
		AsOf string `json:"as_of"`
	}
	if err := a.get(a.of("/consents/counts"), a.day(), &answer); err != nil {
		return nil, err
	}

	c.AsOf = answer.AsOf
	for _, one := range answer.Counts {
		if n := len(c.Purposes); n == 0 || c.Purposes[n-1].Purpose != one.Purpose {
			c.Purposes = append(c.Purposes, purposeCounts{Purpose: one.Purpose, People: map[string]int{}})
		}
		last := &c.Purposes[len(c.Purposes)-1]
		last.People[one.Status] += one.People
		last.All += one.People
		if !slices.Contains(c.Statuses, one.Status) {
			c.Statuses = append(c.Statuses, one.Status)
		}
	}

	slices.SortFunc(c.Statuses, func(x, y string) int { return cmp.Compare(rank(x), rank(y)) })
	return &c, c.Time.read(a)
}

// day is the day that the address asks about, for the API; none: now.
func (a *ask) day() url.Values {
	query := url.Values{}
	if day := a.URL.Query().Get("day"); day != "" {
		query.Set("day", day)
	}
	return query
}

// rank is a status' place among those of a chart; what it does not know comes last.
func rank(status string) int {
	if i := slices.Index(statuses, status); i >= 0 {
		return i
	}
	return len(statuses)
}

// A bar is a part of a chart's row, in per mille of its width.
type bar struct {
	Status   string
	X, Width int
	People   int
}

// Bars returns a purpose's row of the chart.
func (c *consentCounts) Bars(of purposeCounts) []bar {
	var bars []bar
	x := 0
	for _, status := range c.Statuses {
		if n := of.People[status]; n > 0 {
			width := n * 1000 / of.All
			bars = append(bars, bar{Status: status, X: x, Width: width, People: n})
			x += width
		}
	}
	if n := len(bars); n > 0 {
		bars[n-1].Width = 1000 - bars[n-1].X // with what was rounded away
	}
	return bars
}
