package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// A Severity says whether a policy can be published all the same.
type Severity uint8

const (
	SeverityWarning Severity = iota + 1 // can be published
	SeverityError                       // cannot, or should not
)

func (s Severity) String() string {
	if s == SeverityError {
		return "error"
	}
	return "warning"
}

// A Finding is something that a policy file gets wrong or leaves out.
type Finding struct {
	Line, Column int
	Severity     Severity
	Code         string
	Message      string
}

// String returns the form "line:column: severity code: message".
func (f Finding) String() string {
	return fmt.Sprintf("%d:%d: %s %s: %s", f.Line, f.Column, f.Severity, f.Code, f.Message)
}

// Two acts that policies claim and that are no consent, by reserved ids.
const (
	useOfService    policy.ActID = "use-of-service"
	permissionGrant policy.ActID = "permission-grant"
)

// ceiling is the longest a reply may be promised in China, in working days:
// the method of 2019 for apps, section 6. It stands for correction, deletion,
// account cancellation and complaints.
const ceiling = 15

// Lint returns what a policy file gets wrong and what the policy leaves out,
// in the order of the file. A file that [Parse] refuses has errors only. Lint
// finds gaps that are known to occur; that it finds none makes nothing lawful.
func Lint(file []byte, open func(path string) ([]byte, error)) []Finding {
	p := parse(file, open)
	if len(p.findings) > 0 {
		return p.findings
	}

	l := &linter{parsed: p}
	l.handler()
	for i, purpose := range p.doc.Purposes {
		l.purpose(fmt.Sprintf("/purposes/%d", i), purpose)
	}

	l.acts()
	l.doubts()
	l.rights()
	l.deadlines()
	l.rest()
	slices.SortStableFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.findings
}

// A linter looks through a document that parsed.
type linter struct{ *parsed }

func (l *linter) warn(pointer, code, format string, args ...any) {
	line, column := l.at.findKey(pointer)
	l.findings = append(l.findings, Finding{line, column, SeverityWarning, code, fmt.Sprintf(format, args...)})
}

func (l *linter) china() bool { return lawOf(l.doc.Jurisdiction) == chinaLaw }

func (l *linter) handler() {
	if l.doc.Handler.Name == "" {
		l.warn("/handler", "handler-unnamed", "who handles the data is not named%s", l.cite("17", "13(1)(a)"))
	}
}

func (l *linter) purpose(pointer string, p policy.Purpose) {
	switch {
	case p.KeepAfter != "":
	case p.Retention == "":
		l.warn(pointer, "retention-missing", "purpose %s: no retention period and no way to find it", p.ID)
	default:
		l.warn(pointer, "retention-in-words",
			"purpose %s: the retention period is said in words alone: nothing is owed by a date until somebody "+
				"records that it is over; say keep_months or keep_days, and keep_after", p.ID)
	}

	if len(p.Categories) == 0 {
		l.warn(pointer, "categories-missing", "purpose %s: which data it processes is not said", p.ID)
	}

	sensitive := p.Sensitive || slices.ContainsFunc(p.Categories, l.doc.IsSensitive)
	if sensitive && !p.Sensitive {
		l.warn(pointer, "sensitive-unflagged", "purpose %s processes sensitive data and does not say so", p.ID)
	}

	l.separate(pointer, p, sensitive)
	if p.Separate && !slices.ContainsFunc(l.doc.Acts,
		func(a policy.Act) bool { return slices.Equal(a.Purposes, []policy.PurposeID{p.ID}) }) {
		l.warn(pointer, "separate-act-missing",
			"purpose %s needs a separate consent, and no act is for it alone: only a control of its own on a "+
				"published surface can give it", p.ID)
	}

	if p.Basis == policy.BasisConsent && !p.Separate && l.otherActsAlone(p.ID) {
		l.warn(pointer, "act-missing",
			"purpose %s rests on consent, and every act that counts stands for other purposes: only a control on a "+
				"published surface that names it can give it", p.ID)
	}

	refusable := slices.ContainsFunc(l.doc.Rights, func(r policy.Right) bool { return r.ID == "refuse-decision" })
	if p.Automated && !refusable {
		l.warn(pointer, "automated-no-refusal",
			"purpose %s decides by machine, and no right refuse-decision is given%s", p.ID, l.cite("24", "22"))
	}
}

// otherActsAlone reports whether acts of the person themselves count, and each stands for other purposes.
func (l *linter) otherActsAlone(id policy.PurposeID) bool {
	others := false
	for _, a := range l.doc.Acts {
		if a.Counts == policy.NoConsent || a.Counts == policy.GuardianConsent {
			continue
		}
		if len(a.Purposes) == 0 || slices.Contains(a.Purposes, id) {
			return false
		}
		others = true
	}
	return others
}

// separate looks for consents that the law wants by themselves. The GDPR calls
// them explicit, and asks for them less often than the PIPL.
func (l *linter) separate(pointer string, p policy.Purpose, sensitive bool) {
	if p.Basis != policy.BasisConsent || p.Separate {
		return
	}
	does := func(actions ...policy.Action) bool {
		return slices.ContainsFunc(p.Actions, func(a policy.Action) bool { return slices.Contains(actions, a) })
	}

	switch lawOf(l.doc.Jurisdiction) {
	case unionLaw:
		if sensitive || does(policy.Export) {
			l.warn(pointer, "separate-consent-missing",
				"purpose %s: data of special categories and transfers abroad that rest on consent need an explicit "+
					"one: make it separate (GDPR 9(2)(a), 49(1)(a))", p.ID)
		}
	case chinaLaw, unknownLaw:
		if sensitive || does(policy.Provide, policy.Publish, policy.Export) {
			l.warn(pointer, "separate-consent-missing",
				"purpose %s: sensitive, provided, published or exported data need a separate consent%s", p.ID,
				l.cite("23, 25, 29, 39", ""))
		}
	}
}

func (l *linter) acts() {
	for i, a := range l.doc.Acts {
		pointer := fmt.Sprintf("/acts/%d", i)
		switch {
		case a.ID == useOfService && a.Counts != policy.NoConsent:
			l.failAt(pointer, "consent-by-use", "using the service counts as no consent: write counts: none")
		case a.ID == useOfService:
			l.warn(pointer, "consent-by-use",
				"the policy takes use of the service for agreement; it is recorded as none")
		case a.ID == permissionGrant && a.Counts != policy.NoConsent:
			l.failAt(pointer, "consent-by-permission",
				"a permission of the system counts as no consent: write counts: none")
		}
	}
}

// doubts lists the grounds that the law does not clearly admit.
func (l *linter) doubts() {
	for name, list := range map[string][]policy.Ground{
		"exemptions_collect": l.doc.ExemptionsCollect, "exemptions_provide": l.doc.ExemptionsProvide,
		"rejections": l.doc.Rejections, "disclosures": l.doc.Disclosures,
	} {
		for i, g := range list {
			if g.Doubtful {
				l.warn(fmt.Sprintf("/%s/%d", name, i), "ground-doubtful",
					"%s: the law does not clearly admit this ground", g.Code)
			}
		}
	}
}

func (l *linter) rights() {
	for i, r := range l.doc.Rights {
		if r.Procedure == "" {
			l.warn(fmt.Sprintf("/rights/%d", i), "procedure-missing", "right %s: how to use it is not said", r.ID)
		}
	}
	l.unpromised()
	for _, want := range expected[lawOf(l.doc.Jurisdiction)] {
		if !slices.ContainsFunc(l.doc.Rights, func(r policy.Right) bool { return r.ID == want.id }) {
			l.warn("/rights", "right-missing", "no right %s: the right %s", want.id, want.what)
		}
	}
}

// unpromised warns of the types of request that anybody may make and for which
// the policy promises no date: what is owed then is the law's, or undated.
func (l *linter) unpromised() {
	byLaw, undated := map[deadline.RuleID][]string{}, []string{}
	var rules []deadline.Rule
	for _, t := range request.Types() {
		if request.PromisesReply(&l.doc, t, "") {
			continue
		}
		rule := request.LawReply(l.doc.Jurisdiction, l.doc.TimeZone, t)
		switch {
		case rule.ID.Undated():
			undated = append(undated, t.String())
			continue
		case byLaw[rule.ID] == nil:
			rules = append(rules, rule)
		}
		byLaw[rule.ID] = append(byLaw[rule.ID], t.String())
	}

	for _, r := range rules {
		l.warn("/rights", "reply-unpromised",
			"no right gives a deadline for requests of the types %s: they are owed an answer by law alone, %d %s "+
				"from %s (%s)",
			strings.Join(byLaw[r.ID], ", "), r.Length, strings.ReplaceAll(r.Unit.String(), "_",
				" "), r.ClockStart, r.Source)
	}

	if len(undated) > 0 {
		l.warn("/rights", "reply-undated",
			"no right gives a deadline for requests of the types %s, and no law that is known here gives a number of "+
				"days: they stand open without a date", strings.Join(undated, ", "))
	}
}

func (l *linter) deadlines() {
	for i, r := range l.doc.DeadlineRules {
		pointer := fmt.Sprintf("/deadline_rules/%d", i)
		promise := l.china() && strings.HasPrefix(r.Source, "policy ") && r.Unit == deadline.UnitWorkingDay &&
			r.Direction == deadline.Forward && r.Result == deadline.ResultDueDate
		if promise && r.Length > ceiling {
			l.warn(pointer, "promise-exceeds-ceiling", "%s: %d working days are more than the %d that may be promised",
				r.ID, r.Length, ceiling)
		}
		if r.ClockStart != "ComplaintVerified" {
			continue
		}
		if by := l.watchdog(r.ID); by != "" {
			l.warn(pointer, "complaint-after-verification", "%s runs only from verification; %s watches from receipt",
				r.ID, by)
		} else {
			l.warn(pointer, "complaint-unwatched",
				"%s runs only from verification: give the right a deadline from receipt too", r.ID)
		}
	}
}

// watchdog returns a rule that starts at receipt and that every right with the
// rule id has; none for a rule that no right has.
func (l *linter) watchdog(id deadline.RuleID) (found deadline.RuleID) {
	for _, right := range l.doc.Rights {
		if !slices.Contains(right.Deadlines, id) {
			continue
		}
		found = ""
		for _, r := range l.doc.DeadlineRules {
			if strings.HasSuffix(r.ClockStart, "Received") && slices.Contains(right.Deadlines, r.ID) {
				found = r.ID
			}
		}
		if found == "" {
			return ""
		}
	}
	return found
}

func (l *linter) rest() {
	complaint := func(c policy.Channel) bool { return slices.Contains(c.Uses, policy.ForComplaints) }
	if !slices.ContainsFunc(l.doc.Channels, complaint) {
		l.warn("/channels", "complaint-channel-missing", "no channel is for complaints")
	}

	if m := l.doc.Minors; m.ChildBelowPolicy != m.ChildBelowLaw {
		l.warn("/minors", "child-age-differs", "a child is below %d by policy, below %d by law", m.ChildBelowPolicy,
			m.ChildBelowLaw)
	}

	for i, t := range l.doc.Texts {
		if t.Force != policy.Authoritative {
			l.warn(fmt.Sprintf("/texts/%d", i), "text-not-authoritative",
				"locale %s: the text is a %s, and no authoritative one is named", t.Locale, t.Force)
		}
	}
}
