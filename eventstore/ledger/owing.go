package ledger

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// What is owed by rule since a fact of a person's history stands in the fact's own
// record: neither is there without the other, and who reads the one knows the other.
// What becomes of it is recorded in a stream of its own, [ident.OwedStream], which
// begins where that record ends. So the deadlines of somebody who says no twice a day
// do not weigh on "may we?", nor on the history.
//
// Two things are recorded apart, as all of it once was, by whoever follows the log:
// what is owed for another history than the fact's own, since an append moves one
// stream; and what no record has room for, or cannot be computed: an opt-out is refused for
// neither.

// owing says in each fact what is owed since.
func (l *Ledger) owing(said []codec.Entry, s domain.Subject, ref domain.Reference) []codec.Entry {
	for i := range said {
		e := &said[i]
		e.Rules = domain.Rules
		kind := codec.Kind(e.Event)
		if ref.Policies.Open(kind) {
			var err error
			if e.Owing, err = s.Owes(e.Fact(), kind, ref); err != nil {
				e.Owing, e.Rules = nil, domain.OwedApart
			}
		}
		if i+1 < len(said) {
			s = s.Evolve(e.Fact())
		}
	}
	return said
}

// beginOwed returns the fold of a stream with which it begins: empty, unless it is of
// what is owed since a fact that says so itself. Of what was recorded after a position
// nothing is known; zero means all.
func (l *Ledger) beginOwed(ctx context.Context, stream ident.StreamID, until eventstore.Position) (*fold, error) {
	f := newFold()
	history, revision, ok := stream.OwedSince()
	if !ok {
		return f, nil
	}

	for e, err := range entries(l.store.ReadStream(ctx, eventstore.Stream(history.String()),
		eventstore.Revision(revision)-1)) {
		if err != nil {
			return nil, err
		}
		if until != 0 && e.Position > until {
			break
		}
		for _, o := range e.Owed() {
			f.duties, _ = f.duties.Fold(o.Fact(), lists.Alone)
		}
		f.position, f.recorded = e.Position, e.Recorded
		break
	}
	return f, nil
}
