// Package natsrest gives operators over NATS what package rest gives them over
// HTTP: it makes an HTTP request of a message, hands it to the same handler, and
// answers with what that wrote. So bodies, answers and problems are the same on
// both roads, byte for byte. [Routes] says which subject is which route.
//
// A subject names an app, or a group of apps, and nobody else. What else a route
// wants in its path or its query stands in the message's body, a JSON object,
// under the name that it has there. The headers Content-Type, Idempotency-Key
// and Consent-Signature mean what they mean in HTTP. An answer of 300 and above
// has the service's error code.
//
// Who may publish on these subjects is the server's to say, and nobody but
// operators should: consent.v1.<app>.operate and consent.v1.<app>.operate.* for
// what they record, consent.v1.<app>.query.* for what they ask, and
// consent.v1.<group>.group for whoever speaks for a group. The order of
// requests that are sent without waiting for the answers is not kept.
package natsrest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"consentledger/api/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// A Config is what Run stands on.
type Config struct {
	Conn    *nats.Conn
	Handler http.Handler
	Log     *slog.Logger
}

// most is how many requests are worked on at once.
const most = 64

// headers are those that a message hands on.
var headers = []string{"Content-Type", "Idempotency-Key", "Consent-Signature"}

// A service answers requests.
type service struct {
	Config
	ctx   context.Context // not cancelled: what was taken is finished
	slots chan struct{}
	work  sync.WaitGroup
}

// Run answers until ctx is done, finishes what it began and returns nil. Ready
// is called once, when all routes are open.
func Run(ctx context.Context, c Config, ready func()) error {
	s := &service{Config: c, ctx: context.WithoutCancel(ctx), slots: make(chan struct{}, most)}
	svc, err := micro.AddService(c.Conn, micro.Config{
		Name: "consentledger-operators", Version: "1.0.0", QueueGroup: "consentledger",
		Description: "records what operators record, and answers what they ask, as HTTP does",
	})
	if err != nil {
		return fmt.Errorf("operators' NATS service: %w", err)
	}
	defer func() {
		_ = svc.Stop()
		_ = c.Conn.Flush() // what the server sent before is in our hands now
		s.work.Wait()
	}()
	for _, r := range Routes {
		err := svc.AddEndpoint(r.endpoint(), s.take(r), micro.WithEndpointSubject(r.Subject), micro.WithEndpointMetadata(map[string]string{
			"http": r.Method + " " + r.Path, "schema": "/openapi.json", "schema.error": "/v1/schemas/problem",
		}))
		if err != nil {
			return fmt.Errorf("operators' NATS service: %w", err)
		}
	}
	if err := c.Conn.FlushTimeout(10 * time.Second); err != nil {
		return fmt.Errorf("operators' NATS service: %w", err)
	}
	ready()
	<-ctx.Done()
	return nil
}

// take answers beside the handler, which returns before.
func (s *service) take(route Route) micro.HandlerFunc {
	return func(r micro.Request) {
		s.slots <- struct{}{}
		s.work.Go(func() {
			defer func() { <-s.slots }()
			s.answer(r.Reply(), s.do(route, r.Subject(), nats.Header(r.Headers()), r.Data()))
		})
	}
}

// do asks the handler.
func (s *service) do(route Route, subject string, header nats.Header, body []byte) *answer {
	name, _, _ := strings.Cut(strings.TrimPrefix(subject, prefix), ".")
	path, body, err := route.path(name, body)
	if err != nil {
		return problem(http.StatusBadRequest, "Malformed", "malformed", err.Error())
	}
	r, err := http.NewRequestWithContext(s.ctx, route.Method, "http://nats"+path, bytes.NewReader(body))
	if err != nil {
		return problem(http.StatusBadRequest, "Malformed", "malformed", "the members that the path and the query are made of do not fit there")
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, name := range headers {
		if v := header.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	a := &answer{status: http.StatusOK, header: http.Header{}}
	if aborted := serve(s.Handler, a, r); aborted {
		return problem(http.StatusServiceUnavailable, "Outcome unknown", "outcome-unknown", "outcome unknown, ask again: the same id is never recorded twice")
	}
	return a
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

// answer sends what the handler wrote.
func (s *service) answer(reply string, a *answer) {
	if reply == "" {
		return
	}
	if limit := s.Conn.MaxPayload() - 1024; int64(a.body.Len()) > limit { // headers count, too
		a = problem(http.StatusRequestEntityTooLarge, "Too large", "too-large",
			"the answer is larger than a message may be: ask for fewer rows (limit), or over HTTP")
	}
	data := a.body.Bytes()
	if a.status < 300 {
		data = answered(data)
	}
	m := &nats.Msg{Subject: reply, Data: data, Header: nats.Header{"Content-Type": {a.header.Get("Content-Type")}}}
	if a.status >= 300 { // nobody goes elsewhere from here
		m.Header[micro.ErrorHeader] = []string{http.StatusText(a.status)}
		m.Header[micro.ErrorCodeHeader] = []string{strconv.Itoa(a.status)}
	}
	if err := s.Conn.PublishMsg(m); err != nil {
		s.Log.Warn("an operator's answer is lost", "err", err) // and is asked for again
	}
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
	b, err := json.Marshal(map[string]any{"type": "urn:consentledger:problem:" + code, "title": title, "status": status, "code": code, "detail": detail, "outcome": outcomeOf(status)})
	if err != nil {
		panic("natsrest: a problem does not make JSON: " + err.Error())
	}
	a.body.Write(b)
	return a
}

// answered puts the outcome into an answer that is a JSON object and has none.
func answered(data []byte) []byte {
	var members map[string]json.RawMessage
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
	if len(r.InPath)+len(r.InQuery) == 0 && !r.AppInBody {
		return path, body, nil
	}
	members := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, &members); err != nil || members == nil {
			return "", nil, errBody
		}
	}
	if r.AppInBody {
		if said, has, err := take(members, "app"); err != nil || has && said != name {
			return "", nil, errors.New("app must be the one in the subject, or left out")
		}
		members["app"] = json.RawMessage(strconv.Quote(name))
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
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if r.Method == http.MethodGet {
		if len(members) > 0 {
			return "", nil, fmt.Errorf("the body has a member that is not known here; there are: %s", strings.Join(slices.Concat(r.InPath, r.InQuery), ", "))
		}
		return path, nil, nil
	}
	rest, err := json.Marshal(members)
	return path, rest, err
}

var errBody = errors.New("the body is not a JSON object")

// take takes a member out, as the text that stands in a URL.
func take(members map[string]json.RawMessage, name string) (text string, has bool, err error) {
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
