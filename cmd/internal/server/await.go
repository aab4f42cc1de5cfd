package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/postgres"
	"consentledger/projections/readmodel"
)

// A part is a server outside the process that the ledger needs.
type part struct {
	name  string // as /readyz has it
	where string // without user and password

	// ask returns nil once the part is there. An error that wraps
	// [exit.ErrUnreachable] says that it may come by itself; what waiting does not
	// mend, as a password that is wrong, is any other.
	ask func(context.Context) error
}

// How often a part is asked that is away, and how often it is said that it is.
const (
	awaitEvery = 200 * time.Millisecond
	awaitSays  = 10 * time.Second
)

// await returns once a part is there, however long that takes, or why waiting does not
// help. While the part is away tell hears why, each time that it was asked.
func (p part) await(ctx context.Context, log *slog.Logger, tell func(error)) error {
	var said time.Time
	for {
		err := p.ask(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && !said.IsZero() {
			log.Info("what the ledger waited for is there", "part", p.name, "server", p.where)
		}
		if !errors.Is(err, exit.ErrUnreachable) {
			return err
		}

		tell(err)
		if time.Since(said) >= awaitSays {
			log.Warn("a part of the ledger is away, and is waited for", "part", p.name, "server", p.where, "error", err)
			said = time.Now()
		}
		select {
		case <-time.After(awaitEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// firstAnswer is how long a part may take to answer until it is said that it is waited
// for. It is asked for longer each time, up to answerTime.
const firstAnswer = time.Second

// asking returns what asks a store that waits by itself, as long as its ctx lets it, and
// says at once what waiting does not mend. Connections that it has begun to make it goes
// on to make between two questions.
func asking(ready func(context.Context) error) func(context.Context) error {
	within := firstAnswer
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		within = min(2*within, answerTime)
		err := ready(ctx)
		switch {
		case err == nil, certificateOf(err) != nil:
			return err
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("%w: %w", exit.ErrUnreachable, err)
		}
		if away, is := errors.AsType[*readmodel.AwayError](err); is && !postgres.IsFinal(away) {
			return fmt.Errorf("%w: %w", exit.ErrUnreachable, err)
		}
		return err
	}
}

// certificateOf returns what is wrong with a server's certificate, nil: nothing. A
// server that answers with a wrong one is there.
func certificateOf(err error) error {
	if wrong, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return wrong
	}
	return nil
}

// A waiting is what a ledger that starts waits for, for who asks meanwhile.
type waiting struct {
	mu    sync.Mutex
	parts []rest.Check // that are waited for, or were
	begun bool         // a part was away
	last  error        // why the ledger was not opened the last time
}

// begin is told of what is waited for from now on.
func (w *waiting) begin(parts []part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts = nil
	for _, p := range parts {
		w.parts = append(w.parts, rest.Check{Name: p.name, Detail: "it has not answered yet"})
	}
}

// note takes down why a part is away; nil: it is there.
func (w *waiting) note(i int, err error) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts[i] = result(w.parts[i].Name, err)
	first = err != nil && !w.begun
	w.begun = w.begun || err != nil
	return first
}

// fail takes down why the ledger could not be opened, and is opened again.
func (w *waiting) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
}

// checks are what /readyz shows until the ledger is open.
func (w *waiting) checks() []rest.Check {
	w.mu.Lock()
	defer w.mu.Unlock()
	opening := errors.New("the ledger is being opened")
	if w.last != nil {
		opening = fmt.Errorf("the ledger is being opened again, after: %w", w.last)
	}
	return append(append([]rest.Check{}, w.parts...), result("opening", opening))
}

// awaitParts returns once every server is there that holds a part of the ledger. All are
// asked side by side, so that a password that is wrong ends the start also while another
// part is away. Others may go away again until they are used: see [Server.openAgain].
func (h *Server) awaitParts(ctx context.Context, d *DataDir, at Addresses) (err error) {
	parts, done, err := h.partsOf(ctx, d, at)
	defer func() { err = errors.Join(err, done()) }()
	if err != nil {
		return err
	}

	h.entrance.waits.begin(parts)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() {
			err := p.await(ctx, h.Log, func(why error) {
				if h.entrance.waits.note(i, why) {
					if err := h.entrance.open(); err != nil {
						stop(err)
					}
				}
			})
			if err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("the %s at %s: %w", p.name, p.where, err))
			}
			h.entrance.waits.note(i, err)
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// partsOf returns the servers that hold a part of the ledger, and what closes the
// connections by which they are asked.
func (h *Server) partsOf(ctx context.Context, d *DataDir, at Addresses) (parts []part, done func() error, err error) {
	var open []interface{ Close() error }
	done = func() (err error) {
		for _, o := range open {
			err = errors.Join(err, o.Close())
		}
		return err
	}

	if at.Vault != "" {
		address, m, err := vaultAt(ctx, at.Vault, d.DB.Rows())
		if err != nil {
			return nil, done, err
		}
		rows, err := postgres.OpenRows(address, postgres.Options{Seen: m.Saved})
		if err != nil {
			return nil, done, err
		}
		open = append(open, rows)
		parts = append(parts, part{name: "vault", where: address.String(), ask: asking(rows.Ready)})
	}
	if at.Store != "" {
		m, err := Recollect(ctx, d.DB.Rows(), SeenKey)
		if err != nil {
			return nil, done, err
		}
		store, where, err := EngineOf(at.Store).begin(at.Store, m.Saved)
		if err != nil {
			return nil, done, err
		}
		open = append(open, store)
		parts = append(parts, part{name: "store", where: where, ask: asking(store.Ready)})
	}
	models, err := h.database()
	if err == nil && models != nil {
		parts = append(parts, part{name: "read models", where: models.String(), ask: asking(models.Ready)})
	}
	return parts, done, err
}

// openAgain opens the server, again as long as a part goes away meanwhile that it needs.
// It returns the server that was opened last, which the caller closes if it has ended.
func (h *Server) openAgain(ctx context.Context) (_ *Server, ended bool, err error) {
	for {
		ended, err := h.openWhile(ctx)
		if !ended || ctx.Err() != nil || !wentAway(err) {
			return h, ended, err
		}
		h.Log.Warn("a part of the ledger went away while it was opened; it is opened again", "error", err)
		h.entrance.waits.fail(err)
		if err := h.entrance.open(); err != nil {
			return h, true, err
		}

		again := New(h.Config)
		again.Measured, again.entrance = h.Measured, h.entrance
		if err := h.Close(); err != nil {
			h.Log.Warn("what was open could not be closed", "error", err)
		}
		h = again
	}
}

// wentAway reports whether a server could not be opened since something outside of it
// did not answer.
func wentAway(err error) bool {
	if away, is := errors.AsType[*readmodel.AwayError](err); is {
		return !postgres.IsFinal(away)
	}
	return errors.Is(err, context.DeadlineExceeded)
}
