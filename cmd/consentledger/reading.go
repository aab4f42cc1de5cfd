package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"

	"github.com/spf13/cobra"
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
	x := &longRead{what: what, started: now()}
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
func (n notedLedger) Of(ctx context.Context, app domain.AppName, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return noted(n.reading, n.Ledger.Of(ctx, app, after), positionOf)
}

// Replay is [ledger.Ledger.Replay].
func (n notedLedger) Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return noted(n.reading, n.Ledger.Replay(ctx, after), positionOf)
}

// What is said of the questions that read the whole log.
const (
	readingAudit   = "audit report"
	readingRebuild = "check of the projections"
)

// sayEvery is how often a command that waits says how far the server is.
var sayEvery = 2 * time.Second

// waiting does work for which the server reads the whole log, and says on standard error
// from time to time how far it is.
func waiting(c *cobra.Command, what string, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(sayEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if text := progressOf(c, what); text != "" {
				fmt.Fprintln(c.ErrOrStderr(), text)
			}
		}
	}
}

// progressOf asks the server how far a question is; empty: it does not say.
func progressOf(c *cobra.Command, what string) string {
	body, err := call(c, http.MethodGet, "/v1/status", "", nil)
	if err != nil {
		return ""
	}
	var s rest.StatusReport
	if json.Unmarshal(body, &s) != nil {
		return ""
	}
	for _, r := range s.Reading {
		if r.What == what {
			return fmt.Sprintf("%s: the log is read up to position %s of %s", what, r.Position, s.Head)
		}
	}
	return ""
}
