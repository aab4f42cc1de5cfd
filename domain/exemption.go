package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// An ExemptionList is which of a policy's two lists of exemptions a ground is
// on. They are never merged: a ground to process without consent is no ground
// to provide without it.
type ExemptionList uint8

const (
	ForCollection ExemptionList = iota + 1 // and use
	ForProvision                           // and transfer and disclosure
)

var exemptionLists = form.Codes{"", "collect", "provide"}

func (l ExemptionList) String() string { return exemptionLists.Name(uint8(l)) }

// ParseExemptionList reads what [ExemptionList.String] writes.
func ParseExemptionList(s string) (ExemptionList, error) {
	return form.ParseCode[ExemptionList](s, exemptionLists, "a list of exemptions")
}

// covers reports whether the list is about the action.
func (l ExemptionList) covers(a policy.Action) bool {
	if l == ForCollection {
		return a == policy.Collect || a == policy.Use
	}
	return a == policy.Provide || a == policy.Publish
}

// An exemption is one that was invoked.
type exemption struct {
	ExemptionInvoked
	from, until deadline.Instant // until zero: it has not been ended
	id          ident.EventID
}

// invoke answers ExemptionInvoked: an app's writer never may.
func (ref Reference) invoke(e ExemptionInvoked) (Event, error) {
	switch {
	case ref.By.Actor != ident.Operator:
		return nil, errNotForApps
	case e.List == 0 || len(e.Purposes) == 0 || e.Approver == "" || !form.IsName(e.Reason, 64) || e.Until == 0:
		return nil, refusal.New(refusal.Incomplete,
			"an exemption needs its list, code, purposes, a reason by a code, an approver and an end")
	case e.Approver == ref.By.Principal:
		return nil, refusal.At(refusal.SamePrincipal, "data.approver", "who invokes an exemption may not approve it")
	}
	if err := ref.checkScope(policy.Scope{Purposes: e.Purposes}); err != nil {
		return nil, err
	}

	for _, v := range ref.Policies.Versions() {
		grounds := v.Document.ExemptionsCollect
		if e.List == ForProvision {
			grounds = v.Document.ExemptionsProvide
		}
		for _, g := range grounds {
			if g.Code == e.Code {
				e.Doubtful = g.Doubtful
				return e, nil
			}
		}
	}

	return nil, refusal.At(refusal.UnknownGround, "data.code",
		"the list "+e.List.String()+" of the policy has no ground "+refusal.QuoteCode(e.Code))
}

// exempt returns the exemption that covers q, if one does.
func exempt(all []exemption, q Question) (exemption, bool) {
	for _, e := range all {
		if e.from > q.At || e.Until <= q.At || (e.until != 0 && e.until <= q.At) || !e.List.covers(q.Action) {
			continue
		}
		if (policy.Scope{Purposes: e.Purposes}).Covers(q.Purpose) &&
			(len(e.Actions) == 0 || slices.Contains(e.Actions, q.Action)) {
			return e, true
		}
	}
	return exemption{}, false
}

func endExemption(own lists.Own, all []exemption, end ExemptionEnded, f Fact) []exemption {
	return lists.Altered(own, all, func(e *exemption) {
		if e.id == end.Exemption {
			e.until = f.Earlier()
		}
	})
}

// ended refuses to end what was not invoked.
func ended(all []exemption, end ExemptionEnded) error {
	for _, e := range all {
		if e.id == end.Exemption {
			return nil
		}
	}
	return refusal.At(refusal.UnknownRecord, "data.exemption", "no exemption of that id was invoked here")
}
