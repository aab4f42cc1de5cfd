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
		Description: "records what persons agreed to, and answers whether something may be done",
	})
	if err != nil {
		return nil, err
	}
	for _, e := range []struct {
		name     string
		handle   micro.HandlerFunc
		metadata map[string]string
	}{
		{"record", s.record, map[string]string{
			"schema.request": "urn:consentledger:schema:event", "schema.response": "urn:consentledger:schema:receipt",
			"schema.error": "urn:consentledger:schema:problem", "content": "application/cloudevents+json",
		}},
		{"check", s.check, map[string]string{
			"schema.request": "urn:consentledger:schema:check", "schema.response": "urn:consentledger:schema:answer",
			"schema.error": "urn:consentledger:schema:problem", "content": "application/json",
		}},
	} {
		err := svc.AddEndpoint(e.name, e.handle, micro.WithEndpointSubject("consent.v1.*."+e.name), micro.WithEndpointMetadata(e.metadata))
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

func (s *service) record(r micro.Request) {
	req, _, err := parse(r.Subject(), nats.Header(r.Headers()), r.Data())
	if err != nil {
		s.fail(r.Reply(), err)
		return
	}
	reply := r.Reply()
	taken := s.jobs.do(s.stop, s.jobs.key(string(req.App), req.Person.String()), func() {
		receipt, err := s.Ledger.Execute(s.ctx, req)
		if err != nil {
			s.fail(reply, err)
			return
		}
		s.answer(reply, wire.ReceiptOf(receipt))
	})
	if !taken {
		s.fail(reply, errBusy)
	}
}

func (s *service) check(r micro.Request) {
	reply := r.Reply()
	app, err := appOf(r.Subject())
	if err != nil {
		s.fail(reply, err)
		return
	}
	q, err := wire.ParseCheck(r.Data())
	if err != nil {
		s.fail(reply, err)
		return
	}
	person := q.Subject
	if who, err := domain.ParsePersonKey(q.Subject); err == nil {
		person = who.String()
	}
	taken := s.jobs.do(s.stop, s.jobs.key(string(app), person), func() {
		answer, err := wire.Check(s.ctx, s.Ledger, app, q, domain.Unauthenticated, s.Ledger.Now())
		if err != nil {
			s.fail(reply, err)
			return
		}
		s.answer(reply, answer)
	})
	if !taken {
		s.fail(reply, errBusy)
	}
}

func (s *service) answer(reply string, v any) {
	if reply == "" {
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic("intake: an answer does not make JSON: " + err.Error())
	}
	_ = s.Conn.Publish(reply, data) // a lost answer is asked for again
}

// fail answers as micro's Request.Error does. That one may not be called once
// the handler has returned.
func (s *service) fail(reply string, err error) {
	if reply == "" {
		return
	}
	p := wire.ProblemOf(err)
	data, err := json.Marshal(p)
	if err != nil {
		panic("intake: a problem does not make JSON: " + err.Error())
	}
	_ = s.Conn.PublishMsg(&nats.Msg{Subject: reply, Data: data, Header: nats.Header{
		micro.ErrorHeader: {p.Title}, micro.ErrorCodeHeader: {strconv.Itoa(p.Status)}, "Content-Type": {"application/problem+json"},
	}})
}
