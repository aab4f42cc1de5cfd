package wire

import (
	"consentledger/domain/refusal"
)

// PathOf returns the member of an event that a refusal is about, as in
// data.act; empty: the event as a whole. It names members that are known here
// and nothing that was sent, so it may be kept in the clear.
func PathOf(r refusal.Refusal) string {
	if r.Path != "" {
		return r.Path
	}

	switch r.Code {
	case refusal.UnknownAct:
		return "data.act"
	case refusal.UnknownPurpose, refusal.NothingNamed:
		return "data.purposes"
	case refusal.UnknownPermission:
		return "data.permission"
	case refusal.UnknownPolicy:
		return "data.policy"
	case refusal.UnknownVersion:
		return "data.version"
	case refusal.UnknownText:
		return "data.text"
	case refusal.UnknownRecord:
		return "data.records"
	case refusal.ReasonMissing:
		return "data.reason"
	case refusal.TwoPersons:
		return "data.by"
	case refusal.AlreadyOver:
		return "data.until"
	case refusal.NotForApps:
		return "type"
	case refusal.AtInFuture, refusal.AtTooLate, refusal.EarlierPerson:
		return "time"
	case refusal.IDReused:
		return "id"
	case refusal.UnknownApp, refusal.AppIncomplete, refusal.WrongStream, refusal.NoPolicy, refusal.PolicyInvalid,
		refusal.Malformed, refusal.TooLarge,
		refusal.Incomplete, refusal.UnknownNotice, refusal.UnknownSurface, refusal.UnknownControl,
		refusal.UnknownGround,
		refusal.UnknownLink,
		refusal.UnknownGuardian, refusal.Contradicts, refusal.SamePrincipal, refusal.MaterialDropped,
		refusal.AlreadyUsed,
		refusal.SamePerson,
		refusal.BadSignature, refusal.UnknownSigner:
	}
	return ""
}
