package wire

import (
	"bytes"
	"errors"

	"consentledger/domain/refusal"
	"consentledger/eventstore"
)

// A Problem is an error as RFC 9457 writes it. It never holds what was sent,
// nor what broke.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Path   string `json:"path,omitzero" doc:"the member that it is about, as in data.locale"`

	Outcome string `json:"outcome" doc:"refused, or unknown: ask again"`
}

// Unavailable is the code of a problem that is no refusal.
const Unavailable = "outcome-unknown"

// NotAnswered is the code of a question that cannot be answered now. Nothing was
// to be recorded by it, so that no outcome is unknown.
const NotAnswered = "service-unavailable"

// UnknownMessage is the code of a rejected message that is not there.
const UnknownMessage = "unknown-message"

// RejectedDays is how many days a rejected message is kept.
const RejectedDays = 30

// DiskFull is the code of a problem that ends by itself once there is room.
const DiskFull = "disk-full"

// ReadProblemOf is [ProblemOf] for a question, which records nothing but that
// it was asked.
func ReadProblemOf(err error) Problem {
	if IsRefusal(err) || errors.Is(err, eventstore.ErrFull) {
		return ProblemOf(err)
	}
	return Problem{
		Type: "urn:consentledger:problem:" + NotAnswered, Title: "Service Unavailable", Status: 503, Code: NotAnswered,
		Detail: "this cannot be answered now: ask again", Outcome: Unknown,
	}
}

// ProblemOf returns what the outside may know of err, which kept something from
// being recorded; see [ReadProblemOf] for questions.
func ProblemOf(err error) Problem {
	r, no := errors.AsType[refusal.Refusal](err)
	if !no && errors.Is(err, eventstore.ErrFull) {
		return Problem{
			Type: "urn:consentledger:problem:" + DiskFull, Title: "The disk is full", Status: 503, Code: DiskFull,
			Detail: "the ledger's disk is full: it takes nothing now, and answers what it knows; send this again, " +
				"with the same id, once there is room",
			Outcome: Unknown,
		}
	}

	if !no {
		return Problem{
			Type: "urn:consentledger:problem:" + Unavailable, Title: "Outcome unknown", Status: 503, Code: Unavailable,
			Detail:  "outcome unknown, ask again: the same id is never recorded twice",
			Outcome: Unknown,
		}
	}

	p := Problem{Type: "urn:consentledger:problem:" + string(r.Code), Title: "Refused", Status: 422,
		Code: string(r.Code), Detail: r.Text, Path: r.Path, Outcome: Refused}
	switch r.Code {
	case refusal.UnknownApp:
		p.Title, p.Status = "Unknown app", 404
	case UnknownMessage:
		p.Title, p.Status = "Unknown message", 404
	case refusal.NotForApps:
		p.Title, p.Status = "Not for apps", 403
	case refusal.ApprovalNeeded:
		p.Title, p.Status = "Another principal has to approve this", 409
	case refusal.NotTheProposer:
		p.Title, p.Status = "Not allowed", 403
	case refusal.BadSignature, refusal.UnknownSigner:
		p.Title, p.Status = "Signature not accepted", 403
	case refusal.UnknownRequest, refusal.UnknownObligation, refusal.UnknownProposal, refusal.NoProof:
		p.Title, p.Status = "Unknown", 404
	case refusal.IllegalMove, refusal.EnvironmentFixed, refusal.AlreadyPublished, refusal.AlreadyReplaced,
		refusal.NotPausable, refusal.NotExtendable, refusal.TooLateToExtend, refusal.TooEarly,
		refusal.AlreadyDecided, refusal.ProposalExpired, refusal.ProposalOutdated, refusal.RoleLost,
		refusal.ProofDestroyed, refusal.DisclosureOver:
		p.Title, p.Status = "Not possible now", 409
	case refusal.IDReused:
		p.Title, p.Status = "Id used for something else", 409
	case refusal.Malformed:
		p.Title, p.Status = "Malformed", 400
	case refusal.TooLarge:
		p.Title, p.Status = "Too large", 413
	}
	return p
}

// IsRefusal reports whether err is final and the caller's to read.
func IsRefusal(err error) bool {
	_, ok := errors.AsType[refusal.Refusal](err)
	return ok
}

// BreaksOff reports whether a line is the one that an answer of lines ends with if the server cannot go on:
// an object whose member error is a [Problem].
func BreaksOff(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"error":`)) }
