package query

import (
	"fmt"

	"consentledger/api/wire"
	"consentledger/domain"
)

// reason says an answer in a sentence or two.
func reason(m domain.Answer, a *wire.CheckAnswer) string {
	s := sentence(m, a)
	if s == "" {
		s = "The answer is " + string(m.Why) + "."
	}
	for _, r := range domain.CountRules {
		if r.Short == m.Standing.Short && !m.Allowed {
			s += shortSentence(r, a.KnownAt != "")
		}
	}
	return s + opposition(m, a)
}

// shortSentence says why the newest consent does not count, and what to do about it
// now. In an answer about the past nothing is left to do, and it says what it has
// always said.
func shortSentence(r domain.CountRule, past bool) string {
	says := " A later answer does not count: " + r.Says + "."
	if past && r.Short != domain.NoBindingText {
		return says
	}
	return says + " " + wire.Advice[r.Short]
}

// opposition says where a machine's signal and the person's own word are at odds.
func opposition(m domain.Answer, a *wire.CheckAnswer) string {
	switch {
	case a.Opposed == "":
		return ""
	case a.Signal != "":
		return fmt.Sprintf(" It was said by a machine's signal (%s) after the person had consented: ask whether they "+
			"mean it.", a.Opposed)
	case m.Standing.Status == domain.Given || m.Standing.Status == domain.Stale:
		return fmt.Sprintf(" A machine's signal (%s) says no; the person consented after it, by an act of their own, "+
			"and that counts.", a.Opposed)
	}
	return fmt.Sprintf(" A machine's signal (%s) says no where the person had consented.", a.Opposed)
}

// sentence returns the sentence of a Why; empty: there is none.
func sentence(m domain.Answer, a *wire.CheckAnswer) string {
	switch m.Why {
	case domain.WhyConsent:
		if a.Guardian {
			return fmt.Sprintf("A guardian consented to %s for the person; the consent holds since %s.", a.Purpose,
				a.Since)
		}
		return fmt.Sprintf("The person consented to %s; the consent holds since %s.", a.Purpose, a.Since)
	case domain.WhyOldScope:
		return fmt.Sprintf("The policy has changed since the consent to %s; it still covers what is asked about, and "+
			"nothing that was added.", a.Purpose)
	case domain.WhyOtherBasis:
		return fmt.Sprintf("The policy bases %s on %s, not on consent.", a.Purpose, a.Basis)
	case domain.WhyExempt:
		if a.Doubtful {
			return fmt.Sprintf("There is no consent to %s; an exemption was invoked, on a ground that the law does "+
				"not clearly admit.", a.Purpose)
		}
		return fmt.Sprintf("There is no consent to %s; an exemption was invoked.", a.Purpose)
	case domain.WhyCeased:
		return "The app's service is over; nothing is processed any more."
	case domain.WhyHold:
		return "The person's data are under a legal hold: they stay, and are not processed."
	case domain.WhyRestricted:
		return "The person's data may be stored and protected, and nothing else."
	case domain.WhyGuardian:
		return fmt.Sprintf("The person is a child under 14, and no guardian's consent to %s is in force.", a.Purpose)
	case domain.WhySeparate:
		return fmt.Sprintf("The purpose %s needs a separate consent, by a control of its own.", a.Purpose)
	case domain.WhyStatus:
		return statusReason(m.Standing.Status, a)
	case domain.WhyNoPolicy, domain.WhyNoPurpose, domain.WhyNoAction, domain.WhyNoCategory, domain.WhyNoRecipient,
		domain.WhyActionIsNew, domain.WhyCategoryNew, domain.WhyRecipientNew:
		return undeclared(m.Why, a)
	}
	return ""
}

// undeclared says what a policy does not declare.
func undeclared(w domain.Why, a *wire.CheckAnswer) string {
	switch w {
	case domain.WhyNoPolicy:
		return "No policy of the app was in force then."
	case domain.WhyNoPurpose:
		return fmt.Sprintf("No policy in force then declares the purpose %s.", a.Purpose)
	case domain.WhyNoAction:
		return fmt.Sprintf("The policy does not declare the action %s for %s.", a.Action, a.Purpose)
	case domain.WhyNoCategory:
		return fmt.Sprintf("The policy does not declare the data %s for %s.", a.Category, a.Purpose)
	case domain.WhyNoRecipient:
		return fmt.Sprintf("The policy does not declare that %s gets data for %s.", a.Recipient, a.Purpose)
	case domain.WhyActionIsNew:
		return fmt.Sprintf("The policy that the person agreed to did not declare the action %s for %s.", a.Action,
			a.Purpose)
	case domain.WhyCategoryNew:
		return fmt.Sprintf("The policy that the person agreed to did not declare the data %s for %s.", a.Category,
			a.Purpose)
	}

	return fmt.Sprintf("The policy that the person agreed to did not declare that %s gets data for %s.", a.Recipient,
		a.Purpose)
}

func statusReason(s domain.Status, a *wire.CheckAnswer) string {
	switch s {
	case domain.NeverAsked:
		return fmt.Sprintf("The person gave no answer that counts for %s.", a.Purpose)
	case domain.Refused, domain.Withdrawn:
		if a.Signal != "" {
			return fmt.Sprintf("A machine's signal (%s) said no to %s at %s.", a.Signal, a.Purpose, a.Since)
		}
		if s == domain.Withdrawn {
			return fmt.Sprintf("The person withdrew the consent to %s at %s.", a.Purpose, a.Since)
		}
		return fmt.Sprintf("The person refused %s at %s.", a.Purpose, a.Since)
	case domain.Expired:
		return fmt.Sprintf("The consent to %s ran out at %s.", a.Purpose, a.Since)
	case domain.Stale:
		return fmt.Sprintf("The policy changed after the consent to %s; ask again.", a.Purpose)
	case domain.AskAgain:
		return fmt.Sprintf("It is not proven whether a yes or a no to %s is the last word; ask again.", a.Purpose)
	case domain.Given:
	}
	return fmt.Sprintf("The status of %s is %s.", a.Purpose, a.Status)
}
