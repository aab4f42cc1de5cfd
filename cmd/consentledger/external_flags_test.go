package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// An outside is a way to call serve that must fail.
type outside struct {
	name string
	nats ledgerserver.ExternalNATS
	code int
	want []string
}

func TestWhatIsWrongWithSomebodysNATSNamesTheFlag(t *testing.T) {
	t.Parallel()
	c, other := newCluster(t), newCluster(t)
	plain := plainServer(t)
	all := c.creds(c.ledger, ledgerUser(intake.Permissions.Make))
	strange, strangeKey := other.ca.issue()
	deaf := ledgerUser(intake.Permissions.Make)
	deaf.Sub.Allow.Remove("consent.v1.*.record")
	but := func(change func(*ledgerserver.ExternalNATS)) ledgerserver.ExternalNATS {
		e := c.reach(all)
		change(&e)
		return e
	}
	for _, o := range []outside{
		{"another authority", but(func(e *ledgerserver.ExternalNATS) { e.CA = other.ca.file }), exit.CodeError, []string{"--nats-ca", other.ca.file}},
		{"no authority", but(func(e *ledgerserver.ExternalNATS) { e.CA = "" }), exit.CodeError, []string{"--nats-ca", "name the authority"}},
		{"no certificate", but(func(e *ledgerserver.ExternalNATS) { e.Cert, e.Key = "", "" }), exit.CodeError, []string{"--nats-cert"}},
		{"another's certificate", but(func(e *ledgerserver.ExternalNATS) { e.Cert, e.Key = strange, strangeKey }), exit.CodeError, []string{"--nats-cert"}},
		{"another name", but(func(e *ledgerserver.ExternalNATS) { e.URL = strings.Replace(e.URL, "127.0.0.1", "localhost", 1) }), exit.CodeError, []string{"--nats:", "other names"}},
		{"another operator's user", but(func(e *ledgerserver.ExternalNATS) { e.Creds = other.creds(other.ledger, jwt.Permissions{}) }), exit.CodeError, []string{"--nats-creds"}},
		{"no user", but(func(e *ledgerserver.ExternalNATS) { e.Creds = "" }), exit.CodeError, []string{"--nats-nkey or --nats-creds"}},
		{"an account without JetStream", but(func(e *ledgerserver.ExternalNATS) { e.Creds = c.creds(c.poor, jwt.Permissions{}) }), exit.CodeError, []string{"--nats-creds", "account", "JetStream"}},
		{"a user who may not make streams", but(func(e *ledgerserver.ExternalNATS) { e.Creds = c.creds(c.ledger, ledgerUser()) }), exit.CodeError, []string{"--nats-creds", "STREAM.CREATE"}},
		{"a user who may not listen", but(func(e *ledgerserver.ExternalNATS) { e.Creds = c.creds(c.ledger, deaf) }), exit.CodeError, []string{"--nats-creds", "consent.v1.*.record"}},
		{"a user who may do nothing", but(func(e *ledgerserver.ExternalNATS) {
			e.Creds = c.creds(c.ledger, jwt.Permissions{Pub: jwt.Permission{Deny: []string{">"}}})
		}), exit.CodeError, []string{"--nats-creds", "$JS.API.INFO"}},
		{"a server without JetStream", ledgerserver.ExternalNATS{URL: "nats://secret:word@" + plain}, exit.CodeError, []string{"--nats:", "without JetStream", plain}},
		{"a server without TLS", ledgerserver.ExternalNATS{URL: "nats://" + plain, CA: c.ca.file}, exit.CodeError, []string{"--nats:", "does not speak TLS"}},
	} {
		t.Run(o.name, func(t *testing.T) { o.check(t) })
	}
}

func (o outside) check(t *testing.T) {
	t.Helper()
	args := []string{"serve", "--http", "127.0.0.1:0", "--data", t.TempDir()}
	for flag, v := range map[string]string{"--nats": o.nats.URL, "--nats-creds": o.nats.Creds, "--nats-ca": o.nats.CA, "--nats-cert": o.nats.Cert, "--nats-key": o.nats.Key} {
		if v != "" {
			args = append(args, flag, v)
		}
	}
	_, err := cli(t, nil, args...)
	if err == nil {
		t.Fatal("the ledger ran")
	}
	if code := exit.Code(t.Context(), err); code != o.code {
		t.Errorf("exit code %d, want %d: %v", code, o.code, err)
	}
	for _, want := range o.want {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "word") {
		t.Errorf("a password is shown: %v", err)
	}
}

func TestFlagsOfSomebodysNATSAreCheckedFirst(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := freeport.Address(t)
	for _, test := range []struct {
		args string
		code int
	}{
		{"--nats-creds " + empty, exit.CodeUsage},
		{"--nats-ca " + empty, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-cert " + empty, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-key " + empty, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-cert " + empty + " --nats-key " + empty, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-creds " + empty, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-ca " + empty, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-creds " + empty + ".not", exit.CodeNotFound},
		{"--nats nats://" + nobody + " --nats-ca " + empty + ".not", exit.CodeNotFound},
		{"--nats nats://" + nobody + " --nats-cert " + empty + ".not --nats-key " + empty, exit.CodeNotFound},
		{"--nats http://" + nobody, exit.CodeUsage},
		{"--nats nats://" + nobody + " --nats-listen 127.0.0.1:0", exit.CodeUsage},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		_, err := cli(t, nil, append([]string{"serve", "--http", "127.0.0.1:0", "--data", dir}, strings.Fields(test.args)...)...)
		if err == nil || exit.Code(t.Context(), err) != test.code || !strings.Contains(err.Error(), "--nats") {
			t.Errorf("serve %s: %v, want exit code %d", test.args, err, test.code)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("serve %s made a data directory", test.args)
		}
	}
}

// plainServer has neither TLS nor JetStream.
func plainServer(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, Username: "secret", Password: "word"})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the plain server does not start")
	}
	return s.Addr().String()
}
