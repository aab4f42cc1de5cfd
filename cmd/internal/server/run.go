package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"consentledger/api/auth"
	"consentledger/api/edge"
	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/telemetry"
)

// openGrace is how long an opening that is interrupted may take to end.
const openGrace = 5 * time.Second

// Run runs a ledger until ctx is done, then drains. It tells out when it is ready.
func Run(ctx context.Context, c Config, out io.Writer) (err error) {
	h := New(c)
	slog.SetDefault(h.Log) // what libraries say is told in the same form
	if err := h.openTelemetry(ctx); err != nil {
		return err
	}
	h.entrance = &entrance{config: c, log: h.Log}
	defer func() { err = errors.Join(err, h.entrance.close()) }()
	h, ended, err := h.openAgain(ctx)
	if !ended {
		return err // with what is open: only the end of the process closes it
	}
	defer func() { err = h.end(err) }()
	if err != nil {
		return FullDisk(c.Data, err)
	}

	on, err := h.listen()
	if err != nil {
		return err
	}
	if err := h.watchMeasures(); err != nil {
		return errors.Join(err, on.close())
	}

	// From here on each part runs by itself. The first that must not end and does ends all.
	w := newWorkers(ctx)
	defer w.Wait()
	defer w.stop(nil) // before the workers are waited for
	h.follow(w)
	h.keep(w)
	ready := h.answer(w, on)

	for range cap(ready) {
		select {
		case <-ready:
		case <-w.ctx.Done():
		}
	}
	h.awaitReading(w.ctx)
	w.Go(func() { h.recordAllLogKeys(w.ctx) })
	w.Go(func() { h.checkLogs(w.ctx) }) // it reads the whole store: nobody waits for it
	setup, err := h.setup(w.ctx)
	if err != nil && w.ctx.Err() == nil { // else why it ends is told below
		return err
	}
	if w.ctx.Err() == nil {
		h.greet(out, h.entrance.listener, on.window)
		h.greetAccess(out, h.entrance.listener, setup)
	}
	if c.Demo {
		w.must("demo", func() error { return h.demo(w.ctx) })
	}

	<-w.ctx.Done()
	if cause := context.Cause(w.ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// What the lines of the log are: those of package slog.
const (
	LogText = "text" // the zero Config's, too
	LogJSON = "json"
)

// logTo returns what writes the lines of the log.
func (c Config) logTo(out io.Writer) slog.Handler {
	if c.LogFormat == LogJSON {
		return slog.NewJSONHandler(out, nil)
	}
	return slog.NewTextHandler(out, nil)
}

// New returns a server that is not open.
func New(c Config) *Server {
	return &Server{
		Config:  c,
		Log:     slog.New(telemetry.Handler(c.logTo(os.Stderr))),
		Started: Now().String(),
	}
}

// openWhile opens the server. If ctx is done meanwhile, it waits a little for the end of
// that; where it has not ended, nobody may touch what is open.
func (h *Server) openWhile(ctx context.Context) (ended bool, err error) {
	opened := make(chan error, 1)
	go func() { opened <- h.Open(ctx) }()
	select {
	case err := <-opened:
		return true, err
	case <-ctx.Done():
	}

	select {
	case err := <-opened:
		return true, err
	case <-time.After(openGrace):
		return false, ctx.Err()
	}
}

// end closes the server that ran until err.
func (h *Server) end(err error) error {
	if err := h.Measured.telemetry.Close(); err != nil { // before what it looks at is closed
		h.Log.Warn("the last traces or metrics are lost", "error", err)
	}
	if closing := h.Close(); !errors.Is(err, ErrRestart) { // then what died cannot be closed
		err = errors.Join(err, closing)
	}
	return err
}

// listeners are where the server is reached, beside NATS and its entrance.
type listeners struct {
	window   net.Listener // of EventStoreDB's protocol; nil: it is not spoken
	measures net.Listener // of the metrics for whoever asks; nil: there is none
}

// listenHTTP takes the address of HTTP, for so many connections as the configuration says.
func (c Config) listenHTTP() (*edge.Conns, error) {
	l, err := net.Listen("tcp", c.HTTP)
	if err != nil {
		return nil, fmt.Errorf("HTTP: %w; name another address with --http", err)
	}
	return &edge.Conns{Listener: l, Most: cmp.Or(c.Limits.Connections, maxConnections), Within: takeWithin}, nil
}

// listen takes the addresses that the configuration names.
func (h *Server) listen() (on listeners, err error) {
	c := h.Config
	defer func() {
		if err != nil {
			err = errors.Join(err, on.close())
		}
	}()
	if err := h.entrance.listen(); err != nil {
		return on, err
	}

	if c.ESDB != "" {
		if on.window, err = net.Listen("tcp", c.ESDB); err != nil {
			return on, fmt.Errorf("EventStoreDB's protocol: %w; name another address with --esdb-listen", err)
		}
	}

	if c.Measures != "" {
		if on.measures, err = net.Listen("tcp", c.Measures); err != nil {
			return on, fmt.Errorf("metrics: %w; name another address with --metrics-listen", err)
		}
	}
	return on, nil
}

func (l listeners) close() (err error) {
	for _, one := range []net.Listener{l.window, l.measures} {
		if one != nil {
			err = errors.Join(err, one.Close())
		}
	}
	return err
}

// workers are what runs beside each other, until their ctx is done.
type workers struct {
	sync.WaitGroup
	ctx  context.Context
	stop context.CancelCauseFunc
}

func newWorkers(ctx context.Context) *workers {
	w := new(workers)
	w.ctx, w.stop = context.WithCancelCause(ctx)
	return w
}

// must runs work that has to go on: if it fails, all stop.
func (w *workers) must(what string, work func() error) {
	w.Go(func() {
		if err := work(); err != nil && w.ctx.Err() == nil {
			w.stop(fmt.Errorf("%s: %w", what, err))
		}
	})
}

// follow starts what follows the log: the views, the apps' logs, what is due, and what
// is told of it.
func (h *Server) follow(w *workers) {
	w.Go(func() {
		h.RunViews(w.ctx, func(err error) { h.Log.Error("a projection stopped", "error", err) })
	})
	w.Go(func() { h.runLogs(w.ctx) })
	w.must("checkpoints", func() error { return h.turns.during(w.ctx, workCheckpoints, h.showLogs) })
	w.Go(func() {
		if err := h.FollowUp.Run(w.ctx); err != nil {
			h.Log.Error("the follow-up process stopped", "error", err)
		}
	})
	w.must("follow-ups", func() error { return h.turns.during(w.ctx, workFollowUps, h.followUp) })
	w.Go(func() { h.watchTold(w.ctx) })
}

// keep starts what looks after the data directory, the stores elsewhere and the clock.
func (h *Server) keep(w *workers) {
	w.Go(func() { h.watchRoom(w.ctx, w.stop) })
	if h.Dir.away != nil {
		w.Go(func() { h.keepUp(w.ctx) })
	}

	for _, m := range h.Dir.memories() {
		w.Go(func() {
			m.run(w.ctx, func(err error) {
				h.Log.Warn("what is newest on a server could not be remembered, and is tried again",
					"as", string(m.key), "error", err)
			})
		})
	}

	w.Go(func() {
		for w.ctx.Err() == nil { // once a round has failed, the next one waits for more to write
			if err := h.Dir.Ledger.KeepSnapshots(w.ctx); err != nil {
				h.Log.Warn("snapshots of histories were not written; long ones are read from the log", "error", err)
			}
		}
	})
	w.Go(func() {
		if err := h.Dir.Ledger.KeepMarks(w.ctx); err != nil && w.ctx.Err() == nil {
			h.Log.Error("marks in the log are set no more; questions about the past read on from the last",
				"error", err)
		}
	})
	w.Go(func() { h.watchClock(w.ctx) })
	w.Go(func() { h.rotation.run(w.ctx) })
	if !h.rotation.alone() {
		w.Go(func() { h.rotation.keepUp(w.ctx) })
	}
}

// answer starts what takes questions and events. What it returns is full once NATS is
// listened to, by intake and for operators, and servers that ask whom to let in are answered.
func (h *Server) answer(w *workers, on listeners) (ready chan struct{}) {
	h.api = h.Handler()
	if h.asked = h.places.Guard(h.api); h.keys != nil {
		h.asked, h.may = auth.Guard(h.asked, h.ways), auth.May(h.ways)
		w.Go(func() { h.keepAccess(w.ctx) })
		w.Go(func() { h.finishApproved(w.ctx) })
	}
	guarded := h.Config.guardPages(h.withPages(h.asked), h.entrance.listener.Addr())

	waits := 2
	if h.callouts != nil {
		waits++
	}
	ready = make(chan struct{}, waits)
	open := func() { ready <- struct{}{} }
	reached := sync.OnceValue(func() error { return h.Config.NATS.Await(w.ctx, h.Conn, h.Log) })
	w.must("intake", func() error {
		if err := reached(); err != nil {
			return err
		}
		return h.Config.NATS.permitted(intake.Run(w.ctx, h.Intake, open))
	})
	w.must("operators on NATS", func() error {
		if err := reached(); err != nil {
			return err
		}
		return h.operate(w.ctx, open)
	})
	if h.callouts != nil {
		w.must("auth callout", func() error {
			if err := reached(); err != nil {
				return err
			}
			return h.answerCallouts(w.ctx, open)
		})
	}
	w.must("HTTP", func() error { return h.entrance.serve(w.ctx, guarded) })
	if on.measures != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", h.Measured.page())
		w.must("metrics", func() error { return ServeHTTP(w.ctx, on.measures, mux, h.Log) })
	}
	if on.window != nil {
		w.must("EventStoreDB's protocol", func() error { return serveWindow(w.ctx, on.window, h.Dir.Store) })
	}
	return ready
}
