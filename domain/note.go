package domain

import (
	"maps"
	"slices"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
)

// Noted records another fact about processing: plain, with the fields that its
// kind has. Nothing is decided by it.
type Noted struct {
	Kind     NoteKind
	Fields   []policy.Field // sorted by name
	Evidence content.Hash
	Details  Personal // about a person only
}

// Field returns the value of the field of that name; empty if there is none.
func (n Noted) Field(name string) string { return policy.FieldOf(n.Fields, name) }

// A NoteKind names a kind of note, as in "recipient.added".
type NoteKind string

// ClockObserved is what the ledger says of its own clock: that it stepped, was
// behind what was recorded before, or was steady. Step is in milliseconds,
// watched in seconds.
const ClockObserved NoteKind = "clock.observed"

// GroupTold is what the ledger says of an event that was said to a group of
// apps: every app that was in it took or refused the event. The record is the
// one that the first app has of it.
const GroupTold NoteKind = "group.told"

// MessagesLost is what the ledger says of messages that NATS had acknowledged and
// that never came: which numbers of which stream, and how that was seen. Whose
// they were nobody knows.
const MessagesLost NoteKind = "messages.lost"

// What the ledger says of the keys by which somebody may do something in an app: for whom
// one was issued, with which roles and until when, and that it ended. Names of people
// stand in none of them.
const (
	KeyIssued  NoteKind = "key.issued"
	KeyRotated NoteKind = "key.rotated"
	KeyRevoked NoteKind = "key.revoked"
)

// A Form says how a field is written.
type Form uint8

const (
	FormName      Form = iota + 1 // 1 to 64 of a-z, 0-9 and "-"
	FormText                      // public text, up to 500 bytes
	FormDate                      // 2006-01-02
	FormHash                      // sha256:...
	FormNumber                    // digits
	FormYes                       // "yes" or "no"
	FormRecord                    // the id of a record
	FormAmount                    // 12.50 CNY
	FormTime                      // RFC 3339
	FormCodes                     // codes of grounds, with commas
	FormNames                     // names, with commas
	FormChoice                    // one of the rule's choices
	FormReason                    // a reason of a rule to pause: a name that may hold "_"
	FormCode                      // code of a ground
	FormPrincipal                 // who did something, see [ParsePrincipal]
)

// A FieldRule says what a field of a kind is.
type FieldRule struct {
	Name     string
	Form     Form
	Required bool
	Choices  []string // of FormChoice
}

// A NoteRule says what a kind of note is about.
type NoteRule struct {
	Kind   NoteKind
	Person bool // about a person, else about the app
	Own    bool // the ledger says it of itself: nobody sends it
	Says   string
	Source string
	Fields []FieldRule
}

// NoteRules is every kind of note. Kinds and fields are never renamed.
var NoteRules = []NoteRule{
	note("recipient.added", "somebody gets personal data from now on", "PIPL 23; XI(II)3", "recipient", "!categories", "!purposes", "contact", "separate_consent?"),
	note("recipient.changed", "what a recipient gets, or who it is, changed", "PIPL 23; XI(II)3", "recipient", "!change", "!categories", "!purposes"),
	note("recipient.removed", "somebody gets personal data no more", "PIPL 23", "recipient", "!reason"),
	note("entrustment.agreed", "somebody processes on the handler's behalf", "PIPL 21; V(3) has no body", "processor", "!agreement#", "!purposes", "!categories", "ends@"),
	note("entrustment.ended", "the data were returned or deleted", "PIPL 21", "processor", "returned?", "deleted?"),
	note("disclosure.made", "personal data were made public", "PIPL 25; V(4)", "ground:", "!what", "doubtful?"),
	note("transfer.merger", "personal data went to a successor", "PIPL 22; XI(II)2", "successor", "!contact", "persons_told?"),
	note("crossborder.started", "personal data go abroad", "PIPL 38-40; IX(I)", "recipient", "mechanism", "!country", "assessment#", "contract_effective@"),
	note("crossborder.stopped", "personal data go abroad no more", "PIPL 38; IX(I)", "recipient", "!reason"),
	note("assessment.started", "an impact assessment began", "PIPL 55, 56", "assessment", "!subject"),
	note("assessment.final", "an impact assessment is final; kept for three years", "PIPL 56", "assessment", "!report#", "high_risk?"),
	note("assessment.published", "an impact assessment was published", "VI(5)", "assessment", "!where"),
	note("measure.evidenced", "a protection measure was shown to be in place", "VI(I)", "measure", "!evidence#", "valid_until@"),
	note("training.held", "staff were trained", "VI(I)5", "topic", "!held@", "attendants="),
	note("officer.appointed", "somebody is in charge of personal data", "PIPL 52", "office", "!contact", "since@"),
	note("officer.reported", "the officer was reported to the authority", "PIPL 52", "office", "!filed@"),
	note("officer.changed", "somebody else is in charge", "CAC notice 2025-07-18", "office", "!contact", "since@"),
	note("headcount.recorded", "how many persons' data are processed", "PIPL 52; audit measures 2025", "unit", "!counted@", "persons=", "minors?"),
	note("audit.started", "a compliance audit began", "PIPL 54", "audit", "!scope"),
	note("audit.finished", "a compliance audit is done", "PIPL 54; audit measures 2025", "audit", "!report#", "minors?", "ordered?"),
	note("rectification.completed", "what an audit found was put right", "audit measures 2025", "audit", "!evidence#"),
	note("rectification.reported", "the authority was told that it was put right", "audit measures 2025", "audit", "!filed@"),
	note("crossborder.filed", "the contract was filed with the authority", "standard contract measures 2023, 7", "recipient", "!filed@"),
	note("risks.published", "security risks and the assessment report were published", "VI(5)", "report", "!where"),
	note("system.added", "a system keeps personal data: it must be told of withdrawals", "PIPL 47", "system", "purposes,"),
	note("system.removed", "a system keeps personal data no more", "PIPL 47", "system", "!reason"),
	note("cessation.decided", "the service will end", "VII(VI); IX(III)", "service", "!effective@", "too_late?"),
	note("cessation.notified", "persons were told that the service ends", "VII(VI); IX(III)", "channel", "!how", "persons="),
	note("collection.stopped", "nothing is collected any more", "VII(VI)", "service"),
	note("cessation.deleted", "after the end the data were deleted or made anonymous", "IX(III); PIPL 47", "service", "!method"),
	note("policy.notified", "a change was announced", "XI(II)", "channel", "!version#", "recipients="),
	note("policy.inconsistency", "the policy contradicts itself, and how it was decided", "XI(I)", "clause", "!decision"),
	ofItself(ClockObserved, "the ledger's clock was held against one that nobody can set", "SPC rules on civil evidence 2019, 93", "observation", "direction", "step=", "watched="),
	ofItself(GroupTold, "every app of a group took or refused what was said to the group", "the handler answers for all its apps", "group", "!record"),
	ofItself(MessagesLost, "messages that NATS had acknowledged were lost before the ledger took them", "PIPL 51, 9", "stream", "how", "first=", "last=", "count="),
	ofItself(KeyIssued, "somebody may do something in the app from now on: a key was issued", "PIPL 51(4), 51(2)", "key", "principal", "roles,", "until@", "by"),
	ofItself(KeyRotated, "a key took the place of another one of the same principal", "PIPL 51(4)", "key", "principal", "roles,", "until@", "by"),
	ofItself(KeyRevoked, "a key was revoked before its time", "PIPL 51(4)", "key", "principal", "roles,", "until@", "by"),
	note("policy.precedence", "a specific policy prevailed", "XI(I)", "winner", "!clause"),
	aboutPerson("decision.made", "a decision about the person was made by a machine", "PIPL 24; VII(II)", "decision", "significant?", "!purpose"),
	aboutPerson("decision.explained", "an automated decision was explained", "PIPL 24; VII(II)", "decision", "limited_by"),
	aboutPerson("decision.objected", "the person objects to an automated decision", "PIPL 24", "decision"),
	aboutPerson("decision.reviewed", "a human reviewed an automated decision", "PIPL 24", "decision", "upheld?"),
	aboutPerson("profile.generated", "feature information was generated", "III(I)6; PIPL 24", "purpose", "deidentified?"),
	aboutPerson("cookies.set", "the person chose about cookies", "IV", "choice"),
	aboutPerson("access.approved", "staff may look at a minor's data", "Minors' regulation 36", "approver", "!reason"),
	aboutPerson("withdrawal.confirmed", "the person was told that the withdrawal took effect: that is the reply", "VII(I)", "channel"),
	aboutPerson("retention.ended", "the period for which data may be kept is over, or the purpose is reached", "IX(II); PIPL 19, 47", "purpose", "category"),
	aboutPerson("purpose.achieved", "what data were collected for is reached, or cannot be any more: the period for which they are kept begins", "PIPL 47(1), 19", "purpose"),
	aboutPerson("processing.stopped", "processing stopped in a system", "PIPL 15, 47; VII(I)", "system", "purpose"),
	ofItself(ConsentExpired, "a consent ended by itself: its time was up, it was used up, or a child came of the age to decide", "PIPL 14, 15, 31", "consent", "purposes,").about(),
	ofItself(ConsentStale, "the policy changed so that a consent does not cover it: the person is asked again", "PIPL 14", "consent", "purposes,", "policy", "version#").about(),
	aboutPerson("data.deleted", "data were deleted or made anonymous in a system", "PIPL 47", "system", "method", "category", "despite_hold?"),
}

// note reads a rule. A field's last character says its form: # a hash, @ a
// date, = a number, ? yes or no, a colon a ground's code, a comma names, none a
// name, and a text if "!" stands before it, which also makes it required. The first field is required.
func note(kind NoteKind, says, source string, fields ...string) NoteRule {
	r := NoteRule{Kind: kind, Says: says, Source: source}
	for i, f := range fields {
		rule := FieldRule{Name: f, Form: FormName, Required: i == 0}
		if f[0] == '!' {
			rule.Name, rule.Form, rule.Required = f[1:], FormText, true
		}
		if form, ok := map[byte]Form{'#': FormHash, '@': FormDate, '=': FormNumber, '?': FormYes, ':': FormCode, ',': FormNames}[f[len(f)-1]]; ok {
			rule.Name, rule.Form = rule.Name[:len(rule.Name)-1], form
		}
		r.Fields = append(r.Fields, rule)
	}
	return r
}

func aboutPerson(kind NoteKind, says, source string, fields ...string) NoteRule {
	r := note(kind, says, source, fields...)
	r.Person = true
	return r
}

func ofItself(kind NoteKind, says, source string, fields ...string) NoteRule {
	r := note(kind, says, source, fields...)
	r.Own = true
	return r
}

// about returns r as a rule for notes about a person.
func (r NoteRule) about() NoteRule {
	r.Person = true
	return r
}

// NoteRuleOf returns the rule of a kind, and whether there is one.
func NoteRuleOf(k NoteKind) (NoteRule, bool) {
	i := slices.IndexFunc(NoteRules, func(r NoteRule) bool { return r.Kind == k })
	if i < 0 {
		return NoteRule{}, false
	}
	return NoteRules[i], true
}

// check refuses a note that is not as its rule says.
func (n Noted) check(person bool) error {
	r, ok := NoteRuleOf(n.Kind)
	switch {
	case !ok:
		return refuseAt(Incomplete, "type", "there is no such kind of fact; see consentledger schema list")
	case r.Person != person:
		return refuse(WrongStream, map[bool]string{true: "this is about a person: name one", false: "this is about the app: name no person"}[r.Person])
	}
	return checkFields(string(n.Kind), r.Fields, n.Fields)
}

// ErrOwnNote refuses what the ledger says of itself when somebody else says it.
var ErrOwnNote = refuseAt(NotForApps, "type", "type: this is what the ledger says of itself: neither apps nor operators send it")

// disclosureMade is the kind of note that personal data were made public.
const disclosureMade NoteKind = "disclosure.made"

// note answers Noted about the app. Whether a ground to disclose is doubtful in
// law is what the policy says of it, whatever the sender does.
func (ref Reference) note(n Noted, at deadline.Instant) (Event, error) {
	if r, _ := NoteRuleOf(n.Kind); r.Own && (ref.By.App || ref.By.Principal != Ledger) {
		return nil, ErrOwnNote
	}
	if err := n.check(false); err != nil || n.Kind != disclosureMade {
		return n, err
	}
	code, known := policy.FieldOf(n.Fields, "ground"), []string{}
	for _, v := range ref.Policies.inForce(at) {
		for _, g := range v.Document.Disclosures {
			if g.Code == code {
				n.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(f policy.Field) bool { return f.Name == "doubtful" })
				n.Fields = append(n.Fields, policy.Field{Name: "doubtful", Value: map[bool]string{true: "yes", false: "no"}[g.Doubtful]})
				slices.SortFunc(n.Fields, func(a, b policy.Field) int { return strings.Compare(a.Name, b.Name) })
				return n, nil
			}
			known = append(known, g.Code)
		}
	}
	return nil, refuseAt(UnknownGround, "data.ground", "the policy in force names no such ground to disclose; it names: "+strings.Join(known, ", "))
}

// checkFields refuses fields that are not as the rules of their kind say.
func checkFields(kind string, rules []FieldRule, fields []policy.Field) error {
	for _, f := range fields {
		i := slices.IndexFunc(rules, func(rule FieldRule) bool { return rule.Name == f.Name })
		if i < 0 {
			return refuseAt(Malformed, "data", "there is no such member in "+kind)
		}
		if !rules[i].fits(f.Value) {
			return refuseAt(Malformed, "data."+f.Name, "must be "+rules[i].String())
		}
	}
	for _, rule := range rules {
		has := slices.ContainsFunc(fields, func(f policy.Field) bool { return f.Name == rule.Name })
		if rule.Required && !has {
			return refuseAt(Incomplete, "data."+rule.Name, "is missing: give "+rule.String())
		}
	}
	return nil
}

// String says how the field is written.
func (r FieldRule) String() string {
	if r.Form == FormChoice {
		return "one of " + strings.Join(r.Choices, ", ")
	}
	return r.Form.String()
}

func (r FieldRule) fits(s string) bool {
	if r.Form == FormChoice {
		return slices.Contains(r.Choices, s)
	}
	return r.Form.fits(s)
}

var formNames = [...]string{"", `a name of 1 to 64 of a-z, 0-9 and "-"`, "a public text of 1 to 500 bytes", "a date as in 2026-03-02",
	"a hash: sha256: and 64 hex digits", "a number of 1 to 15 digits", `"yes" or "no"`, "the id of a record",
	`an amount as in "12.50 CNY"`, "a time as in 2026-03-02T09:30:00Z", `codes of grounds with commas between them, as in "REJ-1,REJ-D2"`,
	"names with commas between them", "", "a reason of 1 to 64 of a-z, 0-9, _ and -", `the code of a ground, as in "DIS-2"`,
	"a principal as in operator:ann, and no e-mail address or phone number"}

func (f Form) String() string { return formNames[f] }

func (f Form) fits(s string) bool {
	switch f {
	case FormName:
		return form.IsName(s, 64)
	case FormText:
		return s != "" && len(s) <= 500
	case FormDate:
		_, err := deadline.ParseInstant(s + "T00:00:00Z")
		return err == nil && len(s) == len("2006-01-02")
	case FormHash:
		_, err := content.ParseNamedHash(s)
		return err == nil
	case FormNumber:
		return s != "" && len(s) <= 15 && form.DigitsOnly(s)
	case FormYes:
		return s == "yes" || s == "no"
	case FormRecord:
		return form.IsName(s, 64)
	case FormAmount:
		_, err := ParseAmount(s)
		return err == nil
	case FormTime:
		_, err := deadline.ParseInstant(s)
		return err == nil
	case FormCode:
		return form.IsName(strings.ToLower(s), 64)
	case FormCodes:
		return each(s, func(code string) bool { return form.IsName(strings.ToLower(code), 64) })
	case FormNames:
		return each(s, func(name string) bool { return form.IsName(name, 64) })
	case FormReason:
		return form.IsName(strings.ReplaceAll(s, "_", "-"), 64)
	case FormPrincipal:
		_, err := ParsePrincipal(s)
		return err == nil
	}
	return false
}

// each reports whether every part of a list with commas is as it should be.
func each(list string, ok func(string) bool) bool {
	for part := range strings.SplitSeq(list, ",") {
		if !ok(part) {
			return false
		}
	}
	return true
}

// Fields returns the fields of a note in the order of their names.
func Fields(m map[string]string) []policy.Field {
	var fields []policy.Field
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, policy.Field{Name: name, Value: m[name]})
	}
	return fields
}
