package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"

	"github.com/goccy/go-yaml"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// readCompose returns a configuration file of the deployment, with the replacements
// that make it fit this machine.
func readCompose(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../compose", name))
	if err != nil {
		t.Fatal(err)
	}
	said := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(said, replace[i]) {
			t.Fatalf("%s has no %q", name, replace[i])
		}
		said = strings.ReplaceAll(said, replace[i], replace[i+1])
	}
	return said
}

// Three real servers run from the cluster's file, a ledger finds there what it needs, and
// an app may do what it has to, and no more.
func TestTheNATSConfigurationRunsACluster(t *testing.T) {
	secrets := filepath.Join(deployment(t), "secrets")
	var routes []string
	for range 3 {
		routes = append(routes, freeport.Address(t))
	}
	var nodes []*server.Server
	for n := range 3 {
		name := fmt.Sprint("nats", n+1)
		t.Setenv("NATS_NAME", name)
		file := filepath.Join(t.TempDir(), "nats.conf")
		text := readCompose(t, "nats/nats.conf",
			"/run/secrets/nats.", filepath.Join(secrets, name)+".", "/run/secrets/authority", filepath.Join(secrets, "authority.crt"),
			"/data", t.TempDir(), "0.0.0.0:4222", "127.0.0.1:-1", "0.0.0.0:8222", "127.0.0.1:-1", "0.0.0.0:6222", routes[n],
			"nats1:6222", routes[0], "nats2:6222", routes[1], "nats3:6222", routes[2])
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		options, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		options.NoSigs, options.NoLog = true, true
		s, err := server.NewServer(options)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		nodes = append(nodes, s)
	}
	var urls []string
	for _, s := range nodes {
		if !s.ReadyForConnections(patience) {
			t.Fatal("a node is not ready")
		}
		urls = append(urls, "tls://"+s.Addr().String())
	}
	// Its own health check, as the compose file has it.
	eventually(t, "true", func() string {
		healthy := true
		for _, s := range nodes {
			resp, err := http.Get("http://" + s.MonitorAddr().String() + "/healthz?js-enabled-only=true")
			healthy = healthy && err == nil && resp.StatusCode == http.StatusOK && s.JetStreamIsCurrent()
			if err == nil {
				resp.Body.Close()
			}
		}
		return fmt.Sprint(healthy)
	})

	as := func(name string) ledgerserver.ExternalNATS {
		return ledgerserver.ExternalNATS{URL: strings.Join(urls, ","), CA: filepath.Join(secrets, "authority.crt"),
			Cert: filepath.Join(secrets, name+".crt"), Key: filepath.Join(secrets, name+".key")}
	}
	r := startWith(t, ledgerserver.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATS: as("ledger"),
		Telling: ledgerserver.Telling{Consents: true}})
	furnish(t, r)
	eventually(t, "well: ", func() string { return "well: " + verbose(t, r) })

	refused := make(chan error, 16)
	app := dialAs(t, as("app"), func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
	js, err := jetstream.New(app, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	event := []byte(given("1", "ada"))
	if answer, err := app.Request("consent.v1.smartkey.record", event, patience); err != nil || !bytes.Contains(answer.Data, []byte(`"event_id"`)) {
		t.Errorf("an app records: %v, %v", answer, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := js.Publish(ctx, "consent.v1.smartkey.in.consent.given", []byte(given("2", "bob"))); err != nil {
		t.Errorf("an app publishes: %v", err)
	}
	for _, subject := range []string{"consent.v1.smartkey.operate.policy", "$JS.API.STREAM.DELETE.CONSENT_IN"} {
		if err := app.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", subject, err)
		}
	}

	if _, err := nats.Connect(urls[0], nats.RootCAs(filepath.Join(secrets, "authority.crt"))); err == nil {
		t.Error("somebody without a certificate is let in")
	}
	if nodes[0].NumRoutes() == 0 || nodes[0].JetStreamConfig().SyncAlways == false {
		t.Errorf("%d routes, always on disk: %v", nodes[0].NumRoutes(), nodes[0].JetStreamConfig().SyncAlways)
	}
}

func dialAs(t *testing.T, e ledgerserver.ExternalNATS, refused nats.ErrHandler) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(e.URL, nats.Timeout(patience), nats.RootCAs(e.CA), nats.ClientCert(e.Cert, e.Key), nats.ErrorHandler(refused))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// PostgreSQL's own client gives the file to a real server: the ledger's user can make
// what it needs, and who looks at dashboards can change nothing.
func TestTheDatabaseIsMade(t *testing.T) {
	t.Parallel()
	secrets := filepath.Join(deployment(t), "secrets")
	pg := deployedDatabase(t, secrets)
	as := func(user, secret string) *pgx.Conn {
		t.Helper()
		config, err := pgx.ParseConfig(pg.Address("consentledger"))
		if err != nil {
			t.Fatal(err)
		}
		password, err := os.ReadFile(filepath.Join(secrets, secret))
		if err != nil {
			t.Fatal(err)
		}
		config.User, config.Password = user, string(password)
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		return conn
	}
	ledger, reader := as("ledger", "postgres_ledger"), as("dashboards", "postgres_reader")
	for _, statement := range []string{"CREATE SCHEMA shown", "CREATE TABLE shown.counts AS SELECT 1 AS people",
		"GRANT USAGE ON SCHEMA shown TO dashboards", "GRANT SELECT ON shown.counts TO dashboards"} {
		if _, err := ledger.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var encoding string
	if err := ledger.QueryRow(t.Context(), "SHOW server_encoding").Scan(&encoding); err != nil || encoding != "UTF8" {
		t.Errorf("the encoding is %s, %v", encoding, err)
	}
	if _, err := reader.Exec(t.Context(), "SELECT people FROM shown.counts"); err != nil {
		t.Errorf("who looks at dashboards sees nothing: %v", err)
	}
	for _, statement := range []string{"CREATE TABLE mine (n int)", "SET default_transaction_read_only = off; DELETE FROM shown.counts", "CREATE SCHEMA mine"} {
		_, err := reader.Exec(t.Context(), statement)
		if pgErr, is := errors.AsType[*pgconn.PgError](err); !is || pgErr.Code != "25006" && pgErr.Code != "42501" {
			t.Errorf("%s: %v: want that it is refused", statement, err)
		}
	}
}

// deployedDatabase starts a server, and gives it the file of the deployment.
func deployedDatabase(t *testing.T, secrets string) *pgserver.Server {
	t.Helper()
	pg := pgservertest.Serve(t)
	c := exec.CommandContext(t.Context(), "psql", "--no-psqlrc", "--quiet", "--dbname="+pg.Address("postgres"),
		"--file=../compose/postgres/ledger.sql")
	c.Env = append(os.Environ(), "SECRETS="+secrets)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return pg
}

// A real HAProxy with the cluster's file sends requests to ledgers that are ready, and to
// no other.
func TestTheProxySendsNobodyToALedgerThatIsNotReady(t *testing.T) {
	t.Parallel()
	store := newEventStore(t)
	one := startWith(t, ledgerserver.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Store: store.url()})
	two := start(t, t.TempDir(), false)
	address := freeport.Address(t)
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		haproxy = "/usr/sbin/haproxy" // not in the path of everybody
	}
	c := exec.Command(haproxy, "-db", "-f", "../compose/haproxy/haproxy.cfg")
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	c.Env = append(os.Environ(), "PROXY_LISTEN="+address,
		"LEDGER1="+strings.TrimPrefix(one.http, "http://"), "LEDGER2="+strings.TrimPrefix(two.http, "http://"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if t.Failed() {
			t.Logf("haproxy said:\n%s", &log)
		}
	})

	began := map[string]string{startedAt(t, one): "one", startedAt(t, two): "two"}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	started := func() (which string) {
		resp, err := client.Get("http://" + address + "/v1/status")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var status struct{ Started string }
		if err := json.NewDecoder(resp.Body).Decode(&status); err != nil || resp.StatusCode != http.StatusOK {
			return resp.Status
		}
		return began[status.Started]
	}
	both := func() string {
		seen := map[string]bool{}
		for range 8 {
			seen[started()] = true
		}
		return fmt.Sprint(seen)
	}
	eventually(t, "map[one:true two:true]", both)
	store.stop()
	eventually(t, "map[two:true]", both)
	store.start()
	eventually(t, "map[one:true two:true]", both)

	resp, err := client.Get("http://" + address + "/proxy-health")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the proxy's own health: %v, %v", resp, err)
	}
}

func startedAt(t *testing.T, r *running) string {
	t.Helper()
	_, status := get(t, r.http+"/v1/status")
	at, _ := status["started"].(string)
	if at == "" {
		t.Fatalf("%v", status)
	}
	return at
}

// Prometheus' own tool reads what it will ask, and a ledger is asked under every name
// that stands there.
func TestPrometheusAsksTheLedgers(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "promtool", "check", "config", "../compose/prometheus/prometheus.yml").CombinedOutput()
	if err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	dir := deployment(t)
	for _, profile := range []string{"single", "cluster"} {
		for name, s := range compose(t, dir, profile).Services {
			if s.Build == nil {
				continue
			}
			command := strings.Join(s.Command, " ")
			allowed, _, _ := strings.Cut(strings.TrimLeft(strings.SplitAfter(command, "--allowed-hosts")[1], "= "), " ")
			asked := strings.Contains(readCompose(t, "prometheus/prometheus.yml"), `"`+name+`:9464"`)
			if !asked || !strings.Contains(","+allowed+",", ","+name+",") || !strings.Contains(command, "--metrics-listen") {
				t.Errorf("%s is asked: %v; under the names %s, in %s", name, asked, allowed, command)
			}
			if _, both := s.Networks["observe"]; !both {
				t.Errorf("%s cannot be reached by Prometheus", name)
			}
		}
	}
}

// What a pipeline of the collector names is configured, and everything configured is in a
// pipeline. No collector reads the file here.
func TestTheCollectorsPipelinesFit(t *testing.T) {
	var file struct {
		Receivers, Processors, Connectors, Exporters map[string]any
		Service                                      struct {
			Pipelines map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}
	if err := yaml.Unmarshal([]byte(readCompose(t, "collector/config.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	named := func(pipeline string, names []string, sections ...map[string]any) {
		for _, name := range names {
			used[name] = true
			if !slices.ContainsFunc(sections, func(s map[string]any) bool { _, there := s[name]; return there }) {
				t.Errorf("the pipeline %s names %s, which is not configured", pipeline, name)
			}
		}
	}
	for name, p := range file.Service.Pipelines {
		named(name, p.Receivers, file.Receivers, file.Connectors)
		named(name, p.Processors, file.Processors)
		named(name, p.Exporters, file.Exporters, file.Connectors)
	}
	for _, section := range []map[string]any{file.Receivers, file.Processors, file.Connectors, file.Exporters} {
		for name := range section {
			if !used[name] {
				t.Errorf("%s is configured, and in no pipeline", name)
			}
		}
	}
	if len(used) < 5 {
		t.Errorf("the pipelines name %v", used)
	}
}
