package main

import (
	"context"
	"sync"

	"consentledger/api/outbox"
	"consentledger/api/rest"
	"consentledger/eventstore"

	"github.com/spf13/cobra"
)

// A telling is what flags say of what apps are told.
type telling struct {
	consents bool // on NATS, too
}

func (t *telling) flags(c *cobra.Command) {
	c.Flags().BoolVar(&t.consents, "tell-consents", false,
		"tell on NATS which consents are given, refused and withdrawn, with the ids that the apps sent; "+
			"it begins where it is turned on first, and goes on there when it was off")
}

func (h *house) openTelling() {
	of := func(topic outbox.Topic) *outbox.Outbox {
		return &outbox.Outbox{
			Conn: h.conn, Ledger: h.dir.ledger, Topic: topic, Rows: h.dir.rows(), Apart: h.config.telling.consents,
			Log: h.log, Traces: h.measured.traces,
		}
	}
	h.outbox = of(outbox.Obligations)
	if h.config.telling.consents {
		h.changes = of(outbox.Consents)
	}
}

// outboxes are all that tell on NATS.
func (h *house) outboxes() []*outbox.Outbox {
	if h.changes == nil {
		return []*outbox.Outbox{h.outbox}
	}
	return []*outbox.Outbox{h.outbox, h.changes}
}

// watchTold looks at the streams of what is told until ctx is done.
func (h *house) watchTold(ctx context.Context) {
	var all sync.WaitGroup
	for _, o := range h.outboxes() {
		all.Go(func() {
			if err := o.Watch(ctx); err != nil {
				h.log.Error("the stream of the outbox is not looked at", "error", err)
			}
		})
	}
	all.Wait()
}

// tell tells apps what was recorded until ctx is done.
func (h *house) tell(ctx context.Context) {
	var all sync.WaitGroup
	for _, o := range h.outboxes() {
		all.Go(func() {
			if err := o.Run(ctx); err != nil {
				h.log.Error("the outbox stopped", "error", err)
				<-ctx.Done() // it cannot read on, and no other process can
			}
		})
	}
	all.Wait()
}

// told is the position up to which all is told on NATS.
func (h *house) told() eventstore.Position {
	at, _ := h.outbox.State()
	if h.changes != nil {
		other, _ := h.changes.State()
		at = min(at, other)
	}
	return at
}

func (h *house) tellingAlarms() (list []rest.Alarm) {
	what := map[outbox.Topic]string{
		outbox.Obligations: "what becomes of obligations is not told on NATS: ",
		outbox.Consents:    "what persons say of their consents is not told on NATS: ",
	}
	for _, o := range h.outboxes() {
		if _, err := o.State(); err != nil {
			list = append(list, rest.Alarm{Name: "outbox", Detail: what[o.Topic] + err.Error(), See: "consentledger status"})
		}
	}
	return list
}
