package deadline

import (
	"testing"
	"time"
)

// A Date is the day that the standard library says it is, on every day of two
// centuries and at both ends.
func TestADateIsADayOfTheCalendar(t *testing.T) {
	for _, span := range [][2]Date{{1, 800}, {NewDate(1899, time.December, 1), NewDate(2101, time.January, 31)}, {maxDate - 800, maxDate}} {
		for d := span[0]; d <= span[1]; d++ {
			want := time.Date(1, time.January, int(d), 0, 0, 0, 0, time.UTC)
			year, month, day := d.Split()
			if y, m, n := want.Date(); year != y || month != m || day != n || d.Weekday() != want.Weekday() {
				t.Fatalf("%d is %d-%d-%d, %s; want %s", d, year, month, day, d.Weekday(), want)
			}
			if got, err := ParseDate(d.String()); got != d || err != nil || NewDate(year, month, day) != d {
				t.Fatalf("%s became %d, %v", d, got, err)
			}
		}
	}
	if maxDate.String() != "9999-12-31" || Date(0).String() != "" {
		t.Errorf("%s, %s", maxDate, Date(0))
	}
}

func TestAMonthLaterIsTheSameDayOrTheLast(t *testing.T) {
	for _, tt := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-01-31", 1, "2026-02-28"}, {"2024-01-31", 1, "2024-02-29"}, {"2024-02-29", 12, "2025-02-28"}, {"2024-02-29", 48, "2028-02-29"},
		{"2026-11-30", 3, "2027-02-28"}, {"2026-12-15", 1, "2027-01-15"}, {"2026-03-31", -1, "2026-02-28"}, {"2026-01-15", -1, "2025-12-15"},
		{"9999-12-01", 1, ""}, {"0001-01-01", -1, ""},
	} {
		d, err := ParseDate(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.AddMonths(tt.months).String(); got != tt.want {
			t.Errorf("%s and %d months: %q, want %q", tt.from, tt.months, got, tt.want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-02-28", "2024-02-29", "0001-01-01", "9999-12-31", "2026-2-1", "2026-02-30", "+026-01-01", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err == nil && (d.String() != s || d < 1 || d > maxDate) {
			t.Errorf("%q became %d, %q", s, d, d)
		}
		if y, err := ParseYearDay(s); err == nil {
			if next := y.after(d, 1); next <= d || next-d > 366 || next.String()[5:] != s {
				t.Errorf("%q after %s is %s", s, d, next)
			}
		}
	})
}

// A day begins when it is never again the day before, however clocks change.
func TestMidnightWhereClocksChange(t *testing.T) {
	for _, tt := range []struct{ zone, date, want, why string }{
		{"Asia/Shanghai", "2026-03-10", "2026-03-09T16:00:00.000Z", "an ordinary day"},
		{"UTC", "2026-03-10", "2026-03-10T00:00:00.000Z", "no offset"},
		{"Asia/Shanghai", "1986-05-04", "1986-05-03T16:00:00.000Z", "forward at 02:00"},
		{"Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00.000Z", "the day after summer time began"},
		{"Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00.000Z", "the day itself"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00.000Z", "00:00 became 01:00"},
		{"America/Sao_Paulo", "2019-02-17", "2019-02-17T03:00:00.000Z", "00:00 became 23:00 of the day before"},
		{"America/St_Johns", "2010-11-07", "2010-11-07T03:30:00.000Z", "00:01 became 23:01 of the day before"},
		{"Africa/Cairo", "2023-04-28", "2023-04-27T22:00:00.000Z", "00:00 became 01:00"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00.000Z", "a day that was left out ends as it begins"},
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00.000Z", "the day after it"},
		{"Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00.000Z", "a quarter of an hour"},
	} {
		zone, err := ParseZone(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := ParseDate(tt.date)
		if got := zone.Midnight(d).String(); got != tt.want {
			t.Errorf("%s %s (%s): %s, want %s", tt.zone, tt.date, tt.why, got, tt.want)
		}
	}
}

// On every day of thirty years, in zones with odd changes, the instants before
// a midnight are of earlier dates and those after it of no earlier one.
func TestMidnightParts(t *testing.T) {
	for _, name := range []string{"Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "Pacific/Apia", "America/Havana", "Asia/Gaza", "Australia/Lord_Howe"} {
		zone, err := ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for d := NewDate(1998, time.January, 1); d.Year() < 2028; d++ {
			m := zone.Midnight(d)
			if before := zone.Date(m - 1); before >= d {
				t.Fatalf("%s %s: a moment before midnight it is %s", name, d, before)
			}
			for minutes := range Instant(180) {
				if after := zone.Date(m + minutes*Instant(Minute)); after < d {
					t.Fatalf("%s %s: %d minutes after midnight it is %s", name, d, minutes, after)
				}
			}
		}
	}
}

func TestAZoneIsANameThatEveryMachineKnows(t *testing.T) {
	for _, name := range []string{"", "Local", "Asia/Nowhere", "../etc/passwd", "+08:00"} {
		if z, err := ParseZone(name); err == nil {
			t.Errorf("%q is %s", name, z)
		}
	}
	a, _ := ParseZone("Asia/Shanghai")
	b, err := ParseZone("Asia/Shanghai")
	if err != nil || a != b || a.String() != "Asia/Shanghai" {
		t.Errorf("%v is not %v: %v", a, b, err)
	}
	if z := (Zone{}); z.String() != "UTC" || z.Date(1) != NewDate(1970, time.January, 1) {
		t.Errorf("the zero Zone is %s", z)
	}
}
