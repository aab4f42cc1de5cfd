package intake

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"consentledger/api/nats/subject"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"

	"github.com/nats-io/nats.go"
)

func FuzzParse(f *testing.F) {
	for _, s := range [][4]string{
		{"ce-id", "1", "ce-type", "consent.given"}, {"CE-ID", "1", "ce-id", "2"}, {"ce-source", "%2Fapp", "ce-subject", "user%2D1"}, {"ce-id", "%", "ce-type", "%zz"},
		{"ce-id", "%ff", "ce-source", "\xff"}, {"ce-", "x", "ce-type", ""}, {"Content-Type", "application/cloudevents+json; charset=utf-8", "ce-id", "1"},
		{"content-type", "application/json", "ce-id", "%25"}, {"ce-data", "x", "ce-a_b", "y"}, {"", "", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], []byte(`{"act":"agree"}`))
	}
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, data []byte) {
		header := nats.Header{name1: {value1}, name2: {value2}}
		for _, sentTo := range []string{"consent.v1.smartkey.record", "consent.v1.smartkey.in.consent.given"} {
			req, _, err := readMessage(sentTo, header, data)
			if err != nil && !wire.IsRefusal(err) {
				t.Errorf("not a refusal: %v", err)
			}
			if said, has := subject.Type(sentTo); err == nil && has && parse.TypeOf(req) != said {
				t.Errorf("on %s an event of type %s was taken", sentTo, parse.TypeOf(req))
			}
		}
	})
}

func TestAHeaderThatIsNotReadIsRefusedAndRefusesNoOptOut(t *testing.T) {
	const consent, subject = "consent.given", "consent.v1.smartkey.record"
	given := event("1", consent, "user-1", `{"act":"agree","purposes":["mail"]}`)
	withdrawn := event("1", "consent.withdrawn", "user-1", `{"purposes":["mail"]}`)
	plain, _, err := readMessage(subject, nil, withdrawn)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name   string
		header nats.Header
		names  string // what the opt-out's record names
	}{
		{"a misspelt signature", nats.Header{"Consent-Signture": {"ann 0013"}}, "consent-signture"},
		{"one in lower case", nats.Header{"consent-reason": {"audit"}}, "consent-reason"},
		{"a key that stands twice", nats.Header{"Idempotency-Key": {"a"}, "idempotency-key": {"b"}}, "idempotency-key"},
	} {
		if _, _, err := readMessage(subject, c.header, given); !wire.IsRefusal(err) || strings.Contains(err.Error(), "0013") {
			t.Errorf("%s: a consent with it: %v", c.name, err)
		}
		r, _, err := readMessage(subject, c.header, withdrawn)
		if err != nil || r.Unread.Names != c.names || !strings.Contains(string(r.Unread.Claims), c.header[slices.Sorted(maps.Keys(c.header))[0]][0]) {
			t.Errorf("%s: a withdrawal with it: %q %s %v", c.name, r.Unread.Names, r.Unread.Claims, err)
		}

		// An earlier program recorded it without, so it has to be the same body.
		if string(r.Body) != string(plain.Body) {
			t.Errorf("%s: the body is %s, want %s", c.name, r.Body, plain.Body)
		}
	}

	for _, fine := range []nats.Header{{"Idempotency-Key": {"a"}}, {"Nats-Msg-Id": {"a"}}, {"X-Consent": {"a"}}} {
		if r, _, err := readMessage(subject, fine, given); err != nil || r.Unread.Names != "" {
			t.Errorf("%v: %q %v", fine, r.Unread.Names, err)
		}
	}
}

func TestAQuestionTakesNoHeaderOfTheLedger(t *testing.T) {
	h := open(t)
	for _, verb := range []string{"check", "prompt"} {
		ask := &nats.Msg{Subject: "consent.v1.smartkey." + verb, Data: []byte(`{"subject":"user-1","purpose":"account"}`)}
		if verb == "prompt" {
			ask.Data = []byte(`{"subject":"user-1"}`)
		}
		if _, p := h.request(ask); p.Code != "" {
			t.Errorf("%s: %+v", verb, p)
		}
		ask.Header = nats.Header{"Consent-Reason": {"audit"}}
		if _, p := h.request(ask); p.Code != "malformed" || !strings.Contains(p.Detail, "header Consent-") {
			t.Errorf("%s with a header: %+v", verb, p)
		}
	}
}
