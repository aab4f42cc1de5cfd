package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A rejectedServer is where a test works on rejected messages.
type rejectedServer struct {
	*testServer
	*Rejections
}

func (d rejectedServer) list() []RejectedMessage {
	d.t.Helper()
	list, err := d.List(d.t.Context(), 0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// unseen counts, and checks that one who has read nothing yet counts the same
// if nothing comes meanwhile.
func (d rejectedServer) unseen() int {
	d.t.Helper()
	n, err := d.Unseen(d.t.Context())
	fresh, freshErr := (&Rejections{Config: d.config}).Unseen(d.t.Context())
	again, againErr := d.Unseen(d.t.Context())
	if err != nil || freshErr != nil || againErr != nil || n == again && n != fresh {
		d.t.Fatalf("%d unseen (%v), after a restart %d (%v), then %d (%v)", n, err, fresh, freshErr, again, againErr)
	}
	return again
}

func openRejected(t *testing.T) rejectedServer {
	h := open(t)
	return rejectedServer{h, &Rejections{Config: h.config}}
}

// read shows a message by an access that is recorded.
func (d rejectedServer) read(seq uint64) (RejectedMessage, Original, error) {
	d.t.Helper()
	app, err := d.App(d.t.Context(), seq)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, kind := range []domain.AccessKind{domain.AccessExport, ""} {
		var opened ledger.Opened
		if kind != "" {
			opened = d.opened(app, kind)
		}
		if _, o, err := d.Show(d.t.Context(), opened, seq); err == nil || len(o.Data) > 0 {
			d.t.Errorf("message %d was shown without an access", seq)
		}
	}
	return d.Show(d.t.Context(), d.opened(app, domain.AccessRejected), seq)
}

func (d rejectedServer) opened(app ident.AppName, kind domain.AccessKind) ledger.Opened {
	d.t.Helper()
	if app == "" { // it names none: whoever reads it does so for one
		app = "smartkey"
	}
	opened, err := d.ledger.Access(d.t.Context(), ledger.Access{App: app, ID: fmt.Sprint(kind), Actor: "operator", RecordedBy: "desk",
		DataAccessed: domain.DataAccessed{Kind: kind, Reason: "audit", Parts: 1, Words: "to look", Name: "Li Na"}})
	if err != nil {
		d.t.Fatal(err)
	}
	return opened
}

// clear returns what the rejected stream shows without a key.
func (d rejectedServer) clear() string {
	d.t.Helper()
	stream, err := d.js.Stream(d.t.Context(), RejectedStream)
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for raw, err := range newer(d.t.Context(), stream, 0, rejectedSubjects) {
		if err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintln(&b, raw.Subject, raw.Header, string(raw.Data))
	}
	return b.String()
}

func TestWhatIsNotTakenIsKeptSealed(t *testing.T) {
	d := openRejected(t)
	ctx := t.Context()
	d.publish("consent.given", event("1", "consent.given", "user-1", `{"act":"nod"}`))
	d.until("a yes is rejected", func() bool { return len(d.list()) == 1 })
	if m := d.list()[0]; m.Code != refusal.UnknownAct || m.Path != "data.act" || m.App != "smartkey" || m.MayBeOptOut || d.unseen() != 0 {
		t.Errorf("%+v", m)
	}
	if _, err := d.Retry(ctx, 1); !wire.IsRefusal(err) {
		t.Errorf("tried again: %v", err)
	}

	// The purpose comes with the next version; the withdrawal was before it.
	no := event("2", "consent.withdrawn", "user-1", `{"purposes":["marketing"]}`)
	d.publish("consent.withdrawn", no)
	d.until("a withdrawal is rejected", func() bool { return d.unseen() == 1 })
	if _, o, err := d.read(2); err != nil || !bytes.Equal(o.Data, no) || !strings.Contains(o.Text, `"marketing"`) {
		t.Errorf("%v: %s %s", err, o.Data, o.Text)
	}
	doc := document()
	doc.Purposes = append(doc.Purposes, policy.Purpose{ID: "marketing", Title: "M", Actions: []policy.Action{policy.Use}, Basis: policy.BasisConsent})
	if _, err := d.ledger.Execute(ctx, ledger.Request{App: "smartkey", Source: "test", ID: "p2", Body: []byte("{}"), Actor: "operator", RecordedBy: "test", Command: domain.PublishPolicy{Version: content.Hash{3}, Document: doc, Material: []string{policy.MaterialService}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Retry(ctx, 2); err != nil || r.Position == 0 || d.unseen() != 0 {
		t.Errorf("%v %v, %d unseen", r, err, d.unseen())
	}

	d.publish("what", []byte(`user-1 says no`))
	d.until("what nobody can read may be a no", func() bool { return d.unseen() == 1 })
	if err := d.MarkSeen(ctx, 3, "a test"); err != nil || d.unseen() != 0 {
		t.Errorf("%v, %d unseen", err, d.unseen())
	}
	if m := d.list()[2]; !m.Seen || m.Why != "a test" || m.Code != refusal.Malformed || m.Path != "" {
		t.Errorf("%+v", m)
	}
	for _, seq := range []uint64{0, 99} {
		if err := d.MarkSeen(ctx, seq, "none"); !wire.IsRefusal(err) {
			t.Errorf("no message %d: %v", seq, err)
		}
	}
	for _, why := range []string{"", strings.Repeat("x", maxWhy+1)} {
		if err := d.MarkSeen(ctx, 3, why); !wire.IsRefusal(err) {
			t.Errorf("why of %d bytes: %v", len(why), err)
		}
	}
	if page, err := d.List(ctx, 1, 1); err != nil || len(page) != 1 || page[0].Seq != 2 {
		t.Errorf("the message behind the first: %v, %v", page, err)
	}
}

func TestWhatWasSentIsNowhereInTheClear(t *testing.T) {
	d := openRejected(t)
	const secret = "13800138000"
	for _, e := range []string{
		`{"specversion":"` + secret + `"}`,
		`{"` + secret + `":1}`,
		`{"zhangsan":{}}`,
		string(event(secret, "consent.given", "ann", `{"act":"`+secret+`"}`)),
		string(event("a", "consent.given", secret, `{"act":"agree"}`)),
		string(event("b", secret, "ann", `{"act":"agree"}`)),
		string(event("c", "consent.withdrawn", "ann", `{"purposes":["x","`+secret+`"]}`)),
		string(event("d", "consent.withdrawn", "ann", `{"zhangsan":1}`)),
		string(event("e", "permission.revoked", "ann", `{"permission":"`+secret+`"}`)),
		string(event("f", "consent.given", "ann", `{"act":"agree","locale":"zhangsan `+secret+`"}`)),
		string(event("g", "consent.given", "ann", `{"act":"agree","policy":"`+secret+`"}`)),
	} {
		d.publish(secret, []byte(e))
		_, p := d.request(&nats.Msg{Subject: record, Data: []byte(e)})
		if p.Status == 0 || strings.Contains(fmt.Sprint(p), secret) {
			t.Errorf("%s is answered with %+v", e, p)
		}
	}
	if _, err := d.js.Publish(t.Context(), "consent.v1."+secret+".in.consent.given", event("h", "consent.given", "ann", `{"act":"agree"}`)); err != nil {
		t.Fatal(err)
	}
	if _, p := d.request(&nats.Msg{Subject: "consent.v1." + secret + ".record", Data: event("h", "consent.given", "ann", `{"act":"agree"}`)}); p.Status != 404 || strings.Contains(fmt.Sprint(p), secret) {
		t.Errorf("an app called like a phone number: %+v", p)
	}
	d.until("all are rejected", func() bool { return len(d.list()) == 12 })
	if text := d.clear(); strings.Contains(text, secret) || strings.Contains(text, "zhangsan") || strings.Contains(text, "ann") {
		t.Errorf("in the clear: %s", text)
	}
	for _, m := range d.list() {
		if (m.InSeq == 12) != (m.App == invalidApp && m.Code == refusal.UnknownApp) {
			t.Errorf("%+v", m)
		}
		if m, o, err := d.read(m.Seq); err != nil || !strings.Contains(o.Subject, secret) || len(o.Data) == 0 || o.Text == "" {
			t.Errorf("%+v %+v, %v", m, o, err)
		}
	}
	if strings.Contains(d.log.text(), secret) {
		t.Errorf("the log: %s", d.log.text())
	}
}

// What may be an opt-out is counted until somebody looked at it, whatever becomes of
// the stream of rejected messages meanwhile.
func TestANoOutlivesTheStreamUntilItIsSeen(t *testing.T) {
	d := openRejected(t)
	ctx := t.Context()
	d.publish("consent.given", event("0", "consent.given", "user-1", `{"act":"nod"}`)) // a grant
	d.until("the yes is rejected", func() bool { return len(d.list()) == 1 })
	for range 3 {
		d.publish("what", []byte(`no`))
	}
	d.until("three are unseen", func() bool { return d.unseen() == 3 })
	stream, err := d.js.Stream(ctx, RejectedStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(ctx, 3); err != nil || d.unseen() != 3 || len(d.list()) != 4 {
		t.Errorf("one deleted from the midst: %d unseen, %v, %v", d.unseen(), d.list(), err)
	}
	// As when 30 days have passed: the grant is gone, the opt-outs are not.
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(4)); err != nil || d.unseen() != 3 {
		t.Errorf("the oldest are gone: %d, %v", d.unseen(), err)
	}
	list := d.list()
	if len(list) != 3 || list[0].Seq != 2 || list[1].Seq != 3 || list[2].Seq != 4 || !list[0].MayBeOptOut || list[0].Code != refusal.Malformed || list[0].InSeq != 2 {
		t.Errorf("listed: %+v", list)
	}
	if page, err := d.List(ctx, 2, 1); err != nil || len(page) != 1 || page[0].Seq != 3 {
		t.Errorf("a page: %v, %v", page, err)
	}
	// Those of a time, what outlived the stream among them, and each bound in its place.
	for _, c := range []struct {
		from, until time.Time
		after       uint64
		want        string
	}{
		{list[0].At, list[2].At.Add(1), 0, "[2 3 4]"}, {list[0].At, list[2].At, 0, "[2 3]"}, {list[1].At, list[2].At, 0, "[3]"},
		{list[2].At, list[2].At.Add(1), 0, "[4]"}, {list[0].At, list[2].At.Add(1), 2, "[3 4]"},
		{list[2].At.Add(1), list[2].At.Add(time.Hour), 0, "[]"}, {list[0].At.Add(-time.Hour), list[0].At, 0, "[]"},
	} {
		page, err := d.ListOn(ctx, c.from, c.until, c.after, 10)
		seqs := []uint64{}
		for _, m := range page {
			seqs = append(seqs, m.Seq)
		}
		if err != nil || fmt.Sprint(seqs) != c.want {
			t.Errorf("from %s until %s after %d: %v, want %s: %v", c.from, c.until, c.after, seqs, c.want, err)
		}
	}
	if page, err := d.ListOn(ctx, list[0].At, list[2].At.Add(1), 0, 1); err != nil || len(page) != 1 || page[0].Seq != 2 {
		t.Errorf("a page of a time: %v, %v", page, err)
	}
	if _, o, err := d.read(2); err != nil || string(o.Data) != "no" {
		t.Errorf("what is gone from the stream cannot be read: %v %s", err, o.Data)
	}
	if err := d.MarkSeen(ctx, 2, "first"); err != nil || d.unseen() != 2 || len(d.list()) != 2 {
		t.Errorf("marked: %d, %v", d.unseen(), err)
	}
	if err := d.MarkSeen(ctx, 2, "again"); !wire.IsRefusal(err) {
		t.Errorf("what was seen and is over 30 days old is there: %v", err)
	}
	if err := d.MarkSeen(ctx, 4, "first"); err != nil || d.unseen() != 1 {
		t.Errorf("marked: %d, %v", d.unseen(), err)
	}
	if err := d.MarkSeen(ctx, 4, "again"); err != nil || d.unseen() != 1 || d.list()[1].Why != "again" {
		t.Errorf("marked again: %d %v, %v", d.unseen(), d.list(), err)
	}

	// A new stream does not take over what was said of another's messages.
	if err := d.js.DeleteStream(ctx, RejectedStream); err != nil {
		t.Fatal(err)
	}
	if err := makeStreams(ctx, d.config, d.js); err != nil || d.unseen() != 1 {
		t.Errorf("a new stream: %d, %v", d.unseen(), err)
	}
	d.publish("what", []byte(`another no`))
	d.until("it is unseen too", func() bool { return d.unseen() == 2 })
	if list := d.list(); list[0].Seq != 3 || list[1].Seq != 5 || list[1].Seen {
		t.Errorf("listed: %+v", list)
	}
	for _, seq := range []uint64{3, 5} {
		if err := d.MarkSeen(ctx, seq, "looked at"); err != nil {
			t.Error(err)
		}
	}
	if d.unseen() != 0 {
		t.Errorf("all were seen: %d", d.unseen())
	}
}

func TestWhoMarksAndDiesLeavesNothingUndone(t *testing.T) {
	d := openRejected(t)
	ctx := t.Context()
	d.publish("what", []byte(`no`))
	d.until("one is unseen", func() bool { return d.unseen() == 1 })
	seen, err := d.js.KeyValue(ctx, SeenBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seen.PutString(ctx, "1", "looked at"); err != nil || d.unseen() != 0 {
		t.Errorf("marked, and dead: %d, %v", d.unseen(), err)
	}
	// Messages are kept for 30 days, and marks are forgotten after 60.
	stream, err := d.js.Stream(ctx, RejectedStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.Purge(ctx), seen.Delete(ctx, "1")); err != nil || d.unseen() != 0 || len(d.list()) != 0 {
		t.Errorf("after 60 days: %d unseen, %v, %v", d.unseen(), d.list(), err)
	}
}

// The server knows for a while which messages it has: here for a tenth of a
// second.
func TestAMessageIsRejectedOnceHoweverLateItComesAgain(t *testing.T) {
	nc := connect(t)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	const window = 100 * time.Millisecond
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: RejectedStream, Subjects: []string{rejectedSubjects}, Duplicates: window, MaxAge: time.Hour}); err != nil {
		t.Fatal(err)
	}
	c := Config{Conn: nc, Ledger: openLedger(t), Seal: flip, Unseal: flip, Log: slog.Default()}
	if err := makeStreams(ctx, c, js); err != nil {
		t.Fatal(err)
	}
	h := &testServer{t: t, nc: nc, js: js, config: c}
	h.publish("what", []byte(`no`))
	consumer, err := js.CreateConsumer(ctx, InStream, jetstream.ConsumerConfig{Durable: "ledger", AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: -1})
	if err != nil {
		t.Fatal(err)
	}
	reject := func(d *drain) {
		t.Helper()
		m, err := consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		_, hint, no := readMessage(m.Subject(), m.Headers(), m.Data())
		if err := d.reject(m, meta, no.(refusal.Refusal), hint); err != nil || m.Nak() != nil {
			t.Fatal(err)
		}
	}
	d := &drain{Config: c, js: js, ctx: ctx}
	for _, d := range []*drain{d, d, {Config: c, js: js, ctx: ctx}} { // the last one is another process
		reject(d)
		probe := &nats.Msg{Subject: "consent.v1.probe.rejected", Header: nats.Header{jetstream.MsgIDHeader: {nats.NewInbox()}, headerMayBeOptOut: {"false"}}}
		if _, err := js.PublishMsg(ctx, probe); err != nil {
			t.Fatal(err)
		}
		h.until("the server has forgotten what came before", func() bool {
			ack, err := js.PublishMsg(ctx, probe)
			return err == nil && !ack.Duplicate
		})
	}
	desk := rejectedServer{h, &Rejections{Config: c}}
	n := 0
	for _, m := range desk.list() {
		if m.App == "smartkey" {
			n++
		}
	}
	if n != 1 || desk.unseen() != 1 {
		t.Errorf("%d messages, %d unseen", n, desk.unseen())
	}
}

func TestAskingOftenCostsLittle(t *testing.T) {
	d := openRejected(t)
	for range 50 {
		d.publish("what", []byte(`no`))
	}
	d.until("all are unseen", func() bool { return d.unseen() == 50 && len(d.list()) == 50 })
	watcher, err := nats.Connect(d.nc.ConnectedUrl(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	api, err := watcher.SubscribeSync("$JS.API.>")
	if err != nil || watcher.Flush() != nil {
		t.Fatal(err)
	}
	for range 10 {
		if n, err := d.Unseen(t.Context()); n != 50 || err != nil {
			t.Fatal(n, err)
		}
	}
	if d.nc.Flush() != nil || watcher.Flush() != nil {
		t.Fatal("the server does not answer")
	}
	// Three a count, and what looks after the streams asks meanwhile.
	if asked := requests(t, api); len(asked) < 30 || len(asked) > 60 {
		t.Errorf("asked the server %d times for 10 counts of 50 messages, want 30 or few more: %v", len(asked), asked)
	}
}

// requests returns the requests that s saw, but for the consumer's own.
func requests(t *testing.T, s *nats.Subscription) (subjects []string) {
	t.Helper()
	waiting, _, err := s.Pending()
	if err != nil {
		t.Fatal(err)
	}
	for range waiting {
		m, err := s.NextMsgWithContext(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Subject, "MSG.NEXT") {
			subjects = append(subjects, m.Subject)
		}
	}
	return subjects
}

// A server lets an app's user publish some types only: by the subject.
func TestTheSubjectSaysWhatMayBeSaid(t *testing.T) {
	yes := event("1", "consent.given", "user-1", `{"act":"agree"}`)
	no := event("2", "consent.withdrawn", "user-1", `{"all":true}`)
	broken := event("3", "consent.given", "user-1", `{"act":7}`)
	for _, c := range []struct {
		name, kind  string
		data        []byte
		header      nats.Header
		path        string // of the refusal; "taken": there is none
		mayBeOptOut bool
	}{
		{"a yes where a no may be said", "consent.withdrawn", yes, nil, "type", true},
		{"a no where a yes may be said", "consent.given", no, nil, "type", true},
		{"a yes in binary mode where a notice may be said", "notice.presented", []byte(`{"act":"agree"}`), nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {"4"}, "ce-source": {"/app"}, "ce-type": {"consent.given"}, "ce-subject": {"user-1"}}, "type", false},
		{"something broken where a no may be said, which calls itself a yes", "consent.withdrawn", broken, nil, "data.act", true},
		{"something broken where a yes may be said", "consent.given", broken, nil, "data.act", false},
		{"a yes behind a longer subject", "consent.given.more", yes, nil, "type", true},
		{"a yes in its place", "consent.given", yes, nil, "taken", false},
		{"a no in its place", "consent.withdrawn", no, nil, "taken", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := openRejected(t)
			if _, err := d.js.PublishMsg(t.Context(), &nats.Msg{Subject: "consent.v1.smartkey.in." + c.kind, Data: c.data, Header: c.header}); err != nil {
				t.Fatal(err)
			}
			if c.path == "taken" {
				d.until("it is taken", func() bool { return len(d.faulty.taken()) == 1 })
				return
			}
			d.until("it is rejected", func() bool { return len(d.list()) == 1 })
			m := d.list()[0]
			if m.Path != c.path || m.Code != refusal.Malformed || m.MayBeOptOut != c.mayBeOptOut || (d.unseen() == 1) != c.mayBeOptOut || len(d.faulty.taken()) != 0 {
				t.Errorf("%+v, %d unseen, taken %v", m, d.unseen(), d.faulty.taken())
			}
			if _, err := d.Retry(t.Context(), m.Seq); !wire.IsRefusal(err) || len(d.faulty.taken()) != 0 {
				t.Errorf("tried again: %v", err)
			}
		})
	}
}
