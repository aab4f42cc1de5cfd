package request

import (
	"slices"
	"strings"

	"consentledger/domain/amount"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// CheckElements refuses what is no code of the policy's list of elements that
// show who somebody is: a value in its place would be in the log for ever.
func CheckElements(elements string, known []policy.Ground) error {
	for code := range strings.SplitSeq(elements, ",") {
		if !slices.ContainsFunc(known, func(g policy.Ground) bool { return g.Code == code }) {
			return refusal.At(refusal.UnknownGround, "data.elements",
				"name the elements by their codes in the policy's identity_elements, never by their values: "+
					codesOf(known))
		}
	}
	return nil
}

// CheckGrounds refuses what is no code of the policy's list of grounds to reject a
// request.
func CheckGrounds(codes string, known []policy.Ground) error {
	for code := range strings.SplitSeq(codes, ",") {
		if !slices.ContainsFunc(known, func(g policy.Ground) bool { return g.Code == code }) {
			return refusal.At(refusal.UnknownGround, "data.codes",
				"a ground is not in the policy's list of grounds to reject a request; an exemption is none; "+
					"the list: "+codesOf(known))
		}
	}
	return nil
}

// codesOf writes the codes of grounds as a list.
func codesOf(grounds []policy.Ground) string {
	var all []string
	for _, g := range grounds {
		all = append(all, g.Code)
	}
	if len(all) == 0 {
		return "it has none"
	}
	return strings.Join(all, ", ")
}

// CheckNotified refuses that the person was told of an extension before there
// was a request.
func CheckNotified(text string, received deadline.Instant) error {
	told, err := deadline.ParseInstant(text)
	if err == nil && told >= received {
		return nil
	}
	if err == nil {
		return refusal.At(refusal.IllegalMove, "data.notified",
			"nobody is told of an extension before the request was received, which was at "+received.String())
	}
	return refusal.At(refusal.Malformed, "data.notified", err.Error())
}

// CheckPaid refuses a payment of another sum than the fee that was quoted: one in parts is
// recorded when it is whole.
func CheckPaid(sum, fee string) error {
	paid, err := amount.Parse(sum)
	asked, bad := amount.Parse(fee)
	if err != nil || bad != nil || paid.String() != asked.String() {
		return refusal.At(refusal.IllegalMove, "data.amount",
			"the fee that was quoted is "+fee+": record its payment once it is whole, in its currency")
	}
	return nil
}
