package domain

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/policy"
)

// Stepped records that a request or an incident moved on: plain, with the
// fields that its kind has, as [StepRules] says.
type Stepped struct {
	Kind     StepKind
	Fields   []policy.Field // sorted by name
	Evidence content.Hash
	Details  Personal // sealed for whom the request is of
}

func (Stepped) isEvent() {}

// Field returns the value of a field; empty if the step has none of that name.
func (s Stepped) Field(name string) string { return policy.FieldOf(s.Fields, name) }

// TakeStep asks to record a step.
type TakeStep Stepped

func (TakeStep) isCommand() {}

// A StepKind names a kind of step, as in "identity.passed". Kinds are never
// renamed.
type StepKind string

// A StepRule says when a step is legal, and what it does. Needs are marks that
// must be there, or, with "!" before them, must not; Sets and Clears are marks
// that it leaves.
type StepRule struct {
	Kind   StepKind
	Noun   Noun
	Says   string
	Source string
	Fields []FieldRule

	Needs, Sets, Clears []string

	Starts  string // the clocks that begin to run: a rule's clock_start
	Pauses  string // the reason for which clocks stand still; "*": the step's own
	Resumes string // "*": all
	Closes  bool   // it answers: what was owed in reply is done
	Voids   bool   // nothing is owed any more
	Found   bool   // a rule finds it when the request comes in: nobody says it

	Complete []string // the fields that must say "yes" for the step to meet what is owed
}

// StepRules is every kind of step. A field is written as in [NoteRules].
var StepRules = []StepRule{
	request("request.acknowledged", "the person was told that the request has arrived", "Network data regulation 23", "open !acknowledged +acknowledged", "channel"),
	request("identity.requested", "the person was asked to show who they are", "VII(III); GB/T 35273 8.7", "open !identity-asked !identity-known +identity-asked", "elements*").pauses("identity_verification"),
	request("identity.passed", "it is known who asks; which elements showed it, never their values", "VII(III); XIII(3)", "open !identity-known +identity-known -identity-asked -identity-failed", "elements*", "checked_by%").resumes("identity_verification").starts("IdentityVerified"),
	request("identity.failed", "what was shown does not prove who asks: nothing is awaited from the person until they are asked again, so the clock goes on", "VII(III)", "open identity-asked +identity-failed -identity-asked", "elements*", "checked_by%").resumes("identity_verification"),
	request("clarification.requested", "the person was asked what is meant", "EDPB 01/2022, 157-161", "open !clarification-asked +clarification-asked", "question").pauses("clarification"),
	request("clarification.received", "the person said what is meant", "EDPB 01/2022, 157-161", "open clarification-asked -clarification-asked").resumes("clarification"),
	request("clock.paused", "a clock stands still, for a reason that its rule admits", "the rule's own", "open !clock-paused +clock-paused", "reason~").pauses("*"),
	request("clock.resumed", "the clock goes on", "the rule's own", "open clock-paused -clock-paused").resumes("*"),
	request("request.extended", "the period is the longer one; the person was told why before the first was over", "GDPR 12(3)", "open !extended +extended", "reason", "notified^"),
	request("request.repeated", "the person asked for the same not long before", "VII(III); PIPL 45", "open !repeated +repeated", "times=", "days=").found(),
	request("fee.quoted", "a fee is asked for a request repeated beyond reason", "VII(III)", "open repeated !fee-quoted +fee-quoted", "amount$", "reason"),
	request("fee.paid", "the fee was paid", "VII(III)", "open fee-quoted !fee-paid !fee-waived +fee-paid", "amount$"),
	request("fee.waived", "no fee is asked after all", "VII(III)", "open fee-quoted !fee-paid !fee-waived +fee-waived", "reason"),
	request("facts.verified", "what the person complains of was found to be so, or not; not a check of identity", "VII(4)", "open complaint !facts-verified +facts-verified", "founded?").starts("ComplaintVerified"),
	request("request.answered", "the person has their answer, in full or in part", "VII(III); PIPL 50", "open", "outcome:full|part", "channel", "-types,").closes(),
	request("request.rejected", "the person was told no, on which grounds, and where to go with it", "VII(III); PIPL 50", "open", "codes*", "remedies_told?", "approved_by%", "-types,").closes(),
	request("request.withdrawn", "the person does not want it any more", "PIPL 44", "open -open").voids(),
	request("request.duplicate", "the same was asked before, and goes on there", "VII(III)", "open -open", "of").voids(),
	request("request.reopened", "it was not done after all: after an answer the clocks of its rules begin anew, and facts are verified anew; after it was withdrawn or a duplicate they go on as if it had not been. Whose identity is known stays known", "PIPL 50", "!open +open -identity-asked -identity-failed -clarification-asked -clock-paused -extended -facts-verified", "reason"),

	incident("incident.suspected", "something may have happened", "PIPL 57", "!open !closed +open", "kind:leak|tamper|loss|credential|other", "what!", "-system"),
	incident("incident.detected", "something has happened", "PIPL 57", "!closed !detected +open +detected", "kind:leak|tamper|loss|credential|other", "what!", "-system"),
	incident("incident.dismissed", "nothing had happened", "PIPL 57", "open !detected -open +closed", "reason!").voids(),
	incident("incident.classified", "how grave it is", "incident reporting 2025, 4", "open", "level:general|larger|major|extreme", "-persons=", "-national_security?", "-minors?", "-critical?"),
	incident("incident.authority-told", "the authority was told", "PIPL 57; incident reporting 2025, 4", "open", "authority!", "-reference!"),
	incident("incident.persons-told", "the persons were told one by one: the four things that a notice says", "VI(VII); PIPL 57", "open", "channel", "persons=", "situation?", "measures?", "advice?", "remedies?").complete("situation", "measures", "advice", "remedies"),
	incident("incident.guardians-told", "the guardians of minors were told", "Minors' regulation 35", "open", "channel", "persons="),
	incident("incident.announced", "it was announced, since telling one by one is hard", "VI(VII); Network data regulation 11", "open", "where!", "situation?", "measures?", "advice?", "remedies?").complete("situation", "measures", "advice", "remedies"),
	incident("incident.credentials-handled", "what was done about leaked login data", "VI(4)", "open", "measures!"),
	incident("incident.contained", "it goes no further", "PIPL 57", "open !contained +contained", "measures!"),
	incident("incident.closed", "it is over", "VI(VII)", "open contained -open +closed", "-summary!", "-reportable?"),
	incident("incident.summary-filed", "the authority has the summary", "incident reporting 2025, 30 days", "closed !summary-filed +summary-filed", "authority!"),
	incident("incident.reopened", "it was not over after all: what is owed is owed as before, and it is contained and closed anew", "VI(VII)", "closed +open -closed -contained -summary-filed", "reason!"),
}

// request reads a rule for steps of requests. Marks are needed, "!" not
// there, "+" set, "-" cleared. See [stepFields] for the fields.
func request(kind StepKind, says, source, marks string, fields ...string) StepRule {
	return step(RequestNoun, kind, says, source, marks, fields)
}

func incident(kind StepKind, says, source, marks string, fields ...string) StepRule {
	return step(IncidentNoun, kind, says, source, marks, fields)
}

func step(noun Noun, kind StepKind, says, source, marks string, fields []string) StepRule {
	r := StepRule{Noun: noun, Kind: kind, Says: says, Source: source}
	for _, m := range strings.Fields(marks) {
		switch m[0] {
		case '+':
			r.Sets = append(r.Sets, m[1:])
		case '-':
			r.Clears = append(r.Clears, m[1:])
		default:
			r.Needs = append(r.Needs, m)
		}
	}
	for _, f := range fields {
		r.Fields = append(r.Fields, stepField(f))
	}
	return r
}

// stepField reads a field: "-" before it if it may be missing; after it "?" yes
// or no, "=" a number, "$" an amount, "^" a time, "!" a text, "*" codes of the
// policy, "," names, "~" a reason to pause, "%" a principal, ":a|b" one of
// these; else a name.
func stepField(f string) FieldRule {
	name, optional := strings.CutPrefix(f, "-")
	rule := FieldRule{Name: name, Form: FormName, Required: !optional}
	if before, choices, ok := strings.Cut(name, ":"); ok {
		rule.Name, rule.Form, rule.Choices = before, FormChoice, strings.Split(choices, "|")
		return rule
	}
	forms := map[byte]Form{'?': FormYes, '=': FormNumber, '$': FormAmount, '^': FormTime, '!': FormText, '*': FormCodes, ',': FormNames, '~': FormReason, '%': FormPrincipal}
	if form, ok := forms[name[len(name)-1]]; ok {
		rule.Name, rule.Form = name[:len(name)-1], form
	}
	return rule
}

func (r StepRule) pauses(reason string) StepRule  { r.Pauses = reason; return r }
func (r StepRule) resumes(reason string) StepRule { r.Resumes = reason; return r }
func (r StepRule) starts(clock string) StepRule   { r.Starts = clock; return r }
func (r StepRule) closes() StepRule               { r.Closes = true; return r }
func (r StepRule) voids() StepRule                { r.Voids = true; return r }
func (r StepRule) found() StepRule                { r.Found = true; return r }
func (r StepRule) complete(fields ...string) StepRule {
	r.Complete = fields
	return r
}

// Meets reports whether a fact may meet what is owed. A notice that lacks one
// of the things that it must say is recorded, and is no notice.
func Meets(e Event) bool {
	s, ok := e.(Stepped)
	if !ok {
		return true
	}
	rule, _ := StepRuleOf(s.Kind)
	return !slices.ContainsFunc(rule.Complete, func(field string) bool { return s.Field(field) != "yes" })
}

// Opens reports whether the step may be the first of its stream.
func (r StepRule) Opens() bool {
	return r.Noun == IncidentNoun && slices.Contains(r.Sets, "open") && !slices.Contains(r.Needs, "closed")
}

// StepRuleOf returns the rule of a kind of step, and whether there is one.
func StepRuleOf(k StepKind) (StepRule, bool) {
	i := slices.IndexFunc(StepRules, func(r StepRule) bool { return r.Kind == k })
	if i < 0 {
		return StepRule{}, false
	}
	return StepRules[i], true
}

// Marks are what is true of a request or an incident, in the words of
// [StepRules].
type Marks []string

// Has reports whether a mark is there.
func (m Marks) Has(mark string) bool { return slices.Contains(m, mark) }

// after returns the marks as they are after a step.
func (m Marks) after(r StepRule) Marks {
	out := slices.DeleteFunc(slices.Clone(m), func(mark string) bool { return slices.Contains(r.Clears, mark) })
	for _, mark := range r.Sets {
		if !out.Has(mark) {
			out = append(out, mark)
		}
	}
	return out
}

// checkShape refuses a step that is not as its rule says.
func checkShape(s TakeStep, noun Noun) (StepRule, error) {
	r, ok := StepRuleOf(s.Kind)
	if !ok || r.Noun != noun {
		return r, refuseAt(WrongStream, "type", "this is no step of "+article(noun)+"; see consentledger schema list")
	}
	if err := checkFields(string(s.Kind), r.Fields, s.Fields); err != nil {
		return r, err
	}
	return r, r.checkPublic(s.Fields)
}

// allow refuses a step that is not legal as things stand.
func (m Marks) allow(r StepRule) error {
	for _, need := range r.Needs {
		mark, not := strings.CutPrefix(need, "!")
		if m.Has(mark) != not {
			continue
		}
		text := fmt.Sprintf("%s is not possible now: the %s %s", r.Kind, r.Noun, marked(mark, not))
		if mark == "open" && !not || mark == "closed" && not {
			text += "; if it happened before that, say when (time); if the " + string(r.Noun) + " goes on, record " + string(r.Noun) + ".reopened"
		}
		return refuse(IllegalMove, text)
	}
	return nil
}

// checkPublic refuses words that hold what looks personal: the fields of a step
// are kept in the clear, for ever.
func (r StepRule) checkPublic(fields []policy.Field) error {
	for _, f := range fields {
		i := slices.IndexFunc(r.Fields, func(rule FieldRule) bool { return rule.Name == f.Name })
		switch form := r.Fields[i].Form; {
		case form != FormName && form != FormText && form != FormNames && form != FormReason && form != FormCodes:
		case form == FormName && f.Name == "of": // an id of ours, which is random
		case HoldsPersonal(f.Value):
			return refuseAt(Malformed, "data."+f.Name, "holds what looks like a phone number, an e-mail address or an identity-card number: this is kept in the clear; leave it out, or seal it in details")
		}
	}
	return nil
}

func article(n Noun) string {
	if n == IncidentNoun {
		return "an incident"
	}
	return "a " + string(n)
}

// marked says that a mark is there, or is not.
func marked(mark string, there bool) string {
	says, known := map[string][2]string{
		"open":                {"is closed, or was never opened", "is open already"},
		"closed":              {"is not closed", "is closed"},
		"identity-asked":      {"was not asked for proof of identity", "was asked for proof of identity, which is awaited"},
		"identity-known":      {"is of somebody whose identity is not known", "is of somebody whose identity is known"},
		"clarification-asked": {"was not asked to be made clear", "was asked to be made clear, which is awaited"},
		"clock-paused":        {"has no clock that was paused", "has a clock that was paused"},
		"repeated":            {"does not repeat an earlier one: the first is free of charge", "was found to be repeated already"},
		"complaint":           {"is no complaint: there are no facts to verify", "is a complaint"},
	}[mark]
	switch {
	case known && there:
		return says[1]
	case known:
		return says[0]
	case there:
		return "is marked " + mark + " already"
	}
	return "is not marked " + mark
}
