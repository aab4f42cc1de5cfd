package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/projections/activity"

	"github.com/danielgtaylor/huma/v2"
)

// An AnswersCount is how many answers there are, by what they say. Those that were voided as
// mistakes, and those of tests, are left out.
type AnswersCount struct {
	Given     int64 `json:"given"`
	Refused   int64 `json:"refused"`
	Withdrawn int64 `json:"withdrawn"`
	Signal    int64 `json:"signal" doc:"opt-outs that a machine's signal sent, such as gpc: nobody was asked"`
	Imported  int64 `json:"imported" doc:"grants of an import, on the day on which they were imported"`
}

// PeriodAnswers are the answers of a day, or of a week.
type PeriodAnswers struct {
	Day string `json:"day" format:"date" doc:"its first day, of which UTC has the bounds; a week begins on Monday"`
	AnswersCount
}

// ValueAnswers are the answers of one value of what they are counted by.
type ValueAnswers struct {
	Value  string `json:"value" doc:"empty: the answers do not say; by purpose: opt-outs of everything at once; by build: * are builds of days on which more than 200 answered, beyond those"`
	Others int    `json:"others,omitzero" doc:"this is the sum of so many values that have fewer answers than those before it"`
	AnswersCount
	Periods []PeriodAnswers `json:"periods" doc:"in their order, those that have an answer"`
}

// OverTimeAnswer is what people answered from one day to another.
type OverTimeAnswer struct {
	App    string         `json:"app"`
	By     string         `json:"by"`
	From   string         `json:"from" format:"date"`
	Until  string         `json:"until" format:"date"`
	Period string         `json:"period" enum:"day,week" doc:"week: there are more than 92 days"`
	Values []ValueAnswers `json:"values" doc:"in the order of their first answers ever; others come last. An answer counts under each purpose that it names"`

	Changes []SuddenChange `json:"changes" doc:"builds of which the share of grants differs from that of the build before by more than chance explains, the newest first, at most 50"`

	Falls []AnswersFall `json:"falls" doc:"screens that have at most a third of the answers that the same weekday had in the four weeks before (their median, at least 100), in the last 30 of these days and without today; whatever filter is set but screen; the newest first, at most 50"`

	NotSought []string `json:"not_sought,omitempty" doc:"changes and falls are not looked for, those that stand here, since the answers of these days are of too many screens and builds"`

	Unnamed int64 `json:"unnamed,omitzero" doc:"with build: so many answers more match the rest of the question, of builds that are not kept by their names since more than 200 answered on a day; some may be of this one"`

	AsOf string `json:"as_of"`
}

type overTimeIn struct {
	App      string `path:"app"`
	By       string `query:"by" enum:"purpose,version,screen,language,build" doc:"what the answers are counted by (default purpose)"`
	Purpose  string `query:"purpose" doc:"only answers that name it, or everything"`
	Version  string `query:"version" doc:"only answers to this version of a policy: sha256:..."`
	Screen   string `query:"screen" doc:"only answers on this screen, as the surface that they name calls it"`
	Language string `query:"language" doc:"only answers to a text in this language, as in en"`
	Build    string `query:"build" doc:"only answers that this build of the app collected, as they say themselves or the surface that they name; * are those that are not kept by their names"`
	From     string `query:"from" doc:"a day, as in 2026-03-02 (default: 29 days before until)"`
	Until    string `query:"until" doc:"a day, included (default: today, in UTC)"`
	Min      string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

// countedBy is what [overTimeIn.By] may be.
var countedBy = []string{"purpose", "version", "screen", "language", "build"}

const (
	mostDays   = 732 // of an answer
	daysByDay  = 92  // what is longer is answered by weeks
	mostValues = 8   // of an answer, others besides
)

func (s *server) overTimeRoute(api huma.API) {
	route(s, api, "consents-over-time", http.MethodGet, "/v1/apps/{app}/consents/over-time",
		"What people answered over time, by purpose, policy version, screen, language or build, tests left out",
		s.overTime)
}

func (s *server) overTime(ctx context.Context, in *overTimeIn) (*out[OverTimeAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	if in.By != "" && !slices.Contains(countedBy, in.By) {
		return nil, bad("by: " + strings.Join(countedBy, ", ") + " are what answers are counted by")
	}
	if in.Version != "" {
		if _, err := content.ParseHash(in.Version); err != nil {
			return nil, bad("version: " + err.Error())
		}
	}
	if in.Purpose != "" {
		if _, err := policy.ParsePurposeID(in.Purpose); err != nil {
			return nil, bad("purpose: " + err.Error())
		}
	}
	span, err := spanOf(in.From, in.Until, s.Ledger.Now())
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, in.Min); err != nil {
		return nil, err
	}
	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}

	c := newCounter(in, ref.Surfaces)
	f := newFallCounter(in, span, s.Ledger.Now())
	asOf, err := s.Activity.Answers(ctx, name, append(c.counts(span), f.count(c.shownOn))...)
	if errors.Is(err, activity.ErrTooMany) {
		return nil, bad("from: answers of these days differ in too many ways to be counted at once: ask for fewer days, " +
			"or leave out all filters")
	}
	if err != nil {
		return nil, err
	}
	return ok(OverTimeAnswer{
		App: in.App, By: c.by, From: span.from, Until: span.until, Period: span.period, Values: c.values(),
		Changes: changes(c.builds), Falls: f.falls(), NotSought: notSought(c, f), Unnamed: c.unnamed, AsOf: wire.FormatPosition(asOf),
	})
}

// notSought returns what is not looked for: a client may name so many builds, and answers are counted still.
func notSought(c *counter, f *fallCounter) (names []string) {
	if c.tooMany {
		names = append(names, "changes")
	}
	if f.tooMany {
		names = append(names, "falls")
	}
	return names
}

// A daySpan is days from one to another, both included.
type daySpan struct {
	from, until string
	period      string
}

func spanOf(from, until string, now deadline.Instant) (daySpan, error) {
	last, err := dayIn("until", until, now)
	if err != nil {
		return daySpan{}, err
	}
	first := last.AddDate(0, 0, -29)
	if from != "" {
		if first, err = dayIn("from", from, now); err != nil {
			return daySpan{}, err
		}
	}

	days := int(last.Sub(first).Hours())/24 + 1
	switch {
	case days < 1:
		return daySpan{}, bad("until: is before from")
	case days > mostDays:
		return daySpan{}, bad(fmt.Sprintf("from: until is %d days later, and an answer has at most %d", days, mostDays))
	}
	s := daySpan{from: first.Format(time.DateOnly), until: last.Format(time.DateOnly), period: "day"}
	if days > daysByDay {
		s.period = "week"
	}
	return s, nil
}

// dayIn reads a day of a query that has begun; empty: today.
func dayIn(member, text string, now deadline.Instant) (time.Time, error) {
	if text == "" {
		text = now.String()[:len(time.DateOnly)]
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, bad(member + ": a day is written as in 2026-03-02")
	}
	_, err = query.HasCome(member, deadline.At(day), now)
	return day, err
}

// periodOf returns the first day of the period that a day is in.
func (s daySpan) periodOf(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil || s.period == "day" {
		return day
	}
	return mondayOf(t).Format(time.DateOnly)
}

func mondayOf(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }

// stretches are what is read of the span. Of weeks, those that are whole are read as weeks, and days
// before and after them as days.
func (s daySpan) stretches() []activity.Stretch {
	from, err := time.Parse(time.DateOnly, s.from)
	until, err2 := time.Parse(time.DateOnly, s.until)
	if err != nil || err2 != nil || s.period == "day" {
		return []activity.Stretch{{Span: activity.Days, First: s.from, Last: s.until}}
	}

	first := mondayOf(from.AddDate(0, 0, 6))   // the first Monday
	behind := mondayOf(until.AddDate(0, 0, 1)) // of the week that is not whole any more
	day := func(t time.Time, more int) string { return t.AddDate(0, 0, more).Format(time.DateOnly) }
	return []activity.Stretch{
		{Span: activity.Days, First: s.from, Last: day(first, -1)},
		{Span: activity.Weeks, First: day(first, 0), Last: day(behind, -1)},
		{Span: activity.Days, First: day(behind, 0), Last: s.until},
	}
}

// A counter counts answers by one thing that they have in common.
type counter struct {
	in       *overTimeIn
	by       string
	surfaces map[content.Hash]shownOn
	cells    []cell
	numbers  map[string]int // of cells, by value and answer
	found    map[string]*ValueAnswers
	order    []*ValueAnswers // as they are found
	shown    map[shownOn]*shownBuild
	builds   []*shownBuild // in the order of their first answers
	tooMany  bool          // there are more screens and builds than are compared
	unnamed  int64         // answers of builds that are not kept by their names, where one build is asked for
}

// A cell is what an answer counts as: under these values, and of a build; no build: of none that is
// compared, or, with no values, of one that may be the one that is asked for.
type cell struct {
	answer activity.Answer
	values []*ValueAnswers
	on     *shownBuild
}

// counts returns what is asked of the projection. Without a filter the sums by one thing are enough; builds
// are compared by those of screens.
func (c *counter) counts(span daySpan) []activity.Count {
	add := func(first string, at int, answers int64) { c.add(span.periodOf(first), at, answers) }
	count := func(part activity.Part, place func(activity.Shown) (int, bool)) activity.Count {
		return activity.Count{Part: part, Stretches: span.stretches(), Place: place, Add: add}
	}

	in, byScreen := c.in, c.by == "screen" || c.by == "build"
	switch {
	case in.Purpose+in.Version+in.Language != "", in.Screen+in.Build != "" && !byScreen:
		whole := count(activity.Whole, c.place)
		whole.Filter = activity.Filter{Purpose: policy.PurposeID(in.Purpose), Locale: in.Language, Build: in.Build}
		if version, err := content.ParseHash(in.Version); err == nil { // it is one, or empty
			whole.Filter.Version = version
		}
		return []activity.Count{whole}
	case byScreen:
		return []activity.Count{count(activity.ByScreen, c.place)}
	}

	part := map[string]activity.Part{
		"purpose": activity.ByPurpose, "version": activity.ByVersion, "language": activity.ByLanguage,
	}[c.by]
	builds := count(activity.ByScreen, func(s activity.Shown) (int, bool) {
		on := c.shownOn(s)
		return c.number(s.Answer, nil, &on), true
	})
	builds.TooMany = func() { c.tooMany, c.builds = true, nil }
	return []activity.Count{
		count(part, func(s activity.Shown) (int, bool) { return c.number(s.Answer, c.valuesOf(s, shownOn{}), nil), true }),
		builds,
	}
}

// A shownOn is what a surface says of where an answer was given.
type shownOn struct{ screen, build string }

func newCounter(in *overTimeIn, surfaces domain.Surfaces) *counter {
	c := &counter{
		in: in, by: cmp.Or(in.By, "purpose"), surfaces: map[content.Hash]shownOn{}, numbers: map[string]int{},
		found: map[string]*ValueAnswers{}, shown: map[shownOn]*shownBuild{},
	}
	for _, p := range surfaces.All() {
		c.surfaces[p.ID] = shownOn{p.Surface.Screen, p.Surface.Build}
	}
	return c
}

// shownOn returns where an answer was given, as far as it is known.
func (c *counter) shownOn(s activity.Shown) shownOn {
	on, known := c.surfaces[s.Surface]
	if !known && s.Surface != (content.Hash{}) {
		on.screen = s.Surface.String()
	}
	on.build = cmp.Or(s.Build, on.build)
	return on
}

// place returns the number of the cell that an answer counts in, if it is asked for. It is asked in the
// order in which such answers came first.
func (c *counter) place(s activity.Shown) (int, bool) {
	on := c.shownOn(s)
	for _, filter := range [][2]string{
		{c.in.Version, versionText(s)}, {c.in.Screen, on.screen}, {c.in.Language, s.Locale},
	} {
		if filter[0] != "" && filter[0] != filter[1] {
			return 0, false
		}
	}
	if p := policy.PurposeID(c.in.Purpose); p != "" && len(s.Purposes) > 0 && !slices.Contains(s.Purposes, p) {
		return 0, false
	}

	if c.in.Build != "" && c.in.Build != on.build {
		if on.build == activity.OtherBuilds {
			return c.number(s.Answer, nil, nil), true
		}
		return 0, false
	}
	return c.number(s.Answer, c.valuesOf(s, on), &on), true
}

// valuesOf returns what an answer counts under.
func (c *counter) valuesOf(s activity.Shown, on shownOn) []string {
	switch c.by {
	case "purpose":
		if c.in.Purpose != "" {
			return []string{c.in.Purpose}
		}
		values := words(s.Purposes)
		if len(values) == 0 {
			values = []string{""}
		}
		return values
	case "version":
		return []string{versionText(s)}
	case "screen":
		return []string{on.screen}
	case "build":
		return []string{on.build}
	}
	return []string{s.Locale}
}

func versionText(s activity.Shown) string {
	if s.Version == (content.Hash{}) {
		return ""
	}
	return s.Version.String()
}

func (c *counter) number(answer activity.Answer, values []string, on *shownOn) int {
	key := strings.Join(append([]string{string(answer)}, values...), "\x00")
	if on != nil {
		key += "\x01" + on.screen + "\x01" + on.build
	}
	n, known := c.numbers[key]
	if known {
		return n
	}

	one := cell{answer: answer}
	if on != nil {
		if one.on = c.shown[*on]; one.on == nil {
			one.on = &shownBuild{shownOn: *on}
			c.shown[*on], c.builds = one.on, append(c.builds, one.on)
		}
	}
	for _, value := range values {
		v, known := c.found[value]
		if !known {
			v = &ValueAnswers{Value: value, Periods: []PeriodAnswers{}}
			c.found[value], c.order = v, append(c.order, v)
		}
		one.values = append(one.values, v)
	}
	c.numbers[key], c.cells = len(c.cells), append(c.cells, one)
	return c.numbers[key]
}

// add counts so many answers in a cell. Periods come in their order.
func (c *counter) add(period string, at int, answers int64) {
	one := c.cells[at]
	switch {
	case one.on != nil:
		one.on.collected(period, one.answer, answers)
	case len(one.values) == 0:
		c.unnamed += answers
	}
	for _, v := range one.values {
		if n := len(v.Periods); n == 0 || v.Periods[n-1].Day != period {
			v.Periods = append(v.Periods, PeriodAnswers{Day: period})
		}
		v.AnswersCount.count(one.answer, answers)
		v.Periods[len(v.Periods)-1].count(one.answer, answers)
	}
}

func (n *AnswersCount) count(answer activity.Answer, answers int64) {
	switch answer {
	case activity.Given:
		n.Given += answers
	case activity.Refused:
		n.Refused += answers
	case activity.Withdrawn:
		n.Withdrawn += answers
	case activity.Signal:
		n.Signal += answers
	case activity.Imported:
		n.Imported += answers
	}
}

func (n *AnswersCount) all() int64 { return n.Given + n.Refused + n.Withdrawn + n.Signal + n.Imported }

func (n *AnswersCount) plus(m AnswersCount) {
	n.Given += m.Given
	n.Refused += m.Refused
	n.Withdrawn += m.Withdrawn
	n.Signal += m.Signal
	n.Imported += m.Imported
}

// values returns those that have most answers in the order in which they were found, and the sum of
// the others. What has no answer in these days is left out.
func (c *counter) values() []ValueAnswers {
	order := slices.DeleteFunc(slices.Clone(c.order), func(v *ValueAnswers) bool { return len(v.Periods) == 0 })
	most := slices.SortedStableFunc(slices.Values(order), func(x, y *ValueAnswers) int {
		return cmp.Compare(y.all(), x.all())
	})
	shown := min(len(most), mostValues)
	most, least := most[:shown], most[shown:]
	values := []ValueAnswers{}
	for _, v := range order {
		if slices.Contains(most, v) { // of whom there are few: senders make up as many builds as they like
			values = append(values, *v)
		}
	}
	if len(least) > 0 {
		values = append(values, sumOf(least))
	}
	return values
}

// sumOf adds up values, period by period.
func sumOf(values []*ValueAnswers) ValueAnswers {
	sum := ValueAnswers{Others: len(values), Periods: []PeriodAnswers{}}
	periods := map[string]AnswersCount{}
	for _, v := range values {
		sum.AnswersCount.plus(v.AnswersCount)
		for _, p := range v.Periods {
			n := periods[p.Day]
			n.plus(p.AnswersCount)
			periods[p.Day] = n
		}
	}
	for day, n := range periods {
		sum.Periods = append(sum.Periods, PeriodAnswers{day, n})
	}
	slices.SortFunc(sum.Periods, func(x, y PeriodAnswers) int { return cmp.Compare(x.Day, y.Day) })
	return sum
}
