package request

import (
	"strings"

	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
)

// A Type is what a person asks for.
type Type uint8

const (
	Access Type = iota + 1
	Copy
	Portability
	Correct
	Complete
	Delete
	CancelAccount
	Withdraw
	Restrict
	Refuse // processing, or a decision made by a machine
	Explanation
	Complaint // or a report of something wrong
	Question
	Guardian  // a guardian asks for a child
	Relative  // of somebody who died
	Authority // an authority asks
)

var typeNames = form.Codes{"", "access", "copy", "portability", "correct", "complete", "delete", "cancel-account",
	"withdraw", "restrict", "refuse",
	"explanation", "complaint", "question", "guardian", "relative", "authority"}

func (t Type) String() string { return typeNames.Name(uint8(t)) }

// ParseType reads what [Type.String] writes.
func ParseType(s string) (Type, error) {
	return form.ParseCode[Type](s, typeNames, "a type of request")
}

// Types returns every type.
func Types() []Type {
	var all []Type
	for t := Access; t <= Authority; t++ {
		all = append(all, t)
	}
	return all
}

// HandsOver reports whether the answer to a request of this type hands over personal
// data: who asks has to be known before.
func (t Type) HandsOver() bool { return t == Access || t == Copy || t == Portability }

// Names returns the names of every type, in their order.
func Names() []string { return typeNames[1:] }

// Right returns the right of a policy that a type of request uses.
func (t Type) Right() policy.RightID {
	switch t {
	case Withdraw:
		return "withdraw-consent"
	case Explanation:
		return "explain-decision"
	case Complaint:
		return "complain"
	case Question:
		return "contact"
	}
	return policy.RightID(t.String())
}

// NamedIn returns the types that a step names; those that are left if it names
// none.
func NamedIn(fields []policy.Field, left []Type) []Type {
	names := policy.FieldOf(fields, "types")
	if names == "" {
		return left
	}
	var types []Type
	for _, name := range strings.Split(names, ",") {
		if t, err := ParseType(name); err == nil {
			types = append(types, t)
		}
	}
	return types
}

// NamesOf writes types as a field of a step names them, with commas.
func NamesOf(types []Type) string {
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	return strings.Join(names, ",")
}
