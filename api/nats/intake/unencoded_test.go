package intake

import (
	"strings"
	"testing"

	"consentledger/api/wire"

	"github.com/nats-io/nats.go"
)

// inHeaders is a message in binary mode.
func inHeaders(subject, id, kind, data string, more ...string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: []byte(data), Header: nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {"/app"}, "ce-type": {kind}, "ce-subject": {"user-1"}, "content-type": {"application/json"},
	}}
	for i := 0; i < len(more); i += 2 {
		m.Header[more[i]] = []string{more[i+1]}
	}
	return m
}

// TestAnIDWithQuestionMarksLosesNoOptOut: 张三 and 李四 are both sent as ?? by
// NATS.Net. The second opt-out is one of its own, and somebody is told.
func TestAnIDWithQuestionMarksLosesNoOptOut(t *testing.T) {
	d := openRejected(t)
	const in = "consent.v1.smartkey.in.consent.withdrawn"
	first, p := d.request(inHeaders(record, "??", "consent.withdrawn", `{"all":true}`))
	if first.EventID == "" {
		t.Fatalf("%+v", p)
	}
	if grant, p := d.request(inHeaders(record, "grant", "consent.given", `{"purposes":["account"],"act":"agree","locale":"en"}`)); grant.EventID == "" {
		t.Fatalf("%+v", p)
	}
	second, p := d.request(inHeaders(record, "??", "consent.withdrawn", `{"all":true}`))
	if second.EventID == "" || second.EventID == first.EventID {
		t.Errorf("the second opt-out is answered %+v %+v, and the first was %+v", second, p, first)
	}
	for range 2 {
		if _, err := d.js.PublishMsg(t.Context(), inHeaders(in, "??", "consent.withdrawn", `{"purposes":["account"]}`)); err != nil {
			t.Fatal(err)
		}
	}
	d.until("both of the stream are recorded", func() bool { return len(d.history("user-1")) == 5 })

	list := d.list()
	if len(list) != 1 || list[0].Code != UnencodedID || list[0].Path != "ce-id" || list[0].App != "smartkey" || d.unseen() != 1 {
		t.Fatalf("told: %+v, of which %d are not seen", list, d.unseen())
	}
	if _, o, err := d.read(list[0].Seq); err != nil || o.Header["ce-id"][0] != "??" || !strings.Contains(o.Text, "structured mode") {
		t.Errorf("it shows %+v, %v", o, err)
	}
}

// TestAMessageIDWithQuestionMarksIsTold: within its window the server takes two
// messages for one.
func TestAMessageIDWithQuestionMarksIsTold(t *testing.T) {
	d := openRejected(t)
	m := &nats.Msg{Subject: "consent.v1.smartkey.in.consent.withdrawn", Data: event("1", "consent.withdrawn", "user-1", `{"all":true}`), Header: nats.Header{"Nats-Msg-Id": {"/app ??"}}}
	if _, err := d.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	d.until("it is told", func() bool { return len(d.list()) == 1 })
	if m := d.list()[0]; m.Code != UnencodedID || m.Path != "nats-msg-id" || len(d.history("user-1")) != 1 {
		t.Errorf("%+v", m)
	}
	structured := nats.Header{"ce-id": {"?"}, "content-type": {"application/cloudevents+json"}}
	for name, c := range map[string]struct {
		header nats.Header
		told   bool
	}{
		"beside a structured event":   {structured, false},
		"a source with a query":       {nats.Header{"ce-source": {"/app?a=1"}, "ce-id": {"1"}}, false},
		"in another spelling":         {nats.Header{"CE-ID": {"a?"}}, true},
		"escaped, as over HTTP":       {nats.Header{"ce-id": {"%E5%BC%A0"}}, false},
		"in the second of two values": {nats.Header{"nats-msg-id": {"1", "?"}}, true},
	} {
		if got := unencoded(c.header); (len(got) > 0) != c.told {
			t.Errorf("%s: told of %v", name, got)
		}
	}
}

// TestAPanicOverOneMessageEndsNothing: it is kept, and the ledger goes on.
func TestAPanicOverOneMessageEndsNothing(t *testing.T) {
	d := openRejected(t)
	d.publish("consent.withdrawn", event("panic", "consent.withdrawn", "user-1", `{"all":true}`))
	if _, p := d.request(&nats.Msg{Subject: record, Data: event("panic", "consent.withdrawn", "user-1", `{"all":true}`)}); p.Status != 503 || p.Code != wire.Unavailable {
		t.Errorf("answered %+v", p)
	}
	d.post(record, event("panic", "consent.given", "user-1", `{"act":"agree"}`)) // and asks for no answer
	d.until("both are kept", func() bool { return len(d.list()) == 2 })
	for _, m := range d.list() {
		if m.Code != wire.Unavailable || m.MayBeOptOut != (m.InSeq > 0) {
			t.Errorf("%+v", m)
		}
	}
	if r, p := d.request(&nats.Msg{Subject: record, Data: event("1", "consent.withdrawn", "user-1", `{"all":true}`)}); r.EventID == "" {
		t.Errorf("then: %+v", p)
	}
}
