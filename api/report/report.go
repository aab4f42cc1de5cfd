// Package report gives the deadline report its public shapes: JSON, and the
// files that people take away: CSV, a workbook and a calendar. The same report
// makes the same bytes, whenever and wherever it is made.
package report

import (
	"strconv"
	"strings"

	"consentledger/api/report/sheet"
	"consentledger/domain/deadline"
	"consentledger/projections/requests"
)

// An Obligation is one line of the report. A date is a day in the rule's time
// zone, written as in 2026-03-02; a time is RFC 3339 in UTC.
type Obligation struct {
	App     string   `json:"app"`
	Stream  string   `json:"stream" doc:"the request, or what follows from one fact"`
	ID      string   `json:"id" doc:"within its stream"`
	Person  string   `json:"person,omitzero" doc:"to whom it is owed: a pseudonym"`
	Kind    string   `json:"kind" doc:"reply, stop, delete or what the policy says"`
	Types   []string `json:"types,omitempty" doc:"the types of request that it answers"`
	Target  string   `json:"target,omitzero" doc:"the system or recipient that owes it; absent: the handler"`
	Rule    string   `json:"rule"`
	Source  string   `json:"source,omitzero" doc:"of the rule: the section of the policy, or the article"`
	Basis   string   `json:"basis" enum:"law,promise"`
	Version string   `json:"version,omitzero" doc:"of the policy that has the rule"`
	RuleSet string   `json:"rule_set,omitzero" doc:"names the set of deadline rules that the rule was one of"`
	Keeps   []string `json:"keeps,omitempty" doc:"to stop or delete: the purposes whose data stay, since they rest on no consent"`
	Cause   *Cause   `json:"cause,omitempty"`

	State string `json:"state" enum:"overdue,at-risk,open,paused,held,not-started,met-late,met,void"`
	Left  *int   `json:"working_days_left,omitempty" doc:"after today up to the due date; below zero when it is over; absent when nothing is owed, or no clock runs"`

	Opened      string   `json:"opened" format:"date-time"`
	Start       string   `json:"start,omitzero" format:"date-time" doc:"when its clock began; absent: not yet"`
	DayZero     string   `json:"day_zero,omitzero" format:"date" doc:"the day that does not count"`
	DueDate     string   `json:"due_date,omitzero" format:"date" doc:"the last day; absent for rules in hours, and while no clock runs"`
	Due         string   `json:"due,omitzero" format:"date-time" doc:"the exclusive end of that day; for rules in hours the due instant itself"`
	Unit        string   `json:"unit" doc:"what the rule counts"`
	TimeZone    string   `json:"time_zone"`
	Provisional bool     `json:"provisional" doc:"rests on a year whose calendar is not announced"`
	Reported    bool     `json:"reported,omitzero" doc:"rests on days that somebody reports and no notice has announced"`
	Gap         string   `json:"gap,omitzero" format:"date" doc:"the first such day that the count came to"`
	SafeTarget  string   `json:"safe_target,omitzero" format:"date" doc:"early enough whatever is announced"`
	TailExposed bool     `json:"tail_exposed,omitzero" doc:"falls where next year's notice may still change the end of this year"`
	Extended    bool     `json:"extended,omitzero"`
	Elapsed     *Counted `json:"elapsed,omitempty" doc:"while the clock stands still"`
	PausedSince string   `json:"paused_since,omitzero" format:"date-time" doc:"since when the clock stands still; absent when it does not, or nothing is owed any more"`
	PausedFor   []string `json:"paused_for,omitempty" doc:"the reasons for which it does, as in clarification"`
	Calendars   []string `json:"calendars,omitempty" doc:"that the date rests on"`

	Binding bool   `json:"binding" doc:"no other of its kind and target in its stream is earlier for one of its types"`
	NoDate  string `json:"no_date,omitzero" doc:"why what is open is owed by no date: the law gives none, the clock waits for something, or stands still"`
	Exceeds bool   `json:"exceeds_law,omitzero" doc:"promised later than a law's ceiling allows"`
	Moves   []Move `json:"moves,omitempty" doc:"how often the date was computed again, and why"`

	Met      string   `json:"met_at,omitzero" format:"date-time" doc:"the moment that counts"`
	Claimed  string   `json:"claimed_at,omitzero" format:"date-time" doc:"what its source said"`
	MetBy    string   `json:"met_by,omitzero"`
	Evidence string   `json:"evidence,omitzero"`
	Reason   string   `json:"void_reason,omitzero"`
	AtRisk   string   `json:"at_risk_recorded,omitzero" format:"date-time"`
	Overdue  string   `json:"overdue_recorded,omitzero" format:"date-time"`
	Changed  string   `json:"changed" format:"date-time" doc:"when the last fact about it was recorded"`
	Revision int      `json:"revision" doc:"how often something was recorded that changed this line, from 1"`
	Group    string   `json:"group,omitzero" enum:"requests,other" doc:"in which group of the report it stands: what persons asked for by their rights, or all else"`
	Events   []string `json:"events" doc:"the events that prove it"`
}

// A Cause is the fact that an obligation follows from.
type Cause struct {
	Event  string `json:"event,omitzero"`
	Kind   string `json:"kind,omitzero"`
	Stream string `json:"stream,omitzero"`
}

// A Counted is how far a clock came that stands still.
type Counted struct {
	Elapsed   int64  `json:"elapsed"`
	Remaining int64  `json:"remaining"`
	Unit      string `json:"unit" doc:"working_day, calendar_day, or milliseconds as hour"`
}

// A Move is a due date that was computed again.
type Move struct {
	Why      string `json:"why"`
	By       string `json:"by,omitzero" doc:"the event of the calendar that was published"`
	Event    string `json:"event"`
	Recorded string `json:"recorded" format:"date-time"`
	Was      string `json:"was,omitzero" doc:"a day, or for rules in hours a time; absent: it had none"`
	Is       string `json:"is,omitzero"`
}

// Of returns the public form of o.
func Of(o requests.Obligation) Obligation {
	l := Obligation{
		App: string(o.App), Stream: o.Stream, ID: o.ID, Person: o.Person, Kind: string(o.Kind), Types: o.Types,
		Target: o.Target,
		Rule:   string(o.Rule), Source: o.Source, Basis: "promise", Version: o.Version, RuleSet: o.RuleSet,
		Keeps: o.Keeps, State: o.State.String(),
		Opened: Time(o.Opened), Start: Time(o.Due.Start), DayZero: o.Due.DayZero.String(), DueDate: o.Due.Date.String(),
		Due:  Time(o.Due.Until),
		Unit: o.Due.Unit, TimeZone: o.Due.TimeZone, Provisional: o.Due.Provisional, Reported: o.Due.Reported(),
		Gap: o.Due.Gap.String(), SafeTarget: o.Due.Safe.String(),
		TailExposed: o.Due.TailExposed, Extended: o.Due.Extended, Calendars: o.Due.Calendars, Binding: o.Binding,
		Exceeds: o.Exceeds,
		Met:     Time(o.Met), Claimed: Time(o.Claimed), MetBy: o.MetBy, Evidence: o.Evidence, Reason: o.Reason,
		AtRisk: Time(o.AtRisk), Overdue: Time(o.Overdue), Changed: Time(o.Changed), Revision: o.Revision,
		Group: o.Lane().String(), Events: o.Events,
	}
	if o.Law {
		l.Basis = "law"
	}

	l.NoDate = noDate(o)
	if o.Counts {
		l.Left = &o.Left
	}
	if o.CauseKind != "" || o.CauseEvent != "" {
		l.Cause = &Cause{o.CauseEvent, o.CauseKind, o.CauseStream}
	}
	if o.Due.Phase == deadline.Suspended {
		l.Elapsed = &Counted{o.Due.Elapsed, o.Due.Remaining, o.Due.Counted}
	}

	if o.State == requests.StatePaused || o.State == requests.StateHeld {
		l.PausedSince, l.PausedFor = Time(o.StandsSince), o.Stands
	}

	for _, m := range o.Moves {
		l.Moves = append(l.Moves, Move{m.Why, m.By, m.Event, Time(m.Recorded), end(m.Was, m.WasUntil),
			end(m.Is, m.IsUntil)})
	}
	return l
}

// Time writes a time, and none as nothing.
func Time(i deadline.Instant) string {
	if i == 0 {
		return ""
	}
	return i.String()
}

// end writes when something was due: a day, or the instant of a rule in hours.
func end(d deadline.Date, until deadline.Instant) string {
	if d != 0 {
		return d.String()
	}
	return Time(until)
}

// Columns are the columns of the files. They are added to at the end only.
var Columns = []string{
	"app", "stream", "id", "person", "kind", "types", "target", "rule", "source", "basis", "state", "working_days_left",
	"start", "opened", "due_date", "due", "certainty", "safe_target", "tail_exposed", "binding", "exceeds_law",
	"earlier_due_dates", "recomputed_because", "met_at", "claimed_at", "void_reason", "group", "no_date", "keeps",
	"paused_since", "paused_for",
}

// columnKinds returns what a spreadsheet should take each column for.
func columnKinds() []sheet.Kind {
	kinds := make([]sheet.Kind, len(Columns))
	for i, name := range Columns {
		switch name {
		case "working_days_left":
			kinds[i] = sheet.Number
		case "due_date", "safe_target":
			kinds[i] = sheet.Date
		case "start", "opened", "due", "met_at", "claimed_at", "paused_since":
			kinds[i] = sheet.Instant
		}
	}
	return kinds
}

// Cells returns the texts of a line's cells.
func Cells(o Obligation) []string {
	var was, why []string
	for _, m := range o.Moves {
		if m.Was == "" {
			m.Was = "none"
		}
		was, why = append(was, m.Was), append(why, m.Why)
	}

	left := ""
	if o.Left != nil {
		left = strconv.Itoa(*o.Left)
	}

	certainty := ""
	if o.Due != "" {
		certainty = map[bool]string{true: "provisional", false: "firm"}[o.Provisional]
	}

	return []string{
		o.App, o.Stream, o.ID, o.Person, o.Kind, strings.Join(o.Types, " "), o.Target, o.Rule, o.Source, o.Basis,
		o.State, left,
		o.Start, o.Opened, o.DueDate, o.Due, certainty, o.SafeTarget, yes(o.TailExposed), yes(o.Binding),
		yes(o.Exceeds),
		strings.Join(was, " "), strings.Join(why, " "), o.Met, o.Claimed, o.Reason, o.Group, o.NoDate,
		strings.Join(o.Keeps, " "), o.PausedSince, strings.Join(o.PausedFor, " "),
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
