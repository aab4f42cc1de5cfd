package rest

import (
	"cmp"
	"math"
	"slices"

	"consentledger/projections/activity"
)

// A SuddenChange is a build whose share of grants on a screen differs from that of the build before
// it by more than chance explains.
type SuddenChange struct {
	Screen string   `json:"screen" doc:"empty: the answers do not say"`
	Build  string   `json:"build"`
	Before string   `json:"before" doc:"the build that is compared with: the newest before this one that has enough answers"`
	Day    string   `json:"day" format:"date" doc:"the first period here in which the build has answers"`
	Change string   `json:"change" enum:"drop,rise" doc:"of the share of those who agreed among those who agreed or refused"`
	Now    Agreeing `json:"now"`
	Then   Agreeing `json:"then" doc:"of the build before"`
}

// An Agreeing is how many of those who were asked, and answered, agreed.
type Agreeing struct {
	Given int64 `json:"given"`
	Asked int64 `json:"asked" doc:"given and refused; withdrawals, signals and imports answer no question"`
}

func (a Agreeing) share() float64 { return float64(a.Given) / float64(a.Asked) }

// What [change] asks of a difference. Fewer answers than leastAsked say nothing of a build. mostChance is
// 3.89 standard errors: of ten thousand builds that do not differ one is marked. leastShare leaves out
// what many answers show and nobody would act on.
const (
	leastAsked = 100
	mostChance = 3.89
	leastShare = 0.05
)

// change compares two shares by the test of two proportions with a pooled variance (NIST/SEMATECH
// e-Handbook of Statistical Methods, section 7.3.3), and returns "drop", "rise", or nothing: they do
// not differ by more than chance explains, or too few answered.
func change(now, then Agreeing) string {
	if now.Asked < leastAsked || then.Asked < leastAsked {
		return ""
	}
	pooled := float64(now.Given+then.Given) / float64(now.Asked+then.Asked)
	deviation := math.Sqrt(pooled * (1 - pooled) * (1/float64(now.Asked) + 1/float64(then.Asked)))
	by := now.share() - then.share()
	if math.Abs(by) < leastShare || math.Abs(by) < mostChance*deviation {
		return ""
	}
	if by < 0 {
		return "drop"
	}
	return "rise"
}

// A shownBuild is what a build collected on a screen.
type shownBuild struct {
	shownOn
	Agreeing
	day string // of the first answer; empty: none yet
}

// collected notes so many answers of a build on a screen.
func (b *shownBuild) collected(period string, answer activity.Answer, answers int64) {
	switch answer {
	case activity.Given:
		b.Given += answers
		b.Asked += answers
	case activity.Refused:
		b.Asked += answers
	case activity.Withdrawn, activity.Signal, activity.Imported:
		return
	}
	if b.day == "" {
		b.day = period
	}
}

// changes compares each build with the one before it, screen by screen. Builds come in the order of
// their first answers ever.
func changes(builds []*shownBuild) []SuddenChange {
	found := []SuddenChange{}
	before := map[string]*shownBuild{} // by screen
	for _, b := range builds {
		if b.build == "" || b.build == activity.OtherBuilds || b.Asked < leastAsked {
			continue
		}
		if then := before[b.screen]; then != nil {
			if what := change(b.Agreeing, then.Agreeing); what != "" {
				found = append(found, SuddenChange{
					Screen: b.screen, Build: b.build, Before: then.build, Day: b.day, Change: what,
					Now: b.Agreeing, Then: then.Agreeing,
				})
			}
		}
		before[b.screen] = b
	}
	slices.SortStableFunc(found, func(x, y SuddenChange) int { return cmp.Compare(y.Day, x.Day) })
	return found[:min(len(found), mostChanges)]
}

// mostChanges bounds how many changes an answer has, the newest first.
const mostChanges = 50
