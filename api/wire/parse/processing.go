package parse

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/policy"
)

var processingKinds = []kind{
	{name: "exemption.invoked", about: either, read: as(exemptionInvoked), example: `"list": "collect", "code": "EXC-C4", "purposes": ["safety"], "actions": ["use"],
		"justification": "was in danger and could not be asked", "reason": "life-in-danger", "approver": "operator:bo", "until": "{in a year}"`},
	{name: "exemption.ended", about: either, read: as(exemptionEnded), example: `"exemption": "01234567-89ab-cdef-0123-456789abcdef"`},
	{name: "hold.placed", lessens: true, read: as(holdPlaced), example: `"reason": "litigation", "authority": "Intermediate People's Court"`},
	{name: "hold.released", read: reasoned(func(s string) domain.Event { return domain.HoldReleased{Reason: s} }), example: `"reason": "judgment-final"`},
	{name: "restriction.applied", lessens: true, read: reasoned(func(s string) domain.Event { return domain.RestrictionApplied{Reason: s} }), example: `"reason": "cannot-be-deleted-yet"`},
	{name: "restriction.lifted", read: reasoned(func(s string) domain.Event { return domain.RestrictionLifted{Reason: s} }), example: `"reason": "deleted"`},
}

// The data of what lets or keeps the handler from processing.
type (
	ExemptionInvoked struct {
		List          string   `json:"list"`
		Code          string   `json:"code"`
		Purposes      []string `json:"purposes"`
		Actions       []string `json:"actions"`
		Justification string   `json:"justification"`
		Reason        string   `json:"reason"`
		Approver      string   `json:"approver"`
		Until         string   `json:"until"`
	}
	ExemptionEnded struct {
		Exemption string `json:"exemption"`
	}
	HoldPlaced struct {
		Reason    string `json:"reason"`
		Authority string `json:"authority"`
	}
)

func exemptionInvoked(r *reader, c ExemptionInvoked) domain.Command {
	r.need("list", c.List != "")
	r.need("code", c.Code != "")
	r.need("purposes", len(c.Purposes) > 0)
	r.need("until", c.Until != "")
	e := domain.ExemptionInvoked{
		List: parseAs(r, "list", c.List, domain.ParseExemptionList), Code: r.token("code", c.Code),
		Purposes:      r.purposes(c.Purposes),
		Justification: r.sealed("justification", c.Justification), Reason: r.reason(c.Reason),
		Approver: r.principal("approver", c.Approver),
		Until:    r.time("until", c.Until),
	}
	for i, a := range c.Actions {
		e.Actions = append(e.Actions, parseAs(r, fmt.Sprintf("actions[%d]", i), a, policy.ParseAction))
	}
	return domain.Say{Event: e}
}

func exemptionEnded(r *reader, c ExemptionEnded) domain.Command {
	r.need("exemption", c.Exemption != "")
	return domain.Say{Event: domain.ExemptionEnded{Exemption: r.eventID("exemption", c.Exemption)}}
}

func holdPlaced(r *reader, c HoldPlaced) domain.Command {
	return domain.Say{Event: domain.HoldPlaced{Reason: r.reason(c.Reason),
		Authority: r.public("authority", c.Authority)}}
}
