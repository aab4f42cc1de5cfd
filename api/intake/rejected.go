package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"consentledger/api/wire"
	"consentledger/domain"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The headers of a rejected message. Its body is sealed.
const (
	headerApp     = "Consent-App"
	headerCode    = "Consent-Code"
	headerText    = "Consent-Text"
	headerMayBeNo = "Consent-May-Be-No"
	headerSeq     = "Consent-In-Sequence"
)

// A RejectedMessage is an event that was not taken, and why. What was sent is
// sealed; see [Open].
type RejectedMessage struct {
	Seq     uint64      `json:"seq"`
	App     string      `json:"app"`
	At      time.Time   `json:"at"` // of the rejection
	Code    domain.Code `json:"code"`
	Text    string      `json:"text"`
	MayBeNo bool        `json:"may_be_no"` // a refusal, a withdrawal, or nobody can tell
	InSeq   uint64      `json:"in_seq"`    // of [InStream]
	Seen    bool        `json:"seen"`
	Why     string      `json:"why,omitempty"` // as [MarkSeen] was told

	sealed []byte
}

// An Original is a message as it was sent. It may hold anything.
type Original struct {
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header,omitempty"`
	Data    []byte      `json:"data"`
}

// invalidApp is the app of messages whose subject names none.
const invalidApp = "invalid"

// reject keeps m, sealed. Doing it twice is harmless.
func (d *drain) reject(m jetstream.Msg, meta *jetstream.MsgMetadata, r domain.Refusal, hint string) error {
	app := invalidApp
	if name, err := appOf(m.Subject()); err == nil {
		app = string(name)
	}
	plain, err := json.Marshal(Original{m.Subject(), m.Headers(), m.Data()})
	if err != nil {
		return fmt.Errorf("rejected message: %w", err)
	}
	sealed, err := d.Seal(d.ctx, app, plain)
	if err != nil {
		return fmt.Errorf("rejected message: %w", err)
	}
	seq := strconv.FormatUint(meta.Sequence.Stream, 10)
	_, err = d.js.PublishMsg(d.ctx, &nats.Msg{Subject: "consent.v1." + app + ".rejected", Data: sealed, Header: nats.Header{
		headerApp: {app}, headerCode: {string(r.Code)}, headerText: {r.Text}, headerSeq: {seq},
		headerMayBeNo:         {strconv.FormatBool(wire.MayBeNo(m.Data(), hint))},
		jetstream.MsgIDHeader: {"in-" + seq},
	}})
	if err != nil {
		return fmt.Errorf("rejected message: %w", err)
	}
	return nil
}

// Rejected returns the messages that were rejected in the last 30 days, oldest
// first.
func Rejected(ctx context.Context, c Config) ([]RejectedMessage, error) {
	stream, seen, err := rejectedOf(ctx, c)
	if err != nil {
		return nil, err
	}
	var list []RejectedMessage
	for seq := uint64(1); ; seq++ {
		raw, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(rejectedSubjects))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("rejected messages from %d: %w", seq, err)
		}
		seq = raw.Sequence
		m, err := rejectedFrom(ctx, raw, seen)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
}

func rejectedOf(ctx context.Context, c Config) (jetstream.Stream, jetstream.KeyValue, error) {
	js, err := jetstream.New(c.Conn)
	if err != nil {
		return nil, nil, err
	}
	stream, err := js.Stream(ctx, RejectedStream)
	if err != nil {
		return nil, nil, fmt.Errorf("stream %s: %w", RejectedStream, err)
	}
	seen, err := js.KeyValue(ctx, SeenBucket)
	if err != nil {
		return nil, nil, fmt.Errorf("bucket %s: %w", SeenBucket, err)
	}
	return stream, seen, nil
}

// rejectedFrom reads a message. One whose flag cannot be read may be a no.
func rejectedFrom(ctx context.Context, raw *jetstream.RawStreamMsg, seen jetstream.KeyValue) (RejectedMessage, error) {
	inSeq, _ := strconv.ParseUint(raw.Header.Get(headerSeq), 10, 64)
	m := RejectedMessage{
		Seq: raw.Sequence, At: raw.Time, App: raw.Header.Get(headerApp), Code: domain.Code(raw.Header.Get(headerCode)),
		Text: raw.Header.Get(headerText), MayBeNo: raw.Header.Get(headerMayBeNo) != "false", InSeq: inSeq, sealed: raw.Data,
	}
	mark, err := seen.Get(ctx, strconv.FormatUint(m.Seq, 10))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("mark of rejected message %d: %w", m.Seq, err)
	}
	m.Seen, m.Why = true, string(mark.Value())
	return m, nil
}

func one(ctx context.Context, c Config, seq uint64) (RejectedMessage, jetstream.KeyValue, error) {
	stream, seen, err := rejectedOf(ctx, c)
	if err != nil {
		return RejectedMessage{}, nil, err
	}
	raw, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return RejectedMessage{}, nil, domain.Refusal{Code: domain.UnknownRecord, Text: fmt.Sprintf("there is no rejected message %d", seq)}
	}
	if err != nil {
		return RejectedMessage{}, nil, fmt.Errorf("rejected message %d: %w", seq, err)
	}
	m, err := rejectedFrom(ctx, raw, seen)
	return m, seen, err
}

// Open returns what was sent. It may be personal: show it, never log it.
func Open(ctx context.Context, c Config, seq uint64) (Original, error) {
	m, _, err := one(ctx, c, seq)
	if err != nil {
		return Original{}, err
	}
	return m.open(ctx, c)
}

func (m RejectedMessage) open(ctx context.Context, c Config) (Original, error) {
	var o Original
	plain, err := c.Unseal(ctx, m.App, m.sealed)
	if err != nil {
		return o, fmt.Errorf("rejected message %d: %w", m.Seq, err)
	}
	if err := json.Unmarshal(plain, &o); err != nil {
		return o, fmt.Errorf("rejected message %d does not hold a message", m.Seq)
	}
	return o, nil
}

// Retry sends a rejected message to the ledger again, unchanged, and marks it
// seen if it is taken now.
func Retry(ctx context.Context, c Config, seq uint64) (wire.Receipt, error) {
	m, seen, err := one(ctx, c, seq)
	if err != nil {
		return wire.Receipt{}, err
	}
	o, err := m.open(ctx, c)
	if err != nil {
		return wire.Receipt{}, err
	}
	req, _, err := parse(o.Subject, o.Header, o.Data)
	if err != nil {
		return wire.Receipt{}, err
	}
	receipt, err := c.Ledger.Execute(ctx, req)
	if err != nil {
		return wire.Receipt{}, err
	}
	return wire.ReceiptOf(receipt), mark(ctx, seen, seq, "recorded as "+receipt.Event.String())
}

// MarkSeen records that somebody looked at a rejected message and why it may
// rest. Why is kept in the clear: no personal data.
func MarkSeen(ctx context.Context, c Config, seq uint64, why string) error {
	if why == "" {
		return domain.Refusal{Code: domain.ReasonMissing, Text: "say why the message may rest"}
	}
	_, seen, err := one(ctx, c, seq)
	if err != nil {
		return err
	}
	return mark(ctx, seen, seq, why)
}

func mark(ctx context.Context, seen jetstream.KeyValue, seq uint64, why string) error {
	if _, err := seen.PutString(ctx, strconv.FormatUint(seq, 10), why); err != nil {
		return fmt.Errorf("mark of rejected message %d: %w", seq, err)
	}
	return nil
}

// Unseen returns how many rejected messages may be a no and were not marked
// seen. Health is red until it is zero.
func Unseen(ctx context.Context, c Config) (int, error) {
	list, err := Rejected(ctx, c)
	n := 0
	for _, m := range list {
		if m.MayBeNo && !m.Seen {
			n++
		}
	}
	return n, err
}
