package dashboard

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// minors is who is a minor, by the records of age and of guardians. Birth dates are sealed
// and opened for nobody here: when somebody is of the next age follows from the birthday
// that the ledger recorded, or else is the latest day that there can be.
type minors struct {
	audits
	Shown  bool
	Minors []minor
	Bands  []bandCount
	Due    []minor // those who are of another age soon
}

// A minor is one person.
type minor struct {
	Person    string
	Band      string
	Basis     string
	Since     string
	Guardians int
	Consents  int    // that guardians gave, and nobody withdrew since
	Next      string // the day on which they are of the next age, at the latest; empty: not known
	Exact     bool   // it is that day
	Then      string // what it means: own, next-band or adult
}

type bandCount struct {
	Band  string
	Count int
	Width int // in per mille of the longest
}

// ageBands are the bands of minors, and for each how many years it lasts at most, and what
// comes then.
var ageBands = []struct {
	band  string
	years int // zero: a child may be of any age in it
	then  string
}{{"under-14", 14, "own"}, {"14", 1, "next-band"}, {"15-17", 3, "adult"}}

// soonDays is how many days ahead the page looks.
const soonDays = 180

// A told is a record of a replay about one person.
type told struct {
	EventID  string `json:"event_id"`
	Type     string `json:"type"`
	At       string `json:"at"`
	Recorded string `json:"recorded"`
	Stream   string `json:"stream"`
	Data     struct {
		Band     string   `json:"band"`
		Basis    string   `json:"basis"`
		Guardian string   `json:"guardian"`
		Records  []string `json:"records"`
		All      bool     `json:"all"`
	} `json:"data"`
}

func readMinors(a *ask) (any, error) {
	m := &minors{}
	if a.Method != http.MethodPost || a.App == "" {
		return m, nil
	}
	if err := m.ask(a); err != nil {
		return nil, err
	}
	m.Shown = true

	var all []told
	for _, kind := range []string{"age.recorded", "guardian.verified", "guardian.ended", "record.voided",
		"consent.given", "consent.withdrawn", "subject.closed", "subject.erased"} {
		err := m.replay(a, kind, func(line []byte) error {
			var x told
			err := json.Unmarshal(line, &x)
			if kind != "consent.given" || x.Data.Guardian != "" {
				all = append(all, x)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	m.fold(all, a.now)
	return m, nil
}

// fold makes a list of persons of what was recorded.
func (m *minors) fold(all []told, now time.Time) {
	slices.SortStableFunc(all, func(x, y told) int { return compareInstants(x.Recorded, y.Recorded) })
	void := map[string]bool{}
	for _, x := range all {
		for _, id := range x.Data.Records {
			void[id] = true
		}
	}

	persons := map[string]*minor{}
	guardians := map[string]map[string]bool{}
	for _, x := range all {
		who, is := strings.CutPrefix(x.Stream, "subject-")
		_, who, _ = strings.Cut(who, "-")
		if !is || void[x.EventID] {
			continue
		}
		p := persons[who]
		if p == nil {
			p = &minor{Person: who}
			persons[who], guardians[who] = p, map[string]bool{}
		}
		switch x.Type {
		case "age.recorded":
			p.Band, p.Basis, p.Since = x.Data.Band, x.Data.Basis, x.At
		case "guardian.verified":
			guardians[who][x.Data.Guardian] = true
		case "guardian.ended":
			delete(guardians[who], x.Data.Guardian)
		case "consent.given":
			p.Consents++
		case "consent.withdrawn":
			if x.Data.All {
				p.Consents = 0
			}
		case "subject.closed", "subject.erased":
			delete(persons, who)
		}
	}

	for who, p := range persons {
		p.Guardians = len(guardians[who])
		if p.next() {
			m.Minors = append(m.Minors, *p)
		}
	}

	slices.SortFunc(m.Minors, func(x, y minor) int {
		return cmp.Or(cmp.Compare(orLast(x.Next), orLast(y.Next)), cmp.Compare(x.Person, y.Person))
	})
	m.count(now)
}

func orLast(day string) string { return cmp.Or(day, "9999") }

// next finds out when the person is of the next age, and reports whether they are a minor.
func (p *minor) next() bool {
	for _, b := range ageBands {
		if b.band != p.Band {
			continue
		}
		p.Then, p.Exact = b.then, p.Basis == "birthday"
		since := instant(p.Since)
		day := since.AddDate(b.years, 0, 0)
		p.Next = day.Format(time.DateOnly)
		return true
	}
	return false
}

// count counts the minors of each band, and lists those who are of another age soon.
func (m *minors) count(now time.Time) {
	longest := 1
	for _, b := range ageBands {
		n := 0
		for _, p := range m.Minors {
			if p.Band == b.band {
				n++
			}
		}
		longest = max(longest, n)
		m.Bands = append(m.Bands, bandCount{Band: b.band, Count: n})
	}

	for i := range m.Bands {
		m.Bands[i].Width = 1000 * m.Bands[i].Count / longest
	}

	until := now.AddDate(0, 0, soonDays).Format(time.DateOnly)
	for _, p := range m.Minors {
		if p.Next <= until {
			m.Due = append(m.Due, p)
		}
	}
}
