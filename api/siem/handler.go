package siem

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

// Pattern is the route of [Handler].
const Pattern = "GET /v1/siem"

// CursorHeader says in an answer how far it goes.
const CursorHeader = "Consent-Cursor"

// How many events one answer has: as many as are asked for, or usually. All are in memory
// at once, so that a cursor can stand before them and an error in their place.
const (
	usually = 1_000
	most    = 10_000
)

// Handler returns the route by which a SIEM reads events. Apps are those that are
// registered.
func Handler(s Source, apps func() []ident.AppName, log *slog.Logger) http.Handler {
	takes := edge.Route{Query: []string{"app", "after", "limit"}}
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		if no, is := errors.AsType[*edge.Refused](err); is {
			edge.Write(w, no.Problem)
			return
		}
		p := wire.ProblemOf(err)
		if p.Status >= http.StatusInternalServerError {
			log.ErrorContext(r.Context(), "events for a SIEM could not be read", "error", err)
		}
		edge.Write(w, p)
	}

	mux := http.NewServeMux()
	mux.HandleFunc(Pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		edge.Limit(w, r, time.Minute)
		if err := takes.Check(r); err != nil {
			fail(w, r, err)
			return
		}

		q, err := parse(r.URL.Query(), apps())
		if err != nil {
			fail(w, r, err)
			return
		}
		lines, to, err := s.Read(r.Context(), q)
		if err != nil {
			fail(w, r, err)
			return
		}
		// A writer that knows no deadline has none.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set(CursorHeader, to.String())
		next := r.URL.Query()
		next.Set("after", to.String())
		w.Header().Set("Link", "<"+r.URL.Path+"?"+next.Encode()+`>; rel="next"`)
		_, _ = w.Write(lines) // who asked has gone, and asks again from where they were
	})
	return mux
}

// parse reads which events a request wants.
func parse(query url.Values, apps []ident.AppName) (q Question, err error) {
	q.Most = usually
	if text := query.Get("limit"); text != "" {
		q.Most, err = strconv.Atoi(text)
		if err != nil || q.Most < 1 || q.Most > most {
			return q, refusal.Refusal{Code: refusal.Malformed, Path: "limit",
				Text: "limit: is a number from 1 to 10000"}
		}
	}

	if text := query.Get("after"); text != "" {
		if q.After, err = ParseCursor(text); err != nil {
			return q, err
		}
	}

	if text := query.Get("app"); text != "" {
		if q.App, err = ident.ParseAppName(text); err != nil {
			return q, refusal.Refusal{Code: refusal.Malformed, Path: "app", Text: "app: " + err.Error()}
		}
		if !slices.Contains(apps, q.App) {
			return q, refusal.Refusal{Code: refusal.UnknownApp, Path: "app", Text: "app: no such app is registered"}
		}
	}
	return q, nil
}
