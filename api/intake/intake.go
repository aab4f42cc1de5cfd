// Package intake takes events from NATS to the ledger, by two roads: requests
// that are answered with a receipt, and a JetStream stream that is drained.
// One person's messages keep the order in which a road delivered them; nothing
// is promised between the roads.
package intake

import (
	"context"
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

// An Executor records requests and says what is known of a person.
type Executor interface {
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	State(ctx context.Context, app domain.AppName, who domain.PersonKey, asOf ledger.AsOf) (ledger.State, error)
}

// A Config is what intake stands on.
type Config struct {
	Conn    *nats.Conn
	Ledger  Executor
	Now     func() domain.Instant
	Log     *slog.Logger // nil: slog.Default
	Seal    func(ctx context.Context, app string, plain []byte) ([]byte, error)
	Unseal  func(ctx context.Context, app string, sealed []byte) ([]byte, error)
	Workers int // how many messages of a road are worked on at once; zero: 4096
}

// Run takes messages until ctx is done, finishes what it began and returns
// nil. Ready is called once, when both roads are open; it may be nil.
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
	if err := makeStreams(ctx, js); err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	drainIn, err := openStream(ctx, c, js)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	drainRequests, err := openService(ctx, c)
	if err != nil {
		drainIn()
		return fmt.Errorf("intake: %w", err)
	}
	if err := c.Conn.FlushTimeout(10 * time.Second); err != nil {
		drainRequests()
		drainIn()
		return fmt.Errorf("intake: %w", err)
	}
	if ready != nil {
		ready()
	}
	<-ctx.Done()
	drainRequests()
	drainIn()
	_ = c.Conn.FlushTimeout(5 * time.Second) // an ack that is lost is a redelivery, which is harmless
	return nil
}

func makeStreams(ctx context.Context, js jetstream.JetStream) error {
	for _, s := range []jetstream.StreamConfig{
		{
			Name: InStream, Description: "events on their way into the ledger", Subjects: []string{inSubjects},
			Storage: jetstream.FileStorage, MaxAge: 7 * 24 * time.Hour, DenyDelete: true, Duplicates: 2 * time.Minute,
		},
		{
			Name: RejectedStream, Description: "events that the ledger did not take, sealed", Subjects: []string{rejectedSubjects},
			Storage: jetstream.FileStorage, MaxAge: 30 * 24 * time.Hour, Duplicates: 2 * time.Minute,
		},
	} {
		if _, err := js.CreateOrUpdateStream(ctx, s); err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
	}
	_, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: SeenBucket, Description: "rejected events that somebody looked at, and why they may rest", TTL: 60 * 24 * time.Hour,
	})
	if err != nil {
		return fmt.Errorf("bucket %s: %w", SeenBucket, err)
	}
	return nil
}
