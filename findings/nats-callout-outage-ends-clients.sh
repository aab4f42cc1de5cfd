#!/bin/sh
# nats-server 2.15.3, nats.go 1.55.0, jwt 2.8.3, go 1.26, found 2026-11-30.
#
# What one would guess: a client with MaxReconnects(-1) outlives an outage of the service
# that answers a server's auth callout, as it outlives one of the server: nobody has said
# that its password is wrong.
#
# What happens: the user JWT of the callout expires, as it should, and the client connects
# anew. Nobody answers the server, which waits for its whole authorization timeout (also
# where nobody listens at all: there is no "no responders") and then says the same as of a
# wrong password: Authorization Violation. After the second time nats.go gives up: the
# connection is closed for good. With IgnoreAuthErrorAbort() it goes on, and comes back
# with the service.
#
# Why it matters: an outage of the auth service of a few seconds ends every client whose
# JWT expires meanwhile, until somebody starts it anew.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'EOF'
module finding
go 1.26
require (
	github.com/nats-io/jwt/v2 v2.8.3
	github.com/nats-io/nats-server/v2 v2.15.3
	github.com/nats-io/nats.go v1.55.0
	github.com/nats-io/nkeys v0.4.17
)
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return v
}

func main() {
	issuer := must(nkeys.CreateAccount())
	s := must(server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, AuthTimeout: 1,
		Users:       []*server.User{{Username: "service", Password: "s"}},
		AuthCallout: &server.AuthCallout{Issuer: must(issuer.PublicKey()), Account: "$G", AuthUsers: []string{"service"}},
	}))
	s.Start()
	defer s.Shutdown()
	s.ReadyForConnections(10 * time.Second)

	service := must(nats.Connect(s.ClientURL(), nats.UserInfo("service", "s")))
	listen := func() *nats.Subscription {
		sub := must(service.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) {
			q := must(jwt.DecodeAuthorizationRequestClaims(string(m.Data)))
			user := jwt.NewUserClaims(q.UserNkey)
			user.Audience, user.Expires = "$G", time.Now().Add(3*time.Second).Unix()
			a := jwt.NewAuthorizationResponseClaims(q.UserNkey)
			a.Audience, a.Jwt = q.Server.ID, must(user.Encode(issuer))
			_ = m.Respond([]byte(must(a.Encode(issuer))))
		}))
		must(0, service.Flush())
		return sub
	}
	connect := func(more ...nats.Option) *nats.Conn {
		more = append(more, nats.UserInfo("app", "a"), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		return must(nats.Connect(s.ClientURL(), more...))
	}

	sub := listen()
	plain, stubborn := connect(), connect(nats.IgnoreAuthErrorAbort())
	must(0, sub.Unsubscribe())
	must(0, service.Flush())
	for until := time.Now().Add(time.Minute); !plain.IsClosed() && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
	}
	fmt.Println("the service is away:", plain.Status(), plain.LastError())
	fmt.Println("the stubborn one:", stubborn.Status())
	listen()
	for until := time.Now().Add(time.Minute); !stubborn.IsConnected() && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
	}
	fmt.Println("the service is back:", plain.Status())
	fmt.Println("the stubborn one:", stubborn.Status())
}
EOF
go mod tidy 2>/dev/null
go run . >seen
cat >want <<'EOF'
the service is away: CLOSED nats: Authorization Violation
the stubborn one: RECONNECTING
the service is back: CLOSED
the stubborn one: CONNECTED
EOF
diff want seen && echo "as seen: the outage of the service closed the client for good"
