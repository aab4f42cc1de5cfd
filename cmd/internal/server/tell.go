package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"consentledger/api/lapse"
	"consentledger/api/nats/outbox"
	"consentledger/api/rest"
	"consentledger/api/webhook"
	"consentledger/api/wire"
	"consentledger/cmd/internal/telemetry"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
)

// Telling is what apps are told, beside what they always are.
type Telling struct {
	Consents bool // on NATS, too
	Private  bool // webhooks go to private addresses, and without TLS
}

func (h *Server) openTelling() {
	of := func(topic outbox.Topic) *outbox.Outbox {
		return &outbox.Outbox{
			Conn: h.Conn, Ledger: h.Dir.Ledger, Topic: topic, Rows: h.Dir.Rows(), Apart: h.Config.Telling.Consents,
			Log: h.Log, Traces: h.Measured.traces,
		}
	}

	h.Outbox = of(outbox.Obligations)
	if h.Config.Telling.Consents {
		h.changes = of(outbox.Consents)
	}

	h.hooks = &webhook.Hooks{
		Ledger:  h.Dir.Ledger,
		Rows:    h.Dir.Rows(),
		Private: h.Config.Telling.Private,
		Log:     h.Log,
		Tried:   h.Measured.tried,
		Seal: func(ctx context.Context, app, id string, plain []byte) ([]byte, error) {
			return sealAs(ctx, h.Dir.Vault, app, "webhook secret "+id, plain)
		},
		Unseal: func(ctx context.Context, app, id string, sealed []byte) ([]byte, error) {
			return unsealAs(ctx, h.Dir.Vault, app, "webhook secret "+id, sealed)
		},
	}
	h.lapses = &lapse.Follower{Ledger: h.Dir.Ledger, Rows: h.Dir.Rows(), Wanted: h.tellsLapses, Log: h.Log}
}

// tellsLapses reports whether somebody is told that consents expired or are stale.
func (h *Server) tellsLapses(ctx context.Context) (bool, error) {
	if h.Config.Telling.Consents {
		return true, nil
	}
	hooks, err := h.hooks.List(ctx, "")
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(hooks, func(k webhook.Hook) bool {
		return slices.Contains(k.Types, wire.ExpiredType) || slices.Contains(k.Types, wire.StaleType)
	}), nil
}

// outboxes are all that tell on NATS.
func (h *Server) outboxes() []*outbox.Outbox {
	if h.changes == nil {
		return []*outbox.Outbox{h.Outbox}
	}
	return []*outbox.Outbox{h.Outbox, h.changes}
}

// watchTold looks at the streams of what is told until ctx is done.
func (h *Server) watchTold(ctx context.Context) {
	var all sync.WaitGroup
	for _, o := range h.outboxes() {
		all.Go(func() {
			if err := o.Watch(ctx); err != nil {
				h.Log.Error("the stream of the outbox is not looked at", "error", err)
			}
		})
	}
	all.Wait()
}

// tell tells apps what was recorded until ctx is done.
func (h *Server) tell(ctx context.Context) {
	var all sync.WaitGroup
	for _, o := range h.outboxes() {
		all.Go(func() {
			if err := o.Run(ctx); err != nil {
				h.Log.Error("the outbox stopped", "error", err)
				<-ctx.Done() // it cannot read on, and no other process can
			}
		})
	}

	all.Go(func() {
		if err := h.lapses.Run(ctx); err != nil {
			h.Log.Error("which consents ended is recorded no more", "error", err)
		}
	})
	all.Go(func() {
		if err := h.hooks.Run(ctx); err != nil {
			h.Log.Error("webhooks are not sent", "error", err)
		}
	})
	all.Wait()
}

// told is the position up to which all is told on NATS.
func (h *Server) told() eventstore.Position {
	at, _ := h.Outbox.State()
	if h.changes != nil {
		other, _ := h.changes.State()
		at = min(at, other)
	}
	return at
}

func (h *Server) tellingAlarms(ctx context.Context) (list []rest.Alarm) {
	what := map[outbox.Topic]string{
		outbox.Obligations: "what becomes of obligations is not told on NATS: ",
		outbox.Consents:    "what persons say of their consents is not told on NATS: ",
	}
	for _, o := range h.outboxes() {
		if _, err := o.State(); err != nil {
			list = append(list, rest.Alarm{
				Name:   "outbox",
				Detail: what[o.Topic] + err.Error(),
				See:    "consentledger status",
			})
		}
	}

	if _, err := h.lapses.State(); err != nil {
		list = append(list, rest.Alarm{
			Name: "outbox", Detail: "that consents expired or are stale is not told: " + err.Error(),
			See: "consentledger status",
		})
	}
	return append(list, h.webhookAlarms(ctx)...)
}

// webhookAlarms names the apps of which a webhook was paused, other than by somebody.
func (h *Server) webhookAlarms(ctx context.Context) (list []rest.Alarm) {
	hooks, err := h.hooks.List(ctx, "")
	if err != nil {
		return []rest.Alarm{{Name: "webhook-paused",
			Detail: "whether a webhook is paused is not known: " + err.Error()}}
	}

	for _, k := range hooks {
		if k.Paused.IsZero() || k.Why == webhook.Asked {
			continue
		}
		list = append(list, rest.Alarm{
			Name: "webhook-paused", App: string(k.App), Since: deadline.At(k.Paused).String(), Count: 1,
			Detail: fmt.Sprintf("webhook %s is paused after %d failures: %s. Resume it once it is mended, or remove it",
				k.ID, k.Failures, k.Last),
			See: "consentledger webhook list --app " + string(k.App),
		})
	}
	return list
}

// measureWebhooks says how the webhooks do.
func (h *Server) measureWebhooks(ctx context.Context, tell telemetry.Tell) error {
	hooks, err := h.hooks.List(ctx, "")
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, k := range hooks {
		counts[k.State()]++
	}
	for _, state := range webhook.States {
		tell(telemetry.Webhooks, float64(counts[state]), state)
	}
	return nil
}
