package query

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
)

// logged reports whether an answer is recorded: what the version that answers
// says of the purpose decides, and chance where it says a part of them.
func logged(ref domain.Reference, q domain.Question, m domain.Answer) bool {
	v, _ := ref.Policies.Version(m.Version)
	p, _ := v.Document.Purpose(q.Purpose)
	n, of := p.LogChecks.Rate()
	return rand.IntN(of) < n
}

// logAnswer records an answer. Its id is random: the same question may be
// asked, and answered, twice.
func logAnswer(ctx context.Context, l Ledger, app ident.AppName, who ident.PersonKey, principal string,
	q domain.Question, m domain.Answer) error {
	id := crand.Text()
	req := ledger.Request{App: app, Person: who, Source: "check", ID: id, Body: []byte(id),
		Actor: string(ident.System), RecordedBy: principal}
	return l.LogCheck(ctx, req, domain.CheckAnswered{
		Purpose: q.Purpose, Action: q.Action, Valid: q.At, Allowed: m.Allowed, Why: m.Why, Status: m.Standing.Status,
		Basis: m.Basis, Version: m.Version, Because: because(m), Category: q.Category, Recipient: q.Recipient,
	})
}
