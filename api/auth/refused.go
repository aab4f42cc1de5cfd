package auth

import (
	"errors"
	"net/http"
	"slices"

	"consentledger/api/auth/trail"
	"consentledger/domain/ident"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// whyDenied are the codes by which the trail says why somebody is not authenticated. Why a
// token of a provider, a subject token or a certificate is not taken has more words than it
// has uses here: "credential" is the code of all of them.
var whyDenied = map[Denied]string{
	NoKey: "no-key", UnknownKey: "unknown-key", ExpiredKey: "expired-key", RevokedKey: "revoked-key",
	PageKey: "page-key", NotTheirs: "role",
}

// WhyDenied returns the code of an error by which somebody is not let in; not ok: nobody can
// tell whether they are.
func WhyDenied(err error) (code string, ok bool) {
	if denied, is := errors.AsType[Denied](err); is {
		if code, ok = whyDenied[denied]; !ok {
			code = "credential"
		}
		return code, true
	}
	_, unmapped := errors.AsType[Unmapped](err)
	return "unmapped", unmapped
}

// NoteDenied tells the trail that somebody was not let in. Nothing of what they sent is
// told: nobody knows who they are.
func (w Ways) NoteDenied(way string, err error) {
	if code, ok := WhyDenied(err); ok {
		w.Trail.Note(trail.Event{Kind: trail.Unauthenticated, Way: way, Why: code})
	}
}

// noteRefused tells the trail that p may not use a route, or not now.
func (w Ways) noteRefused(kind trail.Kind, why string, p Principal, route Route, r *http.Request) {
	if w.Trail == nil {
		return
	}
	from := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	e := trail.Event{
		Kind: kind, Way: "http", Why: why, Principal: p.Pseudonym, Operation: string(route.Operation),
		Route: route.Pattern,
	}
	if sent := trace.SpanContextFromContext(from); sent.HasTraceID() {
		e.Trace = sent.TraceID().String()
	}

	// What was written in the place of an app may be anything: a name that is none is not told.
	app := ident.AppName(r.PathValue("app"))
	if w.Keys != nil && w.Keys.Apps != nil && slices.Contains(w.Keys.Apps(), app) {
		e.App = string(app)
	}
	w.Trail.Note(e)
}
