package ledger

import (
	"context"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/vault"
)

// FinishDestructions destroys the proofs of whom it was ordered and not done, and says how
// many. The tables are written anew once for all of an app.
func (l *Ledger) FinishDestructions(ctx context.Context) (n int, err error) {
	var orders []vault.Order
	for o, err := range l.vault.Destructions(ctx) {
		if err != nil {
			return 0, err
		}
		orders = append(orders, o)
	}

	gone := map[string][]vault.Pseudonym{}
	var ordered []vault.Order
	for _, o := range orders {
		f, err := l.fold(ctx, streamOf(o))
		if err != nil {
			return 0, err
		}
		p, is := f.subject.Proof()
		if !is || p.Ordered == (ident.EventID{}) {
			continue // it was noted, and nothing followed yet
		}
		if err := l.vault.DestroyProof(ctx, o); err != nil {
			return 0, err
		}
		ordered = append(ordered, o)
		gone[o.App] = append(gone[o.App], o.Pseudonym)
	}
	for app, people := range gone {
		if err := l.vault.Purge(ctx, app, people...); err != nil {
			return 0, err
		}
	}

	for _, o := range ordered {
		done, err := l.recordDestroyed(ctx, o)
		if err != nil {
			return n, fmt.Errorf("the proof of %s is destroyed, and that could not be recorded: %w", o.Pseudonym, err)
		}
		if done {
			n++
		}
	}
	return n, nil
}

// recordDestroyed records that a proof is destroyed, and takes the note away.
func (l *Ledger) recordDestroyed(ctx context.Context, o vault.Order) (done bool, err error) {
	k, err := l.vault.AppKey(ctx, o.App)
	if err != nil {
		return false, err
	}
	ref, err := l.reference(ctx, ident.AppName(o.App))
	if err != nil {
		return false, err
	}

	stream := streamOf(o)
	err = l.locked(ctx, stream, func() error {
		f, err := l.fold(ctx, stream)
		if err != nil {
			return err
		}
		p, _ := f.subject.Proof()
		if p.Destroyed != (ident.EventID{}) {
			return nil
		}
		e := domain.ProofDestroyed{Order: p.Ordered}
		req := Request{
			App: stream.App, Source: ident.Ledger, ID: "proof destroyed " + stream.ID, Actor: string(ident.System),
			RecordedBy: ident.Ledger, Command: domain.Say{Event: e},
		}
		_, err = l.commit(ctx, resolved{Request: req, ref: ref, stream: stream, key: k}, f, nil,
			func(deadline.Instant) ([]domain.Event, error) { return []domain.Event{e}, nil })
		done = err == nil
		return err
	})
	if err != nil {
		return false, err
	}
	return done, l.vault.DestructionDone(ctx, o)
}
