package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"

	"consentledger/api/wire"
	"consentledger/domain"

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
	return failure{s.problem(ctx, route, err)}
}

func (s *server) problem(ctx context.Context, route string, err error) wire.Problem {
	p := wire.ProblemOf(err)
	if f, is := errors.AsType[failure](err); is {
		p = f.Problem
	}
	if p.Status >= 500 {
		s.Log.ErrorContext(ctx, "request failed", "route", route, "err", err)
	}
	return p
}

func bad(text string) error { return domain.Refusal{Code: domain.Malformed, Text: text} }

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

// A watched writer knows whether something was written.
type watched struct {
	http.ResponseWriter
	began bool
}

func (w *watched) WriteHeader(status int) {
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(b)
}

func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// guard answers what no route does, and what a route dies of.
func (s *server) guard(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &watched{ResponseWriter: rw}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.Log.ErrorContext(r.Context(), "panic", "route", r.Pattern, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			if w.began {
				panic(http.ErrAbortHandler)
			}
			write(w, plain(http.StatusInternalServerError, ""))
		}()
		if h, pattern := mux.Handler(r); pattern == "" {
			lost(w, r, h)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// lost answers a path or a method that has no route; h is what ServeMux would
// have said.
func lost(w http.ResponseWriter, r *http.Request, h http.Handler) {
	m := mute{header: http.Header{}, status: http.StatusNotFound}
	h.ServeHTTP(&m, r)
	if allow := m.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	write(w, plain(m.status, ""))
}

type mute struct {
	header http.Header
	status int
}

func (m *mute) Header() http.Header         { return m.header }
func (m *mute) WriteHeader(status int)      { m.status = status }
func (m *mute) Write(b []byte) (int, error) { return len(b), nil }

func write(w http.ResponseWriter, p wire.Problem) {
	b, err := json.Marshal(p)
	if err != nil {
		panic("rest: a problem does not make JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	w.Write(b)
}

// plain is the problem that a status alone makes.
func plain(status int, detail string) wire.Problem {
	title := http.StatusText(status)
	code := strings.ReplaceAll(strings.ToLower(title), " ", "-")
	if detail == "" {
		detail = title
	}
	outcome := wire.Refused
	if status >= http.StatusInternalServerError {
		outcome = wire.Unknown
	}
	return wire.Problem{Type: "urn:consentledger:problem:" + code, Title: title, Status: status, Code: code, Detail: detail, Outcome: outcome}
}
