package intake

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"consentledger/api/nats/subject"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/refusal"
	"consentledger/eventstore"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A refused message was not taken, and is to be kept.
type refused struct {
	subject     string
	header      nats.Header
	data        []byte
	why         refusal.Refusal
	mayBeOptOut bool
	inSeq       uint64    // in [InStream]; zero: it did not come from there
	id          string    // the same for the same message, however often it is kept
	came        time.Time // to the server, or to the ledger
	again       bool      // it may be with the rejected already
}

// A keeper puts what was not taken with the rejected messages.
type keeper struct {
	Config
	js    jetstream.JetStream
	filed *filing
}

// keep keeps m, sealed. Doing it twice is harmless.
func (k keeper) keep(ctx context.Context, m refused) error {
	_, err := k.put(ctx, m)
	return err
}

// put is keep. It returns the place among the rejected messages.
func (k keeper) put(ctx context.Context, m refused) (at uint64, err error) {
	app, err := k.registered(ctx, m.subject)
	if err != nil {
		return 0, fmt.Errorf("rejected message: %w", err)
	}

	sealed, err := k.seal(ctx, app,
		Original{Subject: m.subject, Header: withoutKey(m.header), Data: m.data, Text: m.why.Text, Came: m.came})
	if err != nil {
		return 0, fmt.Errorf("rejected message: %w", err)
	}

	out := &nats.Msg{Subject: subject.Of(app, "rejected"), Data: sealed, Header: nats.Header{
		headerApp: {app}, headerCode: {string(m.why.Code)}, headerPath: {wire.PathOf(m.why)},
		headerSeq: {strconv.FormatUint(m.inSeq, 10)}, headerMayBeOptOut: {strconv.FormatBool(m.mayBeOptOut)},
		jetstream.MsgIDHeader: {m.id},
	}}
	at, err = k.file(ctx, out, m.id, m.again)
	if err == nil && k.Turned != nil {
		k.Turned(m.why.Code)
	}
	if err == nil && m.mayBeOptOut {
		err = k.unseen(ctx, at, out)
	}
	if err != nil {
		return 0, fmt.Errorf("rejected message: %w", err)
	}
	return at, nil
}

// unseen keeps a message until somebody looked at it, and that it is kept in the
// ledger's own store.
func (k keeper) unseen(ctx context.Context, at uint64, m *nats.Msg) error {
	if k.Rows != nil {
		if err := eventstore.WriteDurably(ctx, k.Rows,
			eventstore.Change{Put: []eventstore.Row{unseenRow(at)}}); err != nil {
			return err
		}
	}
	return keepUnseen(ctx, k.js, at, m)
}

// registered returns the app that a subject names, or invalidApp. What a
// stranger wrote there becomes neither a subject nor the owner of a key.
func (k keeper) registered(ctx context.Context, sentTo string) (string, error) {
	app, err := appOf(sentTo)
	if err != nil {
		return invalidApp, nil
	}
	_, err = k.Ledger.App(ctx, app)
	if wire.IsRefusal(err) {
		return invalidApp, nil
	}
	return string(app), err
}

// file puts a message with the rejected, once, and returns its place there.
func (k keeper) file(ctx context.Context, m *nats.Msg, id string, again bool) (uint64, error) {
	if again {
		if seq, has, err := k.filed.find(ctx, k.js, id); err != nil || has {
			return seq, err
		}
	}
	ack, err := k.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// headersOfKept is how many bytes are left for the headers of a kept message.
const headersOfKept = 4096

// seal seals a message as it was sent. One that does not fit into a message with
// its reason is compressed, and if that is not enough it is cut: what is cut is
// counted and hashed.
func (k keeper) seal(ctx context.Context, app string, o Original) ([]byte, error) {
	limit := int(k.Conn.MaxPayload()) - headersOfKept
	plain, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	sealed, err := k.Seal(ctx, app, plain)
	if err != nil || len(sealed) <= limit {
		return sealed, err
	}

	whole := o.Data
	for {
		packed, err := pack(o)
		if err != nil {
			return nil, err
		}
		sealed, err := k.Seal(ctx, app, packed)
		switch {
		case err != nil || len(sealed) <= limit:
			return sealed, err
		case len(o.Data) == 0:
			return nil, errors.New("its headers alone are larger than a message may be")
		}
		sum := sha256.Sum256(whole)
		o.Size, o.Hash = len(whole), "sha256:"+hex.EncodeToString(sum[:])
		o.Data = o.Data[:max(0, len(o.Data)-(len(sealed)-limit)-1024)]
	}
}

// pack writes an original in fewer bytes than JSON does: gzip of the JSON of all
// but its data, a line feed, and the data.
func pack(o Original) ([]byte, error) {
	data := o.Data
	o.Data = nil
	head, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(append(head, '\n'))
	if err == nil {
		_, err = z.Write(data)
	}

	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// unpack reads what seal sealed, of either kind.
func unpack(plain []byte) (o Original, err error) {
	if len(plain) == 0 || plain[0] == '{' {
		err = json.Unmarshal(plain, &o)
		return o, err
	}

	z, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return o, err
	}

	all, err := io.ReadAll(z)
	if err != nil {
		return o, err
	}

	head, data, _ := bytes.Cut(all, []byte("\n"))
	err = json.Unmarshal(head, &o)
	o.Data = data
	return o, err
}

// KeepUntold keeps an event of operators or of a group that was not recorded, and
// whose sender cannot be told. It tries until it is kept, or the ledger stops.
func (c Config) KeepUntold(stop context.Context, m *nats.Msg, failed error) {
	js, err := jetstream.New(c.Conn)
	if err != nil {
		c.Log.Error("an event that was refused cannot be kept", "err", err)
		return
	}
	keeper{Config: c, js: js, filed: new(filing)}.keepUntold(stop, m, "", failed)
}

// keepUntold keeps a message whose sender cannot be told that it was not taken.
// It tries until it is kept, or the ledger stops.
func (k keeper) keepUntold(stop context.Context, m *nats.Msg, hint string, failed error) {
	why, no := errors.AsType[refusal.Refusal](failed)
	if !no {
		why = refusal.Refusal{Code: wire.Unavailable, Text: "the ledger could not record it then"}
	}

	one := refused{
		subject: m.Subject, header: m.Header, data: m.Data, why: why,
		mayBeOptOut: mayBeOptOut(m.Subject, m.Data, hint), id: "request-" + rand.Text(),
		came: k.Ledger.Now().Time(),
	}
	ctx := context.WithoutCancel(stop)
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		err := k.keepInTime(ctx, one)
		if err == nil {
			return
		}
		k.Log.Error("a message that was refused, and whose sender asked for no answer, cannot be kept", "code",
			why.Code, "may_be_no", one.mayBeOptOut, "err", err)
		if stop.Err() != nil {
			return
		}
		one.again = true
		pause(stop, wait)
	}
}

func (k keeper) keepInTime(ctx context.Context, m refused) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return k.keep(ctx, m)
}

// mayBeOptOut reports whether a message may be an opt-out: by the type in its subject, or
// by what it says itself.
func mayBeOptOut(sentTo string, data []byte, hint string) bool {
	said, has := subject.Type(sentTo)
	return has && parse.MayBeOptOut(nil, said) || parse.MayBeOptOut(data, hint)
}

// withoutKey returns headers without the key of whoever sent them: what is kept is shown
// to others.
func withoutKey(h nats.Header) nats.Header {
	kept := h
	for name := range h {
		if strings.EqualFold(name, "Authorization") {
			kept = maps.Clone(kept)
			delete(kept, name)
		}
	}
	return kept
}
