#!/bin/sh
# nats-server 2.15.3, nats.go 1.55.0, jwt 2.8.3, go 1.26, found 2026-11-30.
#
# What one would guess: auth callout is asked about whom the server does not know. A user
# of its configuration who shows the right password is let in by that, with the
# permissions that stand there.
#
# What happens: who is not in auth_users is asked about all the same, password or not. The
# service's no refuses who has the right password. Its yes lets them in with the
# permissions that it says, and those of the configuration count for nothing.
#
# Why it matters: adding auth_callout to a server that has users shuts all of them out, the
# system account's as well, or gives them other rights than the file says.
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
	"errors"
	"fmt"
	"os"
	"sync/atomic"
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
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "service", Password: "s"}, {Username: "known", Password: "right",
			Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"file.>"}}}}},
		AuthCallout: &server.AuthCallout{Issuer: must(issuer.PublicKey()), Account: "$G", AuthUsers: []string{"service"}},
	}))
	s.Start()
	defer s.Shutdown()
	s.ReadyForConnections(10 * time.Second)

	var yes atomic.Bool
	service := must(nats.Connect(s.ClientURL(), nats.UserInfo("service", "s")))
	must(service.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) {
		q := must(jwt.DecodeAuthorizationRequestClaims(string(m.Data)))
		a := jwt.NewAuthorizationResponseClaims(q.UserNkey)
		a.Audience, a.Error = q.Server.ID, "no"
		if yes.Load() {
			user := jwt.NewUserClaims(q.UserNkey)
			user.Audience = "$G"
			user.Pub.Allow.Add("service.>")
			a.Error, a.Jwt = "", must(user.Encode(issuer))
		}
		_ = m.Respond([]byte(must(a.Encode(issuer))))
	}))
	must(0, service.Flush())

	_, err := nats.Connect(s.ClientURL(), nats.UserInfo("known", "right"))
	fmt.Println("the right password, the service says no:", errors.Is(err, nats.ErrAuthorization))
	yes.Store(true)
	refused := make(chan error, 8)
	nc := must(nats.Connect(s.ClientURL(), nats.UserInfo("known", "right"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })))
	may := func(subject string) bool {
		must(0, errors.Join(nc.Publish(subject, nil), nc.Flush()))
		select {
		case <-refused:
			return false
		case <-time.After(500 * time.Millisecond):
			return true
		}
	}
	fmt.Println("it says yes: may what the file says:", may("file.x"))
	fmt.Println("it says yes: may what the service says:", may("service.x"))
}
EOF
go mod tidy 2>/dev/null
go run . >seen
cat >want <<'EOF'
the right password, the service says no: true
it says yes: may what the file says: false
it says yes: may what the service says: true
EOF
diff want seen && echo "as seen: a user of the file is asked about, and has the service's rights"
