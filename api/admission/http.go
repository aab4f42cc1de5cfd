package admission

import (
	"errors"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"consentledger/api/auth"
	"consentledger/api/auth/limit"
	"consentledger/api/edge"
	"consentledger/api/wire"
)

// Overloaded is the code of a request that was refused because too much is under way.
const Overloaded = "overloaded"

// unsaid is how many bytes a body counts for that does not say how long it is.
const unsaid = 1 << 20

// Guard lets a request through to h once there is a place for it. It stands behind
// whatever authenticates, so that it knows who asks.
func (a *Admission) Guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		class := ClassOf(r)
		if class == Free {
			h.ServeHTTP(w, r)
			return
		}
		who := ""
		if p, is := auth.From(r.Context()); is {
			who = limit.Name(p)
		}
		leave, err := a.Enter(r.Context(), class, who, bodyOf(r))
		if err != nil {
			refused(w, err)
			return
		}
		defer leave()
		h.ServeHTTP(w, r)
	})
}

// bodyOf returns how many bytes a body counts for.
func bodyOf(r *http.Request) int64 {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return 0
	case r.ContentLength < 0:
		return unsaid
	}
	return min(r.ContentLength, maxBody) // a longer one is refused by its route, at its first byte too many
}

// maxBody is the most that a route takes.
const maxBody = 8 << 20

// refused answers that a request was not taken.
func refused(w http.ResponseWriter, err error) {
	r, is := errors.AsType[*Refusal](err)
	if !is { // who asked has gone
		edge.Write(w, edge.Plain(http.StatusServiceUnavailable, ""))
		return
	}
	p := r.Problem()
	w.Header().Set("Retry-After", strconv.Itoa(r.Seconds()))
	w.Header().Set("Cache-Control", "no-store")
	edge.Write(w, p)
}

// Seconds returns when to come again.
func (r *Refusal) Seconds() int { return max(1, int(math.Ceil(r.After.Seconds()))) }

// Problem is what the outside is told. That nothing was recorded is certain, so that its
// outcome is not unknown.
func (r *Refusal) Problem() wire.Problem {
	status := http.StatusServiceUnavailable
	if r.Why == TooMany {
		status = http.StatusTooManyRequests
	}
	return wire.Problem{
		Type: "urn:consentledger:problem:" + Overloaded, Title: "Overloaded", Status: status, Code: Overloaded,
		Detail:  r.Error() + "; nothing of this was done: send it again in " + strconv.Itoa(r.Seconds()) + " s",
		Outcome: wire.Refused,
	}
}

// ofOperation are the classes of operations. What is not here reads much, or may.
var ofOperation = map[auth.Operation]Class{
	auth.Public: Free, auth.Status: Free,

	auth.Check: Quick, auth.Prompt: Quick, auth.Mint: Quick, auth.Describe: Quick, auth.ReadPolicy: Quick,
	auth.ListApps: Quick, auth.ReadLog: Quick, auth.Listen: Quick,

	auth.Record: Record, auth.Group: Record, auth.Operate: Record, auth.Publish: Record, auth.Erase: Record,
	auth.Receipt: Record, auth.Rejected: Record, auth.Webhooks: Record, auth.ManageApps: Record,
	auth.ManageKeys: Record, auth.VaultKeys: Record,
}

// ofPattern are routes that are not as heavy, or as light, as others of their operation.
var ofPattern = map[string]Class{
	"GET /v1/apps/{app}/feeds/{token}/deadlines.ics": Heavy,
	"GET /asyncapi.json":                             Quick,
	"GET /openapi.json":                              Quick,
	"GET /openapi.yaml":                              Quick,
	"GET /openapi-3.0.json":                          Quick,
	"GET /openapi-3.0.yaml":                          Quick,
	"POST /v1/apps/{app}/subjects/consents":          Quick,
	"GET /v1/apps/{app}/subjects/{id}/consents":      Quick,
	"POST /v1/apps/{app}/subjects/state":             Quick,
	"GET /v1/apps/{app}/requests/{id}":               Quick,
	"GET /v1/apps/{app}/incidents/{id}":              Quick,
	"GET /v1/apps/{app}/requests/{id}/next":          Quick,
	"GET /v1/apps/{app}/incidents/{id}/next":         Quick,
	"GET /v1/apps/{app}/erasures/{job}/certificate":  Heavy,
	newestPattern:                                    Quick,
	"GET /v1/rejected":                               Heavy,
}

// routes finds the pattern of a request.
var routes = sync.OnceValue(func() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range auth.Routes {
		mux.Handle(r.Pattern, http.NotFoundHandler())
	}
	return mux
})

const newestPattern = "GET /v1/apps/{app}/newest"

// ClassOf returns what kind of work a request is.
func ClassOf(r *http.Request) Class {
	_, pattern := routes().Handler(r)
	if pattern == "" {
		return Quick // it is told that there is no such route
	}
	class := classOf(pattern)
	if pattern == newestPattern && strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return Free // a stream works for moments and lasts for hours; package live bounds how many there are
	}
	if class == Record && isBatch(r.Header.Get("Content-Type")) {
		return Batch
	}
	return class
}

// classOf returns the class of a route.
func classOf(pattern string) Class {
	if class, has := ofPattern[pattern]; has {
		return class
	}
	method, path, _ := strings.Cut(pattern, " ")
	route, _ := auth.RouteOf(method, path)
	if class, has := ofOperation[route.Operation]; has {
		return class
	}
	return Heavy
}

func isBatch(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/cloudevents-batch+json"
}
