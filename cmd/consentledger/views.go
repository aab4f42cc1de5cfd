package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"consentledger/api/audit"
	"consentledger/api/auth"
	"consentledger/api/intake"
	"consentledger/api/rest"
	"consentledger/cmd/consentledger/law"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections"
	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"consentledger/projections/policies"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
	"consentledger/projections/requests"
)

// pace is how long a projection rests for every event it applied: without it
// events that come one by one each cost a transaction.
const pace = 10 * time.Millisecond

func (h *house) openViews(ctx context.Context) (err error) {
	views, err := h.openPlace(ctx)
	if err != nil {
		return err
	}
	if h.consents, err = openView(ctx, h, views, h.openConsents); err != nil {
		return err
	}
	if h.policies, err = openView(ctx, h, views, policies.Open); err != nil {
		return err
	}
	if h.activity, err = openView(ctx, h, views, activity.Open); err != nil {
		return err
	}
	if err := h.openLogs(ctx); err != nil {
		return err
	}
	if h.requests, err = openView(ctx, h, views, requests.Open); err != nil {
		return err
	}
	if h.feedKey, err = h.openFeedKey(ctx); err != nil {
		return err
	}
	for _, p := range []gated{h.consents, h.policies, h.activity, h.requests} {
		r := &projections.Runner{Projection: p, Traces: h.measured.traces}
		p.Gate(h.answers(r))
		h.runners = append(h.runners, r)
	}
	return nil
}

func (h *house) openConsents(ctx context.Context, place readmodel.Place) (*consents.View, error) {
	return consents.Open(ctx, place, h.dir.ledger)
}

// openView opens a projection. One that knows of records that the store does not
// have is of another history, as when an older store was brought back: it is
// built again, unless others may be at it, too.
func openView[V rebuild.Model](ctx context.Context, h *house, place readmodel.Place, open func(context.Context, readmodel.Place) (V, error)) (V, error) {
	v, err := open(ctx, place)
	if err != nil {
		return v, err
	}
	at, err := v.Checkpoint(ctx)
	if err == nil && at <= h.reach.Start {
		return v, nil
	}
	if h.views != nil {
		if err = errors.Join(err, h.isOfStore(ctx, at)); err != nil {
			err = errors.Join(fmt.Errorf("projection %s: %w", v.Name(), err), v.Close())
		}
		return v, err
	}
	if err := errors.Join(err, v.Close()); err != nil {
		return v, err
	}
	h.log.Warn("a projection is built again: the store ends before what it has read", "projection", v.Name(), "read", at, "store", h.reach.Start)
	if err := place.Discard(ctx, v.Name()); err != nil {
		return v, err
	}
	return open(ctx, place)
}

// A gated projection can be kept from answering; see [readmodel.DB.Gate].
type gated interface {
	projections.Projection
	Gate(check func(context.Context) error)
}

// runViews keeps the projections up to date until ctx is done. It calls stopped with the
// error of each that stops.
func (h *house) runViews(ctx context.Context, stopped func(error)) {
	if h.views != nil {
		h.takeTurns(ctx, stopped)
		return
	}
	group := projections.Group{History: h.dir.ledger, Runners: h.runners, Pace: pace}
	group.Run(ctx, func(err error) {
		if ctx.Err() == nil {
			stopped(err)
		}
	})
}

// Wait waits until every projection has applied a position.
func (h *house) Wait(ctx context.Context, min eventstore.Position) error {
	for _, r := range h.runners {
		if err := r.Wait(ctx, min); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/log/", audit.Handler(h.logs, h.witnesses, h.stamps, h.log))
	mux.Handle("/", rest.Handler(rest.Config{
		Ledger: h.dir.ledger, Blobs: h.dir.blobs,
		Consents: h.consents, Policies: restPolicies{h.policies}, Activity: restActivity{h.activity}, Rejected: restRejected{h.rejected},
		Requests: h.requests, FeedKey: h.feedKey, Law: shippedLaw(), Evidence: h.exporter(), Rebuild: h.restRebuild, Papers: papers{h},
		Wait: h, Status: h.status, Ready: h.ready, Alarms: h.alarms, Version: version, Log: h.log, Traces: h.measured.traces, Principal: auth.Recorder,
	}))
	mux.Handle("/v1/access/", auth.Handler(h.keys, h.log))
	mux.HandleFunc("POST /v1/backup", h.makeBackup)
	mux.HandleFunc("GET /v1/vault/keys", h.vaultKeys)
	mux.HandleFunc("POST /v1/vault/keys/rotate", h.rotateKeys)
	mux.HandleFunc("POST /v1/vault/keys/retire", h.retireKeys)
	if page := h.measured.page(); page != nil && (h.config.metrics || h.config.measures == "") {
		mux.Handle("GET /metrics", page)
	}
	return mux
}

// shippedLaw returns what the program knows of the law. Its files are part of
// the program: one that cannot be read is a mistake in it.
func shippedLaw() rest.Law {
	rules, err := law.Rules()
	if err != nil {
		panic("consentledger: " + err.Error())
	}
	calendars, err := law.Known()
	if err != nil {
		panic("consentledger: " + err.Error())
	}
	return rest.Law{Rules: rules, Calendars: calendars, Publish: law.Publish}
}

// restPolicies lets HTTP read the policies projection.
type restPolicies struct{ view *policies.View }

func (r restPolicies) Apps(ctx context.Context) ([]rest.AppCount, eventstore.Position, error) {
	apps, at, err := r.view.Apps(ctx)
	if err != nil {
		return nil, 0, err
	}
	out := make([]rest.AppCount, 0, len(apps))
	for _, a := range apps {
		versions, _, err := r.view.List(ctx, a.Name)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, rest.AppCount{App: string(a.Name), Policies: len(versions)})
	}
	return out, at, nil
}

// restActivity lets HTTP read the activity projection.
type restActivity struct{ view *activity.View }

func (r restActivity) Days(ctx context.Context, app domain.AppName, from, until string) ([]rest.Day, int64, eventstore.Position, error) {
	if from == "" {
		from = "0001-01-01"
	}
	if until == "" {
		until = "9999-12-31"
	}
	days, tests, at, err := r.view.Totals(ctx, app, from, until)
	out := make([]rest.Day, 0, len(days))
	for _, d := range days {
		out = append(out, rest.Day{Day: d.Day, Type: d.Kind, Count: d.Events, Voided: d.Voided})
	}
	return out, tests, at, err
}

// restRejected lets HTTP work on the rejected messages.
type restRejected struct{ messages *intake.Rejections }

func rejectedMessage(m intake.RejectedMessage) rest.RejectedMessage {
	return rest.RejectedMessage{
		Seq: m.Seq, App: m.App, At: deadline.At(m.At).String(), Code: string(m.Code), Path: m.Path,
		MayBeNo: m.MayBeNo, InSeq: m.InSeq, Seen: m.Seen, Why: m.Why,
	}
}

func (r restRejected) List(ctx context.Context, after uint64, limit int) ([]rest.RejectedMessage, error) {
	list, err := r.messages.List(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]rest.RejectedMessage, 0, len(list))
	for _, m := range list {
		out = append(out, rejectedMessage(m))
	}
	return out, nil
}

func (r restRejected) App(ctx context.Context, seq uint64) (domain.AppName, error) {
	return r.messages.App(ctx, seq)
}

func (r restRejected) Show(ctx context.Context, opened ledger.Opened, seq uint64) (rest.RejectedOriginal, error) {
	m, o, err := r.messages.Show(ctx, opened, seq)
	return rest.RejectedOriginal{RejectedMessage: rejectedMessage(m), Text: o.Text, Subject: o.Subject, Headers: o.Header, Data: o.Data}, err
}

func (r restRejected) Retry(ctx context.Context, seq uint64) (ledger.Receipt, error) {
	return r.messages.Retry(ctx, seq)
}

func (r restRejected) MarkSeen(ctx context.Context, seq uint64, why string) error {
	return r.messages.MarkSeen(ctx, seq, why)
}
