package deadline

import "consentledger/domain/internal/form"

// A Unit is what a deadline counts.
type Unit uint8

const (
	UnitWorkingDay Unit = iota + 1
	UnitCalendarDay
	UnitHour
	UnitMonth
	UnitYear
)

var units = form.Codes{"", "working_day", "calendar_day", "hour", "month", "year"}

func (u Unit) String() string { return units.Name(uint8(u)) }

// ParseUnit reads what [Unit.String] writes.
func ParseUnit(s string) (Unit, error) {
	return form.ParseCode[Unit](s, units, "a unit")
}

// A Direction says whether a deadline counts on from its start or
// back from a date to come.
type Direction uint8

const (
	Forward Direction = iota
	Backward
)

var directions = form.Codes{"forward", "backward"}

func (d Direction) String() string { return directions.Name(uint8(d)) }

// ParseDirection reads what [Direction.String] writes.
func ParseDirection(s string) (Direction, error) {
	return form.ParseCode[Direction](s, directions, "a direction")
}

// A Roll says where a period goes that ends on a day off.
type Roll uint8

const (
	RollNone Roll = iota
	RollNextWorkingDay
)

var rolls = form.Codes{"none", "next_working_day"}

func (r Roll) String() string { return rolls.Name(uint8(r)) }

// ParseRoll reads what [Roll.String] writes.
func ParseRoll(s string) (Roll, error) {
	return form.ParseCode[Roll](s, rolls, "a roll")
}

// A Result is what a rule's date means.
type Result uint8

const (
	ResultDueDate Result = iota
	ResultEarliestEffectiveDate
)

var results = form.Codes{"due_date", "earliest_effective_date"}

func (r Result) String() string { return results.Name(uint8(r)) }

// ParseResult reads what [Result.String] writes.
func ParseResult(s string) (Result, error) {
	return form.ParseCode[Result](s, results, "a result")
}
