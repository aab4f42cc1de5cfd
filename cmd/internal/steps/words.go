package steps

import "consentledger/domain/catalog"

// Words has the verb of every step of a request or an incident that somebody
// records: what one tells the program to do. The kind of the event says what was done,
// and was the verb before; it is still taken.
var Words = map[catalog.Step]string{
	"request.acknowledged":    "acknowledge",
	"identity.requested":      "ask-identity",
	"identity.passed":         "pass-identity",
	"identity.failed":         "fail-identity",
	"clarification.requested": "ask-clarification",
	"clarification.received":  "receive-clarification",
	"clock.paused":            "pause",
	"clock.resumed":           "resume",
	"request.extended":        "extend",
	"fee.quoted":              "quote-fee",
	"fee.paid":                "receive-fee",
	"fee.waived":              "waive-fee",
	"facts.verified":          "verify-facts",
	"request.answered":        "answer",
	"request.rejected":        "reject",
	"request.withdrawn":       "withdraw",
	"request.duplicate":       "mark-duplicate",
	"request.reopened":        "reopen",

	"incident.suspected":           "suspect",
	"incident.detected":            "detect",
	"incident.dismissed":           "dismiss",
	"incident.classified":          "classify",
	"incident.authority-told":      "tell-authority",
	"incident.persons-told":        "tell-persons",
	"incident.guardians-told":      "tell-guardians",
	"incident.announced":           "announce",
	"incident.credentials-handled": "handle-credentials",
	"incident.contained":           "contain",
	"incident.closed":              "close",
	"incident.summary-filed":       "file-summary",
	"incident.reopened":            "reopen",
}
