// Package outbox tells on NATS what becomes of obligations: that one opened,
// moved, was met or is void, is at risk, or is overdue. It follows the log and
// publishes a CloudEvent for every such fact on consent.v1.<app>.out.<type>,
// into the stream [Stream]. If it is wanted it tells what persons say, too: given,
// refused and withdrawn consents, into the stream [ChangesStream].
//
// Every message's header carries its position in the log. A publisher goes on
// after the last message's, and publishes only right behind the message that it
// knows as the last; so of several processes one does, the others lose and read
// again, and every fact is told once, in the order of the log. Nothing is told
// while NATS is away; afterwards it is.
//
// The stream keeps its last message for ever, for that says how far it is. It
// is a projection of the log, and like the others it is not synced: where the
// server can, it stores messages when it comes to it. What it forgets when it is
// killed or the power fails is told again from there, with the same numbers and
// ids.
//
// What is told of obligations holds no personal data. What is told of consents names the
// person as the app does, who is looked up when it is sent: of a person who was erased it
// has no id. That stream keeps a message for a week, no longer; and when the outbox comes
// to an erasure, it takes the messages of that person out of it.
//
// Who may read the streams is the server's to say, as with what apps send. An app's user
// may be let see consent.v1.<app>.out.> alone.
package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/nats/subject"
	"consentledger/api/wire"
	"consentledger/domain/cases"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/tracing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// The streams, and what they listen to. While nothing is told of consents, the stream of
// obligations listens to all that goes out, as it did before there were two.
const (
	Stream             = intake.OutStream
	ChangesStream      = intake.ChangesStream
	subjects           = subject.Any + "out.>"
	obligationSubjects = subject.Any + "out.obligation.>"
	consentSubjects    = subject.Any + "out.consent.>"
)

// pseudonymHeader says of whom a message of [ChangesStream] is, so that it is found when
// that person is erased.
const pseudonymHeader = "Consent-Pseudonym"

// positionHeader says where in the log a message's fact stands, and partHeader which
// it is of several that are told of one record: the first is 1. Of a record that is
// told by one message it is absent.
const (
	positionHeader = "Consent-Position"
	partHeader     = "Consent-Part"
)

// A place is how far was told: all of a record, or so many parts of it.
type place struct {
	at    eventstore.Position
	parts int    // zero: all
	id    string // of the event that says so; empty: none does
}

// after returns after which position the log is read on from there.
func (p place) after() eventstore.Position {
	if p.parts > 0 {
		return p.at - 1
	}
	return p.at
}

// A Ledger is what an Outbox tells of.
type Ledger interface {
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error]
	Head(ctx context.Context) (eventstore.Position, error)
	Duties(ctx context.Context, stream ident.StreamID) (cases.Duties, error)
	Outside(ctx context.Context, app ident.AppName, pseudonym string) (ident.PersonKey, bool, error)
}

// An Outbox publishes what is told about one topic. Fill in the first two fields; the rest
// of the zero Outbox is ready to tell of obligations.
type Outbox struct {
	Conn   *nats.Conn
	Ledger Ledger
	Topic  Topic
	Rows   eventstore.Rows // where it is kept how far was told of consents; other topics need none
	Apart  bool            // consents are told, too: the stream of obligations leaves them to theirs
	Log    *slog.Logger    // nil: slog.Default
	Traces *tracing.Traces // nil: nothing is traced

	kept   changesRow          // of consents: what the row says
	mark   eventstore.Position // what the row will say, and is told for a while
	marked time.Time           // when the row was written

	mu       sync.Mutex
	at       eventstore.Position
	err      error
	settings error  // what is wrong with the stream, as it was last looked at
	reopen   func() // ends what is being published, which begins anew
}

// State returns the position up to which all is told, and what keeps the rest
// from being so.
func (o *Outbox) State() (eventstore.Position, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at, cmp.Or(o.err, o.settings)
}

func (o *Outbox) note(at eventstore.Position, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err = err; at != 0 {
		o.at = at
	}
}

// answerTime is how long the stream may take to answer a message.
const answerTime = 5 * time.Second

// How long the outbox waits that met a broken ledger or server.
const (
	firstTry = 100 * time.Millisecond
	lastTry  = 30 * time.Second
)

// Run publishes until ctx is done, which is no error, or a record cannot be
// read. It is called once.
func (o *Outbox) Run(ctx context.Context) error {
	js, err := jetstream.New(o.Conn, jetstream.WithPublishAsyncTimeout(answerTime))
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}

	wait := firstTry
	for {
		told, err := o.publish(ctx, js)
		switch _, unreadable := errors.AsType[*codec.UnreadableError](err); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errSecond):
			continue
		case unreadable:
			err = fmt.Errorf("outbox: %w", err)
			o.note(0, err)
			return err
		}
		if told {
			wait = firstTry
		}
		o.note(0, err)
		o.log().Warn("the outbox waits", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, lastTry)
	}
}

// errSecond says that another process told it first.
var errSecond = errors.New("another process is telling")

// publish tells what is not told until something goes wrong, and reports
// whether it told anything.
func (o *Outbox) publish(ctx context.Context, js jetstream.JetStream) (any bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.mu.Lock()
	o.reopen = cancel
	o.mu.Unlock()

	seq, told, err := o.last(ctx, js)
	if err != nil {
		return false, permitted(o.Conn, err)
	}
	head, err := o.Ledger.Head(ctx)
	if err != nil {
		return false, err
	}
	if told.at > head {
		return false, fmt.Errorf("stream %s tells of position %d, and the log ends at %d: it is of another ledger, "+
			"or this one lost records; give this one a stream of its own, or delete the stream: everything is told "+
			"again with the same ids", o.Topic.stream(), told.at, head)
	}
	if err := o.sameHistory(ctx, told); err != nil {
		return false, err
	}
	o.note(told.after(), nil)
	for entries, err := range o.Ledger.Follow(ctx, told.after()) {
		if err != nil {
			return any, err
		}
		for batch := range o.Topic.batches(entries) {
			n, err := o.tell(ctx, js, batch, told, seq)
			any, seq = any || n > 0, seq+uint64(n)
			if err == nil {
				err = o.settle(ctx, js, batch[len(batch)-1])
			}
			if err != nil {
				return any, permitted(o.Conn, err)
			}
		}
		o.note(entries[len(entries)-1].Position, nil)
	}
	return any, ctx.Err()
}

// sameHistory refuses to go on behind an event that is of another record than the one that
// has its position now: a ledger that was restored from an older backup has grown past it
// meanwhile, and what it recorded up to there would be told to nobody. Where there is no
// record, the ledger was moved to another store.
func (o *Outbox) sameHistory(ctx context.Context, told place) error {
	if told.id == "" || told.at == 0 {
		return nil
	}

	// the log has records behind it, so that it does not wait
	for entries, err := range o.Ledger.Follow(ctx, told.at-1) {
		if err != nil {
			return err
		}
		e := entries[0]
		if record, _, _ := strings.Cut(told.id, "/"); e.Position != told.at || record == e.ID.String() {
			return nil
		}
		return fmt.Errorf("stream %s tells of another record at position %d than the log has there: it is of another "+
			"ledger, or this one was restored from before; "+
			"give this one a stream of its own, or delete the stream: everything is told again with the same ids",
			o.Topic.stream(), told.at)
	}
	return ctx.Err()
}

// tell publishes what is to be told of entries, each right behind the one before
// and the first behind the message that is the last, and returns how many were
// taken. It waits for none before it sends the next: if one is not taken, none
// behind it is. What was told of before is not told again.
func (o *Outbox) tell(
	ctx context.Context, js jetstream.JetStream, entries []codec.Entry, told place, seq uint64,
) (taken int, err error) {
	var sent []jetstream.PubAckFuture
	var bad error // what was not sent, and nothing behind it
	for m, err := range o.messages(ctx, entries, told) {
		if err != nil {
			bad = err
			break
		}
		ack, err := js.PublishMsgAsync(m, jetstream.WithExpectLastSequence(seq+uint64(len(sent))),
			jetstream.WithExpectStream(o.Topic.stream()))
		if err != nil {
			bad = fmt.Errorf("stream %s: %w", o.Topic.stream(), err)
			break
		}
		sent = append(sent, ack)
	}

	for _, ack := range sent {
		select {
		case <-ack.Ok():
			taken++
		case err := <-ack.Err():
			if second(err) {
				return taken, errSecond
			}
			return taken, fmt.Errorf("stream %s: %w", o.Topic.stream(), err)
		case <-ctx.Done():
			return taken, ctx.Err()
		}
	}
	return taken, bad
}

// messages yields what is told of entries, without what was told of before.
func (o *Outbox) messages(ctx context.Context, entries []codec.Entry, told place) iter.Seq2[*nats.Msg, error] {
	return func(yield func(*nats.Msg, error) bool) {
		for _, e := range entries {
			parts := o.Topic.parts(e)
			for i, part := range parts {
				if e.Position == told.at && i < told.parts {
					continue
				}
				m, err := o.message(ctx, part)
				if err == nil && o.Topic == Obligations && len(e.Owing) > 0 {
					m.Header.Set(partHeader, strconv.Itoa(i+1))
				}
				if !yield(m, err) || err != nil {
					return
				}
			}
		}
	}
}

// message returns what is told of one fact.
func (o *Outbox) message(ctx context.Context, e codec.Entry) (*nats.Msg, error) {
	event, err := o.Topic.event(ctx, o.Ledger, e)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: subject.Of(string(event.App), "out."+event.Type), Data: event.Body, Header: nats.Header{
		"Content-Type": {"application/cloudevents+json"}, positionHeader: {wire.FormatPosition(e.Position)},
	}}
	if event.Pseudonym != "" {
		m.Header.Set(pseudonymHeader, event.Pseudonym)
	}
	o.trace(ctx, e, m)
	return m, nil
}

// trace lets a message go on with the trace of the fact that it tells, if that is known
// still: whoever reads it is in the same trace.
func (o *Outbox) trace(ctx context.Context, e codec.Entry, m *nats.Msg) {
	ctx, span := o.Traces.Follows(ctx, e.ID, "send "+subject.Of("{app}", "out.{type}"),
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.type", "send")))
	defer span.End()
	if span.SpanContext().IsValid() {
		m.Header["traceparent"] = []string{tracing.Traceparent(ctx)} // as other languages write it, who read no other
	}
}

// second reports whether the stream has grown since it was looked at.
func second(err error) bool {
	e, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func (o *Outbox) log() *slog.Logger {
	if o.Log == nil {
		return slog.Default()
	}
	return o.Log
}
