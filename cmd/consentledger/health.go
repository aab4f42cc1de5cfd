package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/api/rest"
	"consentledger/api/wire"
)

func (h *house) status(ctx context.Context) rest.StatusReport {
	report := rest.StatusReport{Version: version, Store: "embedded", Started: h.started}
	head, err := h.dir.ledger.Head(ctx)
	if err == nil {
		report.Head = wire.FormatPosition(head)
	}
	for _, r := range h.runners {
		at, err := r.State()
		p := rest.Projection{Name: r.Projection.Name(), Position: wire.FormatPosition(at)}
		if err != nil {
			p.Error = err.Error()
		}
		report.Projections = append(report.Projections, p)
	}
	at, err := h.logs.Sealed()
	p := rest.Projection{Name: "transparency", Position: wire.FormatPosition(at)}
	if err != nil {
		p.Error = err.Error()
	}
	report.Projections = append(report.Projections, p)
	return report
}

// ready says whether the ledger can do its work, by one check a part.
func (h *house) ready(ctx context.Context) []rest.Check {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	checks := []rest.Check{result("nats", h.connected())}
	_, err := h.dir.ledger.Head(ctx)
	checks = append(checks, result("store", err))
	for _, r := range h.runners {
		_, err := r.State()
		checks = append(checks, result("projection "+r.Projection.Name(), err))
	}
	_, err = h.logs.Sealed()
	checks = append(checks, result("transparency", err))
	_, err = h.reactor.State()
	checks = append(checks, result("reactor", err))
	_, err = h.outbox.State()
	checks = append(checks, result("outbox", err))
	return append(checks, result("rejected messages", h.nothingRejected(ctx)))
}

func (h *house) connected() error {
	if !h.conn.IsConnected() {
		return errors.New("not connected; it is tried again every second")
	}
	return nil
}

// nothingRejected says whether a withdrawal may lie among the rejected messages.
func (h *house) nothingRejected(ctx context.Context) error {
	if !h.conn.IsConnected() {
		return errors.New("unknown while NATS is away")
	}
	unseen, err := h.rejected.Unseen(ctx)
	if err == nil && unseen > 0 {
		err = fmt.Errorf("%d rejected messages may be a withdrawal; see: consentledger rejected list", unseen)
	}
	return err
}

func result(name string, err error) rest.Check {
	if err != nil {
		return rest.Check{Name: name, Detail: err.Error()}
	}
	return rest.Check{Name: name, OK: true}
}
