// Package query answers what several transports are asked: may we, where does a person
// stand, what must we ask them, and which part of history is meant. A question is a shape of
// package wire; a transport reads it, and writes the answer, in its own way.
//
// A question that is wrong is answered with a [refusal.Refusal]; any other error means that
// the answer is not known, which is never "allowed".
package query

import (
	"context"
	"fmt"
	"slices"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// A Ledger says what is known of a person, and remembers what it said.
type Ledger interface {
	Stater
	LogCheck(ctx context.Context, req ledger.Request, answered domain.CheckAnswered) error
}

// Check answers r for a principal. After an error the answer is "unknown",
// which is not allowed. If the question was wrong the error is a
// [refusal.Refusal], which is told; else the answer is told, with status 503, on
// every road. An answer that the policy wants recorded, and that could not be, is
// unknown too.
func Check(
	ctx context.Context, l Ledger, app ident.AppName, r wire.CheckRequest, principal string, now deadline.Instant,
) (wire.CheckAnswer, error) {
	who, q, asOf, err := ask(r, now)
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

// may answers a question. "Not allowed" may come from what this process knows; "allowed", and
// that the question is wrong, only from what any process has recorded.
func may(
	ctx context.Context, l Stater, app ident.AppName, who ident.PersonKey, q domain.Question, asOf ledger.AsOf,
) (s ledger.State, m domain.Answer, err error) {
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
func answerOf(m domain.Answer, s ledger.State, q domain.Question, asOf ledger.AsOf) wire.CheckAnswer {
	a := unknown(q, asOf)
	fillAnswer(&a, m)
	if asOf.KnownAt == 0 {
		a.Reason += named(s.Reference.Policies, q, m.Why)
	}
	a.Position = wire.FormatPosition(s.Position)
	return a
}

// Unknown answers r when the ledger cannot be asked.
func Unknown(r wire.CheckRequest, now deadline.Instant) wire.CheckAnswer {
	_, q, asOf, _ := parseQuestion(r, now) // what could be read of a question that is wrong
	return unknown(q, asOf)
}

func unknown(q domain.Question, asOf ledger.AsOf) wire.CheckAnswer {
	a := wire.CheckAnswer{
		Status: wire.Unknown, Why: wire.Unknown, Reason: "The ledger cannot say now; unknown is not allowed.",
		Purpose: string(q.Purpose), Events: []string{}, Position: wire.FormatPosition(0), ValidAt: q.At.String(),
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
func ask(
	r wire.CheckRequest, now deadline.Instant,
) (who ident.PersonKey, q domain.Question, asOf ledger.AsOf, err error) {
	who, q, asOf, err = parseQuestion(r, now)
	if err == nil {
		err = hasCome(&q, &asOf.KnownAt, now)
	}
	return who, q, asOf, err
}

func parseQuestion(
	r wire.CheckRequest, now deadline.Instant,
) (who ident.PersonKey, q domain.Question, asOf ledger.AsOf, err error) {
	q = domain.Question{Purpose: policy.PurposeID(r.Purpose), Action: policy.Use, At: now}
	if who, err = ident.ParsePersonKey(r.Subject); err != nil {
		return who, q, asOf, malformed("subject: %v", err)
	}
	if !parse.IsName(r.Purpose, 64) {
		return who, q, asOf, malformed(`purpose: a purpose is named by 1 to 64 of a-z, 0-9 and "-"`)
	}

	if r.Action != "" {
		if q.Action, err = policy.ParseAction(r.Action); err != nil {
			return who, q, asOf, malformed("action: %v", err)
		}
	}

	for _, member := range []struct{ name, text string }{{"category", r.Category}, {"recipient", r.Recipient}} {
		if member.text != "" && !parse.IsName(member.text, 64) {
			return who, q, asOf, malformed(`%s: must be 1 to 64 of a-z, 0-9 and "-"`, member.name)
		}
	}

	q.Category, q.Recipient = policy.CategoryID(r.Category), policy.RecipientID(r.Recipient)
	if r.Version != "" {
		if q.Version, err = content.ParseNamedHash(r.Version); err != nil {
			return who, q, asOf, malformed("version: %v", err)
		}
	}

	q.At, asOf, err = moments(r, now)
	return who, q, asOf, err
}

// moments returns the moment that is asked about, and what the ledger knew.
func moments(r wire.CheckRequest, now deadline.Instant) (at deadline.Instant, asOf ledger.AsOf, err error) {
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

func fillAnswer(a *wire.CheckAnswer, m domain.Answer) {
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
	if id := m.Standing.Opposed.Because; id != (ident.EventID{}) &&
		!slices.Contains(a.Events, eventstore.EventID(id).String()) {
		a.Events = append(a.Events, eventstore.EventID(id).String())
	}

	if len(m.Standing.Numbers) > 0 {
		a.Sequences = append(m.Standing.Numbers, make([]uint64, len(a.Events)-len(m.Standing.Numbers))...)
	}

	a.Reason = reason(m, a)
}

// because returns every event that proves an answer, once.
func because(m domain.Answer) []ident.EventID {
	ids := slices.Clone(m.Standing.Because)
	for _, id := range m.Because {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
