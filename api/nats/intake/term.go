package intake

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"consentledger/eventstore"

	"github.com/nats-io/nats.go/jetstream"
)

// A term is the time during which one of several processes drains the stream of
// incoming events. Who has the turn is not for this package to say; but a process that
// slept believes in it a while longer than the others do, and two that drain would
// part one person's messages among them. So a term is more than the turn:
//
// Every term has a consumer of its own. Whoever begins one deletes that of the term
// before, and with it what was handed out and not acknowledged becomes the stream's
// again: the new consumer hands it out in its order, from the oldest. The process of
// the term before finds its consumer gone. What it has in hand it may still record:
// those messages come again, behind nothing that is recorded out of turn, and a second
// recording is answered as the first.
//
// Every term has a row with its number, and writes what it knows of the stream only as
// long as that row is there: whoever begins the next takes it away. So what an older
// term knows never stands over what a newer one does.
//
// # Why one drains
//
// Partitioned consumers (orbit.go/pcgroups) would let several processes drain at once.
// They part messages by a token of the subject, so a person would have to stand in it,
// if only as a hash: it is personal data all the same, and everybody sees subjects.
//
// Whoever drains could hand messages to other processes to decide, and acknowledge them
// once they answer. If one of these sleeps, the message has to be decided here; and the
// sleeper decides it when it wakes, maybe long after it was turned away here and put
// with the rejected. A message would have two ends. What it would buy is the time of a
// processor for parsing and deciding: the event store, which all share, bounds what is
// recorded. What has to be quick is a request, and those every process answers.
//
// # Rows
//
//	n/h number    the term; the number is big-endian and the value JSON with a version
type term struct {
	number uint64
	name   string // of the consumer
	over   context.CancelCauseFunc
}

const termRows = "n/h"

// errOver says that another process drains the stream now.
var errOver = errors.New("another process drains the stream of incoming events now")

// beginTerm begins the next term. Over is called when it is found to have ended.
func beginTerm(ctx context.Context, rows eventstore.Rows, process string, over context.CancelCauseFunc) (*term, error) {
	var last uint64
	var c eventstore.Change
	for row, err := range rows.Scan(ctx, []byte(termRows)) {
		if err != nil {
			return nil, fmt.Errorf("term: %w", err)
		}
		last = numberOf(row.Key)
		c.Present, c.Delete = append(c.Present, bytes.Clone(row.Key)), append(c.Delete, bytes.Clone(row.Key))
	}

	t := &term{number: last + 1, over: over}
	t.name = fmt.Sprintf("%s-%d-%s", durable, t.number, strings.ToLower(rand.Text()[:8]))
	value, err := json.Marshal(struct {
		Version  int    `json:"v"`
		Consumer string `json:"consumer"`
		Process  string `json:"process"`
	}{1, t.name, process})
	if err != nil {
		panic("intake: a term does not make JSON: " + err.Error())
	}
	c.Absent = [][]byte{t.row()}
	c.Put = []eventstore.Row{{Key: t.row(), Value: value}}
	err = eventstore.WriteDurably(ctx, rows, c)
	if errors.Is(err, eventstore.ErrCondition) {
		err = errOver // another was faster
	}
	if err != nil {
		return nil, fmt.Errorf("term %d: %w", t.number, err)
	}
	return t, nil
}

func (t *term) row() []byte { return numbered(termRows, t.number) }

// write makes a change, if the term is not over. A nil term is never over.
func (t *term) write(ctx context.Context, rows eventstore.Rows, c eventstore.Change) error {
	if t == nil {
		return rows.Write(ctx, c)
	}
	c.Present = append(c.Present[:len(c.Present):len(c.Present)], t.row())
	err := rows.Write(ctx, c)
	if errors.Is(err, eventstore.ErrCondition) {
		t.over(errOver)
		return errOver
	}
	return err
}

// lasts returns an error if the term is over.
func (t *term) lasts(ctx context.Context, rows eventstore.Rows) error {
	if t == nil {
		return nil
	}
	_, there, err := rows.Get(ctx, t.row())
	if err == nil && !there {
		t.over(errOver)
		err = errOver
	}
	return err
}

// consumer returns the name of the ledger's consumer.
func (c Config) consumer() string {
	if c.term == nil {
		return durable
	}
	return c.term.name
}

// wantedConsumer is the consumer as the ledger makes it.
func (c Config) wantedConsumer() jetstream.ConsumerConfig {
	want := consumerConfig
	want.Durable = c.consumer()
	if c.term != nil {
		want.Description = "drained by " + c.Process
	}
	return want
}

// endOthers deletes the consumers of earlier terms.
func (c Config) endOthers(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, InStream)
	if err != nil {
		return err
	}

	names := stream.ConsumerNames(ctx)
	for name := range names.Name() {
		if name == c.term.name || name != durable && !strings.HasPrefix(name, durable+"-") {
			continue
		}
		err := js.DeleteConsumer(ctx, InStream, name)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("consumer %s of %s, of a process that drained it before: %w", name, InStream, err)
		}
	}
	return names.Err()
}

// takeTurns drains the stream whenever it is this process's turn, until ctx is done.
// What goes wrong in a turn is told by [Watch] for a while, and tried again, maybe by
// another process.
func takeTurns(ctx context.Context, c Config, js jetstream.JetStream) error {
	for ctx.Err() == nil {
		err := c.Turn(ctx, func(ctx context.Context) error {
			err := c.takeTurn(ctx, js)
			if ctx.Err() != nil || errors.Is(err, errOver) {
				err = nil
			}
			c.Watch.parted(err)
			return err
		})
		if err == nil || ctx.Err() != nil {
			continue
		}
		if c.Conn.IsClosed() {
			return err
		}
		c.Log.Error("the stream of incoming events is not drained, and is tried again", "err", err)
		pause(ctx, LookEvery)
	}
	return nil
}

// takeTurn drains the stream for one term, until ctx is done or the term is over.
func (c Config) takeTurn(ctx context.Context, js jetstream.JetStream) (err error) {
	ctx, over := context.WithCancelCause(ctx)
	defer over(nil)
	if c.term, err = beginTerm(ctx, c.Rows, c.Process, over); err != nil {
		return err
	}
	c.Log.Info("this process drains the stream of incoming events", "consumer", c.term.name)
	defer c.Log.Info("this process drains the stream of incoming events no more", "consumer", c.term.name)

	if err := makeStreams(ctx, c, js); err != nil {
		return permitted(c.Conn, err)
	}
	m, err := remember(ctx, c.Rows)
	if err != nil {
		return err
	}
	m.term = c.term
	w := newWitness(c, js, m)
	if err := w.meet(ctx); err != nil {
		return permitted(c.Conn, err)
	}
	err = drainStream(ctx, c, js, w, func() error { return permitted(c.Conn, nil) })
	if cause := context.Cause(ctx); errors.Is(cause, errOver) {
		return cause
	}
	return err
}
