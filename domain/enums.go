package domain

import "fmt"

// codes are the names of an enumeration's values, from its value 1. The zero
// value has no name, unless names[0] gives it one.
type codes []string

func (c codes) name(i uint8) string {
	if int(i) < len(c) {
		return c[i]
	}
	return fmt.Sprintf("(%d)", i)
}

func parseCode[E ~uint8](s string, c codes, what string) (E, error) {
	for i, name := range c {
		if s == name && s != "" {
			return E(i), nil
		}
	}
	known := ""
	for _, name := range c {
		if name != "" {
			known += ", " + name
		}
	}
	return 0, parseError(what + " is one of " + known[len(", "):])
}

// An Action is something done to personal data.
type Action uint8

const (
	Collect Action = iota + 1
	Use
	Provide // to another handler
	Publish
	Export // abroad
)

var actions = codes{"", "collect", "use", "provide", "publish", "export"}

func (a Action) String() string { return actions.name(uint8(a)) }

// ParseAction reads what [Action.String] writes.
func ParseAction(s string) (Action, error) { return parseCode[Action](s, actions, "an action") }

// A LegalBasis is why processing is lawful: article 13 of the PIPL, (1) to (7).
type LegalBasis uint8

const (
	BasisConsent   LegalBasis = iota + 1
	BasisContract             // or human resources under lawful rules
	BasisLegalDuty            // statutory duties and responsibilities
	BasisEmergency            // public health, or life, health and property in danger
	BasisNews                 // news and supervision of opinion in the public interest
	BasisDisclosed            // what the person or the law made public, within reason
	BasisOtherLaw             // laws and administrative regulations, not standards
)

var legalBases = codes{"", "consent", "contract", "legal-duty", "emergency", "news", "disclosed", "other-law"}

func (b LegalBasis) String() string { return legalBases.name(uint8(b)) }

// ParseLegalBasis reads what [LegalBasis.String] writes.
func ParseLegalBasis(s string) (LegalBasis, error) {
	return parseCode[LegalBasis](s, legalBases, "a legal basis")
}

// A ConsentKind is how strong a consent is. The kinds are not an order: a
// guardian's consent is not a stronger separate one.
type ConsentKind uint8

const (
	NoConsent ConsentKind = iota
	GeneralConsent
	ExplicitConsent
	SeparateConsent
	WrittenConsent
	GuardianConsent
)

var consentKinds = codes{"none", "general", "explicit", "separate", "written", "guardian"}

func (k ConsentKind) String() string { return consentKinds.name(uint8(k)) }

// ParseConsentKind reads what [ConsentKind.String] writes.
func ParseConsentKind(s string) (ConsentKind, error) {
	return parseCode[ConsentKind](s, consentKinds, "a kind of consent")
}

// A TextStanding says whether a text binds.
type TextStanding uint8

const (
	Authoritative TextStanding = iota + 1
	Translation
	Sample // shows what a text looks like, and binds nobody
)

var textStandings = codes{"", "authoritative", "translation", "sample"}

func (s TextStanding) String() string { return textStandings.name(uint8(s)) }

// ParseTextStanding reads what [TextStanding.String] writes.
func ParseTextStanding(s string) (TextStanding, error) {
	return parseCode[TextStanding](s, textStandings, "a standing")
}

// A ChannelKind is what a channel is made of.
type ChannelKind uint8

const (
	ChannelInApp ChannelKind = iota + 1
	ChannelPhone
	ChannelEmail
	ChannelSMS
	ChannelPush
	ChannelAnnouncement
	ChannelLetter
)

var channelKinds = codes{"", "in-app", "phone", "email", "sms", "push", "announcement", "letter"}

func (k ChannelKind) String() string { return channelKinds.name(uint8(k)) }

// ParseChannelKind reads what [ChannelKind.String] writes.
func ParseChannelKind(s string) (ChannelKind, error) {
	return parseCode[ChannelKind](s, channelKinds, "a channel kind")
}

// A ChannelUse is what a channel is for.
type ChannelUse uint8

const (
	ForComplaints ChannelUse = iota + 1
	ForContact
	ForRequests
	ForChanges // of the policy
	ForIncidents
	ForCessation
)

var channelUses = codes{"", "complaint", "contact", "request", "change", "incident", "cessation"}

func (u ChannelUse) String() string { return channelUses.name(uint8(u)) }

// ParseChannelUse reads what [ChannelUse.String] writes.
func ParseChannelUse(s string) (ChannelUse, error) {
	return parseCode[ChannelUse](s, channelUses, "a channel use")
}

// A DeadlineUnit is what a deadline counts.
type DeadlineUnit uint8

const (
	UnitWorkingDay DeadlineUnit = iota + 1
	UnitCalendarDay
	UnitHour
	UnitMonth
	UnitYear
)

var deadlineUnits = codes{"", "working_day", "calendar_day", "hour", "month", "year"}

func (u DeadlineUnit) String() string { return deadlineUnits.name(uint8(u)) }

// ParseDeadlineUnit reads what [DeadlineUnit.String] writes.
func ParseDeadlineUnit(s string) (DeadlineUnit, error) {
	return parseCode[DeadlineUnit](s, deadlineUnits, "a unit")
}

// A DeadlineDirection says whether a deadline counts on from its start or
// back from a date to come.
type DeadlineDirection uint8

const (
	Forward DeadlineDirection = iota
	Backward
)

var deadlineDirections = codes{"forward", "backward"}

func (d DeadlineDirection) String() string { return deadlineDirections.name(uint8(d)) }

// ParseDeadlineDirection reads what [DeadlineDirection.String] writes.
func ParseDeadlineDirection(s string) (DeadlineDirection, error) {
	return parseCode[DeadlineDirection](s, deadlineDirections, "a direction")
}

// A DeadlineRoll says where a period goes that ends on a day off.
type DeadlineRoll uint8

const (
	RollNone DeadlineRoll = iota
	RollNextWorkingDay
)

var deadlineRolls = codes{"none", "next_working_day"}

func (r DeadlineRoll) String() string { return deadlineRolls.name(uint8(r)) }

// ParseDeadlineRoll reads what [DeadlineRoll.String] writes.
func ParseDeadlineRoll(s string) (DeadlineRoll, error) {
	return parseCode[DeadlineRoll](s, deadlineRolls, "a roll")
}

// A DeadlineResult is what a rule's date means.
type DeadlineResult uint8

const (
	ResultDueDate DeadlineResult = iota
	ResultEarliestEffectiveDate
)

var deadlineResults = codes{"due_date", "earliest_effective_date"}

func (r DeadlineResult) String() string { return deadlineResults.name(uint8(r)) }

// ParseDeadlineResult reads what [DeadlineResult.String] writes.
func ParseDeadlineResult(s string) (DeadlineResult, error) {
	return parseCode[DeadlineResult](s, deadlineResults, "a result")
}
