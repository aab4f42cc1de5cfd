package intake

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// harmlessSettings are the members of a stream's configuration that lose, delay
// and hide nothing, each with the reason.
var harmlessSettings = map[string]string{
	"name":                      "it is asked for by its name",
	"description":               "a text",
	"max_consumers":             "where it leaves the ledger none the consumer is refused, by name",
	"num_replicas":              "the administrator's; one in a cluster is warned of",
	"placement":                 "where, not whether",
	"compression":               "how, not whether",
	"first_seq":                 "numbers may begin anywhere",
	"allow_direct":              "how it is read",
	"mirror_direct":             "how mirrors are read",
	"deny_purge":                "who purges does so on purpose, and the ledger sees it",
	"subject_delete_marker_ttl": "only with allow_msg_ttl",
	"metadata":                  "texts",
	"template_owner":            "no server has templates any more",
}

// harmlessConsumerSettings are those of a consumer.
var harmlessConsumerSettings = map[string]string{
	"name":             "it is asked for by its name",
	"durable_name":     "it is asked for by its name",
	"description":      "a text",
	"metadata":         "texts",
	"sample_freq":      "acks that others are told of",
	"num_replicas":     "what it forgets is handed out again",
	"deliver_group":    "only with deliver_subject",
	"priority_timeout": "only with priority_policy",
	"direct":           "a mirror's; a client cannot set it",
	"sourcing":         "a source's; a client cannot set it",
}

func TestEverySettingOfAStreamAndAConsumerIsComparedOrHarmless(t *testing.T) {
	streams, consumers := map[string]bool{}, map[string]bool{}
	for _, s := range settings {
		streams[s.name] = true
	}
	for _, s := range consumerSettings {
		consumers[s.name] = true
	}
	for _, c := range []struct {
		config   any
		compared map[string]bool
		harmless map[string]string
	}{
		{jetstream.StreamConfig{}, streams, harmlessSettings},
		{server.StreamConfig{}, streams, harmlessSettings},
		{jetstream.ConsumerConfig{}, consumers, harmlessConsumerSettings},
		{server.ConsumerConfig{}, consumers, harmlessConsumerSettings},
	} {
		typ := reflect.TypeOf(c.config)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if _, is := c.harmless[name]; c.compared[name] == is && name != "-" {
				t.Errorf("%v has the setting %q: is it compared, or why is it harmless?", typ, name)
			}
		}
	}
}

// ourStream is the stream of incoming events as the ledger makes it, but for
// what change does.
func ourStream(change func(*jetstream.StreamConfig)) jetstream.StreamConfig {
	in, _, _ := wanted()
	change(&in)
	return in
}

// start runs the intake on a server, and returns what stops it.
func (h *testServer) start() (stop func()) {
	h.t.Helper()
	stop, err := h.tryStart()
	if err != nil {
		h.t.Fatal(err)
	}
	return stop
}

func (h *testServer) tryStart() (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- Run(ctx, h.config, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		return nil, err
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	}, nil
}

// idleServer is one whose intake does not run yet.
func idleServer(t *testing.T) *testServer {
	h := &testServer{t: t, nc: connect(t), ledger: openLedger(t), log: &lockedBuffer{}}
	h.js, _ = jetstream.New(h.nc, jetstream.WithDefaultTimeout(time.Minute))
	h.faulty = &faulty{Ledger: h.ledger}
	h.config = Config{Conn: h.nc, Ledger: h.faulty, Log: newLog(h.log), Seal: flip, Unseal: flip, Watch: new(Watch)}
	return h
}

func (h *testServer) makeStream(c jetstream.StreamConfig) {
	h.t.Helper()
	if _, err := h.js.CreateStream(h.t.Context(), c); err != nil {
		h.t.Fatal(err)
	}
}

// Twenty withdrawals are acknowledged before the ledger starts or while it runs,
// and each becomes a record, whatever an administrator set.
func TestAStreamThatCouldLoseMessagesIsMended(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"as the ledger makes it":           func(*jetstream.StreamConfig) {},
		"a window of two minutes":          func(c *jetstream.StreamConfig) { c.Duplicates = 0 },
		"old ones are dropped when full":   func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardOld, 30 },
		"messages expire":                  func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"few messages a subject":           func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 30; c.DiscardNewPerSubject = true },
		"few messages a subject, old gone": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 30; c.Discard = jetstream.DiscardOld },
		"small messages only":              func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"roll-ups":                         func(c *jetstream.StreamConfig) { c.AllowRollup = true },
		"batches":                          func(c *jetstream.StreamConfig) { c.AllowAtomicPublish, c.AllowBatchPublish = true, true },
		"anybody may delete":               func(c *jetstream.StreamConfig) { c.DenyDelete = false },
		"a copy for somebody":              func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{Destination: "copy.>"} },
		"consumers that vanish": func(c *jetstream.StreamConfig) {
			c.ConsumerLimits = jetstream.StreamConsumerLimits{InactiveThreshold: time.Second, MaxAckPending: 1024}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := idleServer(t)
			h.makeStream(ourStream(change))
			const n = 20
			for i := range n {
				h.publish("consent.withdrawn", event(fmt.Sprint(i), "consent.withdrawn", fmt.Sprint("person-", i), `{"all":true}`))
			}
			defer h.start()()
			h.until("all are recorded", func() bool { return len(h.faulty.taken()) == n })
			s, err := h.js.Stream(t.Context(), InStream)
			if err != nil {
				t.Fatal(err)
			}
			want, _, _ := wanted()
			for _, wrong := range differ(&s.CachedInfo().Config, &want) {
				t.Errorf("left: %s", wrong.says(&s.CachedInfo().Config, &want))
			}
		})
	}
}

func TestAStreamThatCannotBeMendedIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jetstream.StreamConfig)
		want   string
	}{
		"acks before the disk": {func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "persist_mode is Async"},
		"a sender's TTL":       {func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }, "allow_msg_ttl is true"},
		"schedules": {func(c *jetstream.StreamConfig) {
			c.AllowMsgSchedules, c.AllowRollup, c.Discard = true, true, jetstream.DiscardOld
		}, "allow_msg_schedules is true"},
		"in memory":   {func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "storage is"},
		"by interest": {func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }, "retention is"},
		"a mirror": {func(c *jetstream.StreamConfig) {
			c.Subjects, c.Duplicates, c.Mirror, c.Discard = nil, 0, &jetstream.StreamSource{Name: "OTHER"}, jetstream.DiscardOld
		}, "mirror is true"},
		"a source": {func(c *jetstream.StreamConfig) {
			c.Sources = []*jetstream.StreamSource{{Name: "OTHER"}}
		}, "sources is 1"},
		"another app's subjects": {func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "consent.v1.a.in.>", Destination: "consent.v1.b.in.>"}
		}, "subject_transform is true"},
		"more subjects": {func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "orders.>") }, "subjects is consent.v1.*.in.> orders.>"},
		"sealed":        {func(c *jetstream.StreamConfig) { c.Sealed = true }, "sealed is true"},
	} {
		t.Run(name, func(t *testing.T) {
			h := idleServer(t)
			h.makeStream(jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other"}})
			config := ourStream(c.change)
			seal := config.Sealed
			config.Sealed = false
			h.makeStream(config)
			if seal { // no server makes a sealed one
				config.Sealed = true
				if _, err := h.js.UpdateStream(t.Context(), config); err != nil {
					t.Fatal(err)
				}
			}
			err := Run(t.Context(), h.config, nil)
			if err == nil || !strings.Contains(err.Error(), "stream CONSENT_IN is not the ledger's: "+c.want) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestAConsumerThatKeepsMessagesBackIsMadeAnew(t *testing.T) {
	pause := time.Now().Add(time.Hour)
	for name, c := range map[string]jetstream.ConsumerConfig{
		"as the ledger makes it":   {MaxDeliver: -1, AckWait: ackWait, MaxAckPending: 1024},
		"paused":                   {PauseUntil: &pause},
		"of one app":               {FilterSubject: "consent.v1.other.in.>"},
		"of some apps":             {FilterSubjects: []string{"consent.v1.other.in.>", "consent.v1.third.in.>"}},
		"without bodies":           {HeadersOnly: true},
		"at the pace of old":       {ReplayPolicy: jetstream.ReplayOriginalPolicy},
		"one after the other":      {MaxAckPending: 1},
		"in small batches":         {MaxRequestBatch: 1},
		"with short waits":         {MaxRequestExpires: time.Second},
		"of few bytes":             {MaxRequestMaxBytes: 10},
		"that vanishes":            {InactiveThreshold: time.Minute},
		"in memory":                {MemoryStorage: true},
		"with one who waits":       {MaxWaiting: 1},
		"with groups":              {PriorityPolicy: jetstream.PriorityPolicyOverflow, PriorityGroups: []string{"a"}},
		"with its own retry times": {BackOff: []time.Duration{time.Hour, time.Hour}, MaxDeliver: 5},
	} {
		t.Run(name, func(t *testing.T) {
			h := idleServer(t)
			h.makeStream(ourStream(func(*jetstream.StreamConfig) {}))
			c.Durable, c.AckPolicy = durable, jetstream.AckExplicitPolicy
			if _, err := h.js.CreateConsumer(t.Context(), InStream, c); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				h.publish("consent.withdrawn", event(fmt.Sprint(i), "consent.withdrawn", fmt.Sprint("person-", i), `{"all":true}`))
			}
			defer h.start()()
			h.until("all are recorded", func() bool { return len(h.faulty.taken()) == 20 })
			h.until("nothing is left", func() bool { return bodies(t, h.js, InStream) == "" })
		})
	}
}

func TestAPushConsumerIsMadeAnew(t *testing.T) {
	h := idleServer(t)
	h.makeStream(ourStream(func(*jetstream.StreamConfig) {}))
	_, err := h.js.CreatePushConsumer(t.Context(), InStream, jetstream.ConsumerConfig{
		Durable: durable, DeliverSubject: "nobody", AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.publish("consent.withdrawn", event("1", "consent.withdrawn", "person-1", `{"all":true}`))
	defer h.start()()
	h.until("it is recorded", func() bool { return len(h.faulty.taken()) == 1 })
}

// A message that used up its deliveries counts neither as pending nor as handed
// out: nobody but the stream knows it.
func TestAMessageThatWasGivenUpIsHandedOutAgain(t *testing.T) {
	h := idleServer(t)
	h.makeStream(ourStream(func(*jetstream.StreamConfig) {}))
	config := consumerConfig
	config.MaxDeliver = 1
	consumer, err := h.js.CreateConsumer(t.Context(), InStream, config)
	if err != nil {
		t.Fatal(err)
	}
	h.publish("consent.withdrawn", event("1", "consent.withdrawn", "person-1", `{"all":true}`))
	m, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Nak(); err != nil {
		t.Fatal(err)
	}
	h.until("the consumer has given it up", func() bool {
		batch, err := consumer.FetchNoWait(1) // it sees that the one delivery is used up
		if err != nil {
			return false
		}
		for range batch.Messages() {
			t.Fatal("it was delivered twice")
		}
		info, err := consumer.Info(t.Context())
		return err == nil && info.NumPending == 0 && info.NumAckPending == 0
	})
	defer h.start()()
	h.until("it is recorded", func() bool { return len(h.faulty.taken()) == 1 })
}

func TestSomebodyElsesConsumerIsNamed(t *testing.T) {
	h := idleServer(t)
	h.makeStream(ourStream(func(*jetstream.StreamConfig) {}))
	if _, err := h.js.CreateConsumer(t.Context(), InStream, jetstream.ConsumerConfig{Durable: "thief", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), h.config, nil)
	if err == nil || !strings.Contains(err.Error(), "thief") {
		t.Errorf("ended with %v", err)
	}
}

// What somebody changes while the ledger runs is put right, too.
func TestWhatIsChangedMeanwhileIsPutRight(t *testing.T) {
	h := idleServer(t)
	defer h.start()()
	ctx := t.Context()
	if _, err := h.js.PauseConsumer(ctx, InStream, durable, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.publish("consent.withdrawn", event("1", "consent.withdrawn", "person-1", `{"all":true}`))
	h.until("what came while it was paused is recorded", func() bool { return len(h.faulty.taken()) == 1 })

	expires := ourStream(func(c *jetstream.StreamConfig) { c.MaxAge, c.Duplicates = time.Hour, 2*time.Minute })
	if _, err := h.js.UpdateStream(ctx, expires); err != nil {
		t.Fatal(err)
	}
	h.until("messages do not expire", func() bool {
		s, err := h.js.Stream(ctx, InStream)
		return err == nil && s.CachedInfo().Config.MaxAge == 0 && s.CachedInfo().Config.Duplicates == dedupeWindow
	})
	h.until("the log says what was changed", func() bool { return strings.Contains(h.log.text(), "max_age") })

	for _, name := range []string{RejectedStream, "KV_" + SeenBucket, "KV_" + UnseenBucket} {
		s, err := h.js.Stream(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		was := s.CachedInfo().Config
		wrong := was
		wrong.MaxMsgs, wrong.MaxBytes, wrong.MaxAge, wrong.MaxMsgSize = 1, 1<<20, time.Hour, 10
		if _, err := h.js.UpdateStream(ctx, wrong); err != nil {
			t.Fatal(err)
		}
		h.until(name+" is as it was", func() bool {
			s, err := h.js.Stream(ctx, name)
			c := s.CachedInfo().Config
			return err == nil && c.MaxMsgs <= 0 && c.MaxBytes <= 0 && c.MaxAge == was.MaxAge && c.MaxMsgSize <= 0
		})
	}
	for _, p := range Parts {
		if err := h.config.Watch.Trouble(p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// A stream that the ledger met listens to the ledger's subjects again, whatever
// somebody made it listen to; what it took meanwhile is no event, and is kept.
func TestTheStreamThatTheLedgerMetListensToItsSubjects(t *testing.T) {
	d := rememberingServer(t)
	defer d.start()()
	for _, subjects := range [][]string{{"orders.>"}, {"consent.v1.*.in.>", "orders.>"}, {"consent.v1.shop.in.>"}} {
		if _, err := d.js.UpdateStream(t.Context(), ourStream(func(c *jetstream.StreamConfig) { c.Subjects = subjects })); err != nil {
			t.Fatal(err)
		}
		d.until("it listens again", func() bool {
			s, err := d.js.Stream(t.Context(), InStream)
			return err == nil && len(s.CachedInfo().Config.Subjects) == 1 && s.CachedInfo().Config.Subjects[0] == inSubjects
		})
	}
	d.withdraw(1, 1)
	d.until("what comes now is taken", func() bool { return d.withdrawn() == 1 && d.config.Watch.Trouble(Settings) == nil })
	if d.losses() != "" {
		t.Error(d.losses())
	}
}

func TestMessagesThatWaitTurnHealthRed(t *testing.T) {
	at := time.Now()
	d := &drain{inHand: map[uint64]jetstream.Msg{}}
	l := &lookout{in: &incoming{drain: d}, moved: at, since: at}
	waits := jetstream.StreamState{Msgs: 20, FirstSeq: 7}
	for _, step := range []struct {
		name  string
		after time.Duration
		state jetstream.StreamState
		moves uint64
		hold  uint64
		want  string
		stuck bool
	}{
		{"messages have just come", 0, waits, 0, 0, "", false},
		{"they wait for less than it may take", 9 * time.Second, waits, 0, 0, "", false},
		{"they wait and none is delivered", 11 * time.Second, waits, 0, 0, "20 messages wait in stream CONSENT_IN and none was delivered for 11s", false},
		{"nobody hands out the oldest", 40 * time.Second, waits, 0, 0, "none was delivered for 40s", true},
		{"one is taken", 41 * time.Second, waits, 1, 7, "", false},
		{"it is in hand, and the store is broken", 52 * time.Second, waits, 1, 7, "1 of them in hand, and none was recorded for 11s", false},
		{"all are taken", 53 * time.Second, jetstream.StreamState{FirstSeq: 27}, 2, 0, "", false},
		{"nothing waits, for long", 10 * time.Minute, jetstream.StreamState{FirstSeq: 27}, 2, 0, "", false},
		{"another comes", 10*time.Minute + LookEvery, jetstream.StreamState{Msgs: 1, FirstSeq: 27}, 2, 0, "", false},
	} {
		d.moves = step.moves
		clear(d.inHand)
		if step.hold > 0 {
			d.inHand[step.hold] = nil
		}
		now := at.Add(step.after)
		got := ""
		if err := l.delivery(step.state, now); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, step.want) || (got == "") != (step.want == "") {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		if stuck := l.stuck(step.state, now); stuck != step.stuck {
			t.Errorf("%s: stuck %v", step.name, stuck)
		}
	}
}

// Two apps number their messages from 1, and both mean what they say.
func TestTheSameMessageIDOfTwoAppsIsTwoMessages(t *testing.T) {
	h := idleServer(t)
	h.makeStream(ourStream(func(c *jetstream.StreamConfig) { c.Duplicates = 2 * time.Minute }))
	defer h.start()()
	send := func(person, body string) (ack *jetstream.PubAck) {
		m := &nats.Msg{Subject: "consent.v1.smartkey.in.consent.withdrawn", Data: []byte(body), Header: nats.Header{nats.MsgIdHdr: {"1"}}}
		ack, err := h.js.PublishMsg(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	send("a", string(event("1", "consent.withdrawn", "person-a", `{"all":true}`)))
	h.until("the second app's withdrawal is no duplicate", func() bool {
		return !send("b", string(event("1", "consent.withdrawn", "person-b", `{"all":true}`))).Duplicate
	})
	h.until("both are recorded", func() bool { return len(h.faulty.taken()) == 2 })
}
