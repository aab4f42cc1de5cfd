package ledger

import (
	"context"
	"iter"
	"strings"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// Of yields an app's entries after a position, in the order of the log. The
// records of other apps are read and not decoded.
func (l *Ledger) Of(ctx context.Context, app ident.AppName, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return EntriesOf(app, l.store.ReadAll(ctx, after))
}

// EntriesOf yields the entries of an app among the records of a store, which somebody
// reads for more than them.
func EntriesOf(app ident.AppName, records iter.Seq2[eventstore.Recorded, error]) iter.Seq2[codec.Entry, error] {
	return entries(picked(records, ofApp(app)))
}

// Own yields what was recorded of an app as a whole (of the app itself, its
// policies, surfaces and calendars) in the order of the log. It reads their streams
// alone, however long the log is.
func (l *Ledger) Own(ctx context.Context, app ident.AppName) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) { l.merged(ctx, ident.OwnStreams(app), yield) }
}

// ofApp tells the records of an app by the names of their streams.
func ofApp(app ident.AppName) func(eventstore.Recorded) bool {
	prefix := string(app) + "-"
	return func(r eventstore.Recorded) bool {
		_, rest, _ := strings.Cut(string(r.Stream), "-")
		return strings.HasPrefix(rest, prefix)
	}
}

func picked(
	all iter.Seq2[eventstore.Recorded, error], wanted func(eventstore.Recorded) bool,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range all {
			if err == nil && !wanted(r) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
