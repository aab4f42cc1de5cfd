package dashboard

import (
	"fmt"
	"testing"
	"time"
)

func TestWhoIsAMinorFollowsFromTheRecords(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	at := func(day, who, kind, id string) told {
		return told{EventID: id, Type: kind, At: day + "T00:00:00.000Z", Recorded: day + "T00:00:00.000Z", Stream: "subject-shop-" + who}
	}
	age := func(day, who, band, basis, id string) told {
		x := at(day, who, "age.recorded", id)
		x.Data.Band, x.Data.Basis = band, basis
		return x
	}
	by := func(x told, guardian string) told { x.Data.Guardian = guardian; return x }
	void := at("2026-02-01", "eva", "record.voided", "9")
	void.Data.Records = []string{"7"}
	all := []told{
		age("2023-08-01", "ada", "15-17", "birthday", "1"),    // 18 on 2026-08-01
		age("2026-01-01", "bob", "under-14", "declared", "2"), // at the latest 2040-01-01
		age("2020-01-01", "cai", "under-14", "declared", "3"), age("2026-01-01", "cai", "adult", "identity-check", "4"),
		age("2025-07-01", "dan", "14", "birthday", "5"),             // 15 on 2026-07-01
		age("2026-01-01", "eva", "under-14", "declared", "7"), void, // a mistake
		age("2026-01-01", "fay", "14", "declared", "8"), at("2026-02-02", "fay", "subject.erased", "10"),
		by(at("2026-01-02", "bob", "guardian.verified", "11"), "g1"), by(at("2026-01-03", "bob", "consent.given", "12"), "g1"),
		by(at("2026-01-02", "dan", "guardian.verified", "13"), "g2"), by(at("2026-01-04", "dan", "guardian.ended", "14"), "g2"),
	}
	m := &minors{}
	m.fold(all, now)
	var got []string
	for _, p := range m.Minors {
		got = append(got, fmt.Sprint(p.Person, " ", p.Band, " ", p.Next, " ", p.Exact, " ", p.Guardians, " ", p.Consents, " ", p.Then))
	}
	want := "[dan 14 2026-07-01 true 0 0 next-band ada 15-17 2026-08-01 true 0 0 adult bob under-14 2040-01-01 false 1 1 own]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant %s", got, want)
	}
	if len(m.Due) != 2 || m.Due[0].Person != "dan" || len(m.Bands) != 3 || m.Bands[0].Count != 1 || m.Bands[0].Width != 1000 {
		t.Errorf("%+v, %+v", m.Due, m.Bands)
	}
}
