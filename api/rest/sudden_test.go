package rest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/quick"
)

// drawn draws how many of so many agree if each does with a chance.
func drawn(dice *rand.Rand, asked int64, chance float64) (a Agreeing) {
	a.Asked = asked
	for range asked {
		if dice.Float64() < chance {
			a.Given++
		}
	}
	return a
}

// TestNoiseIsNotMarkedAndADropIs draws builds that do not differ, and builds that do.
func TestNoiseIsNotMarkedAndADropIs(t *testing.T) {
	dice := rand.New(rand.NewPCG(20, 26))
	const pairs = 10_000
	marked := 0
	for range pairs {
		chance := dice.Float64()
		now := drawn(dice, 1+dice.Int64N(1500), chance)
		then := drawn(dice, 1+dice.Int64N(1500), chance)
		if change(now, then) != "" {
			marked++
		}
	}
	if marked > pairs/1000 { // the rule allows one in ten thousand
		t.Errorf("%d of %d pairs that do not differ are marked", marked, pairs)
	}

	for range 1000 {
		chance := 0.4 + 0.6*dice.Float64()
		now := drawn(dice, 400+dice.Int64N(1000), chance-0.25)
		then := drawn(dice, 400+dice.Int64N(1000), chance)
		if change(now, then) != "drop" || change(then, now) != "rise" {
			t.Errorf("%+v after %+v is not marked", now, then)
		}
	}
}

// TestAMarkNeedsEnoughAnswersAndIsTheSameSeenFromBehind tries any counts there may be.
func TestAMarkNeedsEnoughAnswersAndIsTheSameSeenFromBehind(t *testing.T) {
	opposite := map[string]string{"drop": "rise", "rise": "drop", "": ""}
	law := func(given, refused, givenThen, refusedThen uint16) bool {
		now := Agreeing{int64(given), int64(given) + int64(refused)}
		then := Agreeing{int64(givenThen), int64(givenThen) + int64(refusedThen)}
		what := change(now, then)
		if what != opposite[change(then, now)] || change(now, now) != "" {
			return false
		}
		few := Agreeing{now.Given % leastAsked, now.Given % leastAsked}
		return change(few, then) == "" && (what == "" || (what == "drop") == (now.share() < then.share()))
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000, Rand: nil}); err != nil {
		t.Error(err)
	}

	for _, tt := range []struct {
		now, then Agreeing
		want      string
	}{
		{Agreeing{0, 100}, Agreeing{100, 100}, "drop"},
		{Agreeing{99, 99}, Agreeing{0, 100}, ""}, // too few
		{Agreeing{0, 100}, Agreeing{0, 100}, ""},
		{Agreeing{100, 100}, Agreeing{100, 100}, ""},
		{Agreeing{40_000, 100_000}, Agreeing{44_000, 100_000}, ""}, // certain, and too small to act on
		{Agreeing{60, 100}, Agreeing{80, 100}, ""},                 // 3.1 standard errors
		{Agreeing{50, 100}, Agreeing{80, 100}, "drop"},             // 4.4
	} {
		if got := change(tt.now, tt.then); got != tt.want {
			t.Errorf("%+v after %+v: %q, want %q", tt.now, tt.then, got, tt.want)
		}
	}
}

// TestABuildIsComparedWithTheOneBeforeItOnItsScreen has a build of few answers between two.
func TestABuildIsComparedWithTheOneBeforeItOnItsScreen(t *testing.T) {
	build := func(screen, name string, given, asked int64) *shownBuild {
		return &shownBuild{shownOn{screen, name}, Agreeing{given, asked}, "2026-03-0" + name[:1]}
	}
	found := changes([]*shownBuild{
		build("welcome", "1.0", 900, 1000), build("settings", "1.0", 100, 1000), build("welcome", "2.0", 1, 20),
		build("welcome", "3.0", 300, 1000), build("settings", "3.0", 110, 1000), build("welcome", "4.0", 310, 1000),
	})
	if text := fmt.Sprint(found); text != "[{welcome 3.0 1.0 2026-03-03 drop {300 1000} {900 1000}}]" {
		t.Error(text)
	}
}
