package codec

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

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

func shapeOfProcessing(e domain.Event) (string, any, []Plain) {
	switch e := e.(type) {
	case domain.ConsentUsed:
		return "consent.used.v1", consentUsedV1{eventIDs(e.Consents)}, nil
	case domain.ConsentRequested:
		return "consent.requested.v1", consentRequestedV1{e.Locale, e.Purposes, e.Reason, e.TooSoon}, nil
	case domain.RecordDisputed:
		return "record.disputed.v1", recordDisputedV1{hash(e.Evidence), e.Reason, eventIDs(e.Records)}, nil
	case domain.ExemptionInvoked:
		return "exemption.invoked.v1", exemptionInvokedV1{names(e.Actions), e.Approver, e.Code, e.Doubtful, e.List.String(), e.Purposes, e.Reason, int64(e.Until)},
			personal("justification", e.Justification)
	case domain.ExemptionEnded:
		return "exemption.ended.v1", exemptionEndedV1{eventID(e.Exemption)}, nil
	case domain.HoldPlaced:
		return "hold.placed.v1", holdPlacedV1{e.Authority, e.Reason}, nil
	case domain.HoldReleased:
		return "hold.released.v1", holdReleasedV1(e), nil
	case domain.RestrictionApplied:
		return "restriction.applied.v1", restrictionAppliedV1(e), nil
	case domain.RestrictionLifted:
		return "restriction.lifted.v1", restrictionLiftedV1(e), nil
	case domain.CheckAnswered:
		return "check.answered.v1", answeredShape(e), nil
	case domain.Noted:
		s := notedV1{hash(e.Evidence), map[string]string{}, string(e.Kind)}
		for _, f := range e.Fields {
			s.Fields[f.Name] = f.Value
		}
		return "noted.v1", s, details(e.Details)
	}
	panic(fmt.Sprintf("codec: event %T has no case in shapeOfProcessing", e))
}

func answeredShape(e domain.CheckAnswered) checkAnsweredV1 {
	return checkAnsweredV1{
		e.Action.String(), e.Allowed, e.Basis.String(), eventIDs(e.Because), string(e.Category), string(e.Purpose),
		string(e.Recipient), e.Status.String(), int64(e.Valid), hash(e.Version), string(e.Why),
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
		Actions: parseAll(&r, s.Actions, policy.ParseAction), Reason: s.Reason, Approver: s.Approver, Until: deadline.Instant(s.Until),
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
		Purpose: policy.PurposeID(s.Purpose), Action: parse(&r, s.Action, policy.ParseAction), Valid: deadline.Instant(s.Valid),
		Allowed: s.Allowed, Why: domain.Why(s.Why), Status: parse(&r, s.Status, domain.ParseStatus), Basis: parse(&r, s.Basis, policy.ParseLegalBasis),
		Version: r.hash(s.Version), Because: r.eventIDs(s.Because), Category: policy.CategoryID(s.Category), Recipient: policy.RecipientID(s.Recipient),
	}, r.err
}

func (s notedV1) event() (domain.Event, error) {
	var r reader
	return domain.Noted{Kind: domain.NoteKind(s.Kind), Fields: domain.Fields(s.Fields), Evidence: r.hash(s.Evidence)}, r.err
}
