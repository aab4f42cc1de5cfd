#!/bin/sh
# nats-server 2.15.2, nats.go 1.55.0, go 1.26, found 2026-11-29.
#
# What one would guess: a consumer with the priority policy "pinned_client" is an
# exclusive consumer: when the pin moves on from a client that sleeps, the next one gets
# what the first had in hand, in order, and what the first one says afterwards is refused.
#
# What happens: the pin moves after pinned_ttl, but the messages that the first client
# holds stay its own until ack_wait. So the second one is handed messages 2 and 3 while
# message 1 is still out: the order is broken by the failover itself. And an
# acknowledgement by the first client, after the second has the pin, is taken, with
# DoubleAck's confirmation: the pin is asked for when messages are pulled, not when they are acknowledged.
# Only its next pull is refused ("pin ID mismatch").
#
# Why it matters: "withdrawn" can be worked on by the new client before the "agreed" that
# the sleeping one still has and then finishes. Order per person needs a check of its
# own where the result is written (an expected revision, a fence), not the pin.
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

	must(js.CreateStream(ctx, jetstream.StreamConfig{Name: "CONSENTS", Subjects: []string{"consents"}}))
	for i := range 3 {
		must(js.Publish(ctx, "consents", fmt.Append(nil, i+1)))
	}
	first := must(js.CreateConsumer(ctx, "CONSENTS", jetstream.ConsumerConfig{
		Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxAckPending: 10,
		PriorityPolicy: jetstream.PriorityPolicyPinned, PriorityGroups: []string{"g"}, PinnedTTL: 2 * time.Second,
	}))
	second := must(js.Consumer(ctx, "CONSENTS", "worker"))
	pull := func(c jetstream.Consumer, n int) jetstream.MessageBatch {
		return must(c.Fetch(n, jetstream.FetchPriorityGroup("g"), jetstream.FetchMaxWait(6*time.Second)))
	}

	var inHand jetstream.Msg
	for m := range pull(first, 1).Messages() {
		inHand = m
		fmt.Println("the first client has", string(m.Data()))
	}
	time.Sleep(4 * time.Second) // it sleeps longer than pinned_ttl

	taken := 0
	for m := range pull(second, 2).Messages() {
		fmt.Println("the second client has", string(m.Data()))
		taken++
		if taken == 2 {
			fmt.Println("the first acknowledges:", inHand.DoubleAck(ctx))
		}
	}
	fmt.Println("unacknowledged:", must(first.Info(ctx)).NumAckPending)

	again := pull(first, 1)
	for m := range again.Messages() {
		fmt.Println("the first client has", string(m.Data()))
	}
	fmt.Println("the first pulls:", again.Error())
}
EOF
go mod tidy 2>/dev/null
go run . >seen
cat >want <<'EOF'
the first client has 1
the second client has 2
the second client has 3
the first acknowledges: <nil>
unacknowledged: 2
the first pulls: nats: pin ID mismatch
EOF
diff want seen && echo "as seen: the pin moved, message 1 did not, and its old holder could still acknowledge it"
