package dashboard

import (
	"slices"
	"strings"
	"time"
)

// The page of a request or an incident draws its life: a row of what happened, and a row for
// each obligation with the times in which its clock ran or stood still, and its due dates.
// What is drawn stands in the table below it as well.

// A timeline is the life of a case between two moments.
type timeline struct {
	Begin, End string
	Now        int // where the moment stands that the page shows, in per mille; below zero: it ends before
	Happened   []tick
	Owed       []track
	Lines      []timelineLine
	Kinds      []string // what is drawn, for the legend
}

// A tick is a moment in a row of a timeline.
type tick struct {
	Kind string // received, step, due or was-due
	What string // of a step: its kind
	At   string
	X    int
}

// A track is the row of an obligation.
type track struct {
	Kind   string
	Target string
	Spans  []trackSpan
	Dues   []tick
}

// A trackSpan is a time in which the clock did the same. X and Width are in per mille.
type trackSpan struct {
	Kind     string // waiting, running, paused or late
	From, To string // To is empty: it goes on
	X, Width int

	begin, end time.Time
}

// A timelineLine is a row of the table. Either something happened, a due date was set or
// moved, or a clock stood still up to another moment.
type timelineLine struct {
	At, Until string
	Kind      string // received, step, opened, moved, paused, late or now
	Step      step   // that was taken, or that moved the date; its kind is empty: none was
	Why       string // the date moved
	Owed      string // the kind of what is owed; empty: it is of the whole case
	Target    string
	Was, Is   string // the due date before and after
}

// timelineKinds are all that may be drawn, in the order of the legend.
var timelineKinds = []string{"received", "step", "waiting", "running", "paused", "late", "was-due", "due", "now"}

// Timeline returns the life of the case up to the moment that the page shows. A case that is closed ends
// with the last that is to be seen of it.
func (c *oneCase) Timeline(p *page) *timeline {
	t := &timeline{}
	now := p.At.UTC().Format(time.RFC3339Nano) // a step of this second is before now

	t.Happened = append(t.Happened, tick{Kind: "received", At: c.At})
	t.Lines = append(t.Lines, timelineLine{At: c.At, Kind: "received"})
	for _, s := range c.Steps {
		t.Happened = append(t.Happened, tick{Kind: "step", What: s.Kind, At: s.At})
		t.Lines = append(t.Lines, timelineLine{At: s.At, Kind: "step", Step: s})
	}
	for _, o := range c.Obligations {
		t.Owed = append(t.Owed, trackOf(o, now))
		t.Lines = append(t.Lines, c.linesOf(o)...)
	}
	t.Lines = append(t.Lines, timelineLine{At: now, Kind: "now"})
	slices.SortStableFunc(t.Lines, func(x, y timelineLine) int { return compareInstants(x.At, y.At) })

	t.place(instant(now), c.Closed == "")
	return t
}

// trackOf returns the row of an obligation. Its spans end when it was met or became void.
func trackOf(o obligation, now string) track {
	row := track{Kind: o.Kind, Target: o.Target}
	end, over := now, true
	switch {
	case o.Met != "":
		end = o.Met
	case o.State == "void":
		end = o.Changed
	default:
		over = false
	}

	if o.Start == "" {
		row.add("waiting", o.Opened, end, over)
	} else {
		row.clock(o, end, over)
	}

	// Each date that it had once, and the one that it has.
	for _, m := range o.Moves {
		if m.Was != "" && m.Was != o.date() {
			row.Dues = append(row.Dues, tick{Kind: "was-due", What: m.Was, At: endOf(m.Was, o.TimeZone)})
		}
	}
	if o.Due != "" {
		row.Dues = append(row.Dues, tick{Kind: "due", What: o.date(), At: o.Due})
	}
	return row
}

// clock adds what a clock that has begun did, one time after the other.
func (row *track) clock(o obligation, end string, over bool) {
	if compareInstants(o.Opened, o.Start) < 0 {
		row.add("waiting", o.Opened, o.Start, true)
	}

	from := o.Start
	for _, pause := range o.pauses() {
		if compareInstants(pause.From, from) > 0 {
			row.runs(o, from, pause.From, true)
		}
		if pause.To == "" {
			row.add("paused", pause.From, end, over)
			return
		}
		row.add("paused", pause.From, pause.To, true)
		from = pause.To
	}
	row.runs(o, from, end, over)
}

// runs adds a time in which the clock ran: what is after the due date is late.
func (row *track) runs(o obligation, from, to string, over bool) {
	due := o.Due
	if due == "" || compareInstants(due, to) >= 0 {
		row.add("running", from, to, over)
		return
	}
	if compareInstants(due, from) > 0 {
		row.add("running", from, due, true)
		from = due
	}
	row.add("late", from, to, over)
}

func (row *track) add(kind, from, to string, over bool) {
	s := trackSpan{Kind: kind, From: from, begin: instant(from), end: instant(to)}
	if over {
		s.To = to
	}
	row.Spans = append(row.Spans, s)
}

// pauses returns the times in which the clock stood still, by the moves of the due date.
func (o obligation) pauses() (list []trackSpan) {
	for _, m := range o.Moves {
		n := len(list)
		stands := n > 0 && list[n-1].To == ""
		switch {
		case m.Why == "paused" && !stands:
			list = append(list, trackSpan{From: m.Recorded})
		case m.Why == "resumed" && stands:
			list[n-1].To = m.Recorded
		}
	}
	return list
}

// date returns the due date as people say it: a day, or of a rule in hours the time.
func (o obligation) date() string {
	if o.DueDate != "" {
		return o.DueDate
	}
	return o.Due
}

// linesOf returns the lines of what became of an obligation's due date.
func (c *oneCase) linesOf(o obligation) []timelineLine {
	opened := timelineLine{
		At:     o.Opened,
		Kind:   "opened",
		Owed:   o.Kind,
		Target: o.Target,
		Is:     o.date(),
	}
	if len(o.Moves) > 0 {
		opened.Is = o.Moves[0].Was
	}
	lines := []timelineLine{opened}

	pauses := o.pauses()
	for _, m := range o.Moves {
		line := timelineLine{
			At:     m.Recorded,
			Kind:   "moved",
			Step:   c.cause(m),
			Why:    m.Why,
			Owed:   o.Kind,
			Target: o.Target,
			Was:    m.Was,
			Is:     m.Is,
		}
		if len(pauses) > 0 && m.Why == "paused" && pauses[0].From == m.Recorded {
			line.Kind, line.Until = "paused", pauses[0].To
			pauses = pauses[1:]
		}
		lines = append(lines, line)
	}

	if o.Due != "" && (o.State == "overdue" || o.State == "met-late") {
		lines = append(lines, timelineLine{
			At:     o.Due,
			Until:  o.Met,
			Kind:   "late",
			Owed:   o.Kind,
			Target: o.Target,
			Is:     o.date(),
		})
	}
	return lines
}

// cause returns the step that moved a due date: both are recorded at once. A calendar and a
// legal hold are no steps.
func (c *oneCase) cause(m move) step {
	for _, s := range c.Steps {
		if m.By == "" && s.Recorded == m.Recorded {
			return s
		}
	}
	return step{}
}

// endOf returns the moment in which a due date is over, in its time zone: a day, or of a rule
// in hours the moment itself.
func endOf(date, zone string) string {
	where, err := time.LoadLocation(zone)
	if err != nil {
		where = time.UTC // a few hours are not seen in a drawing
	}
	if day, err := time.ParseInLocation(time.DateOnly, date, where); err == nil {
		return day.AddDate(0, 0, 1).Format(time.RFC3339)
	}
	return date
}

// place gives all that is drawn its place. Now is drawn if the case is open, or if something
// of it is still ahead.
func (t *timeline) place(now time.Time, open bool) {
	ticks := [][]tick{t.Happened}
	for _, row := range t.Owed {
		ticks = append(ticks, row.Dues)
	}

	begin, end := t.bounds(ticks)
	if open && now.After(end) {
		end = now
	}
	t.Begin, t.End, t.Now = begin.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339), -1
	if !now.Before(begin) && !now.After(end) {
		t.Now = markAt(begin, end, now)
	}
	for _, row := range ticks {
		for i := range row {
			row[i].X = markAt(begin, end, instant(row[i].At))
		}
	}
	for _, row := range t.Owed {
		for i := range row.Spans {
			s := &row.Spans[i]
			s.X = markAt(begin, end, s.begin)
			s.Width = max(share(begin, end, s.end)-s.X, markWidth) // what was short is seen still
		}
	}
	t.legend()
}

// bounds returns the first and the last moment of what is drawn.
func (t *timeline) bounds(ticks [][]tick) (begin, end time.Time) {
	begin = instant(t.Happened[0].At)
	end = begin
	see := func(at time.Time) {
		if at.Before(begin) {
			begin = at
		}
		if at.After(end) {
			end = at
		}
	}
	for _, row := range ticks {
		for _, one := range row {
			see(instant(one.At))
		}
	}
	for _, row := range t.Owed {
		for _, s := range row.Spans {
			see(s.begin)
			see(s.end)
		}
	}
	return begin, end
}

// markWidth is how wide a moment is drawn, in per mille.
const markWidth = 6

// markAt returns where a moment is drawn so that all of it is seen.
func markAt(begin, end, at time.Time) int {
	return min(share(begin, end, at), 1000-markWidth)
}

// legend lists what is drawn.
func (t *timeline) legend() {
	drawn := map[string]bool{"now": t.Now >= 0}
	for _, one := range t.Happened {
		drawn[one.Kind] = true
	}
	for _, row := range t.Owed {
		for _, s := range row.Spans {
			drawn[s.Kind] = true
		}
		for _, due := range row.Dues {
			drawn[due.Kind] = true
		}
	}
	for _, kind := range timelineKinds {
		if drawn[kind] {
			t.Kinds = append(t.Kinds, kind)
		}
	}
}

// Label returns what a row says to who cannot see it: the spans and the due dates in words.
func (row track) Label(p *page) string {
	var all []string
	for _, s := range row.Spans {
		all = append(all, p.Code("timeline", s.Kind)+" "+p.Time(s.From))
	}
	for _, due := range row.Dues {
		all = append(all, p.Code("timeline", due.Kind)+" "+p.Time(due.What))
	}
	return p.Code("kind", row.Kind) + ": " + strings.Join(all, ", ")
}
