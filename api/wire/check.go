package wire

import (
	"context"
	"errors"
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A CheckRequest asks: may we do this, for this purpose, with this person's
// data? Without ValidAt it means now, or KnownAt if that is given.
type CheckRequest struct {
	Subject string `json:"subject"`
	Purpose string `json:"purpose"`
	Action  string `json:"action,omitzero"` // "use" if empty
	ValidAt string `json:"valid_at,omitzero"`
	KnownAt string `json:"known_at,omitzero"`
}

// A CheckAnswer is yes or no, why, and the events that prove it. Everything
// but Allowed = true means no, a status of "unknown" included.
type CheckAnswer struct {
	Allowed  bool     `json:"allowed"`
	Status   string   `json:"status"`
	Why      string   `json:"why"`
	Reason   string   `json:"reason"` // a sentence
	Purpose  string   `json:"purpose"`
	Action   string   `json:"action"`
	Basis    string   `json:"basis,omitzero"`
	Policy   string   `json:"policy,omitzero"`
	Version  string   `json:"version,omitzero"`
	Since    string   `json:"since,omitzero"`
	Until    string   `json:"until,omitzero"`
	Events   []string `json:"events"`
	Position string   `json:"position"`
	ValidAt  string   `json:"valid_at"`
	KnownAt  string   `json:"known_at,omitzero"`
}

// Unknown is the status, and the why, of an answer that could not be had.
const Unknown = "unknown"

// A Ledger says what is known of a person.
type Ledger interface {
	State(ctx context.Context, app domain.AppName, who domain.PersonKey, asOf ledger.AsOf) (ledger.State, error)
}

// ParseCheck reads a [CheckRequest] from JSON.
func ParseCheck(data []byte) (CheckRequest, error) {
	var r CheckRequest
	if len(data) > MaxEvent {
		return r, errLarge
	}
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return CheckRequest{}, wrongShape(err, "the check")
	}
	return r, nil
}

// Check answers r. After an error the answer is "unknown", which is not
// allowed; the error is a [domain.Refusal] if the question was wrong.
func Check(ctx context.Context, l Ledger, app domain.AppName, r CheckRequest, now domain.Instant) (CheckAnswer, error) {
	who, q, asOf, err := r.parse(now)
	if err != nil {
		return unknown(domain.Question{At: now}, ledger.AsOf{}), err
	}
	s, err := l.State(ctx, app, who, asOf)
	if err != nil {
		return unknown(q, asOf), err
	}
	return answerFrom(s, q, asOf), nil
}

// answerFrom answers q from a state that was had as of asOf.
func answerFrom(s ledger.State, q domain.Question, asOf ledger.AsOf) CheckAnswer {
	a := unknown(q, asOf)
	a.fill(domain.May(s.Subject, s.Reference, q))
	a.Position = FormatPosition(s.Position)
	return a
}

func unknown(q domain.Question, asOf ledger.AsOf) CheckAnswer {
	a := CheckAnswer{
		Status: Unknown, Why: Unknown, Reason: "The ledger cannot say now; unknown is not allowed.",
		Purpose: string(q.Purpose), Events: []string{}, Position: FormatPosition(0), ValidAt: q.At.String(),
	}
	if q.Action != 0 {
		a.Action = q.Action.String()
	}
	if asOf.KnownAt != 0 {
		a.KnownAt = asOf.KnownAt.String()
	}
	return a
}

func (r CheckRequest) parse(now domain.Instant) (who domain.PersonKey, q domain.Question, asOf ledger.AsOf, err error) {
	q = domain.Question{Purpose: domain.PurposeID(r.Purpose), Action: domain.Use, At: now}
	if who, err = domain.ParsePersonKey(r.Subject); err != nil {
		return who, q, asOf, malformed("subject: %v", err)
	}
	if !isName(r.Purpose, 64) {
		return who, q, asOf, malformed(`purpose: a purpose is named by 1 to 64 of a-z, 0-9 and "-"`)
	}
	if r.Action != "" {
		if q.Action, err = domain.ParseAction(r.Action); err != nil {
			return who, q, asOf, malformed("action: %v", err)
		}
	}
	if r.KnownAt != "" {
		if asOf.KnownAt, err = domain.ParseInstant(r.KnownAt); err != nil {
			return who, q, asOf, malformed("known_at: %v", err)
		}
		q.At = asOf.KnownAt
	}
	if r.ValidAt != "" {
		if q.At, err = domain.ParseInstant(r.ValidAt); err != nil {
			return who, q, asOf, malformed("valid_at: %v", err)
		}
	}
	return who, q, asOf, nil
}

func (a *CheckAnswer) fill(m domain.Answer) {
	a.Allowed, a.Why, a.Policy = m.Allowed, string(m.Why), m.Policy
	a.Status = m.Standing.Status.String()
	if m.Basis != 0 {
		a.Basis = m.Basis.String()
	}
	if m.Version != (domain.Hash{}) {
		a.Version = m.Version.String()
	}
	if m.Standing.Since != 0 {
		a.Since = m.Standing.Since.String()
	}
	if m.Standing.Until != 0 {
		a.Until = m.Standing.Until.String()
	}
	for _, id := range m.Standing.Because {
		a.Events = append(a.Events, eventstore.EventID(id).String())
	}
	a.Reason = reason(m, a)
}

// reason says an answer in a sentence.
func reason(m domain.Answer, a *CheckAnswer) string {
	switch m.Why {
	case domain.WhyConsent:
		return fmt.Sprintf("The person consented to %s; the consent holds since %s.", a.Purpose, a.Since)
	case domain.WhyOtherBasis:
		return fmt.Sprintf("The policy bases %s on %s, not on consent.", a.Purpose, a.Basis)
	case domain.WhyNoPolicy:
		return "No policy of the app was in force then."
	case domain.WhyNoPurpose:
		return fmt.Sprintf("No policy in force then declares the purpose %s.", a.Purpose)
	case domain.WhyNoAction:
		return fmt.Sprintf("The policy does not declare the action %s for %s.", a.Action, a.Purpose)
	case domain.WhyActionIsNew:
		return fmt.Sprintf("The policy that the person agreed to did not declare the action %s for %s.", a.Action, a.Purpose)
	case domain.WhyStatus:
		return statusReason(m.Standing.Status, a)
	}
	return "The answer is " + string(m.Why) + "."
}

func statusReason(s domain.Status, a *CheckAnswer) string {
	switch s {
	case domain.NeverAsked:
		return fmt.Sprintf("The person gave no answer that counts for %s.", a.Purpose)
	case domain.Refused:
		return fmt.Sprintf("The person refused %s at %s.", a.Purpose, a.Since)
	case domain.Withdrawn:
		return fmt.Sprintf("The person withdrew the consent to %s at %s.", a.Purpose, a.Since)
	case domain.Expired:
		return fmt.Sprintf("The consent to %s ran out at %s.", a.Purpose, a.Since)
	case domain.Stale:
		return fmt.Sprintf("The policy changed after the consent to %s; ask again.", a.Purpose)
	case domain.AskAgain:
		return fmt.Sprintf("No clock proves whether the yes or the no to %s came last; ask again.", a.Purpose)
	case domain.Given:
	}
	return fmt.Sprintf("The status of %s is %s.", a.Purpose, a.Status)
}

// IsRefusal reports whether err is final and the caller's to read.
func IsRefusal(err error) bool {
	_, ok := errors.AsType[domain.Refusal](err)
	return ok
}
