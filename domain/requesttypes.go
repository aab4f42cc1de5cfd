package domain

import (
	"strings"

	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
)

// A RequestType is what a person asks for.
type RequestType uint8

const (
	AskAccess RequestType = iota + 1
	AskCopy
	AskPortability
	AskCorrect
	AskComplete
	AskDelete
	AskCancelAccount
	AskWithdraw
	AskRestrict
	AskRefuse // processing, or a decision made by a machine
	AskExplanation
	AskComplaint // or a report of something wrong
	AskQuestion
	AskGuardian  // a guardian asks for a child
	AskRelative  // of somebody who died
	AskAuthority // an authority asks
)

var requestTypes = form.Codes{"", "access", "copy", "portability", "correct", "complete", "delete", "cancel-account",
	"withdraw", "restrict", "refuse",
	"explanation", "complaint", "question", "guardian", "relative", "authority"}

func (t RequestType) String() string { return requestTypes.Name(uint8(t)) }

// ParseRequestType reads what [RequestType.String] writes.
func ParseRequestType(s string) (RequestType, error) {
	return form.ParseCode[RequestType](s, requestTypes, "a type of request")
}

// RequestTypes returns every type.
func RequestTypes() []RequestType {
	var all []RequestType
	for t := AskAccess; t <= AskAuthority; t++ {
		all = append(all, t)
	}
	return all
}

// requestTypeNames returns the names of every type, in their order.
func requestTypeNames() []string { return requestTypes[1:] }

// Right returns the right of a policy that a type of request uses.
func (t RequestType) Right() policy.RightID {
	switch t {
	case AskWithdraw:
		return "withdraw-consent"
	case AskExplanation:
		return "explain-decision"
	case AskComplaint:
		return "complain"
	case AskQuestion:
		return "contact"
	}
	return policy.RightID(t.String())
}

// typesOf returns the types that a step names; those that are left if it names
// none.
func typesOf(fields []policy.Field, left []RequestType) []RequestType {
	names := policy.FieldOf(fields, "types")
	if names == "" {
		return left
	}
	var types []RequestType
	for _, name := range strings.Split(names, ",") {
		if t, err := ParseRequestType(name); err == nil {
			types = append(types, t)
		}
	}
	return types
}

// namesOf writes types as a field of a step names them, with commas.
func namesOf(types []RequestType) string {
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	return strings.Join(names, ",")
}
