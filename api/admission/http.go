package admission

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/limit"
	"consentledger/api/edge"
	"consentledger/api/wire"
)

// Overloaded is the code of a request that was refused because too much is under way.
const Overloaded = "overloaded"

// unsaid is how many bytes a body counts for that does not say how long it is.
const unsaid = 1 << 20

// Guard lets a request through to h once its body is there and there is a place for it. It
// stands behind whatever authenticates, so that it knows who asks.
func (a *Admission) Guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		class := ClassOf(r)
		if class == Free {
			h.ServeHTTP(w, r)
			return
		}
		who, sender := "", ""
		if p, is := auth.From(r.Context()); is {
			who, sender = limit.Name(p), senderOf(p)
		}
		most := bodyOf(class, r)
		release, err := a.hold(class, sender, most)
		if err != nil {
			refused(w, err)
			return
		}
		defer release()
		readAhead(w, r, most)

		leave, err := a.Enter(r.Context(), class, who)
		if err != nil {
			refused(w, err)
			return
		}
		defer leave()
		h.ServeHTTP(w, r)
	})
}

// senderOf returns who holds the bytes of a body. All who come by a subject token are one: they
// are many, anybody may become one, and bodies that never come would else take what back ends
// record by.
func senderOf(p auth.Principal) string {
	if p.Only != nil {
		return "subject tokens"
	}
	return limit.Name(p)
}

// readWithin is how long a body may take to come.
const readWithin = time.Minute

// readAhead reads a body before its request has a place: who sends slowly keeps nobody
// waiting. What is read is what the body counts for, and one byte more, by which a route
// sees that a body is too long. The rest of one that did not say how long it is is left to
// its route, and so is an error of reading.
func readAhead(w http.ResponseWriter, r *http.Request, most int64) {
	if most == 0 {
		return
	}
	edge.Limit(w, r, readWithin)
	body, rest := new(bytes.Buffer), r.Body
	_, err := io.CopyN(body, rest, most+1)
	end := io.Reader(rest)
	if err != nil {
		end = failing{err} // which is io.EOF of a body that has ended
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(body, end), rest}
}

// failing is the end of a body: nothing more can be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// bodyOf returns how many bytes a body counts for. Of many events all is read ahead, however
// long it is: there are few places, and whoever may record may take them.
func bodyOf(class Class, r *http.Request) int64 {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return 0
	case r.ContentLength < 0 && class == Batch:
		return maxBody
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
	if r.Why == TooMany || r.Why == OfApp {
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
	auth.ManageKeys: Record, auth.VaultKeys: Record, auth.DiscloseProof: Record, auth.DestroyProof: Record,
	auth.OpenProof: Record, auth.LogKeys: Record,
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
	"POST /v1/apps/{app}/requests/{id}/reveal":       Record,
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

// ofRoute are the classes of all routes, by their patterns.
var ofRoute = sync.OnceValue(func() map[string]Class {
	all := map[string]Class{}
	for _, r := range auth.Routes {
		all[r.Pattern] = classOf(r)
	}
	return all
})

// ClassOf returns what kind of work a request is. Where people are authenticated, its route
// was found before.
func ClassOf(r *http.Request) Class {
	pattern := r.Pattern
	class, known := ofRoute()[pattern]
	if !known {
		_, pattern = routes().Handler(r)
		if class, known = ofRoute()[pattern]; !known {
			return Quick // it is told that there is no such route
		}
	}
	if pattern == newestPattern && strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return Free // a stream works for moments and lasts for hours; package live bounds how many there are
	}
	if class == Record && isBatch(r.Header.Get("Content-Type")) {
		return Batch
	}
	return class
}

// classOf returns the class of a route.
func classOf(route auth.Route) Class {
	if class, has := ofPattern[route.Pattern]; has {
		return class
	}
	if class, has := ofOperation[route.Operation]; has {
		return class
	}
	return Heavy
}

func isBatch(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/cloudevents-batch+json" || kind == "application/x-ndjson"
}
