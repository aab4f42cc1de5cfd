package ledger

import (
	"context"
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore"
)

// SubjectUntil returns what was known at a position of the person of a stream, for
// a caller who has followed the log up to there, and read the stream at least up to
// the revision least: a fold that knows less is not taken. Zero: up to none. Held reports whether the
// ledger has the answer in memory, so that the caller need not keep it too.
func (l *Ledger) SubjectUntil(ctx context.Context, stream domain.StreamID, least eventstore.Revision, at eventstore.Position) (s domain.Subject, held bool, err error) {
	if at == 0 {
		return s, true, nil
	}
	f, ok := l.folds.until(stream, at)
	if ok && least <= f.revision && (least > 0 || at <= l.feed.heard()) {
		return f.subjectOrNone(), true, nil
	}
	f, err = l.foldUntil(ctx, stream, at)
	if err == nil && f.revision < least {
		err = fmt.Errorf("stream %s has %d records up to position %d, and %d were read of it", stream, f.revision, at, least)
	}
	return f.subjectOrNone(), false, err
}
