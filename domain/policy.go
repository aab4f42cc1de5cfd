package domain

import "fmt"

// What a document names, beside purposes. All are written like a purpose id;
// a deadline rule's id may also hold dots and underscores.
type (
	CategoryID     string // a kind of personal data
	PermissionID   string // a permission of the operating system
	ActID          string // something a person does: a click, a signature
	RightID        string // something a person may ask for
	ChannelID      string // a way to reach or be reached
	DeadlineRuleID string // "cn.policy.request_reply"
)

// A Document is one version of a policy, as data: what it says about
// processing, about persons' rights and about its own deadlines. It says what
// the policy says, gaps and doubts included; it does not say that the policy
// is lawful. Sections are cited by their true number, not by their place.
type Document struct {
	Name         string // "privacy"
	Title        []LocalText
	Handler      Handler
	Jurisdiction string // "CN"
	TimeZone     string // "Asia/Shanghai"

	Purposes    []Purpose
	Categories  []Category
	Permissions []Permission
	Acts        []Act

	// Four lists that are never merged: a ground to process without consent is
	// no ground to provide without it, and neither is a ground to reject.
	ExemptionsCollect []Ground
	ExemptionsProvide []Ground
	Rejections        []Ground
	Disclosures       []Ground

	MaterialKinds    []Ground // of change
	Principles       []Ground
	Measures         []Ground // of protection, as claimed
	IncidentNotice   []Ground // what a notice of an incident tells
	IdentityElements []Ground

	Channels      []Channel
	Rights        []Right
	DeadlineRules []DeadlineRule
	Minors        Minors
	Texts         []Text
}

// A LocalText is a short text in one language.
type LocalText struct{ Locale, Text string }

// A Handler is who decides what is processed, and why. Any part may be empty:
// then the policy does not say.
type Handler struct{ Name, Address, Contact string }

// A Purpose is what personal data is processed for.
type Purpose struct {
	ID         PurposeID
	Title      string
	Section    string
	Codes      []string // of the policy's enumerations: "PUR-1", "CTX-UPDATE"
	Categories []CategoryID
	Actions    []Action
	Basis      LegalBasis

	Separate  bool // needs a consent of its own, bundled with nothing
	Sensitive bool // processes sensitive data
	Necessary bool // the service cannot be had without it
	Automated bool // decides about persons without a person

	Retention    string // the period or how it is found; empty: not said
	ConsentLasts int    // months; 0: until withdrawn
}

// A Category is a kind of personal data. What the policy calls sensitive and
// what the law calls sensitive differ, and both are kept.
type Category struct {
	ID                CategoryID
	Title             string
	Section           string
	SensitiveByPolicy bool
	SensitiveByLaw    bool
}

// A Permission is one that the operating system grants. It never gives
// consent; taken away, it withdraws for the purposes bound to it.
type Permission struct {
	ID        PermissionID
	Title     string
	Section   string
	Purposes  []PurposeID
	IfRefused string
}

// An Act is something a person does. Counts is the kind of consent the act
// can be; NoConsent, whatever the policy claims, for acts that are none.
type Act struct {
	ID      ActID
	Title   string
	Section string
	Counts  ConsentKind
}

// A Ground is one entry of an enumeration, under a code that never changes.
type Ground struct {
	Code          string
	Title         string
	Section       string
	LawMapping    string // "PIPL-13(2)"; empty: none found
	Doubtful      bool   // the law does not clearly admit it
	Discretionary bool   // of rejections: ours to judge
}

// A Channel is a way by which persons reach us or we reach them.
type Channel struct {
	ID      ChannelID
	Title   string
	Section string
	Kind    ChannelKind
	Uses    []ChannelUse
}

// A Right is something a person may ask for. An empty Procedure means that
// the policy names the right and no way to use it. Every rule of Deadlines
// opens at once; the earliest binds.
type Right struct {
	ID        RightID
	Title     string
	Section   string
	Procedure string
	Deadlines []DeadlineRuleID
}

// A DeadlineRule says by when something is owed. The zero Roll never rolls.
type DeadlineRule struct {
	ID             DeadlineRuleID
	Source         string
	Unit           DeadlineUnit
	Length         int
	ExtendedLength int // from day 0; 0: no extension
	Direction      DeadlineDirection
	Calendar       string // of working days; empty for hours and years
	TimeZone       string
	ClockStart     string   // what starts it: "ComplaintVerified"
	Pause          []string // what stops it: "identity_verification"
	Roll           DeadlineRoll
	Result         DeadlineResult
}

// Minors says who is an adult and who is a child. An age below the bound is
// a child's. The policy's bound and the law's differ, and both are kept.
type Minors struct {
	AdultAge         int
	ChildBelowPolicy int
	ChildBelowLaw    int
	Rules            []Ground
}

// A Text is the policy as people read it, by the hash of its bytes.
type Text struct {
	Locale   string
	Hash     Hash
	Standing TextStanding
}

// Purpose returns the purpose with that id, and whether there is one.
func (d *Document) Purpose(id PurposeID) (Purpose, bool) {
	for _, p := range d.Purposes {
		if p.ID == id {
			return p, true
		}
	}
	return Purpose{}, false
}

// Act returns the act with that id, and whether there is one.
func (d *Document) Act(id ActID) (Act, bool) {
	for _, a := range d.Acts {
		if a.ID == id {
			return a, true
		}
	}
	return Act{}, false
}

// Permission returns the permission with that id, and whether there is one.
func (d *Document) Permission(id PermissionID) (Permission, bool) {
	for _, p := range d.Permissions {
		if p.ID == id {
			return p, true
		}
	}
	return Permission{}, false
}

// PermissionPurposes returns the purposes bound to a permission: none for a
// permission that the document does not name.
func (d *Document) PermissionPurposes(id PermissionID) []PurposeID {
	p, _ := d.Permission(id)
	return p.Purposes
}

// IsSensitive reports whether a category is sensitive by policy or by law.
func (d *Document) IsSensitive(id CategoryID) bool {
	for _, c := range d.Categories {
		if c.ID == id {
			return c.SensitiveByPolicy || c.SensitiveByLaw
		}
	}
	return false
}

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

// A Problem is something that keeps a Document from being one: two parts of
// one name, or a name that nothing bears. Path says where, as in
// "purposes[2].categories[0]".
type Problem struct{ Path, Message string }

func (p Problem) String() string { return p.Path + ": " + p.Message }

// Check returns what is wrong with d; nothing, when d can be published. It
// does not judge what the policy says.
func (d *Document) Check() []Problem {
	c := checker{doc: d, seen: map[string]string{}}
	c.head()
	c.processing()
	c.grounds()
	c.promises()
	return c.problems
}

// A checker collects problems. Ids are seen under "kind id".
type checker struct {
	doc      *Document
	seen     map[string]string
	problems []Problem
}

func (c *checker) report(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// require reports text that is missing.
func (c *checker) require(path, text string) {
	if text == "" {
		c.report(path, "is missing")
	}
}

// declare reports an id that is malformed or taken, and takes it.
func (c *checker) declare(path, kind, id string, ok bool) {
	if !ok {
		c.report(path, "%q is no id of a %s", id, kind)
		return
	}
	if first, taken := c.seen[kind+" "+id]; taken {
		c.report(path, "%s %q is already declared by %s", kind, id, first)
		return
	}
	c.seen[kind+" "+id] = path
}

// refer reports an id that was not declared.
func (c *checker) refer(path, kind, id string) {
	if _, ok := c.seen[kind+" "+id]; !ok {
		c.report(path, "there is no %s %q", kind, id)
	}
}

// oneOf reports an enumeration that was left at no value.
func oneOf[E ~uint8](c *checker, path string, e E) {
	if e == 0 {
		c.report(path, "is missing")
	}
}

// distinct reports what stands twice in one list.
func distinct[E comparable](c *checker, path string, list []E) {
	seen := map[E]bool{}
	for i, e := range list {
		if seen[e] {
			c.report(fmt.Sprintf("%s[%d]", path, i), "%v stands twice", e)
		}
		seen[e] = true
	}
}

func (c *checker) head() {
	d := c.doc
	if !isName(d.Name, 32) {
		c.report("name", `%q is no name: 1 to 32 of a-z, 0-9 and "-"`, d.Name)
	}
	c.require("jurisdiction", d.Jurisdiction)
	c.require("timezone", d.TimeZone)
	if len(d.Title) == 0 {
		c.report("title", "is missing")
	}
	for i, t := range d.Title {
		c.declare(fmt.Sprintf("title[%d].locale", i), "title", t.Locale, t.Locale != "")
	}
	if len(d.Texts) == 0 {
		c.report("texts", "is missing: a policy is read before it is agreed to")
	}
	for i, t := range d.Texts {
		path := fmt.Sprintf("texts[%d]", i)
		c.declare(path+".locale", "text", t.Locale, t.Locale != "")
		oneOf(c, path+".standing", t.Standing)
		if t.Hash == (Hash{}) {
			c.report(path+".hash", "is missing")
		}
	}
}

func (c *checker) processing() {
	d := c.doc
	for i, x := range d.Categories {
		path := fmt.Sprintf("categories[%d]", i)
		c.declare(path+".id", "category", string(x.ID), isName(string(x.ID), 64))
		c.require(path+".title", x.Title)
	}
	if len(d.Purposes) == 0 {
		c.report("purposes", "is missing")
	}
	for i, p := range d.Purposes {
		c.purpose(fmt.Sprintf("purposes[%d]", i), p)
	}
	for i, x := range d.Permissions {
		path := fmt.Sprintf("permissions[%d]", i)
		c.declare(path+".id", "permission", string(x.ID), isName(string(x.ID), 64))
		c.require(path+".title", x.Title)
		for j, id := range x.Purposes {
			c.refer(fmt.Sprintf("%s.purposes[%d]", path, j), "purpose", string(id))
		}
		distinct(c, path+".purposes", x.Purposes)
	}
	for i, x := range d.Acts {
		path := fmt.Sprintf("acts[%d]", i)
		c.declare(path+".id", "act", string(x.ID), isName(string(x.ID), 64))
		c.require(path+".title", x.Title)
	}
}

func (c *checker) purpose(path string, p Purpose) {
	c.declare(path+".id", "purpose", string(p.ID), isName(string(p.ID), 64))
	c.require(path+".title", p.Title)
	for j, id := range p.Categories {
		c.refer(fmt.Sprintf("%s.categories[%d]", path, j), "category", string(id))
	}
	distinct(c, path+".categories", p.Categories)
	if len(p.Actions) == 0 {
		c.report(path+".actions", "is missing")
	}
	distinct(c, path+".actions", p.Actions)
	oneOf(c, path+".basis", p.Basis)
	if p.ConsentLasts < 0 {
		c.report(path+".consent_lasts_months", "is less than nothing")
	}
}

// grounds checks that no two grounds of the document share a code.
func (c *checker) grounds() {
	d := c.doc
	for _, list := range []struct {
		path    string
		grounds []Ground
	}{
		{"exemptions_collect", d.ExemptionsCollect}, {"exemptions_provide", d.ExemptionsProvide},
		{"rejections", d.Rejections}, {"disclosures", d.Disclosures},
		{"material_kinds", d.MaterialKinds}, {"principles", d.Principles}, {"measures", d.Measures},
		{"incident_notice", d.IncidentNotice}, {"identity_elements", d.IdentityElements},
		{"minors.rules", d.Minors.Rules},
	} {
		for i, g := range list.grounds {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			c.declare(path+".code", "ground", g.Code, g.Code != "")
			c.require(path+".title", g.Title)
		}
	}
}

func (c *checker) promises() {
	d := c.doc
	for i, r := range d.DeadlineRules {
		c.deadlineRule(fmt.Sprintf("deadline_rules[%d]", i), r)
	}
	for i, x := range d.Rights {
		path := fmt.Sprintf("rights[%d]", i)
		c.declare(path+".id", "right", string(x.ID), isName(string(x.ID), 64))
		c.require(path+".title", x.Title)
		for j, id := range x.Deadlines {
			c.refer(fmt.Sprintf("%s.deadlines[%d]", path, j), "deadline rule", string(id))
		}
	}
	for i, x := range d.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		c.declare(path+".id", "channel", string(x.ID), isName(string(x.ID), 64))
		oneOf(c, path+".kind", x.Kind)
		distinct(c, path+".uses", x.Uses)
	}
	m := d.Minors
	if m.ChildBelowPolicy < 0 || m.ChildBelowLaw < 0 || m.ChildBelowPolicy > m.AdultAge || m.ChildBelowLaw > m.AdultAge {
		c.report("minors", "a child's age lies between 0 and the adult age")
	}
}

func (c *checker) deadlineRule(path string, r DeadlineRule) {
	c.declare(path+".id", "deadline rule", string(r.ID), r.ID != "")
	oneOf(c, path+".unit", r.Unit)
	c.require(path+".timezone", r.TimeZone)
	c.require(path+".clock_start", r.ClockStart)
	if r.Length <= 0 {
		c.report(path+".length", "is at least 1")
	}
	if r.ExtendedLength != 0 && r.ExtendedLength <= r.Length {
		c.report(path+".extended_length", "is longer than the length")
	}
	counts := r.Unit == UnitWorkingDay || r.Roll == RollNextWorkingDay
	if counts && r.Calendar == "" {
		c.report(path+".calendar", "is missing: the rule counts working days")
	}
	if r.Roll != RollNone && (r.Unit == UnitWorkingDay || r.Unit == UnitHour || r.Direction == Backward) {
		c.report(path+".roll", "only calendar days, months and years that count forward roll")
	}
}
