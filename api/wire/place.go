package wire

import "consentledger/domain"

// PathOf returns the member of an event that a refusal is about, as in
// data.act; empty: the event as a whole. It names members that are known here
// and nothing that was sent, so it may be kept in the clear.
func PathOf(r domain.Refusal) string {
	if r.Path != "" {
		return r.Path
	}

	switch r.Code {
	case domain.UnknownAct:
		return "data.act"
	case domain.UnknownPurpose, domain.NothingNamed:
		return "data.purposes"
	case domain.UnknownPermission:
		return "data.permission"
	case domain.UnknownPolicy:
		return "data.policy"
	case domain.UnknownVersion:
		return "data.version"
	case domain.UnknownText:
		return "data.text"
	case domain.UnknownRecord:
		return "data.records"
	case domain.ReasonMissing:
		return "data.reason"
	case domain.TwoPersons:
		return "data.by"
	case domain.AlreadyOver:
		return "data.until"
	case domain.NotForApps:
		return "type"
	case domain.AtInFuture, domain.AtTooLate, domain.EarlierPerson:
		return "time"
	case domain.IDReused:
		return "id"
	case domain.UnknownApp, domain.AppIncomplete, domain.WrongStream, domain.NoPolicy, domain.PolicyInvalid,
		domain.Malformed, domain.TooLarge,
		domain.Incomplete, domain.UnknownNotice, domain.UnknownSurface, domain.UnknownControl, domain.UnknownGround,
		domain.UnknownLink,
		domain.UnknownGuardian, domain.Contradicts, domain.SamePrincipal, domain.MaterialDropped, domain.AlreadyUsed,
		domain.SamePerson,
		domain.BadSignature, domain.UnknownSigner:
	}
	return ""
}
