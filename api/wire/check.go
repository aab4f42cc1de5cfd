package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
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

	Category  string `json:"category,omitzero" doc:"which data"`
	Recipient string `json:"recipient,omitzero" doc:"who gets them"`
	Version   string `json:"version,omitzero" doc:"of the policy that the processing goes by, sha256:...; absent: the one in force"`
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

	Category  string `json:"category,omitzero"`
	Recipient string `json:"recipient,omitzero"`
	Band      string `json:"band,omitzero" doc:"of age: under-14, 14, 15-17 or adult; absent: not known"`
	Guardian  bool   `json:"guardian,omitzero" doc:"a guardian gave the consent"`
	Evidence  string `json:"evidence,omitzero" doc:"how much the consent proves: strong, partial, weak or imported"`
	Short     string `json:"short,omitzero" doc:"why the newest yes does not count"`
	Doubtful  bool   `json:"doubtful,omitzero" doc:"allowed on a ground that the law does not clearly admit"`
	Disputed  bool   `json:"disputed,omitzero" doc:"somebody says that an event behind the answer is wrong"`
	Signal    string `json:"signal,omitzero" doc:"the machine's signal, such as gpc, by which the refusal or withdrawal was said"`
	Opposed   string `json:"opposed_by,omitzero" doc:"a machine's signal, such as gpc, that says no where the person said yes: before it, so that it stands in the way, or after it"`

	Sequences []uint64 `json:"sequences,omitempty" doc:"the numbers that their sources gave the events, in their order; 0: none; absent: no event has one"`
}

// Unknown is the status, and the why, of an answer that could not be had.
const Unknown = "unknown"

// A Ledger says what is known of a person, and remembers what it said.
type Ledger interface {
	Stater
	LogCheck(ctx context.Context, req ledger.Request, answered domain.CheckAnswered) error
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
	return r, NoEmpty(data)
}

// Check answers r for a principal. After an error the answer is "unknown",
// which is not allowed. If the question was wrong the error is a
// [domain.Refusal], which is told; else the answer is told, with status 503, on
// every road. An answer that the policy wants recorded, and that could not be, is
// unknown too.
func Check(ctx context.Context, l Ledger, app domain.AppName, r CheckRequest, principal string, now deadline.Instant) (CheckAnswer, error) {
	who, q, asOf, err := r.ask(now)
	if err != nil {
		return unknown(domain.Question{At: now}, ledger.AsOf{}), err
	}
	s, m, err := may(ctx, l, app, who, q, asOf)
	if err != nil {
		return unknown(q, asOf), err
	}
	if logged(s.Reference, q, m) {
		if err := logAnswer(ctx, l, app, who, principal, q, m); err != nil {
			return unknown(q, asOf), fmt.Errorf("the answer is not recorded: %w", err)
		}
	}
	return answerOf(m, s, q, asOf), nil
}

// may answers a question. A no may come from what this process knows; a yes, and
// that the question is wrong, only from what any process has recorded.
func may(ctx context.Context, l Stater, app domain.AppName, who domain.PersonKey, q domain.Question, asOf ledger.AsOf) (s ledger.State, m domain.Answer, err error) {
	for _, asOf.Cached = range []bool{true, false} {
		if s, err = l.State(ctx, app, who, asOf); err == nil {
			err = CheckVersion(s.Reference.Policies, q.Version)
		}
		if err == nil {
			m = domain.May(s.Subject, s.Reference, q)
		}
		if no := err == nil && !m.Allowed; no || !s.Cached {
			break
		}
	}
	return s, m, err
}

// answerOf writes an answer from a state that was had as of asOf.
func answerOf(m domain.Answer, s ledger.State, q domain.Question, asOf ledger.AsOf) CheckAnswer {
	a := unknown(q, asOf)
	a.fill(m)
	if asOf.KnownAt == 0 {
		a.Reason += named(s.Reference.Policies, q, m.Why)
	}
	a.Position = FormatPosition(s.Position)
	return a
}

// Unknown answers r when the ledger cannot be asked.
func (r CheckRequest) Unknown(now deadline.Instant) CheckAnswer {
	_, q, asOf, _ := r.parse(now) // what could be read of a question that is wrong
	return unknown(q, asOf)
}

func unknown(q domain.Question, asOf ledger.AsOf) CheckAnswer {
	a := CheckAnswer{
		Status: Unknown, Why: Unknown, Reason: "The ledger cannot say now; unknown is not allowed.",
		Purpose: string(q.Purpose), Events: []string{}, Position: FormatPosition(0), ValidAt: q.At.String(),
		Category: string(q.Category), Recipient: string(q.Recipient),
	}
	if q.Action != 0 {
		a.Action = q.Action.String()
	}
	if asOf.KnownAt != 0 {
		a.KnownAt = asOf.KnownAt.String()
	}
	return a
}

// ask reads a question that is asked now: its moments have come.
func (r CheckRequest) ask(now deadline.Instant) (who domain.PersonKey, q domain.Question, asOf ledger.AsOf, err error) {
	who, q, asOf, err = r.parse(now)
	if err == nil {
		err = hasCome(&q, &asOf.KnownAt, now)
	}
	return who, q, asOf, err
}

func (r CheckRequest) parse(now deadline.Instant) (who domain.PersonKey, q domain.Question, asOf ledger.AsOf, err error) {
	q = domain.Question{Purpose: policy.PurposeID(r.Purpose), Action: policy.Use, At: now}
	if who, err = domain.ParsePersonKey(r.Subject); err != nil {
		return who, q, asOf, malformed("subject: %v", err)
	}
	if !isName(r.Purpose, 64) {
		return who, q, asOf, malformed(`purpose: a purpose is named by 1 to 64 of a-z, 0-9 and "-"`)
	}
	if r.Action != "" {
		if q.Action, err = policy.ParseAction(r.Action); err != nil {
			return who, q, asOf, malformed("action: %v", err)
		}
	}
	for _, member := range []struct{ name, text string }{{"category", r.Category}, {"recipient", r.Recipient}} {
		if member.text != "" && !isName(member.text, 64) {
			return who, q, asOf, malformed(`%s: must be 1 to 64 of a-z, 0-9 and "-"`, member.name)
		}
	}
	q.Category, q.Recipient = policy.CategoryID(r.Category), policy.RecipientID(r.Recipient)
	if r.Version != "" {
		if q.Version, err = content.ParseNamedHash(r.Version); err != nil {
			return who, q, asOf, malformed("version: %v", err)
		}
	}
	q.At, asOf, err = r.moments(now)
	return who, q, asOf, err
}

// moments returns the moment that is asked about, and what the ledger knew.
func (r CheckRequest) moments(now deadline.Instant) (at deadline.Instant, asOf ledger.AsOf, err error) {
	at = now
	if r.KnownAt != "" {
		if asOf.KnownAt, err = deadline.ParseInstant(r.KnownAt); err != nil {
			return at, asOf, malformed("known_at: %v", err)
		}
		at = asOf.KnownAt
	}
	if r.ValidAt != "" {
		if at, err = deadline.ParseInstant(r.ValidAt); err != nil {
			return at, asOf, malformed("valid_at: %v", err)
		}
	}
	return at, asOf, nil
}

func (a *CheckAnswer) fill(m domain.Answer) {
	a.Allowed, a.Why, a.Policy = m.Allowed, string(m.Why), m.Policy
	a.Status = m.Standing.Status.String()
	if m.Basis != 0 {
		a.Basis = m.Basis.String()
	}
	if m.Version != (content.Hash{}) {
		a.Version = m.Version.String()
	}
	if m.Standing.Since != 0 {
		a.Since = m.Standing.Since.String()
	}
	if m.Standing.Until != 0 {
		a.Until = m.Standing.Until.String()
	}
	for _, id := range because(m) {
		a.Events = append(a.Events, eventstore.EventID(id).String())
	}
	a.Band, a.Guardian, a.Evidence = m.Band.String(), m.Standing.Guardian != "", m.Standing.Evidence.String()
	a.Short, a.Doubtful, a.Disputed = string(m.Standing.Short), m.Doubtful, m.Standing.Disputed
	a.Signal, a.Opposed = string(m.Standing.Signal), string(m.Standing.Opposed.Signal)
	if id := m.Standing.Opposed.Because; id != (domain.EventID{}) && !slices.Contains(a.Events, eventstore.EventID(id).String()) {
		a.Events = append(a.Events, eventstore.EventID(id).String())
	}
	if len(m.Standing.Numbers) > 0 {
		a.Sequences = append(m.Standing.Numbers, make([]uint64, len(a.Events)-len(m.Standing.Numbers))...)
	}
	a.Reason = reason(m, a)
}

// because returns every event that proves an answer, once.
func because(m domain.Answer) []domain.EventID {
	ids := slices.Clone(m.Standing.Because)
	for _, id := range m.Because {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// IsRefusal reports whether err is final and the caller's to read.
func IsRefusal(err error) bool {
	_, ok := errors.AsType[domain.Refusal](err)
	return ok
}
