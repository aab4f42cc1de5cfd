package intake

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"consentledger/api/nats/natsservice"
	"consentledger/api/nats/subject"
	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"
)

// A service answers requests. Its handlers return before the answer is sent.
type service struct {
	Config
	keeper keeper
	ctx    context.Context // outlasts stop: what was taken is finished
	stop   context.Context
	jobs   *keyedQueue
}

var errBusy = errors.New("the ledger is stopping")

// openService opens the road of requests. Drain closes it and returns when
// everything that was taken is answered.
func openService(ctx context.Context, c Config, js jetstream.JetStream) (drain func(), err error) {
	long, cancel := natsservice.Outlast(ctx)
	s := &service{Config: c, ctx: long, stop: ctx, jobs: newKeyedQueue(c.Workers)}
	s.keeper = keeper{Config: c, js: js, filed: new(filing)}
	var open []natsservice.Endpoint
	for _, e := range s.endpoints() {
		open = append(open, natsservice.Endpoint{
			Name: strings.ReplaceAll(e.name, ".", "-"), Subject: subject.Any + e.name, Handle: e.handle,
			Metadata: map[string]string{
				"schema.request": schemaPath + e.request, "schema.response": schemaPath + e.response,
				"schema.error": schemaPath + "problem", "content": e.content,
			},
		})
	}

	svc, err := natsservice.Open(c.Conn, natsservice.Config{
		Name: "consentledger", Version: "1.0.0", QueueGroup: "consentledger",
		Description: "records what persons agreed to, answers whether something may be done, and says what to ask",
	}, open)
	if err != nil {
		cancel()
		return nil, err
	}

	return func() {
		svc.Close()
		s.jobs.close()
		cancel()
	}, nil
}

// schemaPath is where the ledger's HTTP address has the schemas that the
// service's metadata names; see [schema.Of].
const schemaPath = "/v1/schemas/"

// An endpoint answers one kind of request.
type endpoint struct {
	name                       string
	handle                     func(*natsservice.Request)
	request, response, content string // what goes in and out
}

func (s *service) endpoints() []endpoint {
	return []endpoint{
		{"record", s.record, "event", "receipt", "application/cloudevents+json"},
		{"check", s.check, "check", "answer", "application/json"},
		{"prompt", s.prompt, "prompt-request", "prompt", "application/json"},
		{subject.DryRun("record"), s.tryRecord, "event", "dry-run", "application/cloudevents+json"},
	}
}

func (s *service) record(r *natsservice.Request) {
	leave, busy := s.enter(r, false)
	if busy != nil {
		_ = r.Answer(overloaded(busy, nil)) // whose answer is lost asks again
		return
	}

	began := s.began()
	values := credentials(r.Header)
	req, hint, err := readMessage(r.Subject, r.Header, r.Data)
	msg := s.trace(s.ctx, recordSpan, trace.SpanKindServer, r.Header, req, began)
	if err == nil {
		req, err = s.signedBy(msg.ctx, req, values)
	}
	if err != nil {
		defer leave()
		defer msg.end(err)
		if r.Answer(refusedWith(err)) == nil {
			return
		}
		keep := func() { s.keeper.keepUntold(s.stop, r.Msg, hint, err) }
		key := s.jobs.key("rejected", "") // it names nobody whose order it could keep
		if !s.jobs.do(s.stop, key, keep) {
			keep()
		}
		return
	}

	odd := unencoded(r.Header)
	req = apart(req, odd, "request-"+rand.Text())
	if r.Reply == "" { // it may wait for a store that is broken
		req = s.dated(req, s.Ledger.Now().Time())
	}

	taken := s.jobs.do(s.stop, s.jobs.person(req.App, req.Person), func() {
		defer leave()
		receipt, err := s.execute(msg.ctx, r, req)
		defer msg.end(err)
		if err != nil {
			s.refuse(r, hint, err)
			return
		}
		if len(odd) > 0 {
			s.tellUnencoded(req.App, r.Msg, odd)
		}
		// the usual one fits; a lost one is asked for again
		_ = r.Answer(nil, wire.AppendReceipt(make([]byte, 0, 192), receipt))
	})
	if !taken {
		leave()
		s.refuse(r, hint, errBusy)
		msg.end(errBusy)
	}
}

// tryRecord answers what an event would do. Nothing of it is kept, also not with the
// rejected messages: whoever waits for no answer wants none.
func (s *service) tryRecord(r *natsservice.Request) {
	leave, busy := s.enter(r, false)
	if busy != nil {
		_ = r.Answer(overloaded(busy, nil))
		return
	}

	values := credentials(r.Header)
	req, _, err := readMessage(r.Subject, r.Header, r.Data)
	if err == nil {
		req, err = s.signedBy(s.ctx, req, values)
	}
	if err != nil {
		defer leave()
		_ = r.Answer(refusedWith(err))
		return
	}

	req = apart(req, unencoded(r.Header), "request-"+rand.Text())

	// It waits behind what the same person's messages before it do.
	taken := s.jobs.do(s.stop, s.jobs.person(req.App, req.Person), func() {
		defer leave()
		told, err := s.rehearse(s.ctx, req)
		if err != nil {
			_ = r.Answer(refusedWith(err))
			return
		}
		if s.Reads != nil && !s.Reads(s.ctx, req.App, values) {
			told = told.Unread()
		}
		s.answer(r, told)
	})
	if !taken {
		leave()
		_ = r.Answer(refusedWith(errBusy))
	}
}

// rehearseWithin is how long a rehearsal may take: it holds up the same person's messages.
const rehearseWithin = 30 * time.Second

// rehearse returns what a request would do. As when it is recorded, one message must not end
// the ledger.
func (s *service) rehearse(ctx context.Context, req ledger.Request) (told wire.DryRun, err error) {
	ctx, cancel := context.WithTimeout(ctx, rehearseWithin)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = s.survived(ctx, req, p)
		}
	}()

	dry, err := s.Rehearse(ctx)
	if err != nil {
		return wire.DryRun{}, err
	}

	on := s.Config
	on.Ledger = dry
	receipt, err := on.execute(ctx, req)
	if err != nil {
		return wire.DryRun{}, err
	}

	entries, err := dry.Recorded()
	if err != nil {
		return wire.DryRun{}, err
	}
	return wire.DryRunOf(entries, wire.AppendReceipt(nil, receipt))
}

// tellUnencoded tells of names with question marks. The event is recorded: whether
// somebody can be told of them does not keep its sender waiting for long.
func (s *service) tellUnencoded(app ident.AppName, m *nats.Msg, odd []string) {
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
	defer cancel()
	if err := s.keeper.tellUnencoded(ctx, app, refused{subject: m.Subject, header: m.Header, data: m.Data},
		odd); err != nil {
		s.Log.Error("an event came with question marks in its names, and that cannot be kept", "app", app, "err", err)
	}
}

// execute records what was sent. If nobody waits for the answer, nobody will send
// it again: then a broken store is tried until it is well or the ledger stops, as
// for what the stream holds.
func (s *service) execute(ctx context.Context, r *natsservice.Request, req ledger.Request) (
	receipt ledger.Receipt, err error) {
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		receipt, err = s.Config.execute(ctx, req)
		if err == nil || r.Reply != "" || errors.Is(err, errPanicked) || wire.IsRefusal(err) || s.stop.Err() != nil {
			return receipt, err
		}
		pause(s.stop, wait)
	}
}

// refuse answers that nothing was recorded. If nobody can be told, the message is
// kept with the rejected ones.
func (s *service) refuse(r *natsservice.Request, hint string, failed error) {
	if r.Answer(refusedWith(failed)) != nil {
		s.keeper.keepUntold(s.stop, r.Msg, hint, failed)
	}
}

// A question is about one person of one app.
type question struct {
	person string
	answer func(app ident.AppName) (any, error)
	cannot any // what is answered when nobody can tell now; nil: a problem
}

func (s *service) check(r *natsservice.Request) {
	values := credentials(r.Header)
	s.ask(r, func(data []byte) (question, error) {
		q, err := parse.Check(data)
		return question{q.Subject, func(app ident.AppName) (any, error) {
			by, err := s.asker(s.ctx, app, values)
			if err != nil {
				return nil, err
			}
			return query.Check(s.ctx, s.Ledger, app, q, by, s.Ledger.Now())
		}, query.Unknown(q, s.Ledger.Now())}, err
	})
}

func (s *service) prompt(r *natsservice.Request) {
	credentials(r.Header) // what is asked here is not recorded
	s.ask(r, func(data []byte) (question, error) {
		q, err := parse.Prompt(data)
		return question{q.Subject, func(app ident.AppName) (any, error) {
			return query.Prompt(s.ctx, s.Ledger, app, q, s.Ledger.Now())
		}, nil}, err
	})
}

// ask answers a question behind what the same person's messages before it do.
func (s *service) ask(r *natsservice.Request, read func([]byte) (question, error)) {
	app, err := appOf(r.Subject)
	if err != nil {
		_ = r.Answer(refusedWith(err))
		return
	}

	q, err := read(r.Data)
	if err == nil {
		err = parse.StrayHeaders(nil, r.Header)
	}
	if err != nil {
		_ = r.Answer(refusedWith(err))
		return
	}

	person := q.person
	if who, err := ident.ParsePersonKey(person); err == nil {
		person = who.String()
	}

	leave, busy := s.enter(r, true)
	if busy != nil {
		_ = r.Answer(overloaded(busy, q.cannot))
		return
	}

	taken := s.jobs.do(s.stop, s.jobs.key(string(app), person), func() {
		defer leave()
		answer, err := q.answer(app)
		if err != nil {
			s.cannot(r, q, err)
			return
		}
		s.answer(r, answer)
	})
	if !taken {
		leave()
		s.cannot(r, q, errBusy)
	}
}

// cannot answers a question that has no answer now, or was wrong.
func (s *service) cannot(r *natsservice.Request, q question, err error) {
	if wire.IsRefusal(err) {
		_ = r.Answer(refusedWith(err))
		return
	}
	s.Log.Warn("a question cannot be answered", "err", err)
	p := wire.ReadProblemOf(err)
	if q.cannot == nil {
		_ = r.Answer(failure(p, marshal(p), "application/problem+json"))
		return
	}
	_ = r.Answer(failure(p, wire.WithOutcome(marshal(q.cannot), wire.Unknown), "application/json"))
}

// errLongAnswer refuses a question whose answer fits into no message: else
// whoever asks would wait for it in vain.
var errLongAnswer = refusal.Refusal{Code: refusal.TooLarge,
	Text: "the answer is larger than a NATS message may be here: ask over HTTP"}

func (s *service) answer(r *natsservice.Request, v any) {
	data := wire.WithOutcome(marshal(v), wire.Answered)
	if !r.Fits(len(data)) {
		_ = r.Answer(refusedWith(errLongAnswer))
		return
	}
	_ = r.Answer(nil, data) // a lost answer is asked for again
}

func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("intake: an answer does not make JSON: " + err.Error())
	}
	return data
}

// failure returns an answer with a problem's code and a body of one's own.
func failure(p wire.Problem, data []byte, contentType string) (nats.Header, []byte) {
	return natsservice.Failure(p.Status, p.Title, contentType), data
}

// refusedWith returns an answer that says what was wrong.
func refusedWith(failed error) (nats.Header, []byte) {
	p := wire.ProblemOf(failed)
	return failure(p, marshal(p), "application/problem+json")
}
