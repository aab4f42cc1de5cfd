package intake

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/surface"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// operate executes what operators do, which does not come in by NATS.
func (h *testServer) operate(cmd domain.Command) {
	h.t.Helper()
	r := ledger.Request{App: "smartkey", Source: "test", ID: fmt.Sprintf("%T", cmd), Body: []byte("{}"), Actor: "operator", RecordedBy: "release", Command: cmd}
	if _, err := h.ledger.Execute(h.t.Context(), r); err != nil {
		h.t.Fatal(err)
	}
}

// signedWorld registers a signer and publishes a surface.
func (h *testServer) signedWorld() ed25519.PrivateKey {
	h.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.operate(domain.Say{Event: domain.SignerRegistered{Name: "backend", Key: [32]byte(public)}})
	h.operate(domain.PublishSurface{ID: content.Hash{7}, Surface: surface.Surface{
		Build: "1.0", Screen: "welcome", Policy: "privacy", Version: content.Hash{2}, Approver: "counsel", Signing: content.Hash{9},
		Locales:  []surface.Locale{{Locale: "en", Text: content.Hash{1}, Screenshot: content.Hash{8}, Strings: []surface.String{{Key: "yes", Text: "Yes"}, {Key: "no", Text: "No"}}}},
		Controls: []surface.Control{{ID: "yes", Label: "yes", Act: "agree", Initial: surface.Button}, {ID: "no", Label: "no", Initial: surface.Button, Refuses: true}},
	}})
	return private
}

func signature(key ed25519.PrivateKey, data []byte) nats.Header {
	return nats.Header{"consent-signature": {"backend;" + base64.StdEncoding.EncodeToString(ed25519.Sign(key, data))}}
}

func (h *testServer) ask(subject, body string, into any) {
	h.t.Helper()
	m, err := h.nc.Request(subject, []byte(body), time.Minute)
	if err == nil {
		err = json.Unmarshal(m.Data, into)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestASignedEventIsStrongEvidence(t *testing.T) {
	h := open(t)
	key := h.signedWorld()
	notice, p := h.request(&nats.Msg{Subject: record, Data: event("n", "notice.presented", "user-1", `{"surface":"`+content.Hash{7}.String()+`","locale":"en"}`)})
	if notice.EventID == "" {
		t.Fatal(p)
	}
	yes := event("y", "consent.given", "user-1", `{"notice":"`+notice.EventID+`","control":"yes"}`)

	changed := bytes.Replace(yes, []byte(`"yes"`), []byte(`"yes" `), 1)
	if _, p := h.request(&nats.Msg{Subject: record, Data: changed, Header: signature(key, yes)}); p.Code != string(refusal.BadSignature) || p.Status != 403 {
		t.Errorf("one byte more than was signed: %+v", p)
	}
	for name, header := range map[string]nats.Header{"no signer": {parse.SignatureHeader: {";AAAA"}}, "two": {parse.SignatureHeader: {"a;b", "a;b"}}} {
		if _, p := h.request(&nats.Msg{Subject: record, Data: yes, Header: header}); p.Status != 400 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for kind, taken := range map[string]bool{"consent.withdrawn": true, "consent.given": false} {
		binary := signature(key, yes)
		for name, v := range map[string]string{"specversion": "1.0", "id": "b", "source": "a", "type": kind, "subject": "user-1"} {
			binary["ce-"+name] = []string{v}
		}
		data := map[bool]string{true: `{"purposes":["account"]}`, false: `{"act":"agree"}`}[taken]
		r, p := h.request(&nats.Msg{Subject: record, Data: []byte(data), Header: binary})
		if taken != (r.NotUnderstood == "consent-signature") || taken == (p.Status == 400) {
			t.Errorf("%s in binary mode: %+v, %+v", kind, r, p)
		}
	}

	if r, p := h.request(&nats.Msg{Subject: record, Data: yes, Header: signature(key, yes)}); r.EventID == "" {
		t.Fatal(p)
	}
	var a wire.CheckAnswer
	if h.ask("consent.v1.smartkey.check", `{"subject":"user-1","purpose":"account"}`, &a); !a.Allowed || a.Evidence != "strong" {
		t.Errorf("%+v", a)
	}
}

// A signature that does not hold refuses no opt-out, on either road.
func TestASignatureThatDoesNotHoldRefusesNoOptOut(t *testing.T) {
	h := open(t)
	key := h.signedWorld()
	no := event("n", "consent.withdrawn", "user-1", `{"all":true}`)
	signed := signature(key, no)
	wrong := signature(key, []byte("something else"))
	first, p := h.request(&nats.Msg{Subject: record, Data: no, Header: wrong})
	if first.NotUnderstood != "consent-signature" {
		t.Fatal(first, p)
	}
	for name, header := range map[string]nats.Header{
		"right": signed, "none": nil, "garbled": {parse.SignatureHeader: {"x"}}, "two": {parse.SignatureHeader: {"a;b", "a;b"}}, "nobody's": {parse.SignatureHeader: {"nobody" + signed["consent-signature"][0][len("backend"):]}},
	} {
		if again, p := h.request(&nats.Msg{Subject: record, Data: no, Header: header}); again.EventID != first.EventID {
			t.Errorf("%s: %+v, %+v", name, again, p)
		}
	}

	for i, header := range []nats.Header{wrong, {parse.SignatureHeader: {"x"}}, {parse.SignatureHeader: {"nobody" + signed["consent-signature"][0][len("backend"):]}}} {
		m := &nats.Msg{Subject: "consent.v1.smartkey.in.consent.withdrawn", Data: event(fmt.Sprint("s", i), "consent.withdrawn", "user-2", `{"all":true}`), Header: header}
		if _, err := h.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (n int) {
		for e, err := range h.ledger.History(t.Context(), "smartkey", ident.PersonKey{Kind: "account", ID: "user-2"}) {
			if err == nil && e.NotUnderstood == "consent-signature" {
				n++
			}
		}
		return n
	}
	h.until("the stream's opt-outs are taken", func() bool { return count() == 3 })
	if list, err := (&Rejections{Config: h.config}).List(t.Context(), 0, 10); err != nil || len(list) != 0 {
		t.Errorf("rejected are %+v, %v", list, err)
	}
}

func TestTheStreamTakesSignedEvents(t *testing.T) {
	h := open(t)
	key := h.signedWorld()
	yes := event("y", "consent.given", "user-1", `{"act":"agree"}`)
	bad := event("b", "consent.given", "user-2", `{"act":"agree"}`)
	for _, m := range []*nats.Msg{{Data: yes, Header: signature(key, yes)}, {Data: bad, Header: signature(key, yes)}} {
		m.Subject = "consent.v1.smartkey.in.consent.given"
		if _, err := h.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	rejections := Rejections{Config: h.config}
	h.until("one is taken and one rejected", func() bool {
		list, err := rejections.List(t.Context(), 0, 10)
		return err == nil && len(list) == 1 && list[0].Code == refusal.BadSignature && len(h.faulty.taken()) == 2
	})
	for e, err := range h.ledger.History(t.Context(), "smartkey", ident.PersonKey{Kind: "account", ID: "user-1"}) {
		if g, ok := e.Event.(domain.ConsentGiven); err != nil || !ok || g.Signer != "backend" {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func TestWhatToAskIsAnsweredByNATS(t *testing.T) {
	h := open(t)
	var a wire.PromptAnswer
	if h.ask("consent.v1.smartkey.prompt", `{"subject":"user-1","locale":"en"}`, &a); len(a.Items) != 1 || a.Items[0].Reason != "never-asked" {
		t.Errorf("%+v", a)
	}
	var p wire.Problem
	if h.ask("consent.v1.smartkey.prompt", `{"subject":"user-1","why":1}`, &p); p.Status != 400 {
		t.Errorf("%+v", p)
	}
	if h.ask("consent.v1.other.prompt", `{"subject":"user-1"}`, &p); p.Status != 404 {
		t.Errorf("%+v", p)
	}
}

func TestNoOperatorComesInByNATS(t *testing.T) {
	h := open(t)
	for i, e := range parse.Examples(h.ledger.Now()) {
		data := bytes.Replace(e.Event, []byte("user-1"), fmt.Appendf(nil, "user-%d", i), 1)
		if _, p := h.request(&nats.Msg{Subject: record, Data: data}); (p.Code == string(refusal.NotForApps)) != e.Operator {
			t.Errorf("%s: %+v", e.Type, p)
		}
	}
}

func TestACheckThatMustBeRecordedIs(t *testing.T) {
	h := open(t)
	doc := document()
	doc.Purposes[0].LogChecks = policy.LogAll
	h.operate(domain.PublishPolicy{Version: content.Hash{3}, Document: doc})
	h.request(&nats.Msg{Subject: record, Data: event("y", "consent.given", "user-1", `{"act":"agree"}`)})
	var a wire.CheckAnswer
	for range 3 {
		if h.ask("consent.v1.smartkey.check", `{"subject":"user-1","purpose":"account"}`, &a); !a.Allowed {
			t.Errorf("%+v", a)
		}
	}
	n := 0
	for e, err := range h.ledger.Replay(t.Context(), 0) {
		if _, ok := e.Event.(domain.CheckAnswered); ok && err == nil {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d answers are recorded", n)
	}
}
