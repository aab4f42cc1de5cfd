package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"consentledger/api/nats/outbox"
	"consentledger/api/wire"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// Run sends what is to be sent until ctx is done. Of several processes one does; if two
// do for a moment, something is sent twice.
func (h *Hooks) Run(ctx context.Context) error {
	pace := h.Pace.filled()
	client := h.client(pace.Answer)
	defer client.CloseIdleConnections()

	running := map[string]*sender{}
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(pace.Look)
	defer tick.Stop()
	for well := true; ; {
		list, err := h.read(ctx, "")
		if err != nil && ctx.Err() == nil && well {
			h.log().Warn("webhooks cannot be read, and go on as they were", "err", err)
		}
		if well = err == nil; well {
			h.arrange(ctx, client, pace, list, running, &all)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.poked():
		case <-tick.C:
		}
	}
}

// A sender sends for one webhook.
type sender struct {
	turn   string // since which beginning it sends: with another it is another sender
	cancel context.CancelFunc
	done   chan struct{}
}

// ended reports whether it stopped by itself, since its webhook was paused.
func (r *sender) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// arrange lets those send that are to send.
func (h *Hooks) arrange(
	ctx context.Context, c *http.Client, p Pace, list []stored, running map[string]*sender, all *sync.WaitGroup,
) {
	wanted := map[string]stored{}
	for _, s := range list {
		if s.Paused.IsZero() {
			wanted[string(s.App)+"/"+s.ID] = s
		}
	}

	for name, r := range running {
		if s, is := wanted[name]; !is || s.from.Turn != r.turn || r.ended() {
			r.cancel()
			<-r.done
			delete(running, name)
		}
	}

	for name, s := range wanted {
		if running[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		r := &sender{turn: s.from.Turn, cancel: cancel, done: make(chan struct{})}
		running[name] = r
		all.Go(func() {
			defer close(r.done)
			defer cancel()
			h.serve(ctx, c, p, s)
		})
	}
}

// serve sends for one webhook until ctx is done or it is paused.
func (h *Hooks) serve(ctx context.Context, c *http.Client, p Pace, s stored) {
	// Rows may have been written since they were listed, by the sender before this one.
	if now, err := h.one(ctx, s.App, s.ID); err == nil && now.from.Turn == s.from.Turn {
		s = now
	}
	for wait := p.First; ctx.Err() == nil; wait = min(2*wait, p.Last) {
		err := h.follow(ctx, c, p, &s)
		if ctx.Err() != nil || errors.Is(err, errPaused) {
			return
		}
		h.log().Warn("a webhook waits for the ledger", "app", s.App, "webhook", s.ID, "err", err)
		rest(ctx, wait)
	}
}

// errPaused ends a sender whose webhook is paused.
var errPaused = errors.New("the webhook is paused")

// noteEvery is after how many records that are nothing to a webhook it is noted how far it
// is.
const noteEvery = 1000

// follow sends what is recorded, from where s is.
func (h *Hooks) follow(ctx context.Context, c *http.Client, p Pace, s *stored) error {
	passed := 0
	for entries, err := range h.Ledger.Follow(ctx, s.at.Position) {
		if err != nil {
			return err
		}
		for _, e := range entries {
			sent := false
			if e.Stream.App == s.App {
				if sent, err = h.deliver(ctx, c, p, s, e); err != nil {
					return err
				}
			}
			s.at.Position = e.Position
			if passed++; sent || passed >= noteEvery {
				if err := h.note(ctx, s); err != nil {
					return err
				}
				passed = 0
			}
		}
	}
	return ctx.Err()
}

// note writes how far a webhook is. It is not synced: what a crash takes away is sent
// again.
func (h *Hooks) note(ctx context.Context, s *stored) error {
	return h.Rows.Write(ctx, eventstore.Change{
		Present: [][]byte{keyOf(s.App, s.ID, isRow)}, Put: []eventstore.Row{rowOf(keyOf(s.App, s.ID, atRow), s.at)},
	})
}

// deliver sends what an entry says until it is taken, and reports whether it said
// anything.
func (h *Hooks) deliver(ctx context.Context, c *http.Client, p Pace, s *stored, e codec.Entry) (any bool, err error) {
	for done := 0; ; {
		events, err := h.events(ctx, s, e) // anew for each attempt: somebody may be erased in between
		if err != nil {
			return any, err
		}
		if done >= len(events) {
			return any, nil
		}
		any = true
		if err = h.send(ctx, c, *s, events[done]); ctx.Err() != nil {
			return any, ctx.Err()
		}
		if h.Tried != nil {
			h.Tried(err == nil)
		}
		if err == nil {
			s.at.Failures, s.at.Last = 0, ""
			done++
			continue
		}
		if err := h.failed(ctx, p, s, err); err != nil {
			return any, err
		}
	}
}

// topics are what events are about, with their types.
var topics = [...][]string{outbox.Consents: wire.ConsentTypes, outbox.Obligations: wire.ObligationTypes}

// events returns what a webhook is sent of an entry.
func (h *Hooks) events(ctx context.Context, s *stored, e codec.Entry) (wanted []outbox.Event, err error) {
	for topic, types := range topics {
		if !slices.ContainsFunc(types, func(t string) bool { return slices.Contains(s.Types, t) }) {
			continue
		}
		all, err := outbox.Events(ctx, h.Ledger, outbox.Topic(topic), e)
		if err != nil {
			return nil, err
		}
		for _, event := range all {
			if slices.Contains(s.Types, event.Type) {
				wanted = append(wanted, event)
			}
		}
	}
	return wanted, nil
}

// failed notes that an event was not taken, and waits before the next attempt. It returns
// [errPaused] if there is none.
func (h *Hooks) failed(ctx context.Context, p Pace, s *stored, why error) error {
	f, known := errors.AsType[*failure](why)
	if !known {
		f = &failure{says: "the ledger could not send: " + why.Error()}
	}
	s.at.Failures++
	s.at.Last = f.says
	if f.gone || s.at.Failures >= p.Failures {
		reason := Failing
		if f.gone {
			reason = Gone
		}
		h.log().Error("a webhook is paused", "app", s.App, "webhook", s.ID, "why", reason, "failures", s.at.Failures,
			"last", f.says)
		err := h.write(ctx, eventstore.Change{
			Present: [][]byte{keyOf(s.App, s.ID, isRow)},
			Put:     []eventstore.Row{rowOf(keyOf(s.App, s.ID, atRow), s.at), rested(s.App, s.ID, reason)},
		})
		if err != nil {
			return err
		}
		return errPaused
	}
	if err := h.note(ctx, s); err != nil {
		return err
	}

	pause := p.Last
	if n := s.at.Failures - 1; n < 30 {
		pause = min(p.First<<n, p.Last)
	}
	pause = pause/2 + rand.N(pause/2+1) // so that many webhooks do not come back at one moment
	rest(ctx, max(pause, min(f.after, p.Last)))
	return ctx.Err()
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
