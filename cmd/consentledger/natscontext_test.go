package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/server"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// saysOfNATS returns what doctor says of the NATS server of a context.
func saysOfNATS(t *testing.T, context string) (state, found string) {
	t.Helper()
	out, err := cli(t, nil, "doctor", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats-context", context, "-o", "json")
	if out == "" {
		return "refused", err.Error()
	}
	var said []struct{ Check, State, Found string }
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	for _, d := range said {
		if d.Check == "nats" {
			return d.State, d.Found
		}
	}
	t.Fatalf("nothing is said of NATS: %s", out)
	return "", ""
}

// What the nats tool writes is read: each way to say who one is, by a name, a path, a
// variable or the file of settings.
func TestContextsOfTheNATSToolAreTaken(t *testing.T) {
	u := newNATSUser(t)
	config := t.TempDir()
	u.env = append(u.env, "XDG_CONFIG_HOME="+config)
	t.Setenv("XDG_CONFIG_HOME", config)

	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	seedFile := filepath.Join(t.TempDir(), "ledger.nk")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(o natsserver.Options) string {
		o.Host, o.Port, o.NoSigs, o.NoLog, o.JetStream, o.StoreDir = "127.0.0.1", -1, true, true, true, t.TempDir()
		s, err := natsserver.NewServer(&o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("the NATS server does not start")
		}
		return s.ClientURL()
	}
	users := open(natsserver.Options{
		Users: []*natsserver.User{{Username: "ledger", Password: "pa://ss"}},
		Nkeys: []*natsserver.NkeyUser{{Nkey: public(t, pair)}},
	})
	tokens := open(natsserver.Options{Authorization: "a-token"})
	c := newCluster(t)
	creds := c.creds(c.ledger, ledgerUser(intake.Permissions.Make, intake.Permissions.Retire))

	for name, args := range map[string][]string{
		"by-password": {"--server", users, "--user", "ledger", "--password", "pa://ss"},
		"by-nkey":     {"--server", users, "--nkey", seedFile},
		"by-token":    {"--server", tokens, "--user", "a-token"}, // which the tool takes for a token without a password
		"by-creds":    {"--server", c.url, "--creds", creds, "--tlsca", c.ca.file, "--tlscert", c.cert, "--tlskey", c.key},
	} {
		u.try(append([]string{"context", "add", name}, args...)...) // which fails to connect to what asks for more rights
		state, found := saysOfNATS(t, name)
		if state != "ok" || !strings.Contains(found, "(context "+name+", "+filepath.Join(config, "nats", "context", name+".json")+")") {
			t.Errorf("%s: %s, %s", name, state, found)
		}
	}

	// What is wrong names the flag and the context, and no secret.
	u.try("context", "add", "wrong", "--server", users, "--user", "ledger", "--password", "wr-ong")
	if state, found := saysOfNATS(t, "wrong"); state != "broken" || !strings.HasPrefix(found, "--nats-context: ") || strings.Contains(found, "wr-ong") {
		t.Errorf("a wrong password: %s, %s", state, found)
	}
	u.try("context", "add", "inbox", "--server", users, "--user", "ledger", "--password", "pa://ss", "--inbox-prefix", "_INBOX_ann")
	if state, found := saysOfNATS(t, "inbox"); state != "refused" || !strings.Contains(found, "inbox_prefix is not taken here") {
		t.Errorf("a context with an inbox: %s, %s", state, found)
	}
	if state, found := saysOfNATS(t, "nosuch"); state != "refused" || !strings.Contains(found, "there are by-creds, by-nkey, by-password, by-token, inbox, wrong") {
		t.Errorf("no context: %s, %s", state, found)
	}
	if _, err := cli(t, nil, "doctor", "--nats-context", "by-token", "--nats", users); err == nil || !strings.Contains(err.Error(), "leave out --nats") {
		t.Errorf("two servers: %v", err)
	}

	// A ledger that is told so by a variable runs there, and config says who told it.
	t.Setenv(server.ContextVariable, "by-password")
	var e server.ExternalNATS
	if err := e.Resolve(); err != nil {
		t.Fatal(err)
	}
	r := startOutside(t, t.TempDir(), e)
	furnish(t, r)
	app := newNATSUser(t)
	app.env = u.env
	app.args = []string{"--context", "by-password"}
	if receipt := app.request("consent.v1.smartkey.record", given("1", "ada")); receipt["event_id"] == nil {
		t.Errorf("%v", receipt)
	}
	out, err := cli(t, nil, "config", "show", "--origin", "-o", "csv")
	if err != nil || !strings.Contains(out, "serve.nats-context,by-password,environment "+server.ContextVariable) ||
		!strings.Contains(out, "serve.nats,"+users+",\"context by-password, ") || strings.Contains(out, "pa://ss") {
		t.Errorf("config show --origin: %s, %v", out, err)
	}
	if out, err := cli(t, nil, "__complete", "serve", "--nats-context", ""); err != nil || !strings.Contains(out, "by-token") {
		t.Errorf("completion: %s, %v", out, err)
	}
}
