package wire

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

// sampledOf is of how many answers one is recorded where the policy says
// "sampled".
const sampledOf = 100

// logged reports whether an answer is recorded: what the version that answers
// says of the purpose decides.
func logged(ref domain.Reference, q domain.Question, m domain.Answer) bool {
	v, _ := ref.Policies.Version(m.Version)
	p, _ := v.Document.Purpose(q.Purpose)
	switch p.LogChecks {
	case domain.LogAll:
		return true
	case domain.LogSampled:
		return rand.IntN(sampledOf) == 0
	case domain.LogNone:
	}
	return false
}

// logAnswer records an answer. Its id is random: the same question may be
// asked, and answered, twice.
func logAnswer(ctx context.Context, l Ledger, app domain.AppName, who domain.PersonKey, principal string, q domain.Question, m domain.Answer) error {
	id := crand.Text()
	req := ledger.Request{App: app, Person: who, Source: "check", ID: id, Body: []byte(id), Actor: string(domain.System), RecordedBy: principal}
	return l.LogCheck(ctx, req, domain.CheckAnswered{
		Purpose: q.Purpose, Action: q.Action, Valid: q.At, Allowed: m.Allowed, Why: m.Why, Status: m.Standing.Status,
		Basis: m.Basis, Version: m.Version, Because: because(m), Category: q.Category, Recipient: q.Recipient,
	})
}
