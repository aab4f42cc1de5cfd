package intake

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"consentledger/api/wire"
	"consentledger/domain"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// A service answers requests. Its handlers return before the answer is sent.
type service struct {
	Config
	ctx  context.Context // not cancelled: what was taken is finished
	stop context.Context
	jobs *keyed
}

var errBusy = errors.New("the ledger is stopping")

// openService opens the road of requests. Drain closes it and returns when
// everything that was taken is answered.
func openService(ctx context.Context, c Config) (drain func(), err error) {
	s := &service{Config: c, ctx: context.WithoutCancel(ctx), stop: ctx, jobs: newKeyed(c.Workers)}
	svc, err := micro.AddService(c.Conn, micro.Config{
		Name: "consentledger", Version: "1.0.0", QueueGroup: "consentledger",
		Description: "records what persons agreed to, answers whether something may be done, and says what to ask",
	})
	if err != nil {
		return nil, err
	}
	for _, e := range s.endpoints() {
		err := svc.AddEndpoint(e.name, e.handle, micro.WithEndpointSubject("consent.v1.*."+e.name), micro.WithEndpointMetadata(map[string]string{
			"schema.request": schemaPath + e.request, "schema.response": schemaPath + e.response,
			"schema.error": schemaPath + "problem", "content": e.content,
		}))
		if err != nil {
			_ = svc.Stop()
			return nil, err
		}
	}
	return func() {
		_ = svc.Stop()
		_ = c.Conn.Flush() // what the server sent before is in our hands now
		s.jobs.close()
	}, nil
}

// schemaPath is where the ledger's HTTP address has the schemas that the
// service's metadata names; see [wire.Schema].
const schemaPath = "/v1/schemas/"

// An endpoint answers one kind of request.
type endpoint struct {
	name                       string
	handle                     micro.HandlerFunc
	request, response, content string // what goes in and out
}

func (s *service) endpoints() []endpoint {
	return []endpoint{
		{"record", s.record, "event", "receipt", "application/cloudevents+json"},
		{"check", s.check, "check", "answer", "application/json"},
		{"prompt", s.prompt, "prompt-request", "prompt", "application/json"},
	}
}

func (s *service) record(r micro.Request) {
	req, _, err := parse(r.Subject(), nats.Header(r.Headers()), r.Data())
	if err != nil {
		s.fail(r.Reply(), err)
		return
	}
	reply := r.Reply()
	taken := s.jobs.do(s.stop, s.jobs.person(req.App, req.Person), func() {
		receipt, err := s.Ledger.Execute(s.ctx, req)
		if err != nil {
			s.fail(reply, err)
			return
		}
		s.send(reply, wire.AppendReceipt(make([]byte, 0, 192), receipt)) // the usual one fits
	})
	if !taken {
		s.fail(reply, errBusy)
	}
}

// A question is about one person of one app.
type question struct {
	person string
	answer func(app domain.AppName) (any, error)
	cannot any // what is answered when nobody can tell now; nil: a problem
}

func (s *service) check(r micro.Request) {
	s.ask(r, func(data []byte) (question, error) {
		q, err := wire.ParseCheck(data)
		return question{q.Subject, func(app domain.AppName) (any, error) {
			return wire.Check(s.ctx, s.Ledger, app, q, domain.Unauthenticated, s.Ledger.Now())
		}, q.Unknown(s.Ledger.Now())}, err
	})
}

func (s *service) prompt(r micro.Request) {
	s.ask(r, func(data []byte) (question, error) {
		q, err := wire.ParsePrompt(data)
		return question{q.Subject, func(app domain.AppName) (any, error) {
			return wire.Prompt(s.ctx, s.Ledger, app, q, s.Ledger.Now())
		}, nil}, err
	})
}

// ask answers a question behind what the same person's messages before it do.
func (s *service) ask(r micro.Request, parse func([]byte) (question, error)) {
	reply := r.Reply()
	app, err := appOf(r.Subject())
	if err != nil {
		s.fail(reply, err)
		return
	}
	q, err := parse(r.Data())
	if err != nil {
		s.fail(reply, err)
		return
	}
	person := q.person
	if who, err := domain.ParsePersonKey(person); err == nil {
		person = who.String()
	}
	taken := s.jobs.do(s.stop, s.jobs.key(string(app), person), func() {
		answer, err := q.answer(app)
		if err != nil {
			s.cannot(reply, q, err)
			return
		}
		s.answer(reply, answer)
	})
	if !taken {
		s.cannot(reply, q, errBusy)
	}
}

// cannot answers a question that has no answer now, or was wrong.
func (s *service) cannot(reply string, q question, err error) {
	if wire.IsRefusal(err) {
		s.fail(reply, err)
		return
	}
	s.Log.Warn("a question cannot be answered", "err", err)
	if q.cannot == nil {
		s.fail(reply, err)
		return
	}
	s.failWith(reply, err, wire.WithOutcome(marshal(q.cannot), wire.Unknown), "application/json")
}

func (s *service) answer(reply string, v any) {
	s.send(reply, wire.WithOutcome(marshal(v), wire.Answered))
}

func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("intake: an answer does not make JSON: " + err.Error())
	}
	return data
}

// send answers who wants an answer.
func (s *service) send(reply string, data []byte) {
	if reply != "" {
		_ = s.Conn.Publish(reply, data) // a lost answer is asked for again
	}
}

// fail answers as micro's Request.Error does. That one may not be called once
// the handler has returned.
func (s *service) fail(reply string, err error) {
	s.failWith(reply, err, marshal(wire.ProblemOf(err)), "application/problem+json")
}

// failWith answers with an error's code and a body of one's own.
func (s *service) failWith(reply string, failed error, data []byte, contentType string) {
	if reply == "" {
		return
	}
	p := wire.ProblemOf(failed)
	_ = s.Conn.PublishMsg(&nats.Msg{Subject: reply, Data: data, Header: nats.Header{
		micro.ErrorHeader: {p.Title}, micro.ErrorCodeHeader: {strconv.Itoa(p.Status)}, "Content-Type": {contentType},
	}})
}
