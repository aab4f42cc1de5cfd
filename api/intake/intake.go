// Package intake takes events from NATS to the ledger, by two roads: requests
// that are answered with a receipt, and a JetStream stream that is drained.
// One person's messages keep the order in which a road delivered them; nothing
// is promised between the roads.
//
// A back end or a device may sign a structured event by a header; see
// [wire.SignatureHeader].
//
// The stream of incoming events is a work queue: what the ledger took, or put
// with the rejected, is gone from it; what nobody took yet stays, however
// long that is. JetStream is a buffer and not the record: a producer may send
// again what it is not sure of, with the same id.
//
// The user that the ledger connects as needs [Permissions] and no more. Who
// may publish in the name of an app is the server's to say: an app's user gets
// consent.v1.<app>.record, consent.v1.<app>.check, consent.v1.<app>.prompt and
// consent.v1.<app>.in.>, or only those types under "in." that it may say, and
// never consent.v1.<app>.rejected. An event whose type is not the one in its
// subject is refused. What only operators may record comes
// in by package natsrest, on subjects of its own.
//
// Every answer has a JSON body with the text outcome: recorded, answered, refused
// or unknown. Clients of other languages do not see the error headers.
//
// A check that cannot be answered now is answered with status "unknown", which
// is not allowed, and the service's error code 503.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams, and what they listen to.
const (
	InStream       = "CONSENT_IN"
	RejectedStream = "CONSENT_REJECTED"
	SeenBucket     = "CONSENT_REJECTED_SEEN"

	inSubjects       = "consent.v1.*.in.>"
	rejectedSubjects = "consent.v1.*.rejected"
)

// An Executor records requests and says what is known of a person and an app.
type Executor interface {
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	State(ctx context.Context, app domain.AppName, who domain.PersonKey, asOf ledger.AsOf) (ledger.State, error)
	App(ctx context.Context, app domain.AppName) (domain.Reference, error)
	LogCheck(ctx context.Context, req ledger.Request, answered domain.CheckAnswered) error
	Now() domain.Instant
}

// A Config is what intake stands on.
type Config struct {
	Conn    *nats.Conn
	Ledger  Executor
	Log     *slog.Logger // nil: slog.Default
	Seal    func(ctx context.Context, app string, plain []byte) ([]byte, error)
	Unseal  func(ctx context.Context, app string, sealed []byte) ([]byte, error)
	Workers int // how many messages of a road are worked on at once; zero: 4096
}

// Run takes messages until ctx is done, finishes what it began and returns
// nil; or until somebody deletes what it reads from, which is an error. Ready
// is called once, when both roads are open; it may be nil.
func Run(ctx context.Context, c Config, ready func()) error {
	if c.Workers == 0 {
		c.Workers = 4096
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	js, err := jetstream.New(c.Conn)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	if err := makeStreams(ctx, c, js); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("intake: %w", permitted(c.Conn, err))
	}
	in, err := openStream(ctx, c, js)
	if err != nil {
		return fmt.Errorf("intake: %w", permitted(c.Conn, err))
	}
	defer in.drain()
	drainRequests, err := openService(ctx, c)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	defer drainRequests()
	if err := c.Conn.FlushTimeout(10 * time.Second); err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	if err := permitted(c.Conn, nil); err != nil { // a service that may not listen would be deaf and not know it
		return fmt.Errorf("intake: %w", err)
	}
	if ready != nil {
		ready()
	}
	select {
	case <-ctx.Done():
		return nil
	case <-in.closed:
		return fmt.Errorf("intake: stream %s or its consumer was deleted; a new start makes it again", InStream)
	}
}

// permitted returns err, with what the server did not permit, if there is any.
func permitted(nc *nats.Conn, err error) error {
	if last := nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
		return errors.Join(last, err)
	}
	return err
}

// makeStreams makes what does not exist yet. What an administrator made
// before, with other limits or more replicas, is left so.
func makeStreams(ctx context.Context, c Config, js jetstream.JetStream) error {
	in := jetstream.StreamConfig{
		Name: InStream, Description: "events that the ledger has not taken yet", Subjects: []string{inSubjects},
		Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
		DenyDelete: true, Duplicates: 2 * time.Minute,
	}
	rejected := jetstream.StreamConfig{
		Name: RejectedStream, Description: "events that the ledger did not take, sealed", Subjects: []string{rejectedSubjects},
		Storage: jetstream.FileStorage, MaxAge: 30 * 24 * time.Hour, Duplicates: 2 * time.Minute,
	}
	for _, bucket := range []jetstream.KeyValueConfig{
		{Bucket: SeenBucket, Description: "rejected events that somebody looked at, and why they may rest", TTL: 60 * 24 * time.Hour},
		{Bucket: UnseenBucket, Description: "rejected events that may be a no and that nobody looked at, sealed"},
	} {
		if err := makeBucket(ctx, js, bucket); err != nil {
			return err
		}
	}
	if err := makeStream(ctx, js, rejected); err != nil {
		return err
	}
	if err := retireOldStream(ctx, c, js); err != nil {
		return fmt.Errorf("stream %s of the older kind: %w", InStream, err)
	}
	return makeStream(ctx, js, in)
}

func makeStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if want.Name == RejectedStream { // what the buckets have is of an earlier one
			if want.FirstSeq, err = firstFree(ctx, js); err != nil {
				return err
			}
		}
		_, err = js.CreateStream(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}
	if s == nil {
		return nil
	}
	have := s.CachedInfo().Config
	if len(have.Subjects) != 1 || have.Subjects[0] != want.Subjects[0] || have.Retention != want.Retention || have.Storage != want.Storage {
		return fmt.Errorf("stream %s is not the ledger's: want subject %s, retention %s, storage %s; delete it when it is empty, or give the ledger an account of its own",
			want.Name, want.Subjects[0], want.Retention, want.Storage)
	}
	return nil
}

func makeBucket(ctx context.Context, js jetstream.JetStream, want jetstream.KeyValueConfig) error {
	_, err := js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		_, err = js.CreateKeyValue(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", want.Bucket, err)
	}
	return nil
}
