package query

import (
	"context"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// CheckState returns a refusal if r cannot be asked of any ledger. It begins with
// the name of the member that is wrong.
func CheckState(r wire.StateRequest) error {
	_, _, _, err := parseQuestion(checkOf(r, "any"), 0)
	return err
}

func checkOf(r wire.StateRequest, p policy.PurposeID) wire.CheckRequest {
	return wire.CheckRequest{Subject: r.Subject, Purpose: string(p), Action: r.Action, ValidAt: r.ValidAt,
		KnownAt: r.KnownAt}
}

// A Stater says what is known of a person.
type Stater interface {
	State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error)
}

// A NearStater also finds who may be meant.
type NearStater interface {
	Stater
	Near(ctx context.Context, app ident.AppName, who ident.PersonKey) ([]ledger.NearMiss, error)
}

// State folds one person's history to an answer for every purpose. It is a
// look at the ledger, not a question before something is done: nothing of it is
// recorded, whatever the policy says of checks.
func State(
	ctx context.Context, l NearStater, app ident.AppName, r wire.StateRequest, now deadline.Instant,
) (wire.StateAnswer, error) {
	who, q, asOf, err := ask(checkOf(r, "any"), now)
	if err != nil {
		return wire.StateAnswer{}, err
	}

	s, err := l.State(ctx, app, who, asOf)
	if err != nil {
		return wire.StateAnswer{}, err
	}

	answer := wire.StateAnswer{App: string(app), Purposes: []wire.CheckAnswer{}}
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

func nearOf(
	ctx context.Context, l NearStater, app ident.AppName, who ident.PersonKey,
) (list []wire.NearMiss, err error) {
	misses, err := l.Near(ctx, app, who)
	for _, m := range misses {
		miss := wire.NearMiss{Kind: m.Kind, Differs: []string{}, Person: m.Person}
		for _, d := range m.Differs {
			miss.Differs = append(miss.Differs, string(d))
		}
		list = append(list, miss)
	}
	return list, err
}
