package wire

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A StateRequest asks where a person stands with every purpose: a
// [CheckRequest] that names none.
type StateRequest struct {
	Subject string `json:"subject" doc:"account:ID, device:ID or ID"`
	Action  string `json:"action,omitzero" doc:"collect, use (the default), provide, publish or export"`
	ValidAt string `json:"valid_at,omitzero" doc:"RFC 3339; absent: known_at, or else now"`
	KnownAt string `json:"known_at,omitzero" doc:"RFC 3339; what the ledger knew then"`
}

// A StateAnswer is a person's history, folded: one check for each purpose that
// any version of the app's policies known then declares, in the order in which
// they first did.
type StateAnswer struct {
	App      string        `json:"app"`
	Purposes []CheckAnswer `json:"purposes"`
	Near     []NearMiss    `json:"near,omitempty" doc:"other persons whose id differs from this one only in what is easily mistaken; nobody is merged: link whoever is the same person"`
}

// ParseState reads a [StateRequest] from JSON.
func ParseState(data []byte) (StateRequest, error) {
	var r StateRequest
	if len(data) > MaxEvent {
		return r, errLarge
	}
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return StateRequest{}, wrongShape(err, "the request")
	}
	return r, NoEmpty(data)
}

// Check returns a refusal if r cannot be asked of any ledger. It begins with
// the name of the member that is wrong.
func (r StateRequest) Check() error {
	_, _, _, err := r.about("any").parse(0)
	return err
}

func (r StateRequest) about(p policy.PurposeID) CheckRequest {
	return CheckRequest{Subject: r.Subject, Purpose: string(p), Action: r.Action, ValidAt: r.ValidAt, KnownAt: r.KnownAt}
}

// A Stater says what is known of a person.
type Stater interface {
	State(ctx context.Context, app domain.AppName, who domain.PersonKey, asOf ledger.AsOf) (ledger.State, error)
}

// A NearStater also finds who may be meant.
type NearStater interface {
	Stater
	Near(ctx context.Context, app domain.AppName, who domain.PersonKey) ([]ledger.NearMiss, error)
}

// StateOf folds one person's history to an answer for every purpose. It is a
// look at the ledger, not a question before something is done: nothing of it is
// recorded, whatever the policy says of checks.
func StateOf(ctx context.Context, l NearStater, app domain.AppName, r StateRequest, now deadline.Instant) (StateAnswer, error) {
	who, q, asOf, err := r.about("any").ask(now)
	if err != nil {
		return StateAnswer{}, err
	}
	s, err := l.State(ctx, app, who, asOf)
	if err != nil {
		return StateAnswer{}, err
	}
	answer := StateAnswer{App: string(app), Purposes: []CheckAnswer{}}
	seen := map[policy.PurposeID]bool{}
	for _, v := range s.Reference.Policies.Versions() {
		for _, p := range v.Document.Purposes {
			if !seen[p.ID] {
				seen[p.ID], q.Purpose = true, p.ID
				answer.Purposes = append(answer.Purposes, answerOf(domain.May(s.Subject, s.Reference, q), s, q, asOf))
			}
		}
	}
	if asOf != (ledger.AsOf{}) {
		return answer, nil // who may be meant now is no answer of then
	}
	answer.Near, err = nearOf(ctx, l, app, who)
	return answer, err
}

func nearOf(ctx context.Context, l NearStater, app domain.AppName, who domain.PersonKey) (list []NearMiss, err error) {
	misses, err := l.Near(ctx, app, who)
	for _, m := range misses {
		miss := NearMiss{Kind: m.Kind, Differs: []string{}, Person: m.Person}
		for _, d := range m.Differs {
			miss.Differs = append(miss.Differs, string(d))
		}
		list = append(list, miss)
	}
	return list, err
}
