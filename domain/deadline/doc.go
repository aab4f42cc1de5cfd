// Package deadline says by when something is owed.
//
// A [Rule] says how long it takes: in working days, calendar days, months, years
// or hours, on from a start or back from a date to come. [Compute] applies a rule
// to a start and returns a [Due], with everything that it rests on.
//
// Working days are data. A [Calendar] is what one notice says of one year;
// [Calendars] are all that were published. If no notice was published of a year,
// the due date is provisional: it says from which date on it is a guess, and which
// date is safe. When the notice comes, the date is computed again.
//
// The package knows days and moments, and nothing of consent. It reads no clock,
// and the same arguments always give the same answer.
//
// Words. A [Date] is a day without a place, an [Instant] a moment, a [Span] a length
// of time, a [Zone] the time of a place. Day 0 is the day on which a clock starts;
// it never counts. A [Pause] is a time for which a clock stands still. A date rolls
// if it moves to the next working day.
package deadline
