package intake

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// post publishes without a reply subject, as a producer does that wants none.
func (h *testServer) post(subject string, data []byte) {
	h.t.Helper()
	if err := h.nc.Publish(subject, data); err != nil || h.nc.Flush() != nil {
		h.t.Fatal(err)
	}
}

// A withdrawal that cannot be taken and whose sender asked for no answer is kept
// until somebody looked at it, as one from the stream is.
func TestARefusedRequestThatWantsNoAnswerIsKept(t *testing.T) {
	d := openRejected(t)
	no := event("1", "consent.withdrawn", "user-1", `{"purposes":["marketing"]}`)
	for _, c := range []struct {
		name, subject string
		data          []byte
		code          refusal.Code
		app           string
		mayBeOptOut   bool
	}{
		{"a purpose that no policy has", record, no, refusal.UnknownPurpose, "smartkey", true},
		{"no event at all", record, []byte("user-1 says no"), refusal.Malformed, "smartkey", true},
		{"a member that is nested too deep", record, event("4", "consent.withdrawn", "user-1", `{"all":true,"x":`+strings.Repeat("[", 10_001)+strings.Repeat("]", 10_001)+`}`), refusal.Malformed, "smartkey", true},
		{"an app that is not registered", "consent.v1.other.record", event("2", "consent.withdrawn", "user-1", `{"all":true}`), refusal.UnknownApp, invalidApp, true},
		{"a grant", record, event("3", "consent.given", "user-1", `{"act":"nod"}`), refusal.UnknownAct, "smartkey", false},
	} {
		before := len(d.list())
		unseen := d.unseen()
		d.post(c.subject, c.data)
		d.until(c.name+" is kept", func() bool { return len(d.list()) == before+1 })
		m := d.list()[before]
		if m.Code != c.code || m.App != c.app || m.MayBeOptOut != c.mayBeOptOut || m.InSeq != 0 {
			t.Errorf("%s: %+v", c.name, m)
		}
		if got := d.unseen() - unseen; got != map[bool]int{true: 1}[c.mayBeOptOut] {
			t.Errorf("%s: %d more are unseen", c.name, got)
		}
		if _, o, err := d.read(m.Seq); err != nil || o.Subject != c.subject || !bytes.Equal(o.Data, c.data) {
			t.Errorf("%s: %+v, %v", c.name, o, err)
		}
	}
	if text := d.clear(); strings.Contains(text, "user-1") {
		t.Errorf("in the clear: %s", text)
	}

	// The sender who waits for an answer gets it, and nothing is kept.
	before := len(d.list())
	if _, p := d.request(&nats.Msg{Subject: record, Data: no}); p.Status != 422 {
		t.Errorf("%+v", p)
	}
	if n := len(d.list()); n != before {
		t.Errorf("%d messages are kept that were answered", n-before)
	}
}

func TestARequestThatWantsNoAnswerWaitsForABrokenStore(t *testing.T) {
	h := open(t)
	h.faulty.breakFor("1")
	h.post(record, event("1", "consent.withdrawn", "user-1", `{"all":true}`))
	h.post(record, event("2", "consent.given", "user-2", `{"act":"agree"}`))
	h.until("another person's is taken", func() bool { return len(h.faulty.taken()) == 1 })
	h.faulty.breakFor("")
	h.until("it is recorded once the store is well", func() bool { return len(h.faulty.taken()) == 2 })
}

func TestARequestThatWantsNoAnswerIsKeptWhenTheLedgerStops(t *testing.T) {
	h := idleServer(t)
	stop := h.start()
	h.faulty.breakFor("1")
	h.post(record, event("1", "consent.withdrawn", "user-1", `{"all":true}`))
	h.post(record, event("2", "consent.given", "user-2", `{"act":"agree"}`))
	h.until("both came", func() bool { return len(h.faulty.taken()) == 1 })
	stop()
	d := rejectedServer{h, &Rejections{Config: h.config}}
	if list := d.list(); len(list) != 1 || string(list[0].Code) != wire.Unavailable || d.unseen() != 1 {
		t.Fatalf("%+v", list)
	}
	h.faulty.breakFor("")
	if r, err := d.Retry(t.Context(), 1); err != nil || r.Position == 0 || d.unseen() != 0 {
		t.Errorf("%v, %v, %d unseen", r, err, d.unseen())
	}
}

// What is too large to be kept with its reason holds back nothing behind it.
func TestALargeMessageIsKept(t *testing.T) {
	d := openRejected(t)
	random := make([]byte, 1<<20)
	_, _ = rand.Read(random)
	room := int(d.nc.MaxPayload()) - 1000
	long := event("1", "consent.withdrawn", "user-1", `{"why":"`+strings.Repeat("no ", room/4)+`"}`)
	digits := event("2", "consent.withdrawn", "user-1", `{"proof":"`+base64.StdEncoding.EncodeToString(random)[:room*9/10]+`"}`)
	for i, c := range []struct {
		name  string
		data  []byte
		whole bool
	}{
		{"small", []byte("no"), true},
		{"a long text", long, true},
		{"a long proof", digits, true},
		{"nothing but noise", random[:room], false},
		{"behind it", []byte("no"), true},
	} {
		d.publish("what", c.data)
		d.until(c.name+" is kept", func() bool { return len(d.list()) == i+1 })
		_, o, err := d.read(uint64(i + 1))
		if err != nil || (o.Size > 0) == c.whole || c.whole && !bytes.Equal(o.Data, c.data) || !bytes.HasPrefix(c.data, o.Data) {
			t.Errorf("%s: %d of %d bytes, size %d, %v", c.name, len(o.Data), len(c.data), o.Size, err)
		}
		if !c.whole && (o.Size != len(c.data) || !strings.HasPrefix(o.Hash, "sha256:") || len(o.Data) < room*9/10) {
			t.Errorf("%s: %d bytes of %d, %s", c.name, len(o.Data), o.Size, o.Hash)
		}
	}
	if _, err := d.Retry(t.Context(), 4); !wire.IsRefusal(err) || !strings.Contains(err.Error(), "too large to be kept whole") {
		t.Errorf("tried again: %v", err)
	}
	if n := d.unseen(); n != 5 {
		t.Errorf("%d unseen", n)
	}
}

func TestAnEventOfAnotherRoadIsRecordedByThatRoad(t *testing.T) {
	h := idleServer(t)
	var got *nats.Msg
	h.config.Again = func(_ context.Context, m *nats.Msg) (ledger.Receipt, error) {
		got = m
		return ledger.Receipt{Position: 7}, nil
	}
	defer h.start()()
	m := &nats.Msg{Subject: "consent.v1.family.group", Data: event("1", "consent.withdrawn", "user-1", `{"all":true}`)}
	h.config.KeepUntold(t.Context(), m, refusal.Refusal{Code: refusal.UnknownApp, Text: "no app is registered with this group"})
	d := rejectedServer{h, &Rejections{Config: h.config}}
	if list := d.list(); len(list) != 1 || list[0].App != invalidApp || !list[0].MayBeOptOut || d.unseen() != 1 {
		t.Fatalf("%+v", list)
	}
	if r, err := d.Retry(t.Context(), 1); err != nil || r.Position != 7 || got.Subject != m.Subject || !bytes.Equal(got.Data, m.Data) || d.unseen() != 0 {
		t.Errorf("%v, %v", r, err)
	}
}

func TestTheServiceCountsErrorsAndRealTimes(t *testing.T) {
	h := open(t)
	for i := range 3 {
		h.request(&nats.Msg{Subject: record, Data: event(fmt.Sprint(i), "consent.given", "person-1", `{"act":"agree"}`)})
		h.request(&nats.Msg{Subject: record, Data: event(fmt.Sprint("bad-", i), "consent.given", "person-1", `{"act":"nod"}`)})
	}
	m, err := h.nc.Request("$SRV.STATS.consentledger", nil, time.Minute)
	var stats micro.Stats
	if err != nil || json.Unmarshal(m.Data, &stats) != nil {
		t.Fatal(err)
	}
	for _, e := range stats.Endpoints {
		want := map[string]int{"record": 6}[e.Name]
		if e.NumRequests != want || e.NumErrors != want/2 || want > 0 && (e.LastError != "422:Refused" || e.AverageProcessingTime <= 0) {
			t.Errorf("%+v", e)
		}
	}
}
