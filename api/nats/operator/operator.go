// Package operator gives operators over NATS what package rest gives them over
// HTTP: it makes an HTTP request of a message, hands it to the same handler, and
// answers with what that wrote. So bodies, answers and problems are the same on
// both roads, byte for byte; a refusal that is plain text over HTTP is a problem
// here. A proof is a text, and no JSON. [Routes] says which subject is which route.
//
// A picture of a screen is sent as it is. One that is larger than the NATS server takes in a
// message never comes here, its sender's client refuses it: it goes over HTTP.
//
// A subject names an app, or a group of apps, and nobody else. What else a route
// wants in its path or its query stands in the message's body, a JSON object,
// under the name that it has there. The headers Content-Type, Idempotency-Key,
// traceparent, Authorization and Consent-... mean what they mean in HTTP, in capitals or not. An answer of
// 300 and above has the service's error code.
//
// Who may publish on these subjects is the server's to say, and nobody but
// operators should: consent.v1.<app>.operate and consent.v1.<app>.operate.* for
// what they record, consent.v1.<app>.query.* for what they ask, and
// consent.v1.<group>.group for whoever speaks for a group. What a command would do is
// asked on consent.v1.<app>.query.dry-run-..., see [subject.DryRun]. The order of
// requests that are sent without waiting for the answers is not kept.
//
// An event for consent.v1.<app>.operate or consent.v1.<group>.group that is not
// recorded, and whose sender asked for no answer, is kept with the rejected
// messages.
package operator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"consentledger/api/nats/natsservice"
	"consentledger/api/nats/subject"
	"consentledger/api/wire"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
)

// A Config is what Run stands on.
type Config struct {
	Conn    *nats.Conn
	Handler http.Handler
	Log     *slog.Logger

	// Keep keeps an event that was not recorded and whose sender cannot be told,
	// until stop is done. Nil: it is lost.
	Keep func(stop context.Context, m *nats.Msg, why Problem)
}

// A Problem is why an event was not recorded, as the answer would have said.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Path   string `json:"path"`
	Detail string `json:"detail"`
}

// most is how many requests are worked on at once.
const most = 64

// handedOn returns the headers that a message hands on, as HTTP writes them: all
// their values, so that what stands twice is refused and not half seen.
// An event in binary mode has its attributes in headers.
func (r Route) handedOn(h nats.Header) http.Header {
	on := http.Header{}
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		ofAll := name == "Content-Type" || name == "Idempotency-Key" || name == "Traceparent" ||
			name == "Authorization" || strings.HasPrefix(name, "Consent-")
		if ofAll || r.Events && strings.HasPrefix(name, "Ce-") {
			on[name] = append(on[name], values...)
		}
	}
	return on
}

// A service answers requests.
type service struct {
	Config
	ctx   context.Context // outlasts stop: what was taken is finished
	stop  context.Context
	slots chan struct{}
	work  sync.WaitGroup
}

// Run answers until ctx is done, finishes what it began and returns nil. Ready
// is called once, when all routes are open.
func Run(ctx context.Context, c Config, ready func()) error {
	long, cancel := natsservice.Outlast(ctx)
	defer cancel()
	s := &service{Config: c, ctx: long, stop: ctx, slots: make(chan struct{}, most)}
	var open []natsservice.Endpoint
	for _, r := range Routes {
		metadata := map[string]string{
			"http": r.Method + " " + r.Path, "schema": "/openapi.json", "schema.error": "/v1/schemas/problem",
		}
		if r.DryRun {
			metadata["http"] += r.asked(nil)
			metadata["schema.response"] = "/v1/schemas/dry-run"
		}
		open = append(open, natsservice.Endpoint{
			Name: r.endpoint(), Subject: r.Subject, Handle: s.take(r), Metadata: metadata,
		})
	}

	svc, err := natsservice.Open(c.Conn, natsservice.Config{
		Name: "consentledger-operators", Version: "1.0.0", QueueGroup: "consentledger",
		Description: "records what operators record, and answers what they ask, as HTTP does",
	}, open)
	if err != nil {
		return fmt.Errorf("operators' NATS service: %w", err)
	}
	defer func() {
		svc.Close()
		s.work.Wait()
	}()
	if err := natsservice.Listens(ctx, c.Conn); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("operators' NATS service: %w", err)
	}

	ready()
	<-ctx.Done()
	return nil
}

// take answers beside the handler, which returns before.
func (s *service) take(route Route) func(*natsservice.Request) {
	return func(r *natsservice.Request) {
		s.slots <- struct{}{}
		s.work.Go(func() {
			defer func() { <-s.slots }()
			s.answer(route, r, s.do(route, r.Subject, r.Header, r.Data))
		})
	}
}

// do asks the handler.
func (s *service) do(route Route, sentTo string, header nats.Header, body []byte) *answer {
	name, _ := subject.Parse(sentTo)
	path, body, err := route.path(name, body)
	if err != nil {
		return problem(http.StatusBadRequest, "Malformed", "malformed", err.Error())
	}

	r, err := http.NewRequestWithContext(s.ctx, route.Method, "http://nats"+path, bytes.NewReader(body))
	if err != nil {
		return problem(http.StatusBadRequest, "Malformed", "malformed",
			"the members that the path and the query are made of do not fit there")
	}

	r.Header = route.handedOn(header)
	if len(r.Header["Content-Type"]) == 0 && len(body) > 0 {
		r.Header.Set("Content-Type", route.kindOf(body))
	}

	a := &answer{status: http.StatusOK, header: http.Header{}}
	if aborted := serve(s.Handler, a, r); aborted && route.asks() {
		return problem(http.StatusServiceUnavailable, "Service Unavailable", "service-unavailable",
			"the answer broke off: ask again")
	} else if aborted {
		return problem(http.StatusServiceUnavailable, "Outcome unknown", "outcome-unknown",
			"outcome unknown, ask again: the same id is never recorded twice")
	}
	return inJSON(a)
}

// kindOf returns what a body is whose message says nothing of it.
func (r Route) kindOf(body []byte) string {
	if r.File {
		return http.DetectContentType(body)
	}
	return "application/json"
}

// withoutKey takes the key of whoever sent a message out of it: a message that is kept
// is shown to others.
func withoutKey(m *nats.Msg) {
	for name := range m.Header {
		if strings.EqualFold(name, "Authorization") {
			delete(m.Header, name)
		}
	}
}

// inJSON returns an answer whose refusal is a problem: some routes of HTTP refuse
// in plain text, and over NATS the body alone must tell the outcome.
func inJSON(a *answer) *answer {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if a.status < 300 || kind == "application/json" || kind == "application/problem+json" {
		return a
	}

	detail := strings.TrimSpace(a.body.String())
	if a.status == http.StatusBadRequest {
		return problem(a.status, "Malformed", "malformed", detail)
	}
	title := http.StatusText(a.status)
	return problem(a.status, title, strings.ReplaceAll(strings.ToLower(title), " ", "-"), detail)
}

// serve reports whether the handler gave up in the middle of an answer.
func serve(h http.Handler, a *answer, r *http.Request) (aborted bool) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			aborted = true
		} else if p != nil {
			panic(p)
		}
	}()
	h.ServeHTTP(a, r)
	return false
}

// answer sends what the handler wrote. An event that was not recorded is kept if
// its sender cannot be told.
func (s *service) answer(route Route, r *natsservice.Request, a *answer) {
	if !r.Fits(a.body.Len()) {
		a = problem(http.StatusRequestEntityTooLarge, "Too large", "too-large",
			"the answer is larger than a message may be: ask for fewer rows (limit), or over HTTP")
	}
	data := a.body.Bytes()
	if a.status < 300 {
		data = answered(data)
	}
	header := nats.Header{"Content-Type": {a.header.Get("Content-Type")}}
	if a.status >= 300 { // nobody goes elsewhere from here
		header = natsservice.Failure(a.status, http.StatusText(a.status), a.header.Get("Content-Type"))
	}
	err := r.Answer(header, data)
	if err == nil {
		return
	}

	why, failed := a.failed()
	switch {
	case route.DryRun: // nothing was to be recorded, and nobody wants to know
	case failed && route.Events && s.Keep != nil:
		withoutKey(r.Msg)
		s.Keep(s.stop, r.Msg, why)
	case failed && strings.HasPrefix(route.endpoint(), "operate"):
		s.Log.Warn("what an operator sent was not recorded, and nobody waits for the answer", "subject", route.Subject,
			"code", why.Code)
	case r.Reply != "":
		s.Log.Warn("an operator's answer is lost", "err", err) // and is asked for again
	}
}

// failed returns why something was not recorded: the request as a whole, one
// event of a batch, or one event in one app of a group.
func (a *answer) failed() (why Problem, failed bool) {
	if a.status >= 300 {
		why = Problem{Status: a.status, Code: "refused"}
		_ = json.Unmarshal(a.body.Bytes(), &why) // what is no problem leaves the status
		return why, true
	}

	var rows struct {
		Results []struct {
			Status  int
			Problem Problem
		}
	}
	if json.Unmarshal(a.body.Bytes(), &rows) != nil {
		return Problem{}, false
	}

	for _, row := range rows.Results {
		if row.Status >= 300 {
			return row.Problem, true
		}
	}
	return Problem{}, false
}

// An answer is what a handler writes.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// problem is what went wrong before the handler was asked, or after.
func problem(status int, title, code, detail string) *answer {
	a := &answer{status: status, header: http.Header{"Content-Type": {"application/problem+json"}}}
	b, err := json.Marshal(map[string]any{
		"type": "urn:consentledger:problem:" + code, "title": title, "status": status, "code": code, "detail": detail,
		"outcome": outcomeOf(status),
	}, json.Deterministic(true))
	if err != nil {
		panic("operator: a problem does not make JSON: " + err.Error())
	}
	a.body.Write(b)
	return a
}

// answered puts the outcome into an answer that is a JSON object and has none.
func answered(data []byte) []byte {
	var members map[string]jsontext.Value
	switch {
	case len(data) == 0:
		return []byte(`{"outcome":"` + wire.Answered + `"}`)
	case data[0] != '{' || json.Unmarshal(data, &members) != nil || len(members) == 0 || members["outcome"] != nil:
		return data
	}
	return wire.WithOutcome(data, wire.Answered)
}

// outcomeOf says what became of a request that has no answer.
func outcomeOf(status int) string {
	if status == http.StatusServiceUnavailable {
		return wire.Unknown
	}
	return wire.Refused
}

// path returns the path and the query for an app, and what is left of the body.
func (r Route) path(name string, body []byte) (string, []byte, error) {
	path := strings.NewReplacer("{app}", url.PathEscape(name), "{group}", url.PathEscape(name)).Replace(r.Path)
	if len(r.InPath)+len(r.InQuery) == 0 && !r.AppInBody && r.Method != http.MethodGet {
		return path + r.asked(nil), body, nil
	}

	members, err := membersOf(body)
	if err != nil {
		return "", nil, err
	}

	if r.AppInBody {
		if said, has, err := take(members, "app"); err != nil || has && said != name {
			return "", nil, errors.New("app must be the one in the subject, or left out")
		}
		members["app"] = jsontext.Value(strconv.Quote(name))
	}

	for _, name := range r.InPath {
		text, has, err := take(members, name)
		if err != nil || !has || strings.Trim(text, ".") == "" { // dots alone would lead elsewhere
			return "", nil, fmt.Errorf("%s is missing: give it as a string", name)
		}
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
	}

	query := url.Values{}
	for _, name := range r.InQuery {
		text, has, err := take(members, name)
		if err != nil {
			return "", nil, err
		}
		if has {
			query.Set(name, text)
		}
	}

	path += r.asked(query)
	if r.Method == http.MethodGet {
		if len(members) > 0 {
			known := cmp.Or(strings.Join(slices.Concat(r.InPath, r.InQuery), ", "), "none")
			return "", nil, fmt.Errorf("the body has a member that is not known here; there are: %s", known)
		}
		return path, nil, nil
	}

	rest, err := json.Marshal(members, json.Deterministic(true))
	return path, rest, err
}

// asked returns the query of a route, with what asks for a dry run.
func (r Route) asked(query url.Values) string {
	if r.DryRun {
		query = maps.Clone(query)
		if query == nil {
			query = url.Values{}
		}
		query.Set("dry_run", "true")
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

var errBody = errors.New("the body is not a JSON object")

// membersOf reads a body, of which some members go into the URL. No body has none.
func membersOf(body []byte) (map[string]jsontext.Value, error) {
	members := map[string]jsontext.Value{}
	if len(bytes.TrimSpace(body)) == 0 {
		return members, nil
	}
	err := json.Unmarshal(body, &members)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return nil, errors.New("the body names a member twice")
	}
	if err != nil || members == nil {
		return nil, errBody
	}
	return members, nil
}

// take takes a member out, as the text that stands in a URL.
func take(members map[string]jsontext.Value, name string) (text string, has bool, err error) {
	v, has := members[name]
	if !has {
		return "", false, nil
	}
	delete(members, name)
	if len(v) > 0 && (v[0] == '{' || v[0] == '[' || v[0] == 'n') {
		return "", true, fmt.Errorf("%s must be a string", name)
	}
	if v[0] != '"' {
		return string(v), true, nil // a number, true or false
	}
	err = json.Unmarshal(v, &text)
	return text, true, err
}

// Again hands a kept event to the handler once more, unchanged. It returns the
// answer, or why the event was not recorded; not ok if its subject is of no such
// route.
func Again(ctx context.Context, handler http.Handler, m *nats.Msg) (body []byte, why *Problem, ok bool) {
	_, name := subject.Parse(m.Subject)
	for _, route := range Routes {
		if _, of := subject.Parse(route.Subject); !route.Events || route.DryRun || of != name {
			continue
		}
		a := (&service{Config: Config{Handler: handler}, ctx: ctx}).do(route, m.Subject, m.Header, m.Data)
		if why, failed := a.failed(); failed {
			return nil, &why, true
		}
		return a.body.Bytes(), nil, true
	}
	return nil, nil, false
}
