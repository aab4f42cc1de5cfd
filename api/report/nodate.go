package report

import (
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/obligation"
	"consentledger/projections/requests"
)

// noDate says why something that is open is owed by no date. Nobody is to guess
// whether a date was forgotten.
func noDate(o requests.Obligation) string {
	switch {
	case o.Outcome != 0 || o.Due.Phase == deadline.Running:
		return ""
	case o.Rule.Undated():
		return o.Source
	case o.Due.Phase == deadline.Suspended:
		return "the clock stands still" + standsFor(o.Stands) + ": the date comes back once it goes on"
	case o.Waits == "IdentityVerified":
		return "the clock starts once it is known who asks, and no proof of identity was recorded: ask for it " +
			"(identity.requested), and record identity.passed"
	case o.Waits == "ComplaintVerified":
		return "the clock starts once the facts are verified: record facts.verified"
	}
	return "the fact that it follows from does not name the day from which it runs"
}

// standsFor names the reasons for which a clock stands still.
func standsFor(reasons []string) string {
	said := map[string]string{
		"identity_verification": "until the person shows who they are",
		"clarification":         "until the person says what is meant",
		obligation.LegalHold:    "as long as a legal hold keeps the data",
	}
	var all []string
	for _, reason := range reasons {
		text, known := said[reason]
		if !known {
			text = "for the reason " + reason
		}
		all = append(all, text)
	}

	if len(all) == 0 {
		return ""
	}
	return " " + strings.Join(all, ", and ")
}
