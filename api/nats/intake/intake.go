// Package intake takes events from NATS to the ledger, by two roads: requests
// that are answered with a receipt, and a JetStream stream that is drained.
// One person's messages keep the order in which a road delivered them; nothing
// is guaranteed between the roads.
//
// A back end or a device may sign a structured event by a header; see
// [wire.SignatureHeader].
//
// The stream of incoming events is a work queue: what the ledger took, or put
// with the rejected, is gone from it; what nobody took yet stays, however
// long that is. JetStream is a buffer and not the record: a producer may send
// again what it is not sure of, with the same id. What could make the buffer lose
// a message is put right, or refused by name, at the start and again and again
// (see settings.go and consumer.go); what it loses nevertheless is found out by
// what the ledger's own store knows of it, and told (recall.go, loss.go). A
// [Watch] says how it stands.
//
// A request that is refused, and whose sender asked for no answer, is kept with
// the rejected messages.
//
// The user that the ledger connects as needs [Permissions] and no more. Who
// may publish in the name of an app is the server's to say: an app's user gets
// consent.v1.<app>.record, consent.v1.<app>.check, consent.v1.<app>.prompt and
// consent.v1.<app>.in.>, or only those types under "in." that it may say, and
// never consent.v1.<app>.rejected. An event whose type is not the one in its
// subject is refused. What only operators may record comes
// in by package operator, on subjects of its own.
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

	"consentledger/api/nats/natsservice"
	"consentledger/api/nats/subject"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams, and what they listen to.
const (
	InStream       = "CONSENT_IN"
	RejectedStream = "CONSENT_REJECTED"
	SeenBucket     = "CONSENT_REJECTED_SEEN"

	inSubjects       = subject.Any + "in.>"
	rejectedSubjects = subject.Any + "rejected"
)

// An Executor records requests and says what is known of a person and an app.
type Executor interface {
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error)
	App(ctx context.Context, app ident.AppName) (domain.Reference, error)
	LogCheck(ctx context.Context, req ledger.Request, answered domain.CheckAnswered) error
	Now() deadline.Instant
}

// A Config is what intake stands on.
type Config struct {
	Conn   *nats.Conn
	Ledger Executor
	Log    *slog.Logger // nil: slog.Default

	// Rehearse returns a ledger on which an event is tried.
	Rehearse func(ctx context.Context) (*ledger.Rehearsal, error)

	Sender  Sender // of what is sent to record; nil: nobody is known
	AskedBy Sender // of what is asked by check; nil: nobody is known

	// Reads reports whether who sent the values of a header Authorization may read persons of
	// an app; nil: everybody may.
	Reads func(ctx context.Context, app ident.AppName, values []string) bool

	Seal   func(ctx context.Context, app string, plain []byte) ([]byte, error)
	Unseal func(ctx context.Context, app string, sealed []byte) ([]byte, error)

	// What the ledger's own store knows of the streams, beside its records, so that
	// what NATS loses is seen. Nil: it is not. Apps names those whose logs are told.
	Rows eventstore.Rows
	Apps func() []ident.AppName

	// Again records an event that came by a road of operators or of groups.
	Again func(ctx context.Context, m *nats.Msg) (ledger.Receipt, error)

	// Turn says when this process drains the stream, where several serve one ledger: it
	// calls do whenever it is its turn, with a context that is done once it no longer is,
	// and returns what do returned. Rows are those that all of them share. Requests are
	// answered by every process. Nil: there is no other.
	Turn func(ctx context.Context, do func(context.Context) error) error

	// Process is what this process is called among the others; empty: there is none.
	Process string

	Admit   Admit  // of requests that wait for an answer; nil: there is always a place
	Workers int    // how many messages of a road are worked on at once; zero: 4096
	Watch   *Watch // is told how the roads are; nil: nobody asks

	Traces *tracing.Traces    // nil: nothing is traced
	Turned func(refusal.Code) // is told of every message that is rejected; nil: nobody counts

	term *term // nil: no other process drains the stream
}

// Run takes messages until ctx is done, finishes what it began and returns
// nil. What somebody deletes meanwhile is made again. Ready is called once, when
// both roads are open; it may be nil.
func Run(ctx context.Context, c Config, ready func()) error {
	if c.Workers == 0 {
		c.Workers = 4096
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Watch == nil {
		c.Watch = new(Watch)
	}
	js, err := jetstream.New(c.Conn)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	var w *witness // of the stream; nil where processes take turns: each turn has its own
	meet := func() error {
		if err := makeStreams(ctx, c, js); err != nil || c.Turn != nil {
			return err
		}
		m, err := remember(ctx, c.Rows)
		if err != nil {
			return err
		}
		w = newWitness(c, js, m)
		return w.meet(ctx)
	}
	if err := c.insist(ctx, meet); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("intake: %w", permitted(c.Conn, err))
	}
	opened := func() error {
		if err := natsservice.Listens(ctx, c.Conn); err != nil {
			return err
		}
		if err := permitted(c.Conn, nil); err != nil { // a service that may not listen would be deaf and not know it
			return err
		}
		c.Watch.opened(true)
		if ready != nil {
			ready()
		}
		return nil
	}
	if c.Turn != nil {
		return shareRoads(ctx, c, js, opened)
	}

	drainRequests, err := openService(ctx, c, js)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	defer drainRequests()
	defer c.Watch.opened(false)
	return drainStream(ctx, c, js, w, opened)
}

// shareRoads is what Run does where other processes serve the same ledger: each
// answers requests, and one at a time drains the stream.
func shareRoads(ctx context.Context, c Config, js jetstream.JetStream, opened func() error) error {
	drainRequests, err := openService(ctx, c, js)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	defer drainRequests()
	defer c.Watch.opened(false)
	if err := opened(); err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	return takeTurns(ctx, c, js)
}

// drainStream drains the stream until ctx is done, by a consumer that is made
// anew whenever somebody changed it so that it keeps messages back, or deleted it.
// Opened is called once, when the first stands: after that an opening that fails is
// tried again, and health is red meanwhile.
func drainStream(ctx context.Context, c Config, js jetstream.JetStream, w *witness, opened func() error) error {
	for began, stuck := false, false; ; {
		if err := c.term.lasts(ctx, c.Rows); err != nil {
			return err // what this one would make anew is another's now
		}
		in, err := openStream(ctx, c, js, w.memory, stuck)
		switch {
		case ctx.Err() != nil && err != nil:
			return nil
		case errors.Is(err, jetstream.ErrStreamNotFound):
			if err := restore(ctx, c, js, w, nil); err != nil {
				return fmt.Errorf("intake: %w", err)
			}
			continue
		case err != nil && (!began && !passes(c.Conn, err) || c.Conn.IsClosed()):
			return fmt.Errorf("intake: %w", permitted(c.Conn, err))
		case err != nil:
			c.Watch.set(Settings, permitted(c.Conn, err))
			pause(ctx, LookEvery)
			continue
		}

		if !began {
			if err := opened(); err != nil {
				in.end()
				return fmt.Errorf("intake: %w", err)
			}
			began = true
		}
		c.Watch.drains()
		err = (&lookout{Config: c, js: js, in: in, witness: w}).watch(ctx)
		end := func() { in.end(); w.ends(ctx) }
		if errors.Is(err, errGone) {
			if over := c.term.lasts(ctx, c.Rows); over != nil { // whose consumer it was
				end()
				return over
			}
			if err := restore(ctx, c, js, w, end); err != nil {
				return fmt.Errorf("intake: %w", err)
			}
			continue
		}
		end()
		if err == nil {
			return nil
		}
		stuck = errors.Is(err, errStuck)
	}
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// permitted returns err, with what the server did not permit, if there is any.
func permitted(nc *nats.Conn, err error) error {
	if last := nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
		return errors.Join(last, err)
	}
	return err
}

// wanted are the streams and buckets as the ledger makes them.
func wanted() (in, rejected jetstream.StreamConfig, kv []jetstream.KeyValueConfig) {
	in = jetstream.StreamConfig{
		Name: InStream, Description: "events that the ledger has not taken yet", Subjects: []string{inSubjects},
		Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
		DenyDelete: true, Duplicates: dedupeWindow,
	}
	rejected = jetstream.StreamConfig{
		Name: RejectedStream, Description: "events that the ledger did not take, sealed",
		Subjects: []string{rejectedSubjects},
		// its ids are the ledger's own
		Storage: jetstream.FileStorage, MaxAge: wire.RejectedDays * 24 * time.Hour, Duplicates: 2 * time.Minute,
	}
	kv = []jetstream.KeyValueConfig{
		{Bucket: SeenBucket, Description: "rejected events that somebody looked at, and why they may rest",
			TTL: 60 * 24 * time.Hour},
		{Bucket: UnseenBucket, Description: "rejected events that may be a no and that nobody looked at, sealed"},
	}
	return in, rejected, kv
}

// makeStreams makes what does not exist yet. What an administrator made before
// is changed where it could lose a message, see [settings]; other limits, a
// longer age and more replicas are left so.
func makeStreams(ctx context.Context, c Config, js jetstream.JetStream) error {
	in, rejected, kv := wanted()
	for _, bucket := range kv {
		if err := makeBucket(ctx, c, js, bucket); err != nil {
			return err
		}
	}
	if err := makeStream(ctx, c, js, rejected); err != nil {
		return err
	}
	if err := retireOldStream(ctx, c, js); err != nil {
		return fmt.Errorf("stream %s of the older kind: %w", InStream, err)
	}
	return makeStream(ctx, c, js, in)
}

func makeStream(ctx context.Context, c Config, js jetstream.JetStream, want jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, want.Name)
	if err == nil {
		warnOfReplicas(c, s.CachedInfo())
		return adjust(ctx, c.Log, js, s.CachedInfo().Config, want)
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}

	if want.Name == RejectedStream { // what the buckets have is of an earlier one
		if want.FirstSeq, err = firstFree(ctx, js); err != nil {
			return err
		}
	}
	return replicated(c, func(replicas int) error {
		want.Replicas = replicas
		_, err := js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process made it meanwhile
			return Mend(ctx, c.Log, js, want)
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, err)
		}
		return nil
	})
}

func makeBucket(ctx context.Context, c Config, js jetstream.JetStream, want jetstream.KeyValueConfig) error {
	s, err := js.Stream(ctx, "KV_"+want.Bucket)
	if err == nil {
		return adjust(ctx, c.Log, js, s.CachedInfo().Config, bucketStream(want))
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("bucket %s: %w", want.Bucket, err)
	}

	return replicated(c, func(replicas int) error {
		want.Replicas = replicas
		_, err := js.CreateKeyValue(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || errors.Is(err, jetstream.ErrBucketExists) {
			return Mend(ctx, c.Log, js, bucketStream(want))
		}
		if err != nil {
			return fmt.Errorf("bucket %s: %w", want.Bucket, err)
		}
		return nil
	})
}

// bucketStream returns the stream that a bucket is made of, as far as it is
// compared.
func bucketStream(kv jetstream.KeyValueConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + kv.Bucket, Subjects: []string{"$KV." + kv.Bucket + ".>"}, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, MaxAge: kv.TTL,
	}
}

// warnOfReplicas says so if a cluster keeps a stream on one server. How many are
// right is the administrator's to say.
func warnOfReplicas(c Config, info *jetstream.StreamInfo) {
	if info.Cluster != nil && info.Cluster.Name != "" && info.Config.Replicas < 2 {
		c.Log.Warn("a stream is on one server of the cluster, and gone with its disk: give it three replicas", "stream",
			info.Config.Name)
	}
}

// replicated makes something with three replicas in a cluster that has room for
// them, else with one.
func replicated(c Config, make func(replicas int) error) error {
	if c.Conn.ConnectedClusterName() != "" {
		err := make(3)
		if _, refused := errors.AsType[*jetstream.APIError](err); err == nil || !refused {
			return err
		}
	}
	return make(1)
}
