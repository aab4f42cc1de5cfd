package ledger

import (
	"context"
	"iter"

	"consentledger/domain/ident"
	"consentledger/eventstore/vault"

	"golang.org/x/sync/errgroup"
)

// OrderErasure is the first half of [Ledger.EraseNamed], for whoever erases many: the order
// is recorded and the person's rows are deleted, so that nothing of them can be read. Old
// bytes stay on disk, and that it is done is not recorded, until [Ledger.FinishErasures].
func (l *Ledger) OrderErasure(ctx context.Context, req Request, name vault.Pseudonym) (Receipt, error) {
	return l.erase(ctx, req, l.deleteOrdered, func() (*vault.Person, error) {
		return l.named(ctx, req.App, name.String())
	})
}

// finishOrders finishes what was ordered. The tables are written anew once for all of an
// app, and not once a person: that would take as long for each as for all.
func (l *Ledger) finishOrders(ctx context.Context, orders []vault.Order) (n int, err error) {
	var ordered []vault.Order // noted, and ordered, too
	for _, o := range orders {
		stream := streamOf(o)
		f, err := l.fold(ctx, stream)
		if err != nil {
			return 0, err
		}
		if f.subject.Ordered() == (ident.EventID{}) {
			continue
		}
		if err := l.locked(ctx, stream, func() error { return l.deleteOrdered(ctx, stream) }); err != nil {
			return 0, err
		}
		ordered = append(ordered, o)
	}

	gone := map[string][]vault.Pseudonym{}
	for _, o := range ordered {
		gone[o.App] = append(gone[o.App], o.Pseudonym)
	}
	for app, people := range gone {
		if err := l.vault.Purge(ctx, app, people...); err != nil {
			return 0, err
		}
	}

	all, ctx := errgroup.WithContext(ctx) // whatever is given up halfway is done again
	all.SetLimit(recordedAtOnce)
	for _, o := range ordered {
		all.Go(func() error { return l.recordFinished(ctx, o) })
	}
	if err := all.Wait(); err != nil {
		return 0, err
	}
	return len(ordered), nil
}

// recordedAtOnce is how many erasures are recorded as done side by side, so that they share
// the disk's syncs.
const recordedAtOnce = 16

// recordFinished records that one erasure is done.
func (l *Ledger) recordFinished(ctx context.Context, o vault.Order) error {
	stream := streamOf(o)
	return l.locked(ctx, stream, func() error {
		f, err := l.fold(ctx, stream)
		if err != nil {
			return err
		}
		return l.recordErased(ctx, stream, f, o)
	})
}

// deleteOrdered deletes the entry of whom it was ordered to erase; it may have been done
// before. The stream is locked.
func (l *Ledger) deleteOrdered(ctx context.Context, stream ident.StreamID) error {
	return l.ordered(ctx, stream, func(f *fold, p *vault.Person) error {
		return l.deleteRows(ctx, stream, f, p)
	})
}

// locked does something with a stream that is locked, again if another process was faster.
func (l *Ledger) locked(ctx context.Context, stream ident.StreamID, do func() error) error {
	_, err := l.race(ctx, stream.App, func() (Receipt, error) {
		unlock, err := l.lock(ctx, stream)
		if err != nil {
			return Receipt{}, err
		}
		defer unlock()
		return Receipt{}, do()
	})
	return err
}

func streamOf(o vault.Order) ident.StreamID {
	return ident.SubjectStream(ident.AppName(o.App), o.Pseudonym.String())
}

// Kept reports whether the entry of whom a pseudonym names is still there.
func (l *Ledger) Kept(ctx context.Context, app ident.AppName, name vault.Pseudonym) (bool, error) {
	_, there, err := l.vault.ByPseudonym(ctx, string(app), name)
	return there, err
}

// Everybody is [vault.Vault.Everybody].
func (l *Ledger) Everybody(
	ctx context.Context, app ident.AppName, after vault.Pseudonym,
) iter.Seq2[vault.Pseudonym, error] {
	return l.vault.Everybody(ctx, string(app), after)
}
