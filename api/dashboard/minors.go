package dashboard

import (
	"net/http"
	"time"
)

// minors is who is a minor, by the records of age and of guardians. Birth dates are sealed
// and opened for nobody here: when somebody is of the next age follows from the birthday
// that the ledger recorded, or else is the latest day that there can be.
type minors struct {
	audits
	Shown  bool
	Minors []minor // of this page, whoever is of the next age soonest first
	Bands  []bandCount
	Due    []minor // those of them who are of another age soon
	More   string  // where the list goes on
	Erased int64   // minors of a day that is past who were erased since: they are nowhere
	AsOf   string
}

// A minor is one person.
type minor struct {
	Person    string `json:"person"`
	Band      string `json:"band"`
	Basis     string `json:"basis"`
	Since     string `json:"since"`
	Guardians int    `json:"guardians"`
	Consents  int    `json:"guardian_consents"`
	Next      string `json:"next"` // when they are of the next age, at the latest
}

// Day is the day on which the minor is of the next age, at the latest.
func (m minor) Day() string { return instant(m.Next).UTC().Format(time.DateOnly) }

// Exact reports whether it is that day: the ledger recorded a birthday.
func (m minor) Exact() bool { return m.Basis == "birthday" }

// Then is what comes then, by a code: own, next-band or adult.
func (m minor) Then() string {
	for _, b := range ageBands {
		if b.band == m.Band {
			return b.then
		}
	}
	return ""
}

type bandCount struct {
	Band  string
	Count int64
	Width int64 // in per mille of the longest
}

// ageBands are the bands of minors, the youngest first, and for each what comes then.
var ageBands = []struct{ band, then string }{{"under-14", "own"}, {"14", "next-band"}, {"15-17", "adult"}}

// soonDays is how many days ahead the page looks.
const soonDays = 180

// minorList is what the API answers.
type minorList struct {
	Bands []struct {
		Band   string `json:"band"`
		People int64  `json:"people"`
	} `json:"bands"`
	Minors []minor `json:"minors"`
	Erased int64   `json:"erased_since"`
	Next   string  `json:"next"`
	AsOf   string  `json:"as_of"`
}

func readMinors(a *ask) (any, error) {
	m := &minors{}
	day, end, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	if a.Method != http.MethodPost || a.App == "" {
		return m, nil
	}
	if err := m.ask(a); err != nil {
		return nil, err
	}

	asked := map[string]string{"reason": m.Asked.Reason, "by": m.Asked.By, "limit": pageRows}
	now := a.now
	if day != "" {
		asked["day"], now = day, instant(end)
	}
	if cursor := a.PostFormValue("cursor"); cursor != "" {
		asked["cursor"] = cursor
	}
	var list minorList
	if err := a.do(http.MethodPost, a.of("/minors"), asked, &list); err != nil {
		return nil, err
	}
	m.Shown = true
	m.take(list, now)
	return m, nil
}

// take makes the charts and tables of what the API answered, as of a moment.
func (m *minors) take(list minorList, now time.Time) {
	m.Minors, m.More, m.AsOf, m.Erased = list.Minors, list.Next, list.AsOf, list.Erased
	longest := int64(1)
	for _, b := range ageBands {
		count := bandCount{Band: b.band}
		for _, one := range list.Bands {
			if one.Band == b.band {
				count.Count = one.People
			}
		}
		longest = max(longest, count.Count)
		m.Bands = append(m.Bands, count)
	}
	for i := range m.Bands {
		m.Bands[i].Width = 1000 * m.Bands[i].Count / longest
	}

	until := now.AddDate(0, 0, soonDays)
	for _, p := range m.Minors {
		if !instant(p.Next).After(until) {
			m.Due = append(m.Due, p)
		}
	}
}
