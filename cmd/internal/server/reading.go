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

// aheadBatch is how many records wait at once for whoever reads behind.
const aheadBatch = 500

// ahead yields what a log yields. The log is read at the same time, up to four batches
// ahead, so that reading and what is done with the records have a core each.
func ahead[T any](log iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		batches, stop := make(chan batch[T], 2), make(chan struct{})
		var broke any // with what the reading panicked, once batches is closed
		go func() {
			defer close(batches)
			defer func() { broke = recover() }()
			inBatches(log, func(b batch[T]) bool {
				select {
				case batches <- b:
					return true
				case <-stop:
					return false
				}
			})
		}()
		defer func() {
			close(stop)
			for range batches { // until the reading has ended
			}
		}()

		for b := range batches {
			for _, x := range b.list {
				if !yield(x, nil) {
					return
				}
			}
			if b.err != nil {
				var none T
				yield(none, b.err)
				return
			}
		}
		if broke != nil {
			panic(broke) // where it ends one request, and not the process
		}
	}
}

// A batch is a part of a log.
type batch[T any] struct {
	list []T
	err  error // what came after the list, and ended the log
}

// inBatches gives do a log, as long as it wants more.
func inBatches[T any](log iter.Seq2[T, error], do func(batch[T]) bool) {
	var list []T
	for x, err := range log {
		if err != nil {
			do(batch[T]{list, err})
			return
		}
		if list = append(list, x); len(list) < aheadBatch {
			continue
		}
		if !do(batch[T]{list, nil}) {
			return
		}
		list = make([]T, 0, aheadBatch)
	}
	do(batch[T]{list, nil})
}

// A notedLedger is a ledger whose log is read for one question.
type notedLedger struct {
	*ledger.Ledger
	reading *longRead
}

func positionOf(e codec.Entry) eventstore.Position { return e.Position }

func recordedAt(r eventstore.Recorded) eventstore.Position { return r.Position }

// Replay is [ledger.Ledger.Replay].
func (n notedLedger) Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return noted(n.reading, n.Ledger.Replay(ctx, after), positionOf)
}

// What is said of the questions that read the whole log.
const (
	ReadingAudit   = "audit report"
	ReadingRebuild = "check of the projections"
)
