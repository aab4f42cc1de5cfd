package intake

import (
	"testing"

	"consentledger/api/wire"

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
		for _, subject := range []string{"consent.v1.smartkey.record", "consent.v1.smartkey.in.consent.given"} {
			req, _, err := parse(subject, header, data)
			if err != nil && !wire.IsRefusal(err) {
				t.Errorf("not a refusal: %v", err)
			}
			if said, has := typeOf(subject); err == nil && has && wire.TypeOf(req) != said {
				t.Errorf("on %s an event of type %s was taken", subject, wire.TypeOf(req))
			}
		}
	})
}
