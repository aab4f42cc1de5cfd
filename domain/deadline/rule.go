package deadline

import "strings"

// A RuleID names a deadline rule, as in "cn.policy.request_reply". It may
// hold dots and underscores.
type RuleID string

// undated begins the id of a rule that gives no date.
const undated = "law.undated."

// UndatedRule returns the id of a rule by which something is owed by no date: no
// policy promises one, and no law that is known here gives a number of days. The
// source of such a rule says why.
func UndatedRule(name string) RuleID { return RuleID(undated + name) }

// Undated reports whether a rule of that id gives no date at all.
func (id RuleID) Undated() bool { return strings.HasPrefix(string(id), undated) }

// A Rule says by when something is owed. The zero Roll never rolls.
type Rule struct {
	ID             RuleID
	Source         string
	Unit           Unit
	Length         int
	ExtendedLength int // from day 0; 0: no extension
	Direction      Direction
	Calendar       string // of working days; empty for hours and years
	TimeZone       string
	ClockStart     string   // what starts it: "ComplaintVerified"
	Pause          []string // what stops it: "identity_verification"
	Roll           Roll
	Result         Result
	YearDay        YearDay // of rules in years: the length-th such day after the start; empty: the start's own
	Law            bool    // a law's ceiling, not the policy's own promise
	Persons        int     // how many must be handled before the clock starts, see [Rule.ReachedAt]; 0: any
}
