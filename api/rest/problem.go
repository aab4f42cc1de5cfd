package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"
	"time"

	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/refusal"
	"consentledger/projections"
	"consentledger/projections/readmodel"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Huma's own errors repeat what was sent. This one keeps the status and what
// Huma says of itself, and drops every value.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return failure{plain(status, msg)}
	}
}

// A failure is a problem as Huma writes it.
type failure struct{ wire.Problem }

func (f failure) Error() string             { return f.Title }
func (f failure) GetStatus() int            { return f.Status }
func (f failure) ContentType(string) string { return "application/problem+json" }

func typeFor[T any]() reflect.Type { return reflect.TypeFor[T]() }

// fail turns an error into a problem. What is broken is logged, and not told.
func (s *server) fail(ctx context.Context, route string, err error) error {
	if err == nil {
		return nil
	}
	if f, is := errors.AsType[failure](err); is {
		return f // and was meant so: there is nothing to log
	}
	if busy, is := busyOf(err); is {
		return huma.ErrorWithHeaders(failure{busy.problem()}, http.Header{"Retry-After": {strconv.Itoa(busy.seconds)}})
	}

	p := s.problem(ctx, route, err)
	switch p.Code {
	case notYetKnownCode:
		return huma.ErrorWithHeaders(failure{p}, http.Header{"Retry-After": {"1"}})
	case wire.DiskFull:
		return huma.ErrorWithHeaders(failure{p}, http.Header{"Retry-After": {"30"}})
	}
	return failure{p}
}

// recorders are the routes that record what their caller says. All others are
// questions: whatever breaks there, the outcome of nothing is unknown.
var recorders = map[string]bool{
	"record-events": true, "record-operator-events": true, "record-group-event": true, "put-app": true,
	"move-app":         true,
	"publish-calendar": true,
	"publish-policy":   true, "publish-surface": true, "keep-picture": true, "erase-subject": true, "begin-erasure": true,
	"add-to-erasure": true,
	"start-erasure":  true, "cancel-erasure": true, "retry-rejected": true,
	"see-rejected": true, "propose": true, "approve-proposal": true, "decline-proposal": true,
	"withdraw-proposal": true,
}

func (s *server) problem(ctx context.Context, route string, err error) wire.Problem {
	p := wire.ReadProblemOf(err)
	if recorders[route] {
		p = wire.ProblemOf(err)
	}
	if f, is := errors.AsType[failure](err); is {
		p = f.Problem
	}
	if behind, is := errors.AsType[*projections.BehindError](err); is {
		return notYetKnown(behind) // what stopped it was logged when it did
	}

	if _, is := errors.AsType[*readmodel.AwayError](err); is {
		p = plain(http.StatusServiceUnavailable,
			"PostgreSQL, which holds the lists and reports, does not answer; ask again")
	}

	gone := errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) // who asked hears nothing of it
	if p.Status >= 500 && p.Code != wire.DiskFull && !gone {
		s.Log.ErrorContext(ctx, "request failed", "route", route, "err", err)
	}
	return p
}

const notYetKnownCode = "not-yet-known"

// notYetKnown is the problem of an answer that would say less than was recorded,
// such as that somebody was never asked.
func notYetKnown(behind *projections.BehindError) wire.Problem {
	p := plain(http.StatusServiceUnavailable, behind.Progress()+"; what it has not read is not known yet, ask again")
	p.Type, p.Title, p.Code = "urn:consentledger:problem:"+notYetKnownCode, "Not yet known", notYetKnownCode
	return p
}

// question parses a body that asks something; see [parse.NoEmpty].
func question(body []byte, into any) error {
	if err := strict(body, into); err != nil {
		return err
	}
	return parse.NoEmpty(body)
}

// plain is the problem that a status alone makes.
func plain(status int, detail string) wire.Problem { return edge.Plain(status, detail) }

func bad(text string) error { return refusal.Refusal{Code: refusal.Malformed, Text: text} }

// strict parses a body: names that stand twice and names that nobody knows are
// refused.
func strict(body []byte, into any) error {
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return bad("the body names a member twice")
	case errors.Is(err, json.ErrUnknownName):
		return bad("the body has a member that is not known here")
	}
	if e, is := errors.AsType[*json.SemanticError](err); is {
		return bad(fmt.Sprintf("the body has a value of the wrong form at byte %d", e.ByteOffset))
	}
	return bad("the body is not JSON")
}

// A watched writer knows whether something was written. It holds the status
// back until there is, so that an answer that cannot be written down can still
// become a problem.
type watched struct {
	http.ResponseWriter
	status int
	began  bool
}

func (w *watched) WriteHeader(status int) {
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
}

func (w *watched) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// Flush is for who streams; see [http.ResponseController].
func (w *watched) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin sends the status, once.
func (w *watched) begin() {
	if w.began {
		return
	}
	w.began = true
	if w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
}

// slowest is how long a body may take to come: a large policy over a slow line.
const slowest = time.Minute

// guard checks what a route takes, answers what no route does, and what a route
// dies of.
func (s *server) guard(mux *http.ServeMux, routes map[string]edge.Route) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &watched{ResponseWriter: rw}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		defer func() {
			p := recover()
			if p == nil {
				w.begin()
				return
			}
			s.died(w, r, p)
		}()

		h, pattern := mux.Handler(r)
		if pattern == "" {
			edge.Lost(w, r, h)
			return
		}
		edge.Limit(w, r, slowest)
		if err := routes[pattern].Check(r); err != nil {
			refused(w, err)
			return
		}
		switch {
		case r.URL.Query().Has(dryRun):
			s.rehearse(w, r, mux)
		case routes[pattern].Tagged:
			answerTagged(w, r, mux)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// died answers for a route that panicked, if nothing was said yet.
func (s *server) died(w *watched, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}

	what := fmt.Sprintf("%T", p)
	if u, is := p.(unwritable); is {
		what = u.Error() // which holds no value
	}

	s.Log.ErrorContext(r.Context(), "panic", "route", r.Pattern, "type", what, "stack", string(debug.Stack()))
	if w.began {
		panic(http.ErrAbortHandler)
	}

	w.Header().Del("Content-Length")
	edge.Write(w, plain(http.StatusInternalServerError, ""))
	w.begin()
}

func refused(w http.ResponseWriter, err error) {
	r, is := errors.AsType[*edge.Refused](err)
	if !is {
		panic(err)
	}
	if allow := r.Allow; allow != "" {
		w.Header().Set("Allow", allow)
	}
	edge.Write(w, r.Problem)
}
