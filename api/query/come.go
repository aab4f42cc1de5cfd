package query

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
)

// HasCome is the rule of every question about a moment or a span, on every road:
// nothing is known of the future. A moment that has not come is refused, with what
// is asked ("valid_at", "to") and what time it is now.
//
// No question about a plan needs one: an answer of now names the days to come
// itself, as when a consent ends, when a reply is due or when a version begins
// to bind.
//
// Clocks differ. A moment that is ahead of the ledger's clock by no more than
// [domain.FutureSkew], as a source's may be, is taken for now: that is what the
// caller means, and no answer is of a moment after it was given.
func HasCome(member string, at, now deadline.Instant) (deadline.Instant, error) {
	if at > now.Add(domain.FutureSkew) {
		return at, malformed("%s: %s is in the future, of which nothing is known: it is now %s; name a moment that "+
			"has come", member, at, now)
	}
	return min(at, now), nil
}

// hasCome is [HasCome] for all moments of a question.
func hasCome(q *domain.Question, known *deadline.Instant, now deadline.Instant) (err error) {
	if *known, err = HasCome("known_at", *known, now); err != nil {
		return err
	}
	q.At, err = HasCome("valid_at", q.At, now)
	return err
}
