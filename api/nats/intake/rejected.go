package intake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"consentledger/api/nats/subject"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The headers of a rejected message. They hold nothing that was sent, but for
// the name of a registered app. The body is sealed.
const (
	headerApp         = "Consent-App"
	headerCode        = "Consent-Code"
	headerPath        = "Consent-Path"
	headerMayBeOptOut = "Consent-May-Be-No"
	headerSeq         = "Consent-In-Sequence"
)

// A RejectedMessage is an event that was not taken, and why. It says nothing
// about a person.
type RejectedMessage struct {
	Seq         uint64       `json:"seq"`
	App         string       `json:"app"` // "invalid": the subject names no registered app
	At          time.Time    `json:"at"`  // of the rejection
	Code        refusal.Code `json:"code"`
	Path        string       `json:"path,omitempty"` // the member that was refused; empty: the event as a whole
	MayBeOptOut bool         `json:"may_be_no"`      // a refusal, a withdrawal, or nobody can tell
	InSeq       uint64       `json:"in_seq"`         // of [InStream]; zero: it came as a request that wanted no answer
	Seen        bool         `json:"seen"`
	Why         string       `json:"why,omitempty"` // as MarkSeen was told
}

// An Original is a message as it was sent, and what was wrong with it. It may
// hold anything, personal data too.
type Original struct {
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header,omitempty"`
	Data    []byte      `json:"data"`
	Text    string      `json:"text,omitempty"` // of the refusal, which may repeat a name that was sent
	Came    time.Time   `json:"came,omitzero"`  // to the server; zero: an earlier program kept it, which did not say

	// Of one that was too large to be kept whole: what all of its data was.
	Size int    `json:"size,omitempty"`
	Hash string `json:"hash,omitempty"`
}

// invalidApp is the app of messages whose subject names no registered one.
const invalidApp = string(ident.NoApp)

// reject keeps m, sealed. Doing it twice is harmless.
func (d *drain) reject(m jetstream.Msg, meta *jetstream.MsgMetadata, r refusal.Refusal, hint string) error {
	one := d.refused(m, meta)
	one.why, one.mayBeOptOut = r, mayBeOptOut(m.Subject(), m.Data(), hint)
	return d.keeper().keep(d.ctx, one)
}

// refused returns a message as it is kept, but for why.
func (d *drain) refused(m jetstream.Msg, meta *jetstream.MsgMetadata) refused {
	return refused{
		subject: m.Subject(), header: m.Headers(), data: m.Data(), inSeq: meta.Sequence.Stream,
		id: messageID(meta), came: meta.Timestamp, again: meta.NumDelivered > 1,
	}
}

func (d *drain) keeper() keeper { return keeper{Config: d.Config, js: d.js, filed: &d.filed} }

// messageID names a message of the stream of incoming events. The time tells apart
// the streams of one name, when one was deleted.
func messageID(meta *jetstream.MsgMetadata) string {
	return "in-" + strconv.FormatUint(meta.Sequence.Stream, 10) + "-" + strconv.FormatInt(meta.Timestamp.UnixNano(), 10)
}

// Rejections are the messages that were rejected in the last 30 days, and those
// before them that may be an opt-out and that nobody looked at. Many may use them at
// once.
type Rejections struct {
	Config
	tally tally
}

// List returns at most limit messages behind a sequence, oldest first.
func (r *Rejections) List(ctx context.Context, after uint64, limit int) ([]RejectedMessage, error) {
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	var list []RejectedMessage
	for m, err := range r.all(ctx, s, after) {
		if err != nil || len(list) == limit {
			return list, err
		}
		list = append(list, m)
	}
	return list, nil
}

// ListOn is List of the messages that were rejected from one moment until before another. Whether
// somebody looked at one is as of now.
func (r *Rejections) ListOn(
	ctx context.Context, from, until time.Time, after uint64, limit int,
) (list []RejectedMessage, err error) {
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	begin, err := begins(ctx, s.list, from)
	if err != nil {
		return nil, err
	}
	end, err := begins(ctx, s.list, until)
	if err != nil {
		return nil, err
	}
	if begin > s.list.CachedInfo().State.FirstSeq { // else what outlived the stream may be of that time
		after = max(after, begin-1)
	}

	for m, err := range r.all(ctx, s, after) {
		if err != nil || len(list) == limit || m.Seq >= end {
			return list, err
		}
		if !m.At.Before(from) && m.At.Before(until) {
			list = append(list, m)
		}
	}
	return list, nil
}

// begins returns the sequence behind all messages of a stream that are older than a moment, by halves:
// each costs a question, and there may be very many.
func begins(ctx context.Context, s jetstream.Stream, at time.Time) (uint64, error) {
	low, high := s.CachedInfo().State.FirstSeq, s.CachedInfo().State.LastSeq+1
	for low < high {
		middle := low + (high-low)/2
		raw, err := s.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(rejectedSubjects)) // or the next that is there
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			high = middle
		case err != nil:
			return 0, fmt.Errorf("stream %s at %d: %w", RejectedStream, middle, err)
		case raw.Time.Before(at):
			low = raw.Sequence + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// App returns the app that a message was sent to, which an access to it is
// recorded with; empty if it names no registered one: then whoever reads it says
// for which app.
func (r *Rejections) App(ctx context.Context, seq uint64) (ident.AppName, error) {
	s, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	raw, err := r.one(ctx, s, seq)
	if err != nil {
		return "", err
	}
	if m := r.message(seq, raw); m.App != invalidApp {
		return ident.ParseAppName(m.App)
	}
	return "", nil
}

// Show returns one message with what was sent, by an access that is recorded
// with its app, or with any app if it names none. It may be personal: never log it.
func (r *Rejections) Show(ctx context.Context, opened ledger.Opened, seq uint64) (RejectedMessage, Original, error) {
	app, err := r.App(ctx, seq)
	if err != nil {
		return RejectedMessage{}, Original{}, err
	}
	if !opened.Is(app, domain.AccessRejected) {
		return RejectedMessage{}, Original{}, fmt.Errorf("rejected message %d: no access to it was recorded", seq)
	}
	return r.show(ctx, seq)
}

// show is Show for what the ledger itself does with a message.
func (r *Rejections) show(ctx context.Context, seq uint64) (RejectedMessage, Original, error) {
	s, err := r.open(ctx)
	if err != nil {
		return RejectedMessage{}, Original{}, err
	}

	raw, err := r.one(ctx, s, seq)
	if err != nil {
		return RejectedMessage{}, Original{}, err
	}

	var o Original
	m := r.message(seq, raw)
	plain, err := r.Unseal(ctx, m.App, raw.Data)
	if err != nil {
		return m, o, fmt.Errorf("rejected message %d: %w", seq, err)
	}
	if o, err = unpack(plain); err != nil {
		return m, o, fmt.Errorf("rejected message %d does not hold a message", seq)
	}
	return m, o, nil
}

// Retry sends a rejected message to the ledger again, unchanged, and marks it
// seen if it is taken now.
func (r *Rejections) Retry(ctx context.Context, seq uint64) (ledger.Receipt, error) {
	m, o, err := r.show(ctx, seq)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if o.Came.IsZero() {
		o.Came = m.At
	}

	if o.Size > len(o.Data) {
		return ledger.Receipt{}, refusal.Refusal{Code: refusal.TooLarge,
			Text: "the message was too large to be kept whole: ask its sender for it"}
	}

	receipt, err := r.again(ctx, o)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return receipt, r.mark(ctx, seq, "recorded as "+receipt.Event.String())
}

// again records what was sent, by the road that it came.
func (r *Rejections) again(ctx context.Context, o Original) (ledger.Receipt, error) {
	_, streamed := subject.Type(o.Subject)
	if !streamed && !strings.HasSuffix(o.Subject, ".record") && r.Again != nil {
		return r.Again(parse.WithArrival(ctx, deadline.At(o.Came)),
			&nats.Msg{Subject: o.Subject, Header: o.Header, Data: o.Data})
	}
	req, _, err := readMessage(o.Subject, o.Header, o.Data)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return r.Ledger.Execute(ctx, r.dated(req, o.Came))
}

// MarkSeen records that somebody looked at a rejected message and why it may
// rest. Why is kept in the clear: no personal data.
func (r *Rejections) MarkSeen(ctx context.Context, seq uint64, why string) error {
	if why == "" || len(why) > maxWhy {
		return refusal.Refusal{Code: refusal.ReasonMissing, Path: "why",
			Text: fmt.Sprintf("say why the message may rest, in 1 to %d bytes", maxWhy)}
	}
	s, err := r.open(ctx)
	if err != nil {
		return err
	}
	if _, err := r.one(ctx, s, seq); err != nil {
		return err
	}
	return r.mark(ctx, seq, why)
}

const maxWhy = 500

func (r *Rejections) mark(ctx context.Context, seq uint64, why string) error {
	js, err := jetstream.New(r.Conn)
	if err != nil {
		return err
	}

	seen, err := js.KeyValue(ctx, SeenBucket)
	if err == nil {
		_, err = seen.PutString(ctx, strconv.FormatUint(seq, 10), why)
	}
	if err != nil {
		return fmt.Errorf("mark of rejected message %d: %w", seq, err)
	}
	if _, kept := r.tally.place(seq); kept {
		return r.rest(ctx, js, seq)
	}
	return nil // the row of it goes when the streams are looked at next
}

// open returns the streams, with the tally up to date.
func (r *Rejections) open(ctx context.Context) (s streams, err error) {
	js, err := jetstream.New(r.Conn)
	if err != nil {
		return s, err
	}
	for name, into := range map[string]*jetstream.Stream{RejectedStream: &s.list, "KV_" + SeenBucket: &s.marks,
		"KV_" + UnseenBucket: &s.unseen} {
		if *into, err = js.Stream(ctx, name); err != nil {
			return s, fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return s, r.tally.update(ctx, s)
}

// message reads what stands beside the sealed bytes. One whose flag cannot be
// read may be an opt-out.
func (r *Rejections) message(seq uint64, raw *jetstream.RawStreamMsg) RejectedMessage {
	if raw == nil {
		return RejectedMessage{}
	}
	inSeq, _ := strconv.ParseUint(raw.Header.Get(headerSeq), 10, 64)
	why, seen := r.tally.seen(seq)
	return RejectedMessage{
		Seq: seq, App: raw.Header.Get(headerApp), At: raw.Time, Code: refusal.Code(raw.Header.Get(headerCode)),
		Path: raw.Header.Get(headerPath), MayBeOptOut: flagged(raw), InSeq: inSeq, Seen: seen, Why: why,
	}
}

func flagged(raw *jetstream.RawStreamMsg) bool { return raw.Header.Get(headerMayBeOptOut) != "false" }

// one returns a message from where it is still.
func (r *Rejections) one(ctx context.Context, s streams, seq uint64) (*jetstream.RawStreamMsg, error) {
	if seq == 0 {
		return nil, noMessage(seq)
	}

	raw, err := s.list.GetMsg(ctx, seq)
	if at, kept := r.tally.place(seq); kept && errors.Is(err, jetstream.ErrMsgNotFound) {
		raw, err = s.unseen.GetMsg(ctx, at)
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, noMessage(seq)
	}
	if err != nil {
		return nil, fmt.Errorf("rejected message %d: %w", seq, err)
	}
	return raw, nil
}

func noMessage(seq uint64) error {
	return refusal.Refusal{Code: wire.UnknownMessage,
		Text: fmt.Sprintf("there is no rejected message %d; they are kept for 30 days, and until somebody looked at "+
			"it what may be a no", seq)}
}
