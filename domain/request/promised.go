package request

import (
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// anyRequest is the right that answers what no other right of a policy names.
const anyRequest policy.RightID = "request"

// otherNames are the ids by which policies call a right, beside the one that a
// type of request has.
var otherNames = map[Type][]policy.RightID{
	Portability: {"port"}, Explanation: {"explain-rules"}, Refuse: {"refuse-decision"},
	Relative: {"relatives"},
}

// DeadlinesOf returns the rules that a type of request opens.
func DeadlinesOf(d *policy.Document, t Type) []deadline.Rule {
	for _, id := range append([]policy.RightID{t.Right()}, otherNames[t]...) {
		if rules := d.DeadlinesOf(id); len(rules) > 0 {
			return rules
		}
	}
	return d.DeadlinesOf(anyRequest)
}

// PromisesReply reports whether the policy promises a reply to a type of request
// by some date, if it comes by a channel; an empty one means by any.
func PromisesReply(d *policy.Document, t Type, by policy.ChannelID) bool {
	return len(DeadlinesOf(d, t)) > 0 || by != "" && len(d.DeadlinesBy(by)) > 0
}
