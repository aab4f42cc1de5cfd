package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// durable is the name of the ledger's consumer of [InStream], where one process drains
// it. Where several take turns it is what the names begin with, see [term].
const durable = "ledger"

// consumerConfig is the consumer as the ledger makes it. The server hands out no
// more than MaxAckPending at once, and hands out again what is not acked in time.
var consumerConfig = jetstream.ConsumerConfig{
	Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: 1024, MaxDeliver: -1,
}

// A consumerSetting is one member of a consumer's configuration that decides
// whether a message that waits is handed out, whole.
type consumerSetting struct {
	name  string // as nats consumer info --json has it
	value func(*jetstream.ConsumerConfig) any
}

// consumerSettings are compared. All of them are mended in one way: the consumer
// is made anew, which costs nothing: what the ledger has not acked is in the
// stream, and what it is handed twice it answers as before.
var consumerSettings = []consumerSetting{
	{"deliver_policy", func(c *jetstream.ConsumerConfig) any { return c.DeliverPolicy }},
	{"opt_start_seq", func(c *jetstream.ConsumerConfig) any { return c.OptStartSeq }},
	{"opt_start_time", func(c *jetstream.ConsumerConfig) any { return c.OptStartTime != nil }},
	{"ack_policy", func(c *jetstream.ConsumerConfig) any { return c.AckPolicy }},
	{"ack_wait", func(c *jetstream.ConsumerConfig) any { return c.AckWait }},
	{"max_deliver", func(c *jetstream.ConsumerConfig) any { return max(c.MaxDeliver, 0) }},
	{"backoff", func(c *jetstream.ConsumerConfig) any { return len(c.BackOff) }},
	{"filter_subject", func(c *jetstream.ConsumerConfig) any { return c.FilterSubject }},
	{"filter_subjects", func(c *jetstream.ConsumerConfig) any { return strings.Join(c.FilterSubjects, " ") }},
	{"replay_policy", func(c *jetstream.ConsumerConfig) any { return c.ReplayPolicy }},
	{"rate_limit_bps", func(c *jetstream.ConsumerConfig) any { return c.RateLimit }},
	{"max_waiting", func(c *jetstream.ConsumerConfig) any { return c.MaxWaiting > 0 && c.MaxWaiting < 8 }},
	{"max_ack_pending", func(c *jetstream.ConsumerConfig) any { return c.MaxAckPending }},
	{"headers_only", func(c *jetstream.ConsumerConfig) any { return c.HeadersOnly }},
	{"max_batch", func(c *jetstream.ConsumerConfig) any { return c.MaxRequestBatch }},
	{"max_expires", func(c *jetstream.ConsumerConfig) any { return c.MaxRequestExpires }},
	{"max_bytes", func(c *jetstream.ConsumerConfig) any { return c.MaxRequestMaxBytes }},
	{"inactive_threshold", func(c *jetstream.ConsumerConfig) any { return c.InactiveThreshold }},
	{"mem_storage", func(c *jetstream.ConsumerConfig) any { return c.MemoryStorage }},
	{"pause_until", func(c *jetstream.ConsumerConfig) any {
		return c.PauseUntil != nil && time.Until(*c.PauseUntil) > 0
	}},
	{"priority_policy", func(c *jetstream.ConsumerConfig) any { return c.PriorityPolicy }},
	{"priority_groups", func(c *jetstream.ConsumerConfig) any { return len(c.PriorityGroups) }},
	{"deliver_subject", func(c *jetstream.ConsumerConfig) any { return c.DeliverSubject != "" }},
	{"flow_control", func(c *jetstream.ConsumerConfig) any { return c.FlowControl }},
	{"idle_heartbeat", func(c *jetstream.ConsumerConfig) any { return c.IdleHeartbeat }},
}

// consumerDiffers names the settings in which a consumer is not as the ledger
// makes it.
func consumerDiffers(have *jetstream.ConsumerConfig) (wrong []string) {
	for _, s := range consumerSettings {
		if s.value(have) != s.value(&consumerConfig) {
			wrong = append(wrong, fmt.Sprintf("%s is %v", s.name, s.value(have)))
		}
	}
	return wrong
}

// openConsumer returns the ledger's consumer, made anew if it is one that keeps
// back, cuts or gives up messages; or that was seen to do so, which stuck says.
func openConsumer(ctx context.Context, c Config, js jetstream.JetStream, stuck bool) (jetstream.Consumer, error) {
	if c.term != nil {
		if err := c.endOthers(ctx, js); err != nil {
			return nil, err
		}
	}
	name := c.consumer()
	wrong, err := lookAtConsumer(ctx, js, name)
	if err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", InStream, err)
	}
	if stuck {
		wrong = append(wrong, "it hands out no longer what it should")
	}

	var kept error // why the old one could not be removed
	if len(wrong) > 0 {
		if kept = js.DeleteConsumer(ctx, InStream, name); kept == nil {
			c.Log.Warn("a consumer that could keep messages back was made anew", "stream", InStream, "consumer", name,
				"because", wrong)
		}
	}

	consumer, err := js.CreateOrUpdateConsumer(ctx, InStream, c.wantedConsumer())
	if err == nil {
		if wrong = consumerDiffers(&consumer.CachedInfo().Config); len(wrong) == 0 {
			return consumer, nil
		}
		err = errors.New("the server leaves it so")
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("consumer %s of %s keeps messages back: %s; delete it, and start again: %w",
			name, InStream, strings.Join(wrong, ", "), errors.Join(err, kept))
	}
	if e, refused := errors.AsType[*jetstream.APIError](err); refused && slices.Contains(notAlone, e.ErrorCode) {
		return nil, fmt.Errorf("%s has another consumer, which takes messages that the ledger never sees%s: delete "+
			"it: %w", InStream, others(ctx, js, name), err)
	}
	return nil, fmt.Errorf("consumer of %s: %w", InStream, err)
}

// notAlone are the server's words for a work queue that has another consumer.
var notAlone = []jetstream.ErrorCode{10099, 10100}

// others names the consumers of the stream, where the ledger may ask for them.
func others(ctx context.Context, js jetstream.JetStream, own string) (names string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, InStream)
	if err != nil {
		return ""
	}
	for name := range stream.ConsumerNames(ctx).Name() {
		if name != own {
			names += " (" + name + ")"
		}
	}
	return names
}

// lookAtConsumer says what is wrong with the consumer as it is. None is fine.
func lookAtConsumer(ctx context.Context, js jetstream.JetStream, name string) (wrong []string, err error) {
	// The stream first: what comes in between is no message that is stuck.
	stream, err := js.Stream(ctx, InStream)
	if err != nil {
		return nil, err
	}
	consumer, err := js.Consumer(ctx, InStream, name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, nil
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		return []string{"deliver_subject is set"}, nil
	case err != nil:
		return nil, err
	}

	info, state := consumer.CachedInfo(), stream.CachedInfo()
	wrong = consumerDiffers(&info.Config)
	if known := info.NumPending + uint64(info.NumAckPending); state.Config.Retention == jetstream.WorkQueuePolicy &&
		state.State.Msgs > known {
		wrong = append(wrong, fmt.Sprintf("%d messages were given up", state.State.Msgs-known))
	}
	return slices.Clip(wrong), nil
}
