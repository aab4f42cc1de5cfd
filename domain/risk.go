package domain

// enough is how many working days before its last day an obligation is at risk.
const enough = 3

// RiskAt returns when little time is left; zero while no clock runs. It is the
// safe target date of what is provisional, or of what rests on reported days the
// third working day before it if that is earlier; else the third working day before
// the last day; of what is counted in hours, and of what is shorter than that,
// the moment at which three quarters of the time are over. Where no calendar is
// used, Saturdays and Sundays are off.
func (d Due) RiskAt(calendars Calendars) Instant {
	if d.State != Running {
		return 0
	}
	quarters := d.Start + (d.Until-d.Start)*3/4
	zone, err := ParseZone(d.TimeZone)
	if err != nil || d.Date == 0 {
		return quarters
	}
	day := d.SafeTarget
	if before := d.before(calendars.Workdays(d.Calendar)); day == 0 || d.Reported && before < day {
		day = before
	}
	at := zone.Midnight(day)
	if d.Start < d.Until && at <= d.Start {
		return quarters
	}
	return at
}

// before returns the day so many working days before the last.
func (d Due) before(days *Workdays) Date {
	day := d.Date
	for n := 0; n < enough && day > 1; {
		day--
		if works, _ := days.IsWorkingDay(day); works {
			n++
		}
	}
	return day
}
