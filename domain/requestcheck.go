package domain

import (
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// checkStep refuses a step that the table alone cannot judge.
func (r Request) checkStep(cmd TakeStep, ref Reference) error {
	if r.Received.Subject == "" && cmd.Details != "" {
		return refuseAt(Malformed, "data.details", "of nobody that is known there is nobody's vault to seal a text in: keep it as a document and name its hash")
	}
	switch cmd.Kind {
	case "identity.requested", "identity.passed", "identity.failed":
		return r.checkElements(fieldOf(cmd.Fields, "elements"), ref)
	case "request.answered", "request.rejected":
		return r.checkReply(cmd, ref)
	case "fee.paid":
		return r.checkPaid(fieldOf(cmd.Fields, "amount"))
	case "request.duplicate":
		return r.checkOriginal(ref)
	case "request.extended":
		return r.checkNotified(fieldOf(cmd.Fields, "notified"))
	}
	return nil
}

// checkNotified refuses that the person was told of an extension before there
// was a request.
func (r Request) checkNotified(text string) error {
	told, err := ParseInstant(text)
	if err == nil && told >= r.At {
		return nil
	}
	if err == nil {
		return refuseAt(IllegalMove, "data.notified", "nobody is told of an extension before the request was received, which was at "+r.At.String())
	}
	return refuseAt(Malformed, "data.notified", err.Error())
}

// extend extends what can be. That the person will be told extends nothing.
func (r Request) extend(cmd TakeStep, recorded Instant, k Calendars) ([]Event, error) {
	told, _ := ParseInstant(fieldOf(cmd.Fields, "notified"))
	events, err := r.Duties.extend(told, k)
	if err == nil && told > recorded.Add(FutureSkew) {
		return nil, refuseAt(IllegalMove, "data.notified", "that is still to come: tell the person first, then record it")
	}
	return events, err
}

// checkReply refuses an answer to what was not asked, or has its answer, and a
// no without coded grounds, reasons, remedies or a second person (PIPL 50).
func (r Request) checkReply(cmd TakeStep, ref Reference) error {
	if names := fieldOf(cmd.Fields, "types"); names != "" {
		left := r.left()
		for _, name := range strings.Split(names, ",") {
			t, err := ParseRequestType(name)
			if err != nil || !slices.Contains(left, t) {
				return refuseAt(IllegalMove, "data.types", "a type was not asked for, or has its answer already")
			}
		}
	}
	if cmd.Kind != "request.rejected" {
		return nil
	}
	rejections := r.list(ref, func(d Document) []Ground { return d.Rejections })
	for _, code := range strings.Split(fieldOf(cmd.Fields, "codes"), ",") {
		if !slices.ContainsFunc(rejections, func(g Ground) bool { return g.Code == code }) {
			return refuseAt(UnknownGround, "data.codes", "a ground is not in the policy's list of grounds to reject a request; an exemption is none")
		}
	}
	switch {
	case cmd.Details == "" && cmd.Evidence == (Hash{}):
		return refuseAt(ReasonMissing, "data.details", "a rejection needs its reasons in words (PIPL 50, GDPR 12(4)): give details, or the letter by its hash as evidence")
	case fieldOf(cmd.Fields, "remedies_told") != "yes":
		return refuseAt(RemediesMissing, "data.remedies_told", `a rejection tells where to complain (PIPL 50, GDPR 12(4)): tell the person, then say "yes"`)
	case fieldOf(cmd.Fields, "approved_by") == Unauthenticated:
		return refuseAt(TwoPersons, "data.approved_by", "who approved it is somebody with a name")
	case strings.EqualFold(fieldOf(cmd.Fields, "approved_by"), ref.By.Principal):
		return refuseAt(TwoPersons, "data.approved_by", "a no takes two different persons: who records it, and who approved it")
	}
	return nil
}

// checkElements refuses what is no code of the policy's list of elements that
// show who somebody is: a value in its place would be in the log for ever.
func (r Request) checkElements(elements string, ref Reference) error {
	known := r.list(ref, func(d Document) []Ground { return d.IdentityElements })
	for code := range strings.SplitSeq(elements, ",") {
		if !slices.ContainsFunc(known, func(g Ground) bool { return g.Code == code }) {
			return refuseAt(UnknownGround, "data.elements", "name the elements by their codes in the policy's identity_elements, never by their values: "+codesOf(known))
		}
	}
	return nil
}

// list returns a list of the policy that a request is of. Of a specific policy
// that has none it is the general one's, which fills its gaps (XI(I)).
func (r Request) list(ref Reference, of func(Document) []Ground) []Ground {
	v, _ := ref.Policies.Version(r.Received.Version)
	if len(of(v.Document)) > 0 || v.Document.Over == "" {
		return of(v.Document)
	}
	general, _ := ref.Policies.InForce(v.Document.Over, r.At)
	return of(general.Document)
}

// codesOf writes the codes of grounds as a list.
func codesOf(grounds []Ground) string {
	var all []string
	for _, g := range grounds {
		all = append(all, g.Code)
	}
	if len(all) == 0 {
		return "it has none"
	}
	return strings.Join(all, ", ")
}

// checkPaid refuses a payment of another sum than was asked: one in parts is
// recorded when it is whole.
func (r Request) checkPaid(amount string) error {
	paid, err := ParseAmount(amount)
	asked, bad := ParseAmount(r.fee)
	if err != nil || bad != nil || paid.String() != asked.String() {
		return refuseAt(IllegalMove, "data.amount", "the fee that was quoted is "+r.fee+": record its payment once it is whole, in its currency")
	}
	return nil
}

// checkOriginal refuses to let a request go on in another one that is not
// there, or that is owed no answer either.
func (r Request) checkOriginal(ref Reference) error {
	o := ref.Original
	switch {
	case o == nil || o.Recorded == 0:
		return refuseAt(UnknownRequest, "data.of", "the app has no other request of that id")
	case o.Outcome == "request.withdrawn" || o.Outcome == "request.duplicate":
		return refuseAt(IllegalMove, "data.of", "that request was withdrawn, or is a duplicate itself: nothing is owed there")
	}
	return nil
}
