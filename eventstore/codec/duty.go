package codec

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// dutyShapes are of what is owed by a date.
var dutyShapes = []shape{
	written[obligationOpenedV1]("obligation.opened.v1", func(e domain.ObligationOpened) any { return openedShape(e) }),
	written[obligationMovedV1]("obligation.moved.v1", func(e domain.ObligationMoved) any {
		return obligationMovedV1{
			By:     eventID(e.By),
			Due:    dueShape(e.Due),
			ID:     e.ID,
			Pauses: pauseShapes(e.Pauses),
			Was:    dueShape(e.Was),
			Why:    e.Why.String(),
		}
	}),
	written[obligationMetV1]("obligation.met.v1", func(e domain.ObligationMet) any {
		s := obligationMetV1{Evidence: hash(e.Evidence), ID: e.ID, Late: e.Late, Met: int64(e.Met)}
		if e.By != (obligation.Cause{}) {
			by := causeShape(e.By)
			s.By = &by
		}
		return s
	}),
	written[obligationVoidedV1]("obligation.voided.v1",
		func(e domain.ObligationVoided) any { return obligationVoidedV1(e) }),
	written[obligationAtRiskV1]("obligation.at_risk.v1",
		func(e domain.ObligationAtRisk) any { return obligationAtRiskV1{e.ID, int64(e.Until)} }),
	written[obligationOverdueV1]("obligation.overdue.v1",
		func(e domain.ObligationOverdue) any { return obligationOverdueV1{e.ID, int64(e.Until)} }),
}

func openedShape(e domain.ObligationOpened) *obligationOpenedV1 {
	o := e.Obligation
	return &obligationOpenedV1{
		Cause:   causeShape(e.Cause),
		Due:     dueShape(e.Due),
		ID:      o.ID,
		Keeps:   o.Keeps,
		Kind:    string(o.Kind),
		MetBy:   o.MetBy,
		Rule:    ruleShape(o.Rule),
		RuleSet: hash(o.RuleSet),
		Target:  o.Target,
		Types:   names(o.Types),
		Version: hash(o.Version),
	}
}

// The shapes of what is owed by a date.
type (
	ruleV1 struct {
		Calendar       string   `json:"calendar,omitzero"`
		ClockStart     string   `json:"clock_start,omitzero"`
		Direction      string   `json:"direction,omitzero"`
		ExtendedLength int      `json:"extended_length,omitzero"`
		ID             string   `json:"id"`
		Law            bool     `json:"law,omitzero"`
		Length         int      `json:"length"`
		Pause          []string `json:"pause,omitempty"`
		Persons        int      `json:"persons,omitzero"`
		Result         string   `json:"result,omitzero"`
		Roll           string   `json:"roll,omitzero"`
		Source         string   `json:"source,omitzero"`
		TimeZone       string   `json:"time_zone"`
		Unit           string   `json:"unit"`
		YearDay        string   `json:"year_day,omitzero"`
	}
	calendarVersionV1 struct {
		Jurisdiction string `json:"jurisdiction"`
		Version      int    `json:"version"`
		Year         int    `json:"year"`
	}
	dueV1 struct {
		BeforeRoll  string              `json:"before_roll,omitzero"`
		Calendar    string              `json:"calendar,omitzero"`
		CountedTo   string              `json:"counted_to,omitzero"`
		Date        string              `json:"date,omitzero"`
		DayZero     string              `json:"day_zero,omitzero"`
		Earliest    string              `json:"earliest,omitzero"`
		Elapsed     int64               `json:"elapsed,omitzero"`
		Extended    bool                `json:"extended,omitzero"`
		Gap         string              `json:"gap,omitzero"`
		Ignored     int                 `json:"ignored,omitzero"`
		Provisional bool                `json:"provisional,omitzero"`
		Remaining   int64               `json:"remaining,omitzero"`
		Reported    bool                `json:"reported,omitzero"`
		Rule        string              `json:"rule"`
		SafeNotice  string              `json:"safe_notice,omitzero"`
		SafeTarget  string              `json:"safe_target,omitzero"`
		Start       int64               `json:"start,omitzero"`
		State       string              `json:"state"`
		TailExposed bool                `json:"tail_exposed,omitzero"`
		TimeZone    string              `json:"time_zone"`
		Unit        string              `json:"unit"`
		Until       int64               `json:"until,omitzero"`
		Versions    []calendarVersionV1 `json:"versions,omitempty"`
	}
	causeV1 struct {
		Event   string `json:"event,omitzero"`
		Kind    string `json:"kind,omitzero"`
		Stream  string `json:"stream,omitzero"`
		Subject string `json:"subject,omitzero"`
	}
	pauseV1 struct {
		From   int64  `json:"from"`
		Reason string `json:"reason,omitzero"`
		To     int64  `json:"to,omitzero"`
	}
	obligationOpenedV1 struct {
		Cause   causeV1            `json:"cause"`
		Due     dueV1              `json:"due"`
		ID      string             `json:"id"`
		Keeps   []policy.PurposeID `json:"keeps,omitempty"`
		Kind    string             `json:"kind"`
		MetBy   []string           `json:"met_by,omitempty"`
		Rule    ruleV1             `json:"rule"`
		RuleSet string             `json:"rule_set,omitzero"`
		Target  string             `json:"target,omitzero"`
		Types   []string           `json:"types,omitempty"`
		Version string             `json:"version,omitzero"`
	}
	obligationMovedV1 struct {
		By     string    `json:"by,omitzero"`
		Due    dueV1     `json:"due"`
		ID     string    `json:"id"`
		Pauses []pauseV1 `json:"pauses,omitempty"`
		Was    dueV1     `json:"was"`
		Why    string    `json:"why"`
	}
	obligationMetV1 struct {
		By       *causeV1 `json:"by,omitempty"`
		Evidence string   `json:"evidence,omitzero"`
		ID       string   `json:"id"`
		Late     bool     `json:"late,omitzero"`
		Met      int64    `json:"met"`
	}
	obligationVoidedV1 struct {
		ID     string `json:"id"`
		Reason string `json:"reason"`
	}
	obligationWarnedV1 struct {
		ID    string `json:"id"`
		Until int64  `json:"until"`
	}
	obligationAtRiskV1  obligationWarnedV1
	obligationOverdueV1 obligationWarnedV1
)

func pauseShapes(pauses []deadline.Pause) []pauseV1 {
	var shapes []pauseV1
	for _, p := range pauses {
		shapes = append(shapes, pauseV1{From: int64(p.From), Reason: p.Reason, To: int64(p.To)})
	}
	return shapes
}

func pausesOf(shapes []pauseV1) []deadline.Pause {
	var pauses []deadline.Pause
	for _, s := range shapes {
		pauses = append(pauses, deadline.Pause{From: deadline.Instant(s.From), To: deadline.Instant(s.To),
			Reason: s.Reason})
	}
	return pauses
}

func causeShape(c obligation.Cause) causeV1 {
	return causeV1{Event: eventID(c.Event), Kind: c.Kind, Stream: c.Stream, Subject: c.Subject}
}

func (s causeV1) cause(r *reader) obligation.Cause {
	return obligation.Cause{Event: r.eventID(s.Event), Kind: s.Kind, Stream: s.Stream, Subject: s.Subject}
}

func ruleShape(x deadline.Rule) ruleV1 {
	return ruleV1{
		Calendar:       x.Calendar,
		ClockStart:     x.ClockStart,
		Direction:      spelled(x.Direction),
		ExtendedLength: x.ExtendedLength,
		ID:             string(x.ID),
		Law:            x.Law,
		Length:         x.Length,
		Pause:          x.Pause,
		Persons:        x.Persons,
		Result:         spelled(x.Result),
		Roll:           spelled(x.Roll),
		Source:         x.Source,
		TimeZone:       x.TimeZone,
		Unit:           x.Unit.String(),
		YearDay:        string(x.YearDay),
	}
}

// spelled writes an enumeration's value, and its zero value as nothing.
func spelled[E interface {
	~uint8
	String() string
}](e E) string {
	if e == 0 {
		return ""
	}
	return e.String()
}

func (s ruleV1) rule(r *reader) deadline.Rule {
	return deadline.Rule{
		Calendar: s.Calendar, ClockStart: s.ClockStart, Direction: parse(r, s.Direction, deadline.ParseDirection),
		ExtendedLength: s.ExtendedLength, ID: deadline.RuleID(s.ID), Law: s.Law, Length: s.Length, Pause: s.Pause,
		Persons: s.Persons,
		Result:  parse(r, s.Result, deadline.ParseResult), Roll: parse(r, s.Roll, deadline.ParseRoll), Source: s.Source,
		TimeZone: s.TimeZone, Unit: parse(r, s.Unit, deadline.ParseUnit), YearDay: deadline.YearDay(s.YearDay),
	}
}

// date writes a date, and none as nothing.
func date(d deadline.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func dueShape(d deadline.Due) dueV1 {
	s := dueV1{
		BeforeRoll: date(d.BeforeRoll), Calendar: d.Calendar, CountedTo: date(d.CountedTo), Date: date(d.Date),
		DayZero:  date(d.DayZero),
		Earliest: date(d.Earliest), Elapsed: d.Elapsed, Extended: d.Extended, Gap: date(d.Gap), Ignored: d.Ignored,
		Provisional: d.Provisional,
		Remaining:   d.Remaining, Reported: d.Reported, Rule: string(d.Rule), SafeNotice: date(d.SafeNotice),
		SafeTarget: date(d.SafeTarget), Start: int64(d.Start),
		State: d.State.String(), TailExposed: d.TailExposed, TimeZone: d.TimeZone, Unit: d.Unit.String(),
		Until: int64(d.Until),
	}
	for _, v := range d.Versions {
		s.Versions = append(s.Versions, calendarVersionV1{Jurisdiction: v.Jurisdiction, Version: v.Version,
			Year: v.Year})
	}
	return s
}

func (s dueV1) due(r *reader) deadline.Due {
	day := func(text string) deadline.Date { return parse(r, text, deadline.ParseDate) }
	d := deadline.Due{
		Rule: deadline.RuleID(s.Rule), Unit: parse(r, s.Unit, deadline.ParseUnit), Calendar: s.Calendar,
		TimeZone: s.TimeZone,
		State:    parse(r, s.State, deadline.ParseDueState), Start: deadline.Instant(s.Start), Extended: s.Extended,
		DayZero: day(s.DayZero),
		Date:    day(s.Date), Until: deadline.Instant(s.Until), BeforeRoll: day(s.BeforeRoll),
		CountedTo:   day(s.CountedTo),
		Earliest:    day(s.Earliest),
		Provisional: s.Provisional, Gap: day(s.Gap), SafeTarget: day(s.SafeTarget), SafeNotice: day(s.SafeNotice),
		TailExposed: s.TailExposed,
		Elapsed:     s.Elapsed, Remaining: s.Remaining, Ignored: s.Ignored, Reported: s.Reported,
	}
	for _, v := range s.Versions {
		d.Versions = append(d.Versions,
			deadline.CalendarVersion{Jurisdiction: v.Jurisdiction, Year: v.Year, Version: v.Version})
	}
	return d
}

func (s obligationOpenedV1) event() (domain.Event, error) {
	var r reader
	return domain.ObligationOpened{
		Obligation: obligation.Obligation{
			ID: s.ID, Kind: policy.DutyKind(s.Kind), Types: parseAll(&r, s.Types, request.ParseType),
			Target: s.Target,
			Rule:   s.Rule.rule(&r), Version: r.hash(s.Version), MetBy: s.MetBy, RuleSet: r.hash(s.RuleSet),
			Keeps: s.Keeps,
		},
		Due: s.Due.due(&r), Cause: s.Cause.cause(&r),
	}, r.err
}

func (s obligationMovedV1) event() (domain.Event, error) {
	var r reader
	return domain.ObligationMoved{
		ID: s.ID, Why: parse(&r, s.Why, obligation.ParseMoveReason), By: r.eventID(s.By), Due: s.Due.due(&r),
		Was: s.Was.due(&r), Pauses: pausesOf(s.Pauses),
	}, r.err
}

func (s obligationMetV1) event() (domain.Event, error) {
	var r reader
	e := domain.ObligationMet{ID: s.ID, Met: deadline.Instant(s.Met), Late: s.Late, Evidence: r.hash(s.Evidence)}
	if s.By != nil {
		e.By = s.By.cause(&r)
	}
	return e, r.err
}

func (s obligationVoidedV1) event() (domain.Event, error) { return domain.ObligationVoided(s), nil }

func (s obligationAtRiskV1) event() (domain.Event, error) {
	return domain.ObligationAtRisk{ID: s.ID, Until: deadline.Instant(s.Until)}, nil
}

func (s obligationOverdueV1) event() (domain.Event, error) {
	return domain.ObligationOverdue{ID: s.ID, Until: deadline.Instant(s.Until)}, nil
}
