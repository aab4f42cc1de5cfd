package intake

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// BenchmarkTraced compares what it costs to read a message with a header, an attribute,
// or both, that say in which trace it was sent, with a message that has neither. They
// take turns in one run, so that what else the machine does is in all of them. What is
// compared is the fastest of many turns.
func BenchmarkTraced(b *testing.B) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const subject = "consent.v1.smartkey.record"
	message := func(attribute string) []byte {
		return []byte(`{"specversion":"1.0","id":"0123456789abcdef-123456",` + attribute + `"source":"smartkey/android","type":"consent.given",` +
			`"subject":"bench-4711","time":"2026-03-02T09:30:00.123Z","datacontenttype":"application/json","data":{"act":"agree-popup","locale":"en","purposes":["personalisation"]}}`)
	}
	header, extension := nats.Header{"traceparent": {trace}}, message(`"traceparent":"`+trace+`",`)
	roads := []struct {
		name   string
		header nats.Header
		data   []byte
		best   time.Duration
	}{{"plain", nil, message(""), 0}, {"header", header, message(""), 0}, {"extension", nil, extension, 0}, {"both", header, extension, 0}}

	for b.Loop() {
		for i := range roads {
			road := &roads[i]
			began := time.Now()
			for range 500 {
				if _, _, err := readMessage(subject, road.header, road.data); err != nil {
					b.Fatal(err)
				}
				unencoded(road.header)
			}
			if took := time.Since(began); road.best == 0 || took < road.best {
				road.best = took
			}
		}
	}
	for _, road := range roads {
		b.ReportMetric(float64(road.best)/float64(roads[0].best), road.name+"/plain")
	}
	b.ReportMetric(float64(roads[0].best)/500, "plain-ns")
}
