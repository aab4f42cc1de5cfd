package codec

import (
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// processingShapes are of other facts about processing.
var processingShapes = []shape{
	written[consentUsedV1]("consent.used.v1",
		func(e domain.ConsentUsed) any { return consentUsedV1{Consents: eventIDs(e.Consents)} }),
	written[consentRequestedV1]("consent.requested.v1", func(e domain.ConsentRequested) any {
		return consentRequestedV1{Locale: e.Locale, Purposes: e.Purposes, Reason: e.Reason, TooSoon: e.TooSoon}
	}),
	written[recordDisputedV1]("record.disputed.v1", func(e domain.RecordDisputed) any {
		return recordDisputedV1{Evidence: hash(e.Evidence), Reason: e.Reason, Records: eventIDs(e.Records)}
	}),
	split[exemptionInvokedV1]("exemption.invoked.v1", func(e domain.ExemptionInvoked) (any, []Plain) {
		return exemptionInvokedV1{
			Actions:  names(e.Actions),
			Approver: e.Approver,
			Code:     e.Code,
			Doubtful: e.Doubtful,
			List:     e.List.String(),
			Purposes: e.Purposes,
			Reason:   e.Reason,
			Until:    int64(e.Until),
		}, personal("justification", e.Justification)
	}),
	written[exemptionEndedV1]("exemption.ended.v1",
		func(e domain.ExemptionEnded) any { return exemptionEndedV1{Exemption: eventID(e.Exemption)} }),
	written[holdPlacedV1]("hold.placed.v1",
		func(e domain.HoldPlaced) any { return holdPlacedV1{Authority: e.Authority, Reason: e.Reason} }),
	written[holdReleasedV1]("hold.released.v1", func(e domain.HoldReleased) any { return holdReleasedV1(e) }),
	written[restrictionAppliedV1]("restriction.applied.v1",
		func(e domain.RestrictionApplied) any { return restrictionAppliedV1(e) }),
	written[restrictionLiftedV1]("restriction.lifted.v1",
		func(e domain.RestrictionLifted) any { return restrictionLiftedV1(e) }),
	split[notedV1]("noted.v1", func(e domain.Noted) (any, []Plain) {
		return notedV1{Evidence: hash(e.Evidence), Fields: fieldShapes(e.Fields), Kind: string(e.Kind)}, details(e.Details)
	}),
}

// fieldShapes returns the fields of a note or a step as they are written.
func fieldShapes(fields []policy.Field) map[string]string {
	shapes := make(map[string]string, len(fields))
	for _, f := range fields {
		shapes[f.Name] = f.Value
	}
	return shapes
}

// The shapes of other facts about processing.
type (
	consentUsedV1 struct {
		Consents []string `json:"consents"`
	}
	consentRequestedV1 struct {
		Locale   string             `json:"locale,omitzero"`
		Purposes []policy.PurposeID `json:"purposes"`
		Reason   string             `json:"reason"`
		TooSoon  bool               `json:"too_soon,omitzero"`
	}
	recordDisputedV1 struct {
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
		Records  []string `json:"records"`
	}
	exemptionInvokedV1 struct {
		Actions  []string           `json:"actions,omitempty"`
		Approver string             `json:"approver"`
		Code     string             `json:"code"`
		Doubtful bool               `json:"doubtful,omitzero"`
		List     string             `json:"list"`
		Purposes []policy.PurposeID `json:"purposes"`
		Reason   string             `json:"reason"`
		Until    int64              `json:"until"`
	}
	exemptionEndedV1 struct {
		Exemption string `json:"exemption"`
	}
	holdPlacedV1 struct {
		Authority string `json:"authority,omitzero"`
		Reason    string `json:"reason"`
	}
	reasonV1 struct {
		Reason string `json:"reason"`
	}
	holdReleasedV1       reasonV1
	restrictionAppliedV1 reasonV1
	restrictionLiftedV1  reasonV1
	checkAnsweredV1      struct {
		Action    string   `json:"action"`
		Allowed   bool     `json:"allowed"`
		Basis     string   `json:"basis,omitzero"`
		Because   []string `json:"because,omitempty"`
		Category  string   `json:"category,omitzero"`
		Purpose   string   `json:"purpose"`
		Recipient string   `json:"recipient,omitzero"`
		Status    string   `json:"status"`
		Valid     int64    `json:"valid"`
		Version   string   `json:"version,omitzero"`
		Why       string   `json:"why"`
	}
	notedV1 struct {
		Evidence string            `json:"evidence,omitzero"`
		Fields   map[string]string `json:"fields"`
		Kind     string            `json:"kind"`
	}
)

func answeredShape(e domain.CheckAnswered) checkAnsweredV1 {
	return checkAnsweredV1{
		Action:    e.Action.String(),
		Allowed:   e.Allowed,
		Basis:     e.Basis.String(),
		Because:   eventIDs(e.Because),
		Category:  string(e.Category),
		Purpose:   string(e.Purpose),
		Recipient: string(e.Recipient),
		Status:    e.Status.String(),
		Valid:     int64(e.Valid),
		Version:   hash(e.Version),
		Why:       string(e.Why),
	}
}

func (s consentUsedV1) event() (domain.Event, error) {
	var r reader
	return domain.ConsentUsed{Consents: r.eventIDs(s.Consents)}, r.err
}

func (s consentRequestedV1) event() (domain.Event, error) {
	return domain.ConsentRequested{Purposes: s.Purposes, Reason: s.Reason, TooSoon: s.TooSoon, Locale: s.Locale}, nil
}

func (s recordDisputedV1) event() (domain.Event, error) {
	var r reader
	return domain.RecordDisputed{Records: r.eventIDs(s.Records), Reason: s.Reason, Evidence: r.hash(s.Evidence)}, r.err
}

func (s exemptionInvokedV1) event() (domain.Event, error) {
	var r reader
	return domain.ExemptionInvoked{
		List: parse(&r, s.List, domain.ParseExemptionList), Code: s.Code, Doubtful: s.Doubtful, Purposes: s.Purposes,
		Actions: parseAll(&r, s.Actions, policy.ParseAction), Reason: s.Reason, Approver: s.Approver,
		Until: deadline.Instant(s.Until),
	}, r.err
}

func (s exemptionEndedV1) event() (domain.Event, error) {
	var r reader
	return domain.ExemptionEnded{Exemption: r.eventID(s.Exemption)}, r.err
}

func (s holdPlacedV1) event() (domain.Event, error) {
	return domain.HoldPlaced{Reason: s.Reason, Authority: s.Authority}, nil
}

func (s holdReleasedV1) event() (domain.Event, error) { return domain.HoldReleased(s), nil }

func (s restrictionAppliedV1) event() (domain.Event, error) { return domain.RestrictionApplied(s), nil }

func (s restrictionLiftedV1) event() (domain.Event, error) { return domain.RestrictionLifted(s), nil }

func (s checkAnsweredV1) event() (domain.Event, error) {
	var r reader
	return domain.CheckAnswered{
		Purpose: policy.PurposeID(s.Purpose), Action: parse(&r, s.Action, policy.ParseAction),
		Valid:   deadline.Instant(s.Valid),
		Allowed: s.Allowed, Why: domain.Why(s.Why), Status: parse(&r, s.Status, domain.ParseStatus),
		Basis:   parse(&r, s.Basis, policy.ParseLegalBasis),
		Version: r.hash(s.Version), Because: r.eventIDs(s.Because), Category: policy.CategoryID(s.Category),
		Recipient: policy.RecipientID(s.Recipient),
	}, r.err
}

func (s notedV1) event() (domain.Event, error) {
	var r reader
	return domain.Noted{Kind: catalog.Note(s.Kind), Fields: policy.Fields(s.Fields), Evidence: r.hash(s.Evidence)},
		r.err
}
