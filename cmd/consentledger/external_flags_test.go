package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/api/intake"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// An outside is a way to call serve that must fail.
type outside struct {
	name string
	nats externalNATS
	code int
	want []string
}

func TestWhatIsWrongWithSomebodysNATSNamesTheFlag(t *testing.T) {
	c, other := newCluster(t), newCluster(t)
	plain := plainServer(t)
	all := c.creds(c.ledger, ledgerUser(intake.Permissions.Make))
	strange, strangeKey := other.ca.issue()
	deaf := ledgerUser(intake.Permissions.Make)
	deaf.Sub.Allow.Remove("consent.v1.*.record")
	but := func(change func(*externalNATS)) externalNATS {
		e := c.reach(all)
		change(&e)
		return e
	}
	for _, o := range []outside{
		{"another authority", but(func(e *externalNATS) { e.ca = other.ca.file }), exitError, []string{"--nats-ca", other.ca.file}},
		{"no authority", but(func(e *externalNATS) { e.ca = "" }), exitError, []string{"--nats-ca", "name the authority"}},
		{"no certificate", but(func(e *externalNATS) { e.cert, e.key = "", "" }), exitError, []string{"--nats-cert"}},
		{"another's certificate", but(func(e *externalNATS) { e.cert, e.key = strange, strangeKey }), exitError, []string{"--nats-cert"}},
		{"another name", but(func(e *externalNATS) { e.url = strings.Replace(e.url, "127.0.0.1", "localhost", 1) }), exitError, []string{"--nats:", "other names"}},
		{"another operator's user", but(func(e *externalNATS) { e.creds = other.creds(other.ledger, jwt.Permissions{}) }), exitError, []string{"--nats-creds"}},
		{"no user", but(func(e *externalNATS) { e.creds = "" }), exitError, []string{"--nats-creds"}},
		{"an account without JetStream", but(func(e *externalNATS) { e.creds = c.creds(c.poor, jwt.Permissions{}) }), exitError, []string{"--nats-creds", "account", "JetStream"}},
		{"a user who may not make streams", but(func(e *externalNATS) { e.creds = c.creds(c.ledger, ledgerUser()) }), exitError, []string{"--nats-creds", "STREAM.CREATE"}},
		{"a user who may not listen", but(func(e *externalNATS) { e.creds = c.creds(c.ledger, deaf) }), exitError, []string{"--nats-creds", "consent.v1.*.record"}},
		{"a user who may do nothing", but(func(e *externalNATS) {
			e.creds = c.creds(c.ledger, jwt.Permissions{Pub: jwt.Permission{Deny: []string{">"}}})
		}), exitError, []string{"--nats-creds", "$JS.API.INFO"}},
		{"a server without JetStream", externalNATS{url: "nats://secret:word@" + plain}, exitError, []string{"--nats:", "without JetStream", plain}},
		{"a server without TLS", externalNATS{url: "nats://" + plain, ca: c.ca.file}, exitError, []string{"--nats:", "does not speak TLS"}},
	} {
		t.Run(o.name, func(t *testing.T) { o.check(t) })
	}
}

func (o outside) check(t *testing.T) {
	t.Helper()
	args := []string{"serve", "--http", "127.0.0.1:0", "--data", t.TempDir()}
	for flag, v := range map[string]string{"--nats": o.nats.url, "--nats-creds": o.nats.creds, "--nats-ca": o.nats.ca, "--nats-cert": o.nats.cert, "--nats-key": o.nats.key} {
		if v != "" {
			args = append(args, flag, v)
		}
	}
	_, err := cli(t, nil, args...)
	if err == nil {
		t.Fatal("the ledger ran")
	}
	if code := exitCode(t.Context(), err); code != o.code {
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
	nobody := freeAddr(t)
	for _, test := range []struct {
		args string
		code int
	}{
		{"--nats-creds " + empty, exitUsage},
		{"--nats-ca " + empty, exitUsage},
		{"--nats nats://" + nobody + " --nats-cert " + empty, exitUsage},
		{"--nats nats://" + nobody + " --nats-key " + empty, exitUsage},
		{"--nats nats://" + nobody + " --nats-cert " + empty + " --nats-key " + empty, exitUsage},
		{"--nats nats://" + nobody + " --nats-creds " + empty, exitUsage},
		{"--nats nats://" + nobody + " --nats-ca " + empty, exitUsage},
		{"--nats nats://" + nobody + " --nats-creds " + empty + ".not", exitNotFound},
		{"--nats nats://" + nobody + " --nats-ca " + empty + ".not", exitNotFound},
		{"--nats nats://" + nobody + " --nats-cert " + empty + ".not --nats-key " + empty, exitNotFound},
		{"--nats http://" + nobody, exitUsage},
		{"--nats nats://" + nobody + " --nats-listen 127.0.0.1:0", exitUsage},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		_, err := cli(t, nil, append([]string{"serve", "--http", "127.0.0.1:0", "--data", dir}, strings.Fields(test.args)...)...)
		if err == nil || exitCode(t.Context(), err) != test.code || !strings.Contains(err.Error(), "--nats") {
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

// freeAddr is where nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
