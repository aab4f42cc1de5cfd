package esdbserver

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// BenchmarkSubscription counts the events a second that one subscriber to the
// log is given.
func BenchmarkSubscription(b *testing.B) {
	s := start(b, New(Options{}))
	events := make([]proposal, 1000)
	for i := range events {
		events[i] = proposal{id: newUUID(), typ: "thing.done.v1", json: true, data: make([]byte, 600)}
	}
	for i := range 100 {
		for j := range events {
			events[j].id = newUUID()
		}
		s.engine.append(string(rune('a'+i)), expectNone, events)
	}
	c := client(b, s.Addr())

	b.ResetTimer()
	n := 0
	for n < b.N {
		read := subscribeAll(b, b.Context(), c, 0)
		for range 100_000 {
			if _, err := read.Recv(); err != nil {
				b.Fatal(err)
			}
			if n++; n == b.N {
				break
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkAppend counts the appends a second of many writers: by calls of
// their own, and by one call that stays open.
func BenchmarkAppend(b *testing.B) {
	b.Run("unary", func(b *testing.B) {
		s := start(b, New(Options{}))
		c := client(b, s.Addr())
		b.SetParallelism(64)
		b.RunParallel(func(p *testing.PB) {
			w := writer{c, b, newUUID().String()}
			for p.Next() {
				if _, _, err := w.append(b.Context(), expectAny, newUUID()); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("batch", func(b *testing.B) {
		s := start(b, New(Options{}))
		call, err := client(b, s.Addr()).BatchAppend(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			for range b.N {
				if _, err := call.Recv(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for range b.N {
			if err := call.Send(&streams.BatchAppendReq{
				CorrelationId: frames{text: true}.id(newUUID()), IsFinal: true,
				Options: &streams.BatchAppendReq_Options{StreamIdentifier: identifier("s"), ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{}},
				ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{{
					Id: frames{}.id(newUUID()), Metadata: map[string]string{"type": "t", "content-type": jsonContent}, Data: make([]byte, 600),
				}},
			}); err != nil {
				b.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	})
}
