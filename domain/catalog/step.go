package catalog

import (
	"slices"
	"strings"
)

// A Step names a kind of step, as in "identity.passed". Kinds are never renamed.
type Step string

// Reopened is the step that opens a request again: with types, those alone.
const Reopened Step = "request.reopened"

// A Case is what takes steps: its name is the noun of its streams.
type Case string

const (
	Request  Case = "request"
	Incident Case = "incident"
)

// A Mark is what is true of a request or an incident.
type Mark string

// The marks.
const (
	Open               Mark = "open"
	Closed             Mark = "closed"
	Acknowledged       Mark = "acknowledged"
	IdentityAsked      Mark = "identity-asked"
	IdentityKnown      Mark = "identity-known"
	IdentityFailed     Mark = "identity-failed"
	ClarificationAsked Mark = "clarification-asked"
	ClockPaused        Mark = "clock-paused"
	Extended           Mark = "extended"
	Repeated           Mark = "repeated"
	FeeQuoted          Mark = "fee-quoted"
	FeePaid            Mark = "fee-paid"
	FeeWaived          Mark = "fee-waived"
	Complaint          Mark = "complaint"
	FactsVerified      Mark = "facts-verified"
	Detected           Mark = "detected"
	Contained          Mark = "contained"
	SummaryFiled       Mark = "summary-filed"
)

// A Source says where a step is asked for. What is empty asks for none.
type Source struct {
	China string // the policy that the ledger was founded on, by section, and the law of China
	Union string // the law of the European Union
	Rule  bool   // the deadline rule itself names the step
}

// String returns all of it.
func (s Source) String() string {
	parts := slices.DeleteFunc([]string{s.China, s.Union}, func(part string) bool { return part == "" })
	if s.Rule {
		parts = append(parts, rulesOwn)
	}
	return strings.Join(parts, "; ")
}

// UnderGDPR returns what holds for an app that the GDPR binds; it may be empty.
func (s Source) UnderGDPR() string {
	if s.Rule {
		return rulesOwn
	}
	return s.Union
}

// Elsewhere returns what holds for any other app; it may be empty.
func (s Source) Elsewhere() string {
	if s.Rule {
		return rulesOwn
	}
	return s.China
}

const rulesOwn = "the rule's own"

// A StepRule says when a step is legal, and what it does.
type StepRule struct {
	Kind   Step
	Of     Case
	Says   string
	Source Source
	Fields []FieldRule

	Needs, Lacks []Mark // the marks that must be there, and those that must not
	Sets, Clears []Mark // those that it leaves, and those that it takes away

	Starts string // the clocks that begin to run: a rule's clock_start

	Pauses       string // the reason for which clocks stand still
	PausesAsSaid bool   // they do for the reason that the step says
	Resumes      string // the reason for which they did
	ResumesAll   bool   // whatever the reason that an operator gave

	Closes bool // it answers: what was owed in reply is done
	Voids  bool // nothing is owed any more
	Found  bool // a rule finds it when the request comes in: nobody says it

	Complete []string // the fields that must say "yes" for the step to meet what is owed
}

// Opens reports whether the step may be the first of its stream.
func (r StepRule) Opens() bool {
	return r.Of == Incident && slices.Contains(r.Sets, Open) && !slices.Contains(r.Needs, Closed)
}

// CanBeLate reports whether a step is kept if it arrives after what came later.
// What begins or ends a request, or ends an incident, is not: which of two ends
// counts is for somebody to say, who opens the case again.
func (r StepRule) CanBeLate() bool {
	ends := slices.Contains(r.Clears, Open) || r.Closes || r.Voids
	begins := slices.Contains(r.Sets, Open) && !r.Opens()
	return !ends && !begins
}

// Reports reports whether a step only tells what was done for an incident. That
// may be done when it is over, too: what is owed is owed still.
func (r StepRule) Reports() bool {
	return r.Of == Incident && slices.Equal(r.Needs, []Mark{Open}) && len(r.Lacks)+len(r.Sets)+len(r.Clears) == 0
}

// StepRuleOf returns the rule of a kind of step, and whether there is one.
func StepRuleOf(k Step) (StepRule, bool) {
	i, ok := stepIndex[k]
	if !ok {
		return StepRule{}, false
	}
	return StepRules[i], true
}

var stepIndex = func() map[Step]int {
	m := make(map[Step]int, len(StepRules))
	for i, r := range StepRules {
		m[r.Kind] = i
	}
	return m
}()
