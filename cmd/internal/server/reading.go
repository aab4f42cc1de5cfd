package server

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// readings are the questions under way that read the whole log, so that whoever waits
// can see how far they are.
type readings struct {
	mu   sync.Mutex
	list []*longRead // in the order in which they began
}

// A longRead is one of them.
type longRead struct {
	what    string
	started deadline.Instant
	at      atomic.Uint64 // the position that was read last
}

// begin notes a question until the function that it returns is called.
func (r *readings) begin(what string) (*longRead, func()) {
	x := &longRead{what: what, started: Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
	return x, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = slices.DeleteFunc(r.list, func(y *longRead) bool { return x == y })
	}
}

// report says how far each is.
func (r *readings) report() (list []rest.Reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.list {
		at := eventstore.Position(x.at.Load())
		list = append(list, rest.Reading{What: x.what, Started: x.started.String(), Position: wire.FormatPosition(at)})
	}
	return list
}

// positions says what was read last by every question, by what is said of it.
func (r *readings) positions() map[string]eventstore.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]eventstore.Position{}
	for _, x := range r.list {
		all[x.what] = eventstore.Position(x.at.Load())
	}
	return all
}

// noted yields what a log yields, and notes how far that is.
func noted[T any](x *longRead, log iter.Seq2[T, error], position func(T) eventstore.Position) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range log {
			if err == nil {
				x.at.Store(uint64(position(r)))
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A notedLedger is a ledger whose log is read for one question.
type notedLedger struct {
	*ledger.Ledger
	reading *longRead
}

func positionOf(e codec.Entry) eventstore.Position { return e.Position }

// Of is [ledger.Ledger.Of].
func (n notedLedger) Of(
	ctx context.Context, app ident.AppName, after eventstore.Position,
) iter.Seq2[codec.Entry, error] {
	return noted(n.reading, n.Ledger.Of(ctx, app, after), positionOf)
}

// Replay is [ledger.Ledger.Replay].
func (n notedLedger) Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return noted(n.reading, n.Ledger.Replay(ctx, after), positionOf)
}

// What is said of the questions that read the whole log.
const (
	ReadingAudit   = "audit report"
	ReadingRebuild = "check of the projections"
)
