package ledger

import (
	"context"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// SubjectUntil returns what was known at a position of the person of a stream, for
// a caller who has followed the log up to there, and read the stream at least up to
// the revision least: a fold that knows less is not taken. Zero: up to none.
func (l *Ledger) SubjectUntil(
	ctx context.Context, stream ident.StreamID, least eventstore.Revision, at eventstore.Position,
) (domain.Subject, error) {
	if at == 0 {
		return domain.Subject{}, nil
	}
	f, ok := l.folds.until(stream, at)
	if ok && least <= f.revision && (least > 0 || at <= l.feed.heard()) {
		return f.subjectOrNone(), nil
	}

	f, err := l.foldUntil(ctx, stream, at)
	if err == nil && f.revision < least {
		err = fmt.Errorf("stream %s has %d records up to position %d, and %d were read of it", stream, f.revision, at,
			least)
	}
	return f.subjectOrNone(), err
}

// Remembers reports whether the ledger has in memory what was known at a position of
// the person of a stream, so that the caller need not keep it too.
func (l *Ledger) Remembers(stream ident.StreamID, at eventstore.Position) bool {
	_, ok := l.folds.until(stream, at)
	return ok
}
