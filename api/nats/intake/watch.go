package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// LookEvery is how often the streams are looked at.
const LookEvery = 2 * time.Second

// After how long without a sign of life what waits is a trouble, and when a message
// that is in nobody's hand has been given up: later than the server would hand it
// out again.
const (
	stallAfter = 10 * time.Second
	stuckAfter = ackWait + 5*time.Second
)

// A Watch says how the roads are. The zero Watch is ready; [Run] fills it in.
type Watch struct {
	mu       sync.Mutex
	open     bool
	troubles map[Part]error
	waiting  *Waiting

	failed   error // why this process could not drain the stream when it was its turn
	failedAt time.Time
}

// failedFor is how long a process is in trouble that could not drain the stream in its
// turn: by then it has had another, or another process drains it.
const failedFor = 15 * time.Second

// A Waiting is what the stream of incoming events holds: what was not taken yet.
type Waiting struct {
	Messages uint64
	Since    time.Time // of the oldest; of none it says nothing
}

// Waiting returns what waited when the stream was last looked at. Not ok: it was not
// yet.
func (w *Watch) Waiting() (_ Waiting, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		return Waiting{}, false
	}
	return *w.waiting, true
}

func (w *Watch) waits(state jetstream.StreamState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = &Waiting{Messages: state.Msgs, Since: state.FirstTime}
}

// A Part is something that can be in trouble by itself.
type Part string

// The parts of the intake.
const (
	Roads    Part = "intake"         // requests are answered, and the stream is drained
	Settings Part = "intake streams" // nothing that is set in NATS can lose a message
	Delivery Part = "intake waits"   // what waits is handed out, and taken
	Losses   Part = "intake losses"  // nothing that NATS acknowledged is gone, or somebody looked at it
)

// Parts are all of them.
var Parts = []Part{Roads, Settings, Delivery, Losses}

// errNotOpen says that nobody answers yet, or any more.
var errNotOpen = errors.New("requests over NATS are not answered yet")

// Trouble returns what is wrong with a part; nil if nothing is. Before Run is
// ready, and after it ended, the roads are in trouble.
func (w *Watch) Trouble(p Part) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p == Roads && !w.open {
		return errNotOpen
	}
	if p == Settings && w.failed != nil && time.Since(w.failedAt) < failedFor {
		return w.failed
	}
	return w.troubles[p]
}

// drains says that this process drains the stream.
func (w *Watch) drains() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = nil
}

// parted says that the turn is over, and why, if something went wrong. From now on the
// process whose turn it is says how the stream is.
func (w *Watch) parted(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles, w.waiting = nil, nil
	w.failed, w.failedAt = err, time.Now()
}

func (w *Watch) set(p Part, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.troubles == nil {
		w.troubles = map[Part]error{}
	}
	w.troubles[p] = err
}

func (w *Watch) opened(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = is
}

// A lookout looks at the streams again and again while the roads are open.
type lookout struct {
	Config
	js      jetstream.JetStream
	in      *incoming
	witness *witness

	missing int // looks in a row that found no stream

	moved    time.Time // when a message was last handed out or finished, or none waited
	progress uint64    // as it was then
	first    uint64    // the oldest message that waits
	since    time.Time // when it became the oldest, or was last in hand
}

// errReopen says that the consumer has to be made anew.
var errReopen = errors.New("the consumer has to be made anew")

// errStuck says that it has to be so although its configuration is right.
var errStuck = fmt.Errorf("%w: it holds a message back", errReopen)

// errGone says that the stream or its consumer is no longer there.
var errGone = errors.New("the stream or its consumer is gone")

// watch looks until ctx is done, or the road is closed from outside, or has to be
// opened anew.
func (l *lookout) watch(ctx context.Context) error {
	l.moved, l.since = time.Now(), time.Now()
	tick := time.NewTicker(LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.in.closed:
			return errGone
		case <-tick.C:
		}
		if !l.Conn.IsConnected() {
			l.moved, l.since = time.Now(), time.Now()
			continue // health says so already
		}
		if err := l.look(ctx); errors.Is(err, errReopen) || errors.Is(err, errGone) {
			return err
		}
	}
}

// look compares the settings and sees whether what waits moves.
func (l *lookout) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	last := l.witness.memory.last()
	stream, err := l.js.Stream(ctx, InStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if l.missing++; l.missing > 1 {
			return errGone
		}
	}
	if err != nil {
		return l.unknown(ctx, err)
	}
	l.missing = 0
	l.Watch.waits(stream.CachedInfo().State)

	have, err := l.listening(ctx, stream.CachedInfo())
	if err != nil {
		return l.unknownOr(ctx, err)
	}
	if err := l.compare(ctx, have); err != nil {
		return err
	}
	if err := l.witness.look(ctx, stream, last); err != nil && ctx.Err() != context.Canceled {
		l.Watch.set(Losses, fmt.Errorf("whether messages were lost cannot be told: %w", err))
	}
	l.Watch.set(Delivery, l.delivery(stream.CachedInfo().State, time.Now()))
	if !l.stuck(stream.CachedInfo().State, time.Now()) {
		return nil
	}
	_, err = stream.GetMsg(ctx, l.first)
	if errors.Is(err, jetstream.ErrMsgNotFound) { // its bytes are damaged: no consumer will hand it out
		l.Watch.set(Delivery, fmt.Errorf("message %d of stream %s cannot be read, and never will be: nats stream "+
			"purge %s --seq=%d takes it away", l.first, InStream, InStream, l.first+1))
		return nil
	}
	l.Log.Warn("a message waits that no consumer hands out", "stream", InStream, "sequence", l.first)
	return errStuck
}

// unknown notes that the streams cannot be looked at.
func (l *lookout) unknown(ctx context.Context, err error) error {
	if ctx.Err() != context.Canceled {
		l.Watch.set(Settings, fmt.Errorf("the streams cannot be looked at: %w", permitted(l.Conn, err)))
	}
	return nil
}

// listening returns the stream's configuration, after its subjects were put right. At
// the start a stream of other subjects is somebody else's; but this one is known to be
// the ledger's, and while it listens to something else no event gets into it.
func (l *lookout) listening(ctx context.Context, info *jetstream.StreamInfo) (have jetstream.StreamConfig, err error) {
	have = info.Config
	want, _, _ := wanted()
	if slices.Equal(have.Subjects, want.Subjects) || !l.witness.memory.knows(info.Created) {
		return have, nil
	}

	was := have.Subjects
	have.Subjects = want.Subjects
	if _, err := l.js.UpdateStream(ctx, have); err != nil {
		return have, fmt.Errorf("stream %s: subjects is %v and must be %v; the ledger cannot change it itself: %w",
			InStream, was, want.Subjects, err)
	}

	l.Log.Warn("a setting of a stream could lose messages and was changed", "stream", InStream, "setting", "subjects",
		"was", fmt.Sprint(was), "is", fmt.Sprint(want.Subjects))
	return have, nil
}

// compare mends what somebody changed meanwhile.
func (l *lookout) compare(ctx context.Context, have jetstream.StreamConfig) error {
	in, rejected, kv := wanted()
	err := adjust(ctx, l.Log, l.js, have, in)
	if err == nil {
		err = Mend(ctx, l.Log, l.js, rejected)
	}
	for _, bucket := range kv {
		if err == nil {
			err = Mend(ctx, l.Log, l.js, bucketStream(bucket))
		}
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) { // red until the next look
		return l.remake(ctx)
	}
	if err != nil {
		return l.unknownOr(ctx, err)
	}

	consumer, err := l.js.Consumer(ctx, InStream, l.consumer())
	if errors.Is(err, jetstream.ErrNotPullConsumer) {
		return errReopen
	}
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return errGone
	}
	if err != nil {
		return l.unknownOr(ctx, fmt.Errorf("consumer of %s: %w", InStream, err))
	}
	if len(consumerDiffers(&consumer.CachedInfo().Config)) > 0 {
		return errReopen
	}
	l.Watch.set(Settings, nil)
	return nil
}

// remake makes the streams again that are filled by the ledger itself. What is in
// hand may wait for them, so the road stays open.
func (l *lookout) remake(ctx context.Context) error {
	gone := missing(ctx, l.js, l.consumer())
	l.Log.Error("somebody deleted streams of the ledger; they are made again", "gone", gone)
	if err := makeStreams(ctx, l.Config, l.js); err != nil {
		return l.unknownOr(ctx, fmt.Errorf("%w, which does not succeed: %w", errDeleted(gone), err))
	}
	return l.unknownOr(ctx, errDeleted(gone))
}

func (l *lookout) unknownOr(ctx context.Context, err error) error {
	if ctx.Err() != context.Canceled {
		l.Watch.set(Settings, permitted(l.Conn, err))
	}
	return nil
}

// Mend puts right what somebody changed in a stream, or says which setting stands in
// the way. It looks at the stream as it is now.
func Mend(ctx context.Context, log *slog.Logger, js jetstream.JetStream, want jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, want.Name)
	if err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}
	return adjust(ctx, log, js, s.CachedInfo().Config, want)
}

// delivery says whether messages wait and none moves.
func (l *lookout) delivery(state jetstream.StreamState, at time.Time) error {
	held, progress := l.in.progress()
	if state.Msgs == 0 || progress != l.progress {
		l.moved, l.progress = at, progress
		return nil
	}

	still := at.Sub(l.moved).Truncate(time.Second)
	switch {
	case still < stallAfter:
		return nil
	case held > 0:
		return fmt.Errorf("%d messages wait in stream %s, %d of them in hand, and none was recorded for %s: is the "+
			"store well?", state.Msgs, InStream, held, still)
	}

	return fmt.Errorf("%d messages wait in stream %s and none was delivered for %s: see nats consumer info %s %s",
		state.Msgs, InStream, still, InStream, l.consumer())
}

// stuck reports whether the oldest message was in nobody's hand for longer than
// the server waits before it hands one out again.
func (l *lookout) stuck(state jetstream.StreamState, at time.Time) bool {
	if state.Msgs == 0 || state.FirstSeq != l.first || l.in.holds(state.FirstSeq) {
		l.first, l.since = state.FirstSeq, at
		return false
	}
	return at.Sub(l.since) > stuckAfter
}
