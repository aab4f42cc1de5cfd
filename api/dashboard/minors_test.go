package dashboard

import (
	"fmt"
	"testing"
	"time"
)

func TestThePageOfMinorsSaysWhoIsOfAnotherAgeSoon(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var list minorList
	list.Bands = append(list.Bands, struct {
		Band   string `json:"band"`
		People int64  `json:"people"`
	}{"15-17", 4}, struct {
		Band   string `json:"band"`
		People int64  `json:"people"`
	}{"under-14", 2})
	list.Minors = []minor{
		{Person: "dan", Band: "14", Basis: "birthday", Next: "2026-07-01T00:00:00.000Z"},
		{Person: "ada", Band: "15-17", Basis: "declared", Next: "2026-11-28T00:00:00.000Z"},
		{Person: "bob", Band: "under-14", Basis: "declared", Next: "2040-01-01T00:00:00.000Z"},
	}

	m := &minors{}
	m.take(list, now)
	var got []string
	for _, p := range m.Due {
		got = append(got, fmt.Sprint(p.Person, " ", p.Day(), " ", p.Exact(), " ", p.Then()))
	}
	if want := "[dan 2026-07-01 true next-band ada 2026-11-28 false adult]"; fmt.Sprint(got) != want {
		t.Errorf("of another age soon: %v\nwant %s", got, want)
	}
	if want := "[{under-14 2 500} {14 0 0} {15-17 4 1000}]"; fmt.Sprint(m.Bands) != want {
		t.Errorf("%v\nwant %s", m.Bands, want)
	}
}
