package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/vault"
)

// HeldProofs is what a process remembers, between two calls of [Ledger.DestroyDue], of proofs
// that were due and are kept by legal holds: under which holds it looked at them. While these
// are the same the proofs are not looked at again, however many they are. The zero HeldProofs
// remembers nothing, and looks at all of them once.
type HeldProofs struct {
	begun bool
	apps  map[string]holds
}

// holds are the legal holds of an app at a moment.
type holds struct {
	names   string
	release deadline.Instant // when one ends by itself next; zero: none does
}

// DestroyDue destroys the proofs whose last day is over, and says how many. What a legal hold
// keeps stays, and is looked at again when a hold ends. One process at a time calls it again
// and again, with what it remembers.
func (l *Ledger) DestroyDue(ctx context.Context, held *HeldProofs) (n int, err error) {
	var due []vault.Order
	for o, err := range l.vault.DueProofs(ctx, l.Now().Time()) {
		if err != nil {
			return 0, err
		}
		due = append(due, o)
	}
	if err := l.recall(ctx, held); err != nil {
		return 0, err
	}
	if len(due) == 0 && len(held.apps) == 0 {
		return 0, nil
	}
	if err := l.fresh.now(ctx); err != nil {
		return 0, err
	}

	now := map[string]holds{}
	for _, o := range due {
		if err := l.holdsOf(ctx, o.App, now); err != nil {
			return 0, err
		}
	}
	n, kept, err := l.destroyDue(ctx, due)
	if err != nil {
		return n, err
	}
	if err := l.vault.Hold(ctx, kept...); err != nil {
		return n, err
	}
	for _, o := range kept {
		if _, looked := held.apps[o.App]; !looked {
			held.apps[o.App] = now[o.App]
		}
	}

	more, err := l.destroyReleased(ctx, held)
	return n + more, err
}

// recall reads once of which apps proofs are held. They were looked at by another process, or
// before a restart, under holds that nobody remembers.
func (l *Ledger) recall(ctx context.Context, held *HeldProofs) error {
	if held.begun {
		return nil
	}
	held.apps = map[string]holds{}
	for app, err := range l.vault.HeldApps(ctx) {
		if err != nil {
			return err
		}
		held.apps[app] = holds{names: "not looked at"}
	}
	held.begun = true
	return nil
}

// holdsOf adds the holds of an app as they are now.
func (l *Ledger) holdsOf(ctx context.Context, app string, to map[string]holds) error {
	if _, has := to[app]; has {
		return nil
	}
	ref, err := l.reference(ctx, ident.AppName(app))
	if err != nil {
		return err
	}
	release, err := ref.Service.Register.NextRelease(ref.Service.App.TimeZone, l.Now())
	if err != nil {
		return err
	}
	to[app] = holds{names: ref.Service.Register.Holds(), release: release}
	return nil
}

// destroyReleased destroys proofs that were held, and are not any more.
func (l *Ledger) destroyReleased(ctx context.Context, held *HeldProofs) (n int, err error) {
	now := map[string]holds{}
	for app, were := range held.apps {
		if err := l.holdsOf(ctx, app, now); err != nil {
			return n, err
		}
		if now[app].names == were.names && (were.release == 0 || l.Now() < were.release) {
			continue
		}

		var all []vault.Order
		for name, err := range l.vault.HeldProofs(ctx, app) {
			if err != nil {
				return n, err
			}
			all = append(all, vault.Order{App: app, Pseudonym: name})
		}
		done, kept, err := l.destroyDue(ctx, all)
		n += done
		if err != nil {
			return n, err
		}
		if held.apps[app] = now[app]; len(kept) == 0 {
			delete(held.apps, app)
		}
	}
	return n, nil
}

// destroyDue destroys proofs whose last day is over, and returns those that a legal hold keeps.
func (l *Ledger) destroyDue(ctx context.Context, due []vault.Order) (n int, kept []vault.Order, err error) {
	for some := range slices.Chunk(due, proofsAtOnce) {
		for _, o := range some {
			held, err := l.orderDue(ctx, o)
			if err != nil {
				return n, nil, err
			}
			if held {
				kept = append(kept, o)
			}
		}
		done, err := l.FinishDestructions(ctx)
		n += done
		if err != nil {
			return n, nil, err
		}
	}
	return n, kept, nil
}

// proofsAtOnce is how many proofs are destroyed between two writings of the tables.
const proofsAtOnce = 5_000

// orderDue records that a proof is to be destroyed whose last day is over, or returns that a
// legal hold keeps it.
func (l *Ledger) orderDue(ctx context.Context, o vault.Order) (held bool, err error) {
	ref, err := l.reference(ctx, ident.AppName(o.App))
	if err != nil {
		return false, err
	}
	k, err := l.vault.AppKey(ctx, o.App)
	if err != nil {
		return false, err
	}
	f, err := l.fold(ctx, streamOf(o))
	if err != nil {
		return false, err
	}
	if p, is := f.subject.Proof(); !is || p.Ordered != (ident.EventID{}) {
		return false, nil
	}

	due := Request{
		App: ident.AppName(o.App), Source: ident.Ledger, ID: "proof due " + o.Pseudonym.String(),
		Actor: string(ident.System), RecordedBy: ident.Ledger, Proof: ProofOf{Names: []vault.Pseudonym{o.Pseudonym}},
		Command: domain.DestroyProof{Reason: domain.ProofEnded, Due: true},
	}
	ref.By = ident.By{Actor: ident.System, Principal: ident.Ledger}
	stream := streamOf(o)
	err = l.locked(ctx, stream, func() error {
		f, err := l.fold(ctx, stream)
		if err != nil {
			return err
		}
		decide := func(recorded deadline.Instant) ([]domain.Event, error) {
			return f.subject.Decide(due.Command, ref, recorded, recorded)
		}
		if _, err := decide(l.Now()); err != nil {
			return err
		}
		if err := l.vault.OrderDestruction(ctx, o); err != nil {
			return err
		}
		_, err = l.commit(ctx, resolved{Request: due, ref: ref, stream: stream, key: k}, f, nil, decide)
		return err
	})
	if no, refused := errors.AsType[refusal.Refusal](err); refused {
		return no.Code == refusal.OnHold, nil // or somebody was quicker
	}
	return false, err
}

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
