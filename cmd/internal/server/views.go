package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"consentledger/api/audit"
	"consentledger/api/auth"
	"consentledger/api/nats/intake"
	"consentledger/api/rest"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/cmd/internal/views"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
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

// Pace is how long a projection rests for every event it applied: without it
// events that come one by one each cost a transaction.
const Pace = 10 * time.Millisecond

// openViews opens the views of package views, and what answers beside them.
func (h *Server) openViews(ctx context.Context) error {
	place, err := h.OpenPlace(ctx)
	if err != nil {
		return err
	}
	for _, kind := range views.All {
		v, err := OpenView(ctx, h, place, func(ctx context.Context, place readmodel.Place) (views.View, error) {
			return kind.Open(ctx, place, h.Dir.Ledger)
		})
		if err != nil {
			return err
		}
		h.open = append(h.open, v)
	}

	// What HTTP, reports and measures ask.
	h.consents, h.Policies = views.Of[*consents.View](h.open), views.Of[*policies.View](h.open)
	h.activity, h.requests = views.Of[*activity.View](h.open), views.Of[*requests.View](h.open)

	if err := h.OpenLogs(ctx); err != nil {
		return err
	}
	if h.feedKey, err = h.openFeedKey(ctx); err != nil {
		return err
	}
	for _, v := range h.open {
		r := &projections.Runner{Projection: v, Traces: h.Measured.traces}
		v.Gate(h.answers(r))
		h.Runners = append(h.Runners, r)
	}
	return nil
}

// OpenView opens a projection. One that knows of records that the store does not
// have is of another history, as when an older store was brought back: it is
// built again, unless others may be at it, too.
func OpenView[V rebuild.Model](
	ctx context.Context, h *Server, place readmodel.Place, open func(context.Context, readmodel.Place) (V, error),
) (V, error) {
	v, err := open(ctx, place)
	if err != nil {
		return v, err
	}

	at, err := v.Checkpoint(ctx)
	if err == nil && at <= h.Reach.Start {
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

	h.Log.Warn("a projection is built again: the store ends before what it has read",
		"projection", v.Name(), "read", at, "store", h.Reach.Start)
	if err := place.Discard(ctx, v.Name()); err != nil {
		return v, err
	}
	return open(ctx, place)
}

// RunViews keeps the projections up to date until ctx is done. It calls stopped with the
// error of each that stops.
func (h *Server) RunViews(ctx context.Context, stopped func(error)) {
	if h.views != nil {
		h.takeTurns(ctx, stopped)
		return
	}
	group := projections.Group{History: h.Dir.Ledger, Runners: h.Runners, Pace: Pace}
	group.Run(ctx, func(err error) {
		if ctx.Err() == nil {
			stopped(err)
		}
	})
}

// Wait waits until every projection has applied a position.
func (h *Server) Wait(ctx context.Context, min eventstore.Position) error {
	for _, r := range h.Runners {
		if err := r.Wait(ctx, min); err != nil {
			return err
		}
	}
	return nil
}

func (h *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	besides := h.besides()
	for _, r := range besides {
		mux.Handle(r.Pattern, r.Handler(r.handler))
	}
	mux.Handle("/log/", audit.Handler(h.Logs, h.witnesses, h.stamps, h.Log))
	mux.Handle("/", rest.Handler(rest.Config{
		Ledger:    h.Dir.Ledger,
		Blobs:     h.Dir.Blobs,
		Consents:  h.consents,
		Policies:  restPolicies{h.Policies},
		Activity:  restActivity{h.activity},
		Places:    h.activity,
		Rejected:  restRejected{h.rejected},
		Requests:  h.requests,
		FeedKey:   h.feedKey,
		Law:       ShippedLaw(),
		Evidence:  h.exporter(),
		Proofs:    h.exporter(),
		Rebuild:   h.restRebuild,
		Documents: documents{h},
		Approvals: h.approvals,
		Webhooks:  h.hooks,

		Registered: h.appRegistered,
		Reads:      auth.Reads,

		Erasures:  restErasures{h.erasing, h},
		Wait:      h,
		Described: described(besides),
		Status:    h.status,
		Ready:     h.ready,
		Alarms:    h.alarms,
		Version:   buildinfo.Version,
		Log:       h.Log,
		Traces:    h.Measured.traces,
		Principal: auth.Recorder,
		Keys:      h.Logs,
		Newest:    h.Dir.Ledger,
		Streams:   &h.streams,
		Still:     auth.Still,
	}))
	if page := h.Measured.page(); page != nil && (h.Config.Metrics || h.Config.Measures == "") {
		mux.Handle("GET /metrics", page)
	}
	return mux
}

// ShippedLaw returns what the program knows of the law. Its files are part of
// the program: one that cannot be read is a mistake in it.
func ShippedLaw() rest.Law {
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
	return r.AppsBy(ctx, math.MaxInt64)
}

func (r restPolicies) AppsBy(
	ctx context.Context, by deadline.Instant,
) ([]rest.AppCount, eventstore.Position, error) {
	apps, at, err := r.view.Apps(ctx)
	if err != nil {
		return nil, 0, err
	}
	out := make([]rest.AppCount, 0, len(apps))
	for _, a := range apps {
		if a.Since > by {
			continue
		}
		versions, _, err := r.view.List(ctx, a.Name)
		if err != nil {
			return nil, 0, err
		}
		versions = slices.DeleteFunc(versions, func(v policies.Version) bool { return v.Recorded > by })
		out = append(out, rest.AppCount{App: string(a.Name), Policies: len(versions)})
	}
	return out, at, nil
}

// restActivity lets HTTP read the activity projection.
type restActivity struct{ *activity.View }

func (r restActivity) Days(
	ctx context.Context, app ident.AppName, from, until string,
) ([]rest.Day, int64, eventstore.Position, error) {
	if from == "" {
		from = "0001-01-01"
	}
	if until == "" {
		until = "9999-12-31"
	}
	return restDays(r.Totals(ctx, app, from, until))
}

func (r restActivity) Hours(
	ctx context.Context, app ident.AppName, from, until string,
) ([]rest.Day, int64, eventstore.Position, error) {
	return restDays(r.View.Hours(ctx, app, from, until))
}

func restDays(
	days []activity.Day, tests int64, at eventstore.Position, err error,
) ([]rest.Day, int64, eventstore.Position, error) {
	out := make([]rest.Day, 0, len(days))
	for _, d := range days {
		one := rest.Day{Day: d.Day, Type: d.Kind, Count: d.Events, Voided: d.Voided}
		if day, hour, is := strings.Cut(d.Day, "T"); is {
			one.Day, one.Hour = day, hour+":00"
		}
		out = append(out, one)
	}
	return out, tests, at, err
}

// restRejected lets HTTP work on the rejected messages.
type restRejected struct{ messages *intake.Rejections }

func rejectedMessage(m intake.RejectedMessage) rest.RejectedMessage {
	return rest.RejectedMessage{
		Seq: m.Seq, App: m.App, At: deadline.At(m.At).String(), Code: string(m.Code), Path: m.Path,
		MayBeOptOut: m.MayBeOptOut, InSeq: m.InSeq, Seen: m.Seen, Why: m.Why,
	}
}

func (r restRejected) List(ctx context.Context, after uint64, limit int) ([]rest.RejectedMessage, error) {
	return restMessages(r.messages.List(ctx, after, limit))
}

func restMessages(list []intake.RejectedMessage, err error) ([]rest.RejectedMessage, error) {
	if err != nil {
		return nil, err
	}
	out := make([]rest.RejectedMessage, 0, len(list))
	for _, m := range list {
		out = append(out, rejectedMessage(m))
	}
	return out, nil
}

func (r restRejected) ListOn(
	ctx context.Context, day deadline.Instant, after uint64, limit int,
) ([]rest.RejectedMessage, error) {
	return restMessages(r.messages.ListOn(ctx, day.Time(), day.Add(deadline.Day).Time(), after, limit))
}

func (r restRejected) App(ctx context.Context, seq uint64) (ident.AppName, error) {
	return r.messages.App(ctx, seq)
}

func (r restRejected) Show(ctx context.Context, opened ledger.Opened, seq uint64) (rest.RejectedOriginal, error) {
	m, o, err := r.messages.Show(ctx, opened, seq)
	return rest.RejectedOriginal{
		RejectedMessage: rejectedMessage(m),
		Text:            o.Text,
		Subject:         o.Subject,
		Headers:         o.Header,
		Data:            o.Data,
	}, err
}

func (r restRejected) Retry(ctx context.Context, seq uint64) (ledger.Receipt, error) {
	return r.messages.Retry(ctx, seq)
}

func (r restRejected) MarkSeen(ctx context.Context, seq uint64, why string) error {
	return r.messages.MarkSeen(ctx, seq, why)
}
