package obligation

import (
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/refusal"
)

// asked are the reasons for which a clock stands still while the person is to
// answer, by the step that asks them.
var asked = map[string]catalog.Step{"identity_verification": "identity.requested",
	"clarification": "clarification.requested"}

// CheckPause refuses a pause that has a cause of its own, which is recorded: no
// clock stands still for an answer that nobody was asked for, nor for a legal
// hold that nobody placed.
func CheckPause(reason string) error {
	if step, ok := asked[reason]; ok {
		return refusal.At(refusal.NotPausable, "data.reason",
			"the clock stands still for that once the person was asked: record "+string(step)+", which stops it")
	}
	if reason == LegalHold {
		return refusal.At(refusal.NotPausable, "data.reason",
			"a legal hold stops what is to be deleted, and no reply: record hold.placed")
	}
	return nil
}

// Awaits reports whether the person was asked for what a pause waits for, and
// has not answered.
func Awaits(marks catalog.Marks, reason string) bool {
	rule, _ := catalog.StepRuleOf(asked[reason])
	return slices.ContainsFunc(rule.Sets, marks.Has)
}
