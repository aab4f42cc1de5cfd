package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func readyCode(t *testing.T, r *running) string {
	t.Helper()
	resp, err := http.Get(r.http + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

func startOutside(t *testing.T, dir string, e server.ExternalNATS) *running {
	t.Helper()
	return startWith(t, server.Config{Data: dir, HTTP: "127.0.0.1:0", NATS: e})
}

// Its user may do what intake.Permissions says, and not more.
func TestALedgerOnSomebodysNATS(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	dir := t.TempDir()
	before(t, c)
	r := startOutside(t, dir, c.reach(c.creds(c.ledger, ledgerUser(intake.Permissions.Make, intake.Permissions.Retire))))
	furnish(t, r)
	list, err := cli(t, r, "rejected", "list", "-o", "csv", "--server", r.http)
	if err != nil || !strings.Contains(list, "invalid") || !strings.Contains(list, "unknown-app") {
		t.Errorf("what came before the app was known: %s, %v", list, err)
	}
	app := c.creds(c.ledger, appUser())
	u := newNATSUser(t, "--server", c.url, "--creds", app, "--tlsca", c.ca.file, "--tlscert", c.cert, "--tlskey", c.key, "--inbox-prefix", "_INBOX.app")
	if receipt := u.request("consent.v1.smartkey.record", given("1", "ada")); receipt["event_id"] == nil || u.status("ada") != "given" {
		t.Errorf("%v, then %s", receipt, u.status("ada"))
	}
	u.run("pub", "-J", "consent.v1.smartkey.in.consent.given", given("1", "bo"))
	eventually(t, "given", func() string { return u.status("bo") })
	nc := c.connect(app)
	if err := errors.Join(nc.Publish("consent.v1.other.check", nil), nc.Flush()); err != nil || !errors.Is(nc.LastError(), nats.ErrPermissionViolation) {
		t.Errorf("the app's user asked for another app: %v, %v", err, nc.LastError())
	}
	workRejected(t, r, u)
	if code := readyCode(t, r); code != "200" {
		t.Errorf("readyz: %s", code)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	// What exists need not be made again, nor permitted.
	r = startOutside(t, dir, c.reach(c.creds(c.ledger, ledgerUser())))
	if got := may(t, r, "bo", "personalisation"); got != "given" || u.status("ada") != "given" {
		t.Errorf("after a restart: %s, %s", got, u.status("ada"))
	}
}

// before leaves a stream of the older kind, and a message in it.
func before(t *testing.T, c *cluster) {
	t.Helper()
	nc := c.connect(c.creds(c.ledger, jwt.Permissions{}))
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: intake.InStream, Subjects: []string{"consent.v1.*.in.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "consent.v1.smartkey.in.consent.given", []byte(given("0", "ada"))); err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

// alarmed says which apps' rejected messages somebody must look at, and how many.
func alarmed(t *testing.T, r *running) string {
	t.Helper()
	_, v := get(t, r.http+"/v1/alarms")
	var all []string
	for _, a := range v["alarms"].([]any) {
		if a := a.(map[string]any); a["name"] == server.RejectedAlarm {
			all = append(all, fmt.Sprint(a["app"], " ", a["count"]))
		}
	}
	return strings.Join(all, ", ")
}

// workRejected shows, marks and tries again what was rejected, by CLI.
func workRejected(t *testing.T, r *running, u natsUser) {
	t.Helper()
	u.run("pub", "-J", "consent.v1.smartkey.in.consent.withdrawn", "cy says no")
	eventually(t, "smartkey 1", func() string { return alarmed(t, r) })
	if code, v := get(t, r.http+"/readyz?verbose"); code != 200 || !strings.Contains(fmt.Sprint(v["alarms"]), "1 rejected messages may be a withdrawal") {
		t.Errorf("one message of one app keeps all others from being answered, or is not told: %d %v", code, v)
	}
	if out, err := cli(t, r, "alarms", "-o", "csv"); exit.Code(t.Context(), err) != exit.CodeAlarm || !strings.Contains(out, "rejected-messages,smartkey,1,") {
		t.Errorf("alarms: %s, %v", out, err)
	}
	if raw, err := cli(t, r, "rejected", "show", "2", "--raw", "--reason", "incident", "--why", "to look", "--by", "Li Na"); err != nil || raw != "cy says no" {
		t.Errorf("show --raw: %q, %v", raw, err)
	}
	if out, err := cli(t, r, "rejected", "show", "2", "--reason", "incident", "--why", "to look", "--by", "Li Na"); err != nil || !wiretest.Holds(out, `"code":"malformed"`) {
		t.Errorf("show: %s, %v", out, err)
	}
	if _, err := cli(t, r, "rejected", "mark-seen", "2", "--why", "a test"); err != nil {
		t.Error(err)
	}
	eventually(t, "", func() string { return alarmed(t, r) })
	if out, err := cli(t, r, "alarms"); err != nil {
		t.Errorf("alarms once somebody looked: %s, %v", out, err)
	}
	stranger := []string{"rejected", "show", "1", "--reason", "incident", "--why", "to look", "--by", "Li Na"}
	if _, err := cli(t, r, stranger...); err == nil || !strings.Contains(err.Error(), "name the app for which it is read") {
		t.Errorf("what was sent to no app, read for none: %v", err)
	}
	if _, err := cli(t, r, append(stranger, "--app", "nosuch")...); err == nil || !strings.Contains(err.Error(), "unknown-app") {
		t.Errorf("what was sent to no app, read for one that is none: %v", err)
	}
	if out, err := cli(t, r, append(stranger, "--app", "smartkey")...); err != nil || !wiretest.Holds(out, `"app":"invalid"`) {
		t.Errorf("what was sent to no app: %s, %v", out, err)
	}
	if out, err := cli(t, r, "replay", "--type", "data.accessed", "-o", "jsonl"); err != nil || strings.Contains(out, "access-invalid") || !strings.Contains(out, "access-smartkey-main") {
		t.Errorf("accesses: %s, %v", out, err)
	}
	if out, err := cli(t, r, "rejected", "retry", "1"); err != nil || !strings.Contains(out, "event_id") {
		t.Errorf("what was rejected because the app was not known yet: %s, %v", out, err)
	}
	if _, err := cli(t, r, "rejected", "show", "99"); err == nil || exit.Code(t.Context(), err) != exit.CodeNotFound {
		t.Errorf("show 99: %v", err)
	}
}

func TestNothingIsLostWhenNATSComesBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r := startOutside(t, t.TempDir(), c.reach(c.creds(c.ledger, ledgerUser(intake.Permissions.Make))))
	furnish(t, r)
	nc := c.connect(c.creds(c.ledger, appUser()))
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	const persons = 60
	acked, published := make(chan int, persons), make(chan error, 1)
	go func() { published <- publishUntilAcked(t.Context(), js, persons, acked) }()
	for range persons / 3 {
		<-acked
	}
	c.stop()
	eventually(t, "503", func() string { return readyCode(t, r) })
	if code, v := get(t, r.http+"/readyz?verbose"); !strings.Contains(fmt.Sprint(v), "not connected") {
		t.Errorf("readyz: %d %v", code, v)
	}
	c.start()
	eventually(t, "200", func() string { return readyCode(t, r) })
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	for i := range persons {
		eventually(t, "given", func() string { return may(t, r, fmt.Sprint("person-", i), "personalisation") })
	}
	eventually(t, "true", func() string {
		m, err := nc.RequestWithContext(t.Context(), "consent.v1.smartkey.check", []byte(`{"subject":"person-1","purpose":"personalisation"}`))
		return fmt.Sprint(err == nil && wiretest.Holds(string(m.Data), `"allowed":true`))
	})
}

func TestALedgerStopsWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	dir := t.TempDir()
	e := c.reach(c.creds(c.ledger, ledgerUser(intake.Permissions.Make)))
	r := startOutside(t, dir, e)
	c.stop()
	eventually(t, "503", func() string { return readyCode(t, r) })
	if err := r.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	c.start()
	startOutside(t, dir, e)
}

// publishUntilAcked publishes as an app should: again, until it is acked.
func publishUntilAcked(ctx context.Context, js jetstream.JetStream, persons int, acked chan<- int) error {
	for i := range persons {
		for {
			short, cancel := context.WithTimeout(ctx, 2*time.Second)
			_, err := js.Publish(short, "consent.v1.smartkey.in.consent.given", []byte(given("1", fmt.Sprint("person-", i))))
			cancel()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return err
			}
		}
		acked <- i
	}
	return nil
}

// A stream that an administrator made and that could lose messages is mended with
// the rights to do so, and refused by name without.
func TestAnAdministratorsStreamIsMendedOrRefusedByName(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	admin := c.connect(c.creds(c.ledger, jwt.Permissions{}))
	js, err := jetstream.New(admin, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: intake.InStream, Subjects: []string{"consent.v1.*.in.>"}, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardOld, MaxMsgs: 10, MaxAge: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := server.Config{Data: dir, HTTP: "127.0.0.1:0", NATS: c.reach(c.creds(c.ledger, ledgerUser(intake.Permissions.Make)))}
	err = server.Run(t.Context(), config, &banner{ready: make(chan struct{})})
	for _, want := range []string{"--nats-creds", "stream CONSENT_IN", "duplicate_window is 2m0s and must be 100ms", "discard is", "max_age is 1h0m0s and must be 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("refused with %v, want %s", err, want)
		}
	}

	config.NATS = c.reach(c.creds(c.ledger, ledgerUser(intake.Permissions.Make, intake.Permissions.Mend)))
	r := startWith(t, config)
	furnish(t, r)
	if _, err := js.PauseConsumer(t.Context(), intake.InStream, "ledger", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		no := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"app","type":"consent.withdrawn","subject":"person-%d","data":{"all":true}}`, i)
		if _, err := js.Publish(t.Context(), "consent.v1.smartkey.in.consent.withdrawn", []byte(no)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		eventually(t, "withdrawn", func() string { return may(t, r, fmt.Sprint("person-", i), "personalisation") })
	}
	eventually(t, "", func() string { return verbose(t, r) })
}
