package intake

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// history returns what is recorded of a person.
func (h *testServer) history(id string) (entries []codec.Entry) {
	h.t.Helper()
	for e, err := range h.ledger.History(h.t.Context(), "smartkey", ident.PersonKey{Kind: "account", ID: id}) {
		if err != nil {
			h.t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// strange is a withdrawal whose surroundings nobody understands.
func strange(id string) []byte {
	return []byte(strings.Replace(string(event(id, "consent.withdrawn", "user-1", `{"purposes":["account"],"screen":"138 0013 8000"}`)),
		`"source"`, `"time":"01/01/1970 00:00:00 +00:00","sequence":"x","source"`, 1))
}

func TestAnOptOutIsTakenWhateverStandsBesideIt(t *testing.T) {
	d := openRejected(t)
	const unread = "data.screen,sequence,time"
	begun := d.testServer.ledger.Now()
	first, p := d.request(&nats.Msg{Subject: record, Data: strange("1")})
	if first.EventID == "" || first.NotUnderstood != unread || first.ID != "1" || first.Subject != "account:user-1" {
		t.Fatalf("%+v %+v", first, p)
	}
	if again, _ := d.request(&nats.Msg{Subject: record, Data: strange("1")}); again != first {
		t.Errorf("answered %+v, then %+v", first, again)
	}
	d.publish("consent.withdrawn", strange("2"))
	d.until("the second is recorded", func() bool { return len(d.history("user-1")) == 2 })
	if len(d.list()) != 0 || d.unseen() != 0 {
		t.Errorf("%+v is rejected", d.list())
	}
	for _, e := range d.history("user-1") {
		if e.NotUnderstood != unread || len(e.Parts) < 1 || e.Parts[len(e.Parts)-1].Role != ledger.ClaimsRole || e.At > e.Recorded || e.At < begun {
			t.Errorf("%+v", e)
		}
		public, err := wire.EntryOf(e)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := json.Marshal(public); err != nil || strings.Contains(string(text), "0013") || strings.Contains(string(text), "01/01/1970") {
			t.Errorf("the record says %s, %v", text, err)
		}
	}
}

// TestWhatWasRejectedForItsTimeIsTakenAgain: a program before this one refused
// such an opt-out, and kept it.
func TestWhatWasRejectedForItsTimeIsTakenAgain(t *testing.T) {
	d := openRejected(t)
	original, err := json.Marshal(Original{Subject: "consent.v1.smartkey.in.consent.withdrawn", Data: strange("1"), Text: "time"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := d.testServer.config.Seal(t.Context(), "smartkey", original)
	if err != nil {
		t.Fatal(err)
	}
	m := &nats.Msg{Subject: "consent.v1.smartkey.rejected", Data: sealed, Header: nats.Header{
		headerApp: {"smartkey"}, headerCode: {"malformed"}, headerPath: {"time"}, headerMayBeOptOut: {"true"}, headerSeq: {"7"},
	}}
	ack, err := d.js.PublishMsg(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if d.unseen() != 1 {
		t.Fatalf("%d unseen", d.unseen())
	}
	if r, err := d.Retry(t.Context(), ack.Sequence); err != nil || r.NotUnderstood == "" || d.unseen() != 0 {
		t.Errorf("%+v, %v, %d unseen", r, err, d.unseen())
	}
	if len(d.history("user-1")) != 1 {
		t.Errorf("recorded %+v", d.history("user-1"))
	}
}

func TestEscapesMeanOverNATSWhatTheyMeanOverHTTP(t *testing.T) {
	h := open(t)
	ask := func(id, source string) wire.Receipt {
		t.Helper()
		r, p := h.request(&nats.Msg{Subject: record, Data: []byte(`{"all":true}`), Header: nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {source}, "ce-type": {"consent.withdrawn"}, "ce-subject": {"account:user-1"},
		}})
		if r.EventID == "" {
			t.Fatalf("%s of %s: %+v", id, source, p)
		}
		return r
	}
	structured := func(id, source string) wire.Receipt {
		t.Helper()
		e := strings.Replace(string(event(id, "consent.withdrawn", "account:user-1", `{"all":true}`)), "/app", source, 1)
		r, p := h.request(&nats.Msg{Subject: record, Data: []byte(e), Header: nats.Header{"Content-Type": {"application/cloudevents+json"}, "ce-id": {"not this"}}})
		if r.EventID == "" {
			t.Fatalf("%s of %s: %+v", id, source, p)
		}
		return r
	}
	for _, c := range []struct{ header, source, id, uri string }{
		{"w-1", "/app", "w-1", "/app"}, {"a%20b", "/app", "a b", "/app"}, {"100%", "/app", "100%", "/app"}, {"x%41", "/app", "x%41", "/app"},
		{"s-1", "/shop/a%2520b", "s-1", "/shop/a%20b"}, {"s-2", "/shop/%E5%BC%A0", "s-2", "/shop/张"},
	} {
		r := ask(c.header, c.source)
		if r.ID != c.id || r.Subject != "account:user-1" || structured(c.id, c.uri) != r {
			t.Errorf("%s of %s is understood as %+v", c.header, c.source, r)
		}
	}

	app := domain.App{Name: "smartkey", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}, Escapes: domain.RawEscapes}
	_, err := h.ledger.Execute(t.Context(), ledger.Request{App: "smartkey", Source: "test", ID: "raw", Body: []byte("{}"), Actor: "operator", RecordedBy: "test",
		Command: domain.RegisterApp{App: app}})
	if err != nil {
		t.Fatal(err)
	}
	if r := ask("b%20c", "/shop/a%2520b"); r.ID != "b%20c" || structured("b%20c", "/shop/a%2520b") != r {
		t.Errorf("of an app whose senders escape nothing: %+v", r)
	}
}

func TestEveryAnswerHasAnOutcomeInItsBody(t *testing.T) {
	h := open(t)
	const app = "consent.v1.smartkey."
	for _, c := range []struct{ subject, data, want string }{
		{app + "record", string(event("1", "consent.withdrawn", "user-1", `{"all":true}`)), wire.Recorded},
		{app + "record", string(event("2", "consent.given", "user-1", `{"act":"nod"}`)), wire.Refused},
		{app + "record", `no JSON`, wire.Refused}, {app + "record", ``, wire.Refused}, {"consent.v1.other.record", `{}`, wire.Refused},
		{app + "check", `{"subject":"user-1","purpose":"account"}`, wire.Answered}, {app + "check", `{"subject":"user-1"}`, wire.Refused},
		{app + "prompt", `{"subject":"user-1"}`, wire.Answered}, {app + "prompt", `[]`, wire.Refused},
	} {
		answer, err := h.nc.Request(c.subject, []byte(c.data), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var a struct{ Outcome string }
		if err := json.Unmarshal(answer.Data, &a); err != nil || a.Outcome != c.want {
			t.Errorf("%s %s: %s, %v, want %s", c.subject, c.data, answer.Data, err, c.want)
		}
	}
}

func TestOfTwoContentTypesNoneIsTaken(t *testing.T) {
	h := open(t)
	structured := event("w-1", "consent.withdrawn", "account:user-1", `{"all":true}`)
	for name, header := range map[string]nats.Header{
		"of two modes":            {"Content-Type": {"application/cloudevents+json", "application/json"}},
		"of one mode, twice":      {"Content-Type": {"application/cloudevents+json", "application/cloudevents+json"}},
		"written in another case": {"Content-Type": {"application/cloudevents+json"}, "content-type": {"application/json"}},
	} {
		_, p := h.request(&nats.Msg{Subject: record, Data: structured, Header: header})
		if p.Status != 400 || p.Path != "content-type" || !strings.Contains(p.Detail, "stands twice") {
			t.Errorf("%s: %+v", name, p)
		}
	}

	// The same message with one of them is recorded.
	r, p := h.request(&nats.Msg{Subject: record, Data: structured, Header: nats.Header{"content-type": {"application/cloudevents+json"}}})
	if r.EventID == "" || r.ID != "w-1" {
		t.Errorf("%+v, %+v", r, p)
	}
}
