package erasing

import (
	"context"
	"time"

	"consentledger/eventstore/ledger"
)

// dueEvery is how long DestroyProofs waits before it looks for proofs whose last day is over.
// To look reads one row if there is none, and nothing of those that a legal hold keeps.
const dueEvery = time.Minute

// DestroyProofs destroys the proofs that are kept of persons who are erased once their last
// day is over, until ctx is done. One process at a time does. What fails is tried again.
func (j *Jobs) DestroyProofs(ctx context.Context) {
	var held ledger.HeldProofs
	for ctx.Err() == nil {
		n, err := j.Ledger.DestroyDue(ctx, &held)
		if n > 0 {
			j.Log.Info("proofs of persons who are erased were destroyed: their last day is over", "proofs", n)
		}
		if err != nil && ctx.Err() == nil {
			j.Log.Error("a proof whose last day is over could not be destroyed, and is tried again", "error", err)
		}
		select {
		case <-time.After(dueEvery):
		case <-ctx.Done():
		}
	}
}
