package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/nats/operator"
	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// operate answers operators on NATS until ctx is done.
func (h *Server) operate(ctx context.Context, ready func()) error {
	defer h.operating.Store(false)
	return operator.Run(ctx, operator.Config{Conn: h.Conn, Handler: h.asked, Log: h.Log, Keep: h.keepUntold}, func() {
		h.operating.Store(true)
		ready()
	})
}

// keepUntold keeps an event of operators or of a group that was not recorded and
// whose sender asked for no answer.
func (h *Server) keepUntold(stop context.Context, m *nats.Msg, why operator.Problem) {
	h.Intake.KeepUntold(stop, m, refusalOf(why))
}

// refusalOf returns what a problem says as an error: a refusal, or that nobody
// knows.
func refusalOf(p operator.Problem) error {
	if p.Status >= 500 {
		return errors.New(p.Detail)
	}
	return refusal.Refusal{Code: refusal.Code(p.Code), Path: p.Path, Text: p.Detail}
}

// again records an event that came by a road of operators or of groups, and was
// kept. The receipt is the first that there is.
func (h *Server) again(ctx context.Context, m *nats.Msg) (ledger.Receipt, error) {
	body, why, ok := operator.Again(ctx, h.api, m)
	switch {
	case !ok:
		return ledger.Receipt{}, refusal.Refusal{Code: refusal.Malformed,
			Text: "nothing is recorded by the subject that the message was sent to"}
	case why != nil:
		return ledger.Receipt{}, refusalOf(*why)
	}

	var a struct {
		wire.Receipt
		Results []struct{ Receipt wire.Receipt }
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return ledger.Receipt{}, fmt.Errorf("the answer to a kept event: %w", err)
	}
	if len(a.Results) > 0 {
		a.Receipt = a.Results[0].Receipt
	}

	var r ledger.Receipt
	var err, bad error
	r.Event, err = eventstore.ParseEventID(a.EventID)
	r.Position, bad = wire.ParsePosition(a.Position)
	return r, errors.Join(err, bad)
}

// roadChecks say whether events come in over NATS, and nothing on the way holds
// them back.
func (h *Server) roadChecks(ctx context.Context) []rest.Check {
	checks := []rest.Check{result("nats", h.connected(ctx)),
		result("nats permissions", h.Config.NATS.permitted(h.rights.check()))}
	for _, part := range intake.Parts {
		c := result(string(part), h.Intake.Watch.Trouble(part))
		c.Alarm = !c.OK && part == intake.Losses // what is lost is lost: the ledger can answer all the same
		checks = append(checks, c)
	}
	if h.callouts != nil {
		checks = append(checks, result("auth callout", h.callouts.Trouble()))
	}
	var err error
	if !h.operating.Load() {
		err = errors.New("operators' requests over NATS are not answered yet")
	}
	return append(checks, result("operators on NATS", err))
}

// connected says whether NATS takes messages, and JetStream answers.
func (h *Server) connected(ctx context.Context) error {
	if !h.Conn.IsConnected() {
		return errors.New("not connected; it is tried again every second")
	}
	if err := h.natsWrites(); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := h.Conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("connected, and the server does not answer: %w", err)
	}
	_, err := h.rejected.Unseen(ctx)
	return err
}
