#!/bin/sh
# nats-server 2.15.2, nats.go 1.55.0, go 1.26, found 2026-11-29.
#
# What one would guess: sealing a stream stops writes and deletes; what was promised to
# expire by max_age goes on expiring, or the seal is refused.
#
# What happens: the update that seals is taken and sets max_age to 0 by itself. A message
# that would have expired a few seconds later stays, and the seal cannot be taken back
# (10052). A time to live of a single message (Nats-TTL) is different: it still expires in
# the sealed stream.
#
# Why it matters: a stream of personal data that is sealed for an auditor keeps what was
# promised to be gone in 30 days, and the configuration that was sent says otherwise.
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

func code(err error) any {
	if api, ok := err.(jetstream.JetStreamError); ok && api.APIError() != nil {
		return api.APIError().ErrorCode
	}
	return err
}

func main() {
	s := must(server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: "store", NoSigs: true}))
	s.Start()
	defer s.Shutdown()
	s.ReadyForConnections(10 * time.Second)
	js := must(jetstream.New(must(nats.Connect(s.ClientURL()))))
	ctx := context.Background()

	config := jetstream.StreamConfig{Name: "EVIDENCE", Subjects: []string{"evidence"}, MaxAge: 5 * time.Second, Duplicates: time.Second, AllowMsgTTL: true}
	must(js.CreateStream(ctx, config))
	must(js.Publish(ctx, "evidence", []byte("by max_age")))
	must(js.Publish(ctx, "evidence", []byte("by its own time to live"), jetstream.WithMsgTTL(4*time.Second)))

	config.Sealed = true
	info := must(js.UpdateStream(ctx, config)).CachedInfo()
	fmt.Println("sealed with max_age", config.MaxAge, "- max_age is", info.Config.MaxAge)
	config.Sealed = false
	_, err := js.UpdateStream(ctx, config)
	fmt.Println("taking the seal back:", code(err))

	time.Sleep(12 * time.Second)
	stream := must(js.Stream(ctx, "EVIDENCE"))
	for n := uint64(1); n <= 2; n++ {
		m, err := stream.GetMsg(ctx, n)
		if err != nil {
			fmt.Println(n, "is gone:", code(err))
			continue
		}
		fmt.Println(n, "is there:", string(m.Data))
	}
}
EOF
go mod tidy 2>/dev/null
go run . >seen
cat >want <<'EOF'
sealed with max_age 5s - max_age is 0s
taking the seal back: 10052
1 is there: by max_age
2 is gone: 10037
EOF
diff want seen && echo "as seen: the seal ended max_age, not a message's own time to live"
