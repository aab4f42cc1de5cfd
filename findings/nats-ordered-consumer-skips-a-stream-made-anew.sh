#!/bin/sh
# nats-server 2.15.2, nats.go 1.55.0, go 1.26, found 2026-11-29.
#
# What one would guess: an ordered consumer whose stream is deleted and made anew (a
# restore, an administrator's mistake put right) either ends with an error, or begins
# with the first message of the new stream.
#
# What happens: its error handler says "consumer deleted" once, and then it goes on by
# itself behind the number of the last message of the OLD stream. It had read 5, so of
# the 8 messages of the new stream it delivers 6, 7 and 8. The first five are never
# delivered, and nothing says so. A durable consumer of the same stream says "consumer
# deleted" too and delivers nothing at all, not even what is published later.
#
# Why it matters: the first withdrawals in a restored stream are skipped by whoever
# follows it, with a connection that is well. After "consumer deleted" compare the
# stream's creation time (StreamInfo.Created) with the one known before.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'EOF'
module finding
go 1.26
require (
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
)
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return v
}

func main() {
	s := must(server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: "store", NoSigs: true}))
	s.Start()
	defer s.Shutdown()
	s.ReadyForConnections(10 * time.Second)
	js := must(jetstream.New(must(nats.Connect(s.ClientURL()))))
	ctx := context.Background()

	config := jetstream.StreamConfig{Name: "CONSENTS", Subjects: []string{"consents"}}
	publish := func(word string, n int) {
		for i := range n {
			must(js.Publish(ctx, "consents", fmt.Appendf(nil, "%s-%d", word, i+1)))
		}
	}
	must(js.CreateStream(ctx, config))
	publish("old", 5)

	lines := make(chan string, 100)
	follow := func(name string, c jetstream.Consumer) {
		must(c.Consume(func(m jetstream.Msg) {
			lines <- name + " " + string(m.Data())
			m.Ack()
		}, jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { lines <- name + " error: " + err.Error() })))
	}
	follow("ordered", must(js.OrderedConsumer(ctx, "CONSENTS", jetstream.OrderedConsumerConfig{})))
	durable := jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy}
	follow("durable", must(js.CreateConsumer(ctx, "CONSENTS", durable)))
	time.Sleep(2 * time.Second)

	if err := js.DeleteStream(ctx, "CONSENTS"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	must(js.CreateStream(ctx, config))
	publish("new", 8)
	time.Sleep(15 * time.Second)
	publish("later", 1)
	time.Sleep(5 * time.Second)

	for len(lines) > 0 {
		fmt.Println(<-lines)
	}
}
EOF
go mod tidy 2>/dev/null
go run . | sort >seen
cat >want <<'EOF'
durable error: nats: consumer deleted
durable old-1
durable old-2
durable old-3
durable old-4
durable old-5
ordered error: nats: consumer deleted
ordered later-1
ordered new-6
ordered new-7
ordered new-8
ordered old-1
ordered old-2
ordered old-3
ordered old-4
ordered old-5
EOF
diff want seen && echo "as seen: new-1 to new-5 reach nobody"
