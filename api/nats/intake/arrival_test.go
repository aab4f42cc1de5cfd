package intake

import (
	"crypto/ed25519"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// standing returns where user-1 stands with the one purpose.
func (h *testServer) standing() domain.Status {
	h.t.Helper()
	state, err := h.ledger.State(h.t.Context(), "smartkey", ident.PersonKey{Kind: "account", ID: "user-1"}, ledger.AsOf{})
	if err != nil {
		h.t.Fatal(err)
	}
	return state.Subject.Standing("account", h.ledger.Now(), state.Reference).Status
}

// withdrawNow withdraws by request, a moment after what came before it.
func (h *testServer) withdrawNow() {
	h.t.Helper()
	time.Sleep(5 * time.Millisecond)
	if r, p := h.request(&nats.Msg{Subject: record, Data: event("no", "consent.withdrawn", "user-1", `{"all":true}`)}); r.EventID == "" {
		h.t.Fatalf("%+v", p)
	}
	time.Sleep(5 * time.Millisecond)
}

// What says no time was said when it came to the server, and not when it is taken out
// of the stream: a consent that waited there does not come after a withdrawal that did
// not wait.
func TestAConsentThatWaitedInTheStreamIsFromWhenItCame(t *testing.T) {
	h := idleServer(t)
	h.start()()
	before := h.ledger.Now()
	h.publish("consent.given", event("yes", "consent.given", "user-1", `{"act":"agree"}`))
	came := h.ledger.Now()
	time.Sleep(20 * time.Millisecond)
	no := ledger.Request{App: "smartkey", Person: ident.PersonKey{Kind: "account", ID: "user-1"}, Source: "/app", ID: "no", Body: []byte("{}"),
		Actor: "person", RecordedBy: "test", Command: domain.WithdrawConsent{Scope: policy.Scope{All: true}}}
	if _, err := h.ledger.Execute(t.Context(), no); err != nil {
		t.Fatal(err)
	}

	stop := h.start()
	defer stop()
	h.until("the consent is recorded", func() bool { return len(h.history("user-1")) == 2 })
	if e := h.history("user-1")[1]; e.At < before || e.At > came || e.Recorded <= came {
		t.Errorf("it came between %s and %s, and is from %s, recorded %s", before, came, e.At, e.Recorded)
	}
	if got := h.standing(); got == domain.Given || got == domain.NeverAsked {
		t.Errorf("the consent from before the withdrawal leaves %v", got)
	}
	h.publish("consent.given", event("again", "consent.given", "user-1", `{"act":"agree"}`))
	h.until("one from after it counts", func() bool { return h.standing() == domain.Given })
}

// Nor does one that was rejected first and is taken later, whichever way it came.
func TestAConsentThatWasRejectedIsFromWhenItCame(t *testing.T) {
	for _, way := range []string{"by the stream", "by a request that wants no answer"} {
		t.Run(way, func(t *testing.T) {
			d := openRejected(t)
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				t.Fatal(err)
			}
			yes := event("yes", "consent.given", "user-1", `{"act":"agree"}`)
			m := &nats.Msg{Subject: record, Data: yes, Header: signature(private, yes)} // by who is not known yet
			if way == "by the stream" {
				m.Subject = "consent.v1.smartkey.in.consent.given"
			}
			if err := d.nc.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			d.until("the consent is rejected", func() bool { return len(d.list()) == 1 })
			d.withdrawNow()
			d.operate(domain.Say{Event: domain.SignerRegistered{Name: "backend", Key: [32]byte(public)}})
			if _, err := d.Retry(t.Context(), d.list()[0].Seq); err != nil {
				t.Fatal(err)
			}
			if got := d.standing(); got == domain.Given || got == domain.NeverAsked {
				t.Errorf("the consent from before the withdrawal leaves %v", got)
			}
		})
	}
}

// What one person says within a millisecond keeps its order, and nobody else's time is
// moved by it; what came by a clock that is ahead counts from its recording.
func TestWhatComesTogetherKeepsItsOrder(t *testing.T) {
	const ann, bo = 1, 2
	var a arrivals
	for i, m := range []struct {
		who             uint64
		came, now, want deadline.Instant
	}{
		{ann, 1000, 5000, 1000}, {ann, 1000, 5000, 1001}, {bo, 1000, 5000, 1000},
		{ann, 1001, 5000, 1002}, {bo, 1001, 5000, 1001}, {ann, 1500, 5000, 1500},
		{ann, 5000, 5000, 5000}, {ann, 5000, 5000, 0}, {bo, 5001, 5000, 0}, {bo, 5001, 5002, 5001},
	} {
		if got := a.next(m.who, m.came, m.now); got != m.want {
			t.Errorf("message %d: %s, want %s", i, got, m.want)
		}
	}
	if len(a.last) > 2 {
		t.Errorf("%d are remembered", len(a.last))
	}
}
