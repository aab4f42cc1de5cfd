package domain

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
