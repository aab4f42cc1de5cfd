package deadline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sameAsTime compares the form of an instant with that of package time.
func sameAsTime(t *testing.T, i Instant) {
	t.Helper()
	if got, want := i.String(), i.Time().Format(instantForm); got != want {
		t.Fatalf("%d is written as %s, want %s", int64(i), got, want)
	}
}

func TestAnInstantIsWrittenAsPackageTimeWritesIt(t *testing.T) {
	for i := minInstant; i <= maxInstant; i += 97 * Instant(Day) {
		sameAsTime(t, i+Instant(rand.Int64N(97*int64(Day))))
	}
	for i := range 366 * 10 { // every day of ten years, its begin and its end
		begin := 1704067200000 + Instant(i)*Instant(Day)
		sameAsTime(t, begin)
		sameAsTime(t, begin-1)
	}
	for i := range Instant(Day) / 10_000 { // ten seconds, and a millisecond, of a day
		sameAsTime(t, 1772452800000+i*10_000+i%10_000)
	}
	for _, i := range []Instant{0, -1, 1, minInstant, maxInstant, minInstant - 1, maxInstant + 1, minInstant - 366*Instant(Day), math.MinInt64, math.MaxInt64} {
		sameAsTime(t, i)
	}
	if got := string(Instant(0).Append([]byte("at "))); got != "at 1970-01-01T00:00:00.000Z" {
		t.Errorf("appended: %s", got)
	}
}

func TestAnInstantIsReadInEveryFormOfRFC3339(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2026-03-02T09:30:00Z", "2026-03-02T09:30:00.000Z"},
		{"2026-03-02t09:30:00z", "2026-03-02T09:30:00.000Z"},
		{"2026-03-02t09:30:00.1234567+08:00", "2026-03-02T01:30:00.123Z"},
		{"2026-03-02T09:30:00-00:00", "2026-03-02T09:30:00.000Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"},
		{"2016-12-31T23:59:60.9z", "2017-01-01T00:00:00.000Z"},
		{"2017-01-01T07:59:60+08:00", "2017-01-01T00:00:00.000Z"},
		{"2016-12-31T18:59:60-05:00", "2017-01-01T00:00:00.000Z"},
		{"2016-12-31T23:59:61Z", ""}, {"2016-12-31T22:59:60Z", ""}, {"2016-12-31T23:59:60+08:00", ""}, {"2016-12-31T23:60:00Z", ""},
		{"2016-12-31T24:00:00Z", ""}, {"2016-12-31T23:59:60", ""}, {"01/01/1970 00:00:00 +00:00", ""}, {"2016-12-31", ""}, {"", ""},
		{"2026-11-29T01:00:00,5Z", ""}, {"2026-11-29T1:00:00Z", ""}, {"2016-12-31T23:59:60,5Z", ""}, {"2026-11-29T01:00:00,5+08:00", ""},
		{"2026-11-29T01:00:00+24:00", ""}, {"2026-11-29t01:00:00-24:59", ""}, {"2026-11-29T01:00:00+08:60", ""}, {"2026-11-29T01:00:00+0800", ""},
		{"2026-11-29T01:00:00+23:59", "2026-11-28T01:01:00.000Z"}, {"2026-11-29T01:00:00.5-23:59", "2026-11-30T00:59:00.500Z"},
		{"1970-01-01T00:00:00Z", ""}, {"1969-12-31T23:59:60Z", ""}, {"9999-12-31T23:59:60Z", ""}, {"2016-12-31é23:59:60Z", ""},
	} {
		got, err := ParseInstant(c.text)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.String() != c.want) {
			t.Errorf("%q is read as %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func TestALooseInstantIsTheMomentThatItMeans(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2026-11-29T01:00:00,5Z", "2026-11-29T01:00:00.500Z"},
		{"2026-11-29T1:00:00Z", "2026-11-29T01:00:00.000Z"},
		{"2026-11-29T01:00:00+24:00", "2026-11-28T01:00:00.000Z"},
		{"2026-11-29T01:00:00Z", "2026-11-29T01:00:00.000Z"},
		{"29.11.2026", ""}, {"1970-01-01T00:00:00,0Z", ""}, {"", ""},
	} {
		got, err := ParseLooseInstant(c.text)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.String() != c.want) {
			t.Errorf("%q is read as %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func FuzzInstant(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(minInstant))
	f.Add(int64(maxInstant))
	f.Fuzz(func(t *testing.T, i int64) { sameAsTime(t, Instant(i)) })
}

func BenchmarkInstant(b *testing.B) {
	b.ReportAllocs()
	for i := Instant(1772452800123); b.Loop(); i++ {
		_ = i.String()
	}
}
