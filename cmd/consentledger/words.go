package main

import (
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

// stepVerbs has the verb of every step of a request or an incident that somebody
// records: what one tells the program to do. The kind of the event says what was done,
// and was the verb before; it is still taken.
var stepVerbs = map[catalog.Step]string{
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

// The groups of verbs in the program's help, by who uses them.
var (
	appTeams        = &cobra.Group{ID: "apps", Title: "App teams record, and ask:"}
	privacyOfficers = &cobra.Group{ID: "officers", Title: "Privacy officers keep promises, and dates:"}
	auditors        = &cobra.Group{ID: "auditors", Title: "Auditors look back, and verify:"}
	operators       = &cobra.Group{ID: "operators", Title: "Operators run the ledger:"}
)

// addGrouped gives the program verbs that one group of people uses most.
func addGrouped(root *cobra.Command, group *cobra.Group, verbs ...*cobra.Command) {
	root.AddGroup(group)
	for _, verb := range verbs {
		verb.GroupID = group.ID
	}
	root.AddCommand(verbs...)
}
