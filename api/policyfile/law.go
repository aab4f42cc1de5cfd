package policyfile

import (
	"strings"

	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// A law is a body of rules that a policy is held to. Its articles are cited only
// to those whom it binds.
type law uint8

const (
	unknownLaw law = iota // only what any policy should say is looked for, and nothing is cited
	chinaLaw              // PIPL
	unionLaw              // GDPR
)

// lawOf returns the law of a jurisdiction: of a country, or of a region of it.
func lawOf(jurisdiction string) law {
	country, _, _ := strings.Cut(jurisdiction, "-")
	switch {
	case country == "CN":
		return chinaLaw
	case request.UnderGDPR(jurisdiction):
		return unionLaw
	}
	return unknownLaw
}

// cite returns the articles of the law that binds the policy, in brackets after a
// space; empty: none is known.
func (l *linter) cite(china, union string) string {
	switch lawOf(l.doc.Jurisdiction) {
	case chinaLaw:
		return " (PIPL " + china + ")"
	case unionLaw:
		return " (GDPR " + union + ")"
	case unknownLaw:
	}
	return ""
}

// A right that the law gives, by the id that a document uses for it.
type expectedRight struct {
	id   policy.RightID
	what string
}

// expected are the rights that each law gives: PIPL 44 to 49, GDPR 7 and 15 to 22.
var expected = map[law][]expectedRight{
	chinaLaw: {
		{"withdraw-consent", "to withdraw consent (PIPL 15)"},
		{"access", "of access (PIPL 45)"},
		{"copy", "to a copy (PIPL 45)"},
		{"port", "to have data transferred (PIPL 45)"},
		{"correct", "to correction (PIPL 46)"},
		{"delete", "to deletion (PIPL 47)"},
		{"explain-rules", "to have the rules explained (PIPL 48)"},
		{"restrict", "to restrict or refuse processing (PIPL 44)"},
		{"relatives", "of a deceased person's relatives (PIPL 49)"},
		{"cancel-account", "to cancel the account"},
		{"complain", "to complain"},
	},
	unionLaw: {
		{"withdraw-consent", "to withdraw consent (GDPR 7(3))"},
		{"access", "of access (GDPR 15)"},
		{"copy", "to a copy (GDPR 15(3))"},
		{"correct", "to rectification (GDPR 16)"},
		{"delete", "to erasure (GDPR 17)"},
		{"restrict", "to restrict processing, or to object to it (GDPR 18, 21)"},
		{"port", "to data portability (GDPR 20)"},
		{"complain", "to complain (GDPR 77)"},
	},
}
