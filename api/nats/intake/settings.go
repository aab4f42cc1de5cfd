package intake

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// dedupeWindow is the shortest that a NATS server takes; zero would mean two
// minutes. Within it the server drops what has the Nats-Msg-Id of another
// message, whichever app, person and body the two have, and acknowledges it as
// if it were kept. The ledger's own ids know what was sent twice.
const dedupeWindow = 100 * time.Millisecond

// A setting is one member of a stream's configuration that decides whether a
// message that was acknowledged reaches the ledger.
type setting struct {
	name  string   // as nats stream info --json has it
	harm  string   // what the stream does to messages when it is otherwise
	leave []string // the streams in which it is the administrator's to say

	value func(*config) any
	ok    func(have, want *config) bool // nil: when the values are the same
	mend  func(have, want *config)      // nil: a stream that exists cannot be changed so
}

type config = jetstream.StreamConfig

// The streams that the settings tell apart.
var (
	byEvents       = []string{InStream}
	keyValues      = []string{"KV_" + SeenBucket, "KV_" + UnseenBucket}
	outgoing       = []string{OutStream, ChangesStream}
	allButIncoming = append([]string{RejectedStream, OutStream, ChangesStream}, keyValues...)
)

// OutStream is the stream of package outbox, which is held to the same settings. It
// is told again from the log, so how it is stored is the administrator's to say; and
// nobody but the ledger publishes to it.
const OutStream = "CONSENT_OUT"

// ChangesStream is the other stream of package outbox, of what persons said.
const ChangesStream = "CONSENT_CHANGES"

// outRoom is what [OutStream] and [ChangesStream] may hold at least: their million messages, each of a
// kilobyte. With less one drops what a consumer that rests has not read.
const outRoom = 1 << 30

// atLeast reports whether a limit is none, or as high as the wanted one.
func atLeast(have, want int64) bool { return have <= 0 || want > 0 && have >= want }

// settings are compared in this order, and the first that cannot be mended is
// named. What is not among them loses, delays and hides nothing; the tests list
// it with the reasons.
var settings = []setting{
	{
		name: "mirror", harm: "it copies another stream, and takes no message of its own",
		value: func(c *config) any { return c.Mirror != nil },
	},
	{
		name: "subjects", harm: "it listens to something else",
		value: func(c *config) any { return strings.Join(c.Subjects, " ") },
	},
	{
		name: "retention", harm: "it removes what nobody took, or keeps what was taken",
		value: func(c *config) any { return c.Retention },
	},
	{
		name: "storage", harm: "a restart of the server empties it",
		leave: outgoing,
		value: func(c *config) any { return c.Storage },
	},
	{
		name: "sealed", harm: "nothing comes in, and what was taken cannot be removed",
		value: func(c *config) any { return c.Sealed },
	},
	{
		name: "persist_mode", harm: "it acknowledges before a message is on disk, so that a crash takes acknowledged " +
			"ones away",
		leave: outgoing,
		value: func(c *config) any { return c.PersistMode },
	},
	{
		name: "sources", harm: "somebody else decides what comes in, and in whose name",
		value: func(c *config) any { return len(c.Sources) },
	},
	{
		name: "subject_transform", harm: "a message that waits may be of another app than the one that sent it",
		value: func(c *config) any { return c.SubjectTransform != nil },
	},
	{
		name: "allow_msg_ttl", harm: "a sender's header Nats-TTL lets a message expire before it is taken",
		leave: allButIncoming,
		value: func(c *config) any { return c.AllowMsgTTL },
	},
	{
		name: "allow_msg_schedules", harm: "a sender's header Nats-Schedule keeps a message back",
		leave: outgoing,
		value: func(c *config) any { return c.AllowMsgSchedules },
	},
	{
		name: "allow_msg_counter", harm: "it adds up numbers and takes no events",
		value: func(c *config) any { return c.AllowMsgCounter },
	},
	{
		name: "duplicate_window", harm: "a message whose Nats-Msg-Id another one has is acknowledged and dropped",
		leave: allButIncoming,
		value: func(c *config) any { return c.Duplicates },
		mend:  func(have, want *config) { have.Duplicates = want.Duplicates },
	},
	{
		name: "discard", harm: "when it is full, it drops or refuses the wrong message",
		leave: []string{RejectedStream},
		value: func(c *config) any { return c.Discard },
		mend:  func(have, want *config) { have.Discard = want.Discard },
	},
	{
		name: "max_age", harm: "messages expire too early",
		value: func(c *config) any { return c.MaxAge },
		ok: func(have, want *config) bool {
			return have.MaxAge == 0 || want.MaxAge != 0 && have.MaxAge >= want.MaxAge
		},
		mend: func(have, want *config) { have.MaxAge = want.MaxAge },
	},
	{
		name: "max_msgs_per_subject", harm: "a newer message of an app pushes out an older one",
		leave: keyValues,
		value: func(c *config) any { return max(c.MaxMsgsPerSubject, 0) },
		mend:  func(have, _ *config) { have.MaxMsgsPerSubject = -1 },
	},
	{
		name: "discard_new_per_subject", harm: "it refuses messages of an app that sends many",
		leave: keyValues,
		value: func(c *config) any { return c.DiscardNewPerSubject },
		mend:  func(have, want *config) { have.DiscardNewPerSubject = want.DiscardNewPerSubject },
	},
	{
		name: "max_msgs", harm: "a message too many is refused, or pushes out another",
		value: func(c *config) any { return max(c.MaxMsgs, 0) },
		ok:    func(have, want *config) bool { return atLeast(have.MaxMsgs, want.MaxMsgs) },
		mend:  func(have, want *config) { have.MaxMsgs = cmp.Or(want.MaxMsgs, -1) },
	},
	// A stream of incoming events that has no more room on the disk refuses the next
	// one, and its sender knows.
	{
		name: "max_bytes", harm: "what is rejected, or is told, is pushed out, or finds no room",
		leave: byEvents,
		value: func(c *config) any { return max(c.MaxBytes, 0) },
		ok: func(have, want *config) bool {
			return have.MaxBytes <= 0 || slices.Contains(outgoing, want.Name) && have.MaxBytes >= outRoom
		},
		mend: func(have, _ *config) { have.MaxBytes = -1 },
	},
	{
		name: "max_msg_size", harm: "it refuses large messages",
		value: func(c *config) any { return max(c.MaxMsgSize, 0) },
		mend:  func(have, _ *config) { have.MaxMsgSize = -1 },
	},
	{
		name: "no_ack", harm: "nobody is told whether a message was kept",
		value: func(c *config) any { return c.NoAck },
		mend:  func(have, _ *config) { have.NoAck = false },
	},
	{
		name: "allow_rollup_hdrs", harm: "a sender's header Nats-Rollup removes the messages before it",
		leave: append([]string{OutStream}, keyValues...),
		value: func(c *config) any { return c.AllowRollup },
		mend:  func(have, _ *config) { have.AllowRollup = false },
	},
	{
		name: "allow_atomic", harm: "a batch is refused as a whole",
		leave: outgoing,
		value: func(c *config) any { return c.AllowAtomicPublish },
		mend:  func(have, _ *config) { have.AllowAtomicPublish = false },
	},
	{
		name: "allow_batched", harm: "not every message of a batch is acknowledged",
		leave: outgoing,
		value: func(c *config) any { return c.AllowBatchPublish },
		mend:  func(have, _ *config) { have.AllowBatchPublish = false },
	},
	{
		name: "deny_delete", harm: "anybody who may use JetStream takes a single message away",
		leave: append([]string{RejectedStream}, keyValues...),
		value: func(c *config) any { return c.DenyDelete },
		mend:  func(have, want *config) { have.DenyDelete = want.DenyDelete },
	},
	{
		name: "republish", harm: "every message, personal data included, goes to another subject as well",
		leave: outgoing,
		value: func(c *config) any { return c.RePublish != nil },
		mend:  func(have, _ *config) { have.RePublish = nil },
	},
	{
		name: "consumer_limits", harm: "the ledger's consumer is removed when it rests, or may hold less than it needs",
		leave: outgoing,
		value: func(c *config) any { return c.ConsumerLimits },
		mend:  func(have, _ *config) { have.ConsumerLimits = jetstream.StreamConsumerLimits{} },
	},
}

// differ returns the settings in which a stream is not as the ledger wants it.
func differ(have, want *config) (wrong []setting) {
	for _, s := range settings {
		fine := s.value(have) == s.value(want)
		if s.ok != nil {
			fine = s.ok(have, want)
		}
		if !fine && !slices.Contains(s.leave, want.Name) {
			wrong = append(wrong, s)
		}
	}
	return wrong
}

// says names a setting, what it is and what it should be.
func (s setting) says(have, want *config) string {
	return fmt.Sprintf("%s is %v and must be %v: %s", s.name, s.value(have), s.value(want), s.harm)
}

// adjust makes a stream that exists one that loses nothing, or says which
// setting stands in the way.
func adjust(ctx context.Context, log *slog.Logger, js jetstream.JetStream, have, want config) error {
	wrong := differ(&have, &want)
	if len(wrong) == 0 {
		return nil
	}

	mended := have
	var names []string
	for _, s := range wrong {
		if s.mend == nil {
			return fmt.Errorf("stream %s is not the ledger's: %s; delete it when it is empty and start again, or "+
				"give the ledger an account of its own",
				want.Name, s.says(&have, &want))
		}
		s.mend(&mended, &want)
		names = append(names, s.says(&have, &want))
	}

	if _, err := js.UpdateStream(ctx, mended); err != nil {
		return fmt.Errorf("stream %s: %s; the ledger cannot change it itself: %w", want.Name, strings.Join(names, "; "),
			err)
	}
	for _, s := range wrong {
		log.Warn("a setting of a stream could lose messages and was changed", "stream", want.Name,
			"setting", s.name, "was", fmt.Sprint(s.value(&have)), "is", fmt.Sprint(s.value(&mended)))
	}
	return nil
}
