package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"consentledger/api/nats/natsservice"
	"consentledger/domain/deadline"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"
)

// How long the server waits for an ack, how often it is told to wait on, and
// how long a message waits that met a broken store.
const (
	ackWait  = 30 * time.Second
	patience = 10 * time.Second
	firstTry = 100 * time.Millisecond
	lastTry  = 30 * time.Second
)

// A drain takes the stream of incoming events empty.
type drain struct {
	Config
	js   jetstream.JetStream
	ctx  context.Context // outlasts stop: an Execute that began is finished
	stop context.Context
	jobs *keyedQueue

	filed    filing
	memory   *recall // nil: of an older stream, which is emptied
	arrivals arrivals

	mu     sync.Mutex
	inHand map[uint64]jetstream.Msg // by sequence of the stream
	moves  uint64                   // how often one was taken in hand, or let go
}

// An incoming is the road of JetStream, open.
type incoming struct {
	*drain
	consumer jetstream.Consumer
	closed   <-chan struct{} // when nothing more comes
	end      func()          // closes the road; what was not begun goes back to the server
}

// openStream opens the road of JetStream.
func openStream(ctx context.Context, c Config, js jetstream.JetStream, m *recall, stuck bool) (*incoming, error) {
	consumer, err := openConsumer(ctx, c, js, stuck)
	if err != nil {
		return nil, err
	}

	long, cancel := natsservice.Outlast(ctx)
	d := &drain{
		Config: c, js: js, ctx: long, stop: ctx, jobs: newKeyedQueue(c.Workers),
		inHand: map[uint64]jetstream.Msg{}, memory: m,
	}
	consuming, err := consumer.Consume(d.take, jetstream.PullMaxMessages(512), jetstream.ConsumeErrHandler(d.complain))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("consumer of %s: %w", InStream, err)
	}

	done, kept := make(chan struct{}), make(chan struct{})
	go func() { defer close(kept); d.keep(done) }()
	return &incoming{drain: d, consumer: consumer, closed: consuming.Closed(), end: func() {
		d.finishAll(consuming)
		cancel()
		close(done)
		<-kept
		if c.Conn.IsConnected() {
			_ = c.Conn.FlushTimeout(5 * time.Second) // an ack that is lost is a redelivery, which is harmless
		}
	}}, nil
}

// finishAll takes nothing more and finishes what was begun. When the server is
// gone, what it sent is redelivered.
func (d *drain) finishAll(consuming jetstream.ConsumeContext) {
	if d.Conn.IsConnected() {
		consuming.Drain()
		select {
		case <-consuming.Closed():
		case <-time.After(5 * time.Second):
		}
	}
	consuming.Stop()
	d.jobs.close()
}

// complain logs what the client overcomes by itself, such as a server that was
// away.
func (d *drain) complain(_ jetstream.ConsumeContext, err error) {
	if d.stop.Err() == nil {
		d.Log.Warn("the stream of incoming events", "stream", InStream, "err", err)
	}
}

// keep asks the server to wait for what is in hand and takes long.
func (d *drain) keep(done chan struct{}) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		d.mu.Lock()
		for _, m := range d.inHand {
			_ = m.InProgress() // else it is redelivered, and found in hand
		}
		d.mu.Unlock()
	}
}

// take queues a message behind the same person's others.
func (d *drain) take(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		return // no message of a stream
	}

	seq := meta.Sequence.Stream
	if !d.hold(seq, m) {
		return // a redelivery of what is in hand
	}

	d.memory.see(seq, meta.NumPending)
	began := d.began()
	req, hint, refusal := readMessage(m.Subject(), m.Headers(), m.Data())
	msg := d.trace(d.ctx, inSpan, trace.SpanKindConsumer, m.Headers(), req, began)
	odd := unencoded(m.Headers())
	req = apart(req, odd, messageID(meta))
	key := d.jobs.person(req.App, req.Person)
	if req.At == 0 {
		req.At = d.arrivals.next(key, deadline.At(meta.Timestamp), d.Ledger.Now())
	}
	if refusal != nil {
		key = d.jobs.key("rejected", "") // it names nobody whose order it could keep
	}

	job := func() {
		defer d.letGo(seq)
		msg.end(d.finish(msg.ctx, m, meta, req, hint, refusal, odd))
	}

	if !d.jobs.do(d.stop, key, job) {
		msg.end(errBusy)
		d.letGo(seq)
		_ = m.Nak()
	}
}

func (d *drain) hold(seq uint64, m jetstream.Msg) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, again := d.inHand[seq]
	if !again {
		d.inHand[seq] = m
		d.moves++
	}
	return !again
}

// progress returns how many messages are in hand, and a number that changes
// whenever one is taken or finished.
func (d *drain) progress() (held int, moves uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.inHand), d.moves
}

func (d *drain) holds(seq uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, has := d.inHand[seq]
	return has
}

func (d *drain) letGo(seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inHand, seq)
	d.moves++
}

// finish brings one message to its end: recorded, rejected, or, when ctx is
// done, given back. Until then it holds back the person's later ones: a broken
// store is tried again here, not by redelivery, which would let them pass. It returns
// why the message was rejected, or given back.
func (d *drain) finish(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata,
	req ledger.Request, hint string, no error, odd []string) error {
	wait := firstTry
	for d.stop.Err() == nil {
		err := no
		if err == nil {
			err = d.record(ctx, meta.Sequence.Stream, req)
		}
		if err == nil && len(odd) > 0 {
			err = d.keeper().tellUnencoded(d.ctx, req.App, d.refused(m, meta), odd)
		}
		if err == nil {
			_ = m.Ack() // lost: a redelivery, which is answered as before
			return nil
		}
		if errors.Is(err, errPanicked) {
			err = unknownOutcome
		}
		if r, no := errors.AsType[refusal.Refusal](err); no {
			if err = d.turnAway(m, meta, r, hint); err == nil {
				_ = m.TermWithReason(string(r.Code))
				return r
			}
		}
		if wait == firstTry {
			d.Log.WarnContext(ctx, "an event waits: the ledger is broken", "sequence", meta.Sequence.Stream, "err", err)
		}
		_ = m.InProgress() // the server waits on
		pause(d.stop, wait)
		wait = min(2*wait, lastTry)
	}
	_ = m.NakWithDelay(wait)
	return errBusy
}

// record records an event. When it returns, that the message was seen is on disk,
// too: the append of a new record brings it there.
func (d *drain) record(ctx context.Context, seq uint64, req ledger.Request) error {
	if err := d.memory.keep(d.ctx, seq); err != nil {
		return err
	}

	head, err := d.head()
	if err != nil {
		return err
	}

	receipt, err := d.execute(ctx, req)
	if err != nil {
		d.memory.failed(seq)
		return err
	}

	if receipt.Position <= head { // an answer from before
		return d.memory.sync(d.ctx)
	}
	return nil
}

// head returns the position of the newest record; the highest that there is where
// nobody can tell.
func (d *drain) head() (eventstore.Position, error) {
	if of, can := d.Ledger.(interface {
		Head(context.Context) (eventstore.Position, error)
	}); can && d.memory != nil {
		return of.Head(d.ctx)
	}
	return 1<<64 - 1, nil
}

// turnAway rejects a message. When it returns, that it was seen is on disk.
func (d *drain) turnAway(m jetstream.Msg, meta *jetstream.MsgMetadata, r refusal.Refusal, hint string) error {
	if err := d.memory.keep(d.ctx, meta.Sequence.Stream); err != nil {
		return err
	}
	if err := d.reject(m, meta, r, hint); err != nil {
		d.memory.failed(meta.Sequence.Stream)
		return err
	}
	return d.memory.sync(d.ctx)
}
