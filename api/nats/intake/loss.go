package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"consentledger/api/nats/natsservice"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go/jetstream"
)

// How messages are lost.
const (
	leftGap  = "gap"       // the stream passed over numbers that it had acknowledged
	wentBack = "went-back" // the stream ends before a number that it had acknowledged
	madeAnew = "made-anew" // the stream is another one, with the name of the one that was known
)

// LostMessages is the code of a rejected message that stands for those that NATS
// acknowledged and that never came.
const LostMessages refusal.Code = "messages-lost"

// A loss is messages that a stream acknowledged and that nobody will see. It is
// told in three places: the log of every app has it as an event, the rejected
// messages have it until somebody marks it seen, and until then health is red.
type loss struct {
	Version int              `json:"v"`
	Stream  string           `json:"stream"`
	How     string           `json:"how"`
	First   uint64           `json:"first"`          // the first that was lost
	Last    uint64           `json:"last"`           // the last that is known of
	Count   uint64           `json:"count,omitzero"` // how many are known of; zero: none, and there may have been more
	At      deadline.Instant `json:"at"`             // when it was found
	Filed   uint64           `json:"filed,omitzero"` // the rejected message that stands for it
	Told    bool             `json:"told,omitzero"`  // the logs have it
}

// span returns the stream and the numbers, as in "CONSENT_IN 387-500".
func (l loss) span() string {
	switch l.Count {
	case 0:
		return fmt.Sprintf("%s after %d", l.Stream, l.First-1)
	case 1:
		return fmt.Sprintf("%s %d", l.Stream, l.First)
	}
	return fmt.Sprintf("%s %d-%d", l.Stream, l.First, l.Last)
}

// String says what happened, for a person.
func (l loss) String() string {
	gone := fmt.Sprintf("messages %d to %d were acknowledged and are gone", l.First, l.Last)
	switch {
	case l.Count == 0:
		gone = fmt.Sprintf("what it acknowledged after message %d, if anything, is gone; all that was known of was "+
			"taken", l.First-1)
	case l.Count == 1:
		gone = fmt.Sprintf("message %d was acknowledged and is gone", l.First)
	case l.Count < l.Last-l.First+1:
		gone = fmt.Sprintf("%d of the messages %d to %d were acknowledged and are gone", l.Count, l.First, l.Last)
	}

	switch l.How {
	case madeAnew:
		return fmt.Sprintf("stream %s is another one than was known: %s", l.Stream, gone)
	case wentBack:
		return fmt.Sprintf("stream %s went back: %s", l.Stream, gone)
	}
	return fmt.Sprintf("stream %s has lost some: %s", l.Stream, gone)
}

// A witness finds what was lost and tells it.
type witness struct {
	Config
	js       jetstream.JetStream
	memory   *recall
	rejected *Rejections
	told     keeper
}

func newWitness(c Config, js jetstream.JetStream, m *recall) *witness {
	return &witness{Config: c, js: js, memory: m, rejected: &Rejections{Config: c},
		told: keeper{Config: c, js: js, filed: new(filing)}}
}

// most is how many messages of a stream that is met for the first time, and of
// which some were taken out of turn, are looked at one by one.
const most = 4096

// meet looks at the stream before anything is taken from it.
func (w *witness) meet(ctx context.Context) error {
	if w.memory == nil {
		return nil
	}

	last := w.memory.last()
	s, err := w.js.Stream(ctx, InStream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", InStream, err)
	}

	state := s.CachedInfo().State
	if !w.memory.met() {
		var there map[uint64]bool
		if state.NumDeleted > 0 && state.Msgs <= most {
			if there, err = w.there(ctx, s, span{state.FirstSeq, state.LastSeq}); err != nil {
				return err
			}
		}
		w.memory.begin(s.CachedInfo().Created, state, there)
		last = state.LastSeq
	}
	return w.look(ctx, s, last, w.expected)
}

// ends writes what is known when nothing more is taken.
func (w *witness) ends(ctx context.Context) {
	if w.memory == nil {
		return
	}
	ctx, cancel := natsservice.Outlast(ctx)
	defer cancel()
	if err := w.memory.settle(ctx); err != nil {
		w.Log.Warn("what is known of the stream of incoming events is not up to date", "err", err)
	}
}

// expected looks for what an earlier run was handed and did not take.
func (w *witness) expected(ctx context.Context, s jetstream.Stream) (losses []loss, err error) {
	for _, open := range w.memory.expected() {
		there, err := w.there(ctx, s, open)
		if err != nil {
			return nil, err
		}
		losses = append(losses, w.memory.unfound(open, there)...)
	}
	return losses, nil
}

// look compares the streams with what is known of them, and tells what was lost.
// Last is the highest number that was known before the stream was asked.
func (w *witness) look(ctx context.Context, s jetstream.Stream, last uint64,
	more ...func(context.Context, jetstream.Stream) ([]loss, error)) error {
	if w.memory == nil {
		return nil
	}
	info := s.CachedInfo()
	losses := w.memory.meet(info.Config, info.Created, info.State, last)
	for _, find := range more {
		found, err := find(ctx, s)
		if err != nil {
			return err
		}
		losses = append(losses, found...)
	}
	for _, suspect := range w.memory.passedOver() {
		there, err := w.there(ctx, s, suspect)
		if err != nil {
			return err
		}
		losses = append(losses, w.memory.lookedAt(there)...)
	}
	for i := range losses {
		losses[i].Stream = InStream
	}

	if err := w.note(ctx, losses); err != nil {
		return err
	}
	if err := w.missing(ctx); err != nil {
		return err
	}
	if err := w.memory.settle(ctx); err != nil {
		return err
	}
	return w.tell(ctx)
}

// there returns which numbers of a span the stream has.
func (w *witness) there(ctx context.Context, s jetstream.Stream, of span) (map[uint64]bool, error) {
	there := map[uint64]bool{}
	for raw, err := range newer(ctx, s, of.First-1, inSubjects) {
		if err != nil {
			return nil, permitted(w.Conn, err)
		}
		if raw.Sequence > of.Last {
			break
		}
		there[raw.Sequence] = true
	}
	return there, nil
}

// missing compares the rejected messages that nobody looked at with those that
// are known, and notes those that are gone.
func (w *witness) missing(ctx context.Context) error {
	known := map[uint64]bool{}
	for row, err := range w.Rows.Scan(ctx, []byte(unseenRows)) {
		if err != nil {
			return err
		}
		known[numberOf(row.Key)] = true
	}
	if _, err := w.rejected.open(ctx); err != nil {
		return err
	}

	filed, err := w.filed(ctx)
	if err != nil {
		return err
	}

	var losses []loss
	var change eventstore.Change
	lost, found := w.rejected.tally.compare(known)
	for _, seq := range found {
		change.Put = append(change.Put, unseenRow(seq))
	}
	for _, seq := range lost.seen {
		change.Delete = append(change.Delete, numbered(unseenRows, seq))
	}
	for _, seq := range lost.gone {
		change.Delete = append(change.Delete, numbered(unseenRows, seq))
		if at, is := filed[seq]; is { // it stood for a loss: another will
			change.Put = append(change.Put, at)
			continue
		}
		if n := len(losses); n > 0 && losses[n-1].Last+1 == seq {
			losses[n-1].Last, losses[n-1].Count = seq, losses[n-1].Count+1
			continue
		}
		one := gap(seq, seq)
		one.Stream = RejectedStream
		losses = append(losses, one)
	}
	if len(change.Put)+len(change.Delete) == 0 {
		return nil
	}
	if err := w.note(ctx, losses); err != nil { // before it is forgotten
		return err
	}
	return w.term.write(ctx, w.Rows, change)
}

// filed returns the losses that a rejected message stands for, by that message,
// as rows of losses for which none does.
func (w *witness) filed(ctx context.Context) (map[uint64]eventstore.Row, error) {
	filed := map[uint64]eventstore.Row{}
	for row, err := range w.Rows.Scan(ctx, []byte(lossRows)) {
		var l loss
		if err == nil {
			err = json.Unmarshal(row.Value, &l)
		}
		if err != nil {
			return nil, fmt.Errorf("a loss that was noted: %w", err)
		}
		at := l.Filed
		l.Filed = 0
		filed[at] = l.row(numberOf(row.Key))
	}
	return filed, nil
}

// unseenRow is the row of a rejected message that nobody looked at.
func unseenRow(seq uint64) eventstore.Row {
	return eventstore.Row{Key: numbered(unseenRows, seq), Value: []byte(`{"v":1}`)}
}

// note keeps losses, so that they are told even if the ledger dies now.
func (w *witness) note(ctx context.Context, losses []loss) error {
	if len(losses) == 0 {
		return nil
	}

	next := uint64(1)
	for row, err := range w.Rows.Scan(ctx, []byte(lossRows)) {
		if err != nil {
			return err
		}
		next = numberOf(row.Key) + 1
	}

	for _, l := range losses {
		l.Version, l.At = 1, w.Ledger.Now()
		if err := w.write(ctx, next, l); err != nil {
			return err
		}
		w.Log.Error("messages that NATS had acknowledged are lost", "stream", l.Stream, "how", l.How, "first", l.First,
			"last", l.Last, "count", l.Count)
		next++
	}
	return w.Rows.Sync(ctx)
}

func (w *witness) write(ctx context.Context, number uint64, l loss) error {
	return w.term.write(ctx, w.Rows, eventstore.Change{Put: []eventstore.Row{l.row(number)}})
}

func (l loss) row(number uint64) eventstore.Row {
	value, err := json.Marshal(l)
	if err != nil {
		panic("intake: a loss does not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: numbered(lossRows, number), Value: value}
}

// tell tells what is not told yet, and says what nobody has looked at.
func (w *witness) tell(ctx context.Context) error {
	var open []string
	for row, err := range w.Rows.Scan(ctx, []byte(lossRows)) {
		if err != nil {
			return err
		}
		var l loss
		if err := json.Unmarshal(row.Value, &l); err != nil {
			return fmt.Errorf("a loss that was noted: %w", err)
		}
		if _, seen := w.rejected.tally.seen(l.Filed); l.Told && l.Filed > 0 && seen {
			if err := w.term.write(ctx, w.Rows, eventstore.Change{Delete: [][]byte{row.Key}}); err != nil {
				return err
			}
			continue
		}
		if err := w.tellOne(ctx, numberOf(row.Key), &l); err != nil {
			return err
		}
		open = append(open, l.String())
	}

	if len(open) == 0 {
		w.Watch.set(Losses, nil)
		return nil
	}

	w.Watch.set(Losses, errors.New(strings.Join(open,
		"; ")+": ask the senders to send again; see: consentledger rejected list, rejected mark-seen"))
	return nil
}

// tellOne files a loss with the rejected messages and records it in the log of
// every app.
func (w *witness) tellOne(ctx context.Context, number uint64, l *loss) (err error) {
	was := *l
	id := fmt.Sprintf("lost-%d-%d", number, l.At)
	if l.Filed == 0 {
		l.Filed, err = w.told.put(ctx, refused{
			subject: "lost", why: refusal.Refusal{Code: LostMessages, Path: l.span(), Text: l.String()},
			mayBeOptOut: true,
			id:          id, again: true,
		})
		if err != nil {
			return err
		}
	}

	if !l.Told && w.Apps != nil {
		if l.Told, err = w.record(ctx, id, *l); err != nil {
			return err
		}
	}

	if *l == was {
		return nil
	}
	return w.write(ctx, number, *l)
}

// record writes a loss into the log of every app: whose the messages were nobody
// knows. It reports whether there was one.
func (w *witness) record(ctx context.Context, id string, l loss) (bool, error) {
	fields := map[string]string{"stream": "incoming", "how": l.How, "first": strconv.FormatUint(l.First, 10)}
	if l.Stream == RejectedStream {
		fields["stream"] = "rejected"
	}
	if l.Count > 0 {
		fields["last"], fields["count"] = strconv.FormatUint(l.Last, 10), strconv.FormatUint(l.Count, 10)
	}

	apps := w.Apps()
	for _, app := range apps {
		_, err := w.Ledger.Execute(ctx, ledger.Request{
			App: app, Source: "consentledger/intake", ID: id, Body: []byte(id), Actor: string(ident.System),
			RecordedBy: ident.Ledger,
			Command:    domain.Say{Event: domain.Noted{Kind: catalog.MessagesLost, Fields: policy.Fields(fields)}},
		})
		if err != nil {
			return false, fmt.Errorf("a loss could not be recorded: %w", err)
		}
	}
	return len(apps) > 0, nil
}
