package wire

import (
	"time"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
)

// A Due is what a deadline rule comes to. Dates are local to the rule's zone.
type Due struct {
	Rule  string `json:"rule"`
	State string `json:"state" doc:"not_started, running or suspended"`
	Start string `json:"start,omitempty"`

	DueDate         *string `json:"due_date" doc:"the last day; null while the clock has not started or stands still, and for hours"`
	Weekday         string  `json:"weekday,omitempty"`
	DueExclusiveUTC string  `json:"due_exclusive_utc,omitempty" doc:"what is done before this moment is done in time"`
	DueInstantUTC   string  `json:"due_instant_utc,omitempty" doc:"of rules in hours: what is done at this moment is in time"`
	DueLocal        string  `json:"due_local,omitempty" doc:"the same, in the rule's zone"`

	BeforeRoll            string `json:"before_roll,omitempty" doc:"where the period ended, if that was no working day"`
	EarliestEffectiveDate string `json:"earliest_effective_date,omitempty" doc:"the first day on which what was announced may happen"`
	NthWorkingDayBack     string `json:"nth_working_day_back,omitempty" doc:"of rules that count backward: the first of the days between"`

	Provisional    bool   `json:"provisional" doc:"rests on a year whose calendar is not announced"`
	Reported       bool   `json:"reported,omitempty" doc:"rests on days that somebody reports and no notice has announced"`
	CalendarGapAt  string `json:"calendar_gap_at,omitempty" doc:"the first such date that the count came to"`
	SafeTargetDate string `json:"safe_target_date,omitempty" doc:"early enough whatever will be announced"`
	SafeNoticeDate string `json:"safe_notice_date,omitempty" doc:"late enough for what was announced, whatever the calendar will be"`
	TailExposed    bool   `json:"tail_exposed,omitempty" doc:"falls after 24 December, which next year's notice may change"`

	ElapsedUnits   *int64 `json:"elapsed_units,omitempty" doc:"counted before the clock stood still"`
	RemainingUnits *int64 `json:"remaining_units,omitempty"`
	Units          string `json:"units,omitempty" doc:"what elapsed_units and remaining_units count; for hours milliseconds"`

	Calendars []string `json:"calendars" doc:"the calendar versions that were used, as in CN 2026 v1"`
	RuleSet   string   `json:"rule_set,omitempty" doc:"names the set of rules that the rule is one of: a hash of all that they say"`
}

// DueOf returns d as it is shown, on a rule of a set.
func DueOf(d deadline.Due, zone deadline.Zone, ruleSet content.Hash) Due {
	s := Due{
		Rule: string(d.Rule), State: d.State.String(), BeforeRoll: day(d.BeforeRoll),
		EarliestEffectiveDate: day(d.Earliest), NthWorkingDayBack: day(d.CountedTo),
		Provisional: d.Provisional, Reported: d.Reported, CalendarGapAt: day(d.Gap), SafeTargetDate: day(d.SafeTarget),
		SafeNoticeDate: day(d.SafeNotice), TailExposed: d.TailExposed,
		Calendars: []string{},
	}
	if ruleSet != (content.Hash{}) {
		s.RuleSet = ruleSet.String()
	}
	if d.Start != 0 {
		s.Start = d.Start.String()
	}

	for _, v := range d.Versions {
		s.Calendars = append(s.Calendars, v.String())
	}

	switch {
	case d.State == deadline.Suspended:
		s.ElapsedUnits, s.RemainingUnits, s.Units = &d.Elapsed, &d.Remaining, d.Counted().String()
	case d.State == deadline.Running && d.Unit == deadline.UnitHour:
		s.DueInstantUTC, s.DueLocal = d.Until.Time().Format(time.RFC3339), zone.Local(d.Until)
	case d.State == deadline.Running:
		date := d.Date.String()
		s.DueDate, s.Weekday, s.DueExclusiveUTC = &date, d.Date.Weekday().String()[:3],
			d.Until.Time().Format(time.RFC3339)
	}
	return s
}

func day(d deadline.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
