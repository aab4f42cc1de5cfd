package parse

import (
	"bytes"
	"fmt"
	"testing"
)

// A day's events, without and with personal details, as "consentledger bench"
// sends them.
var daily = []struct{ kind, plain, personal string }{
	{"consent.given", `{"act":"agree-popup","locale":"en"}`, `{"act":"agree-popup","locale":"en","details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"welcome"}}`},
	{"consent.given", `{"act":"agree-popup","locale":"en","purposes":["personalisation"]}`, `{"act":"agree-popup","locale":"en","purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9"}}`},
	{"policy.acknowledged", `{"policy":"privacy","locale":"en","act":"agree-popup"}`, `{"policy":"privacy","locale":"en","act":"agree-popup","details":{"device":"Pixel 7","ip":"203.0.113.9"}}`},
	{"permission.granted", `{"permission":"network"}`, `{"permission":"network","details":{"device":"Pixel 7","os":"settings"}}`},
	{"permission.revoked", `{"permission":"network"}`, `{"permission":"network","details":{"device":"Pixel 7","os":"settings"}}`},
	{"consent.withdrawn", `{"purposes":["personalisation"]}`, `{"purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"settings"}}`},
}

func dailyEvents(personal bool) (events [][]byte) {
	for _, e := range daily {
		data := e.plain
		if personal {
			data = e.personal
		}
		events = append(events, []byte(`{"specversion":"1.0","id":"0123456789abcdef-123456","source":"smartkey/android","type":"`+e.kind+
			`","subject":"bench-4711","time":"2026-03-02T09:30:00.123Z","datacontenttype":"application/json","data":`+data+`}`))
	}
	return events
}

func BenchmarkParseEvent(b *testing.B) {
	for _, c := range []struct {
		name     string
		personal bool
	}{{"plain", false}, {"personal", true}} {
		b.Run(c.name, func(b *testing.B) {
			events := dailyEvents(c.personal)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := Event("smartkey", events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTraceparent is Event of events that say in which trace they were made,
// and of the same events without.
func BenchmarkTraceparent(b *testing.B) {
	for _, traced := range []bool{false, true} {
		b.Run(fmt.Sprintf("traced=%v", traced), func(b *testing.B) {
			events := dailyEvents(false)
			for i := range events {
				if traced {
					events[i] = bytes.Replace(events[i], []byte(`"source"`), []byte(`"traceparent":"`+aTrace+`","source"`), 1)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := Event("smartkey", events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
