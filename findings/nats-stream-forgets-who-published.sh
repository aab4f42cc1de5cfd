#!/bin/sh
# nats-server 2.15.2, nats.go 1.55.0, go 1.26, found 2026-11-30.
#
# What one would guess: an account that imports a service with "share" has the server
# write into each request who sent it (the header Nats-Request-Info: account, user, name).
# Where the exporting account has a stream on those subjects, what is stored says it too,
# so that whoever reads the stream later knows the sender.
#
# What happens: a subscriber of the exporting account gets the header. The stream gets
# the same publish, acknowledges it to the sender, and stores it without the header: it
# is taken off before a message is stored. Headers of the sender's own are kept.
#
# Why it matters: an audit trail that takes "who said it" from the server holds for what
# is answered at once, and not for what waits in a stream: there it has to be in the
# message, signed by whoever sent it.
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
cat >server.conf <<'EOF'
listen: "127.0.0.1:-1"
jetstream { store_dir: store }
accounts {
  LEDGER { jetstream: enabled, users: [{user: ledger, password: l}]
           exports: [{service: "in.>"}] }
  SHOP   { users: [{user: shop, password: s}]
           imports: [{service: {account: LEDGER, subject: "in.>"}, share: true}] }
}
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
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

func says(what string, h nats.Header) {
	names := strings.Contains(h.Get("Nats-Request-Info"), `"user":"shop"`)
	fmt.Printf("%s: names the user: %t, the sender's own header: %q\n", what, names, h.Get("Own"))
}

func main() {
	o := must(server.ProcessConfigFile("server.conf"))
	o.NoSigs, o.NoLog = true, true
	s := must(server.NewServer(o))
	s.Start()
	defer s.Shutdown()
	s.ReadyForConnections(10 * time.Second)
	ctx := context.Background()

	ledger := must(nats.Connect(s.ClientURL(), nats.UserInfo("ledger", "l")))
	stream := must(must(jetstream.New(ledger)).CreateStream(ctx, jetstream.StreamConfig{Name: "IN", Subjects: []string{"in.>"}}))
	heard := must(ledger.SubscribeSync("in.>"))
	must(0, ledger.Flush())

	shop := must(nats.Connect(s.ClientURL(), nats.UserInfo("shop", "s")))
	m := nats.NewMsg("in.consent")
	m.Header.Set("Own", "kept")
	m.Data = []byte("agreed")
	acknowledged := must(shop.RequestMsg(m, 5*time.Second))
	fmt.Println("the sender is answered by the stream:", strings.Contains(string(acknowledged.Data), `"stream":"IN"`))

	says("a subscriber", must(heard.NextMsg(5*time.Second)).Header)
	says("the stream", must(stream.GetMsg(ctx, 1)).Header)
}
EOF
go mod tidy 2>/dev/null
go run . >seen
cat >want <<'EOF'
the sender is answered by the stream: true
a subscriber: names the user: true, the sender's own header: "kept"
the stream: names the user: false, the sender's own header: "kept"
EOF
diff want seen && echo "as seen: the stream stores what the shop said, and not that it was the shop"
