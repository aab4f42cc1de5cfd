package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/audit"
	"consentledger/api/auth"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A guarded is a running ledger that authenticates, with the apps shop and bank and a key
// for every role in the shop.
type guarded struct {
	*testing.T
	*running
	admin string
	keys  map[auth.Role]auth.KeyAnswer
}

// guard starts one.
func guard(t *testing.T) *guarded {
	t.Helper()
	return guardWith(t, server.Ways{})
}

// guardWith starts one that lets in by more ways than keys.
func guardWith(t *testing.T, more server.Ways) *guarded {
	t.Helper()
	return guardIn(t, t.TempDir(), server.Access{Authenticate: true, Ways: more})
}

// guardIn starts one in a directory.
func guardIn(t *testing.T, dir string, d server.Access) *guarded {
	t.Helper()
	return guardAs(t, server.Config{Data: dir, Access: d})
}

// guardAs starts one as a config says, on ports that are free.
func guardAs(t *testing.T, c server.Config) *guarded {
	t.Helper()
	c.HTTP, c.NATSListen = "127.0.0.1:0", "127.0.0.1:0"
	g := &guarded{T: t, keys: map[auth.Role]auth.KeyAnswer{}}
	out, err := cli(t, nil, "access", "key", "new", "--name", "ann", "--role", "administrator", "--all-apps", "--data", c.Data)
	if err != nil {
		t.Fatal(err)
	}
	g.admin = strings.TrimSpace(out)
	g.running = startWith(t, c)
	for _, app := range []string{"shop", "bank"} {
		if _, err := g.as(g.admin, "app", "add", app, "--handler", "Demo Ltd"); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range auth.Roles {
		if r.Role == auth.Administrator {
			g.keys[r.Role] = auth.KeyAnswer{Key: g.admin}
			continue
		}
		g.keys[r.Role] = g.issue("--role", string(r.Role), "--app", "shop", "--days", "30")
	}
	return g
}

// as runs a verb with a key.
func (g *guarded) as(key string, args ...string) (string, error) {
	g.Helper()
	file := filepath.Join(g.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		g.Fatal(err)
	}
	return cli(g.T, g.running, append(args, "--key-file", file)...)
}

func (g *guarded) issue(args ...string) (a auth.KeyAnswer) {
	g.Helper()
	out, err := g.as(g.admin, append([]string{"access", "key", "new", "--name", "somebody", "-o", "jsonl"}, args...)...)
	if err != nil {
		g.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		g.Fatalf("%s: %v", out, err)
	}
	return a
}

// ask sends a request with a key, and returns the status and the body.
func (g *guarded) ask(key, method, path, body string) (int, string) {
	g.Helper()
	status, text := sendAs(g.T, http.DefaultClient, key, method, g.running.http+path, body)
	if status == 0 {
		g.Fatal(text)
	}
	return status, text
}

// undescribed are the routes that the description leaves out, beside those of the
// transparency log: they are the descriptions themselves, and what no program asks. None is
// below /v1.
var undescribed = []string{
	"GET /{$}", "GET /openapi.json", "GET /openapi.yaml", "GET /openapi-3.0.json", "GET /openapi-3.0.yaml", "GET /metrics",
}

// patterns returns every route that the ledger has.
func (g *guarded) patterns() (all []string) {
	g.Helper()
	_, spec := g.ask("", "GET", "/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(spec), &doc); err != nil {
		g.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	all = append(all, audit.Patterns()...)
	all = append(all, undescribed...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Every route of the running ledger stands in the table, and the table has no other. Then
// each is asked for by every role: in its own app, in another, and in one that is not there.
func TestEveryRouteIsInTheTableOfWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	g := guard(t)
	var table []string
	for _, r := range auth.Routes {
		table = append(table, r.Pattern)
	}
	for _, p := range undescribed {
		if strings.Contains(p, " /v1/") {
			t.Errorf("%s is below /v1, and described nowhere", p)
		}
	}

	slices.Sort(table)
	all := g.patterns()
	for _, p := range all {
		if !slices.Contains(table, p) {
			t.Errorf("%s has no row in api/auth: say who may", p)
		}
	}
	for _, p := range table {
		if !slices.Contains(all, p) {
			t.Errorf("%s is in the table, and no route", p)
		}
	}

	by := map[auth.Role]identity{}
	for role, key := range g.keys {
		by[role] = g.by(key.Key)
	}
	g.everyRoute(by)
}

// An identity sends a request as somebody, and returns the status and the body.
type identity func(method, path, body string) (int, string)

// by returns who shows a credential.
func (g *guarded) by(credential string) identity {
	return func(method, path, body string) (int, string) { return g.ask(credential, method, path, body) }
}

// everyRoute asks for every route as who has a role in the shop: in the shop, in another
// app, and in one that is not there.
func (g *guarded) everyRoute(by map[auth.Role]identity) {
	g.Helper()
	g.everyRouteBut(by, g.by(""))
}

// everyRouteBut is everyRoute, where who shows nothing is nobody.
func (g *guarded) everyRouteBut(by map[auth.Role]identity, nobody identity) {
	g.Helper()
	fill := strings.NewReplacer("{id}", "nobody", "{purpose}", "mail", "{group}", "family", "{seq}", "7", "{name}", "event", "{hash}", "x",
		"{version}", "x", "{surface}", "x", "{register}", "processing", "{token}", "x", "{path...}", "0/0", "{code}", "malformed", "{$}", "")
	for _, r := range auth.Routes {
		if r.Pattern == "POST /v1/replay/check" { // it builds everything anew, as long as that takes
			continue
		}
		method, path, _ := strings.Cut(fill.Replace(r.Pattern), " ")
		body := ""
		if method != http.MethodGet {
			body = `{}`
		}
		if status, _ := nobody(method, strings.ReplaceAll(path, "{app}", "shop"), body); (status == 401) != (r.Operation != auth.Public) {
			g.Errorf("%s without a key: %d", r.Pattern, status)
		}
		for role, ask := range by {
			p := auth.Principal{Bindings: []auth.Binding{{Roles: []auth.Role{role}}}}
			admin := role == auth.Administrator
			apps := []string{"shop", "bank", "nosuch"}
			if !strings.Contains(path, "{app}") {
				apps = apps[:1] // the others would be the same request
			}
			for _, app := range apps {
				status, text := ask(method, strings.ReplaceAll(path, "{app}", app), body)
				stopped := status == 401 || status == 403 || status >= 400 && strings.Contains(text, "none of this key's")
				may := r.Operation == auth.Public || p.May(r.Operation)
				switch {
				case admin:
				case r.Scope == auth.OfApp:
					may = may && app == "shop"
				case r.Scope == auth.OfAll || r.Scope == auth.OfQuery || r.Scope == auth.OfBody:
					may = false
				}
				if may == stopped {
					g.Errorf("%s as %s in %s: %d %s", r.Pattern, role, app, status, text)
				}
			}
		}
	}
}

func TestARecordNamesWhoRecordedItByAPseudonym(t *testing.T) {
	t.Parallel()
	g := guard(t)
	writer, auditor := g.keys[auth.Writer], g.issue("--role", "auditor", "--all-apps", "--days", "7")
	if out, err := g.as(writer.Key, "record", "--app", "shop", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"all":true}`); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	out, err := g.as(auditor.Key, "replay", "--app", "shop", "--subject", "ada")
	if err != nil || !wiretest.Holds(out, `"recorded_by":"`+writer.Principal+`"`) || strings.Contains(out, "somebody") {
		t.Errorf("%s %v", out, err)
	}
	out, err = g.as(auditor.Key, "replay", "--app", "shop", "--type", "key.issued")
	if err != nil || !strings.Contains(out, writer.ID) || strings.Contains(out, "somebody") || strings.Contains(out, writer.Key) {
		t.Errorf("%s %v", out, err)
	}
	if _, err := g.as(writer.Key, "replay", "--app", "shop"); err == nil || !strings.Contains(err.Error(), "privacy-officer, auditor") {
		t.Errorf("a writer replays: %v", err)
	}
	if _, err := cli(t, g.running, "app", "list"); err == nil || !strings.Contains(err.Error(), "unauthenticated") {
		t.Errorf("without a key: %v", err)
	}
	if out, err := g.as(writer.Key, "app", "list"); err != nil || !strings.Contains(out, "shop") || strings.Contains(out, "bank") {
		t.Errorf("the apps of the shop: %s %v", out, err)
	}
}

// leavesItsGroup lets an app leave the group that a key is for: that ends at once what the
// key opened in it, over HTTP, on a connection to NATS that stood, and for tokens of persons.
func (g *guarded) leavesItsGroup() {
	g.Helper()
	key := g.issue("--role", "app-writer", "--app", "group:retail")
	if key.Reaches == nil || len(key.Reaches) > 0 {
		g.Errorf("a group without an app: %+v", key)
	}
	if out, err := g.as(g.admin, "app", "add", "shop", "--group", "retail"); err != nil {
		g.Fatal(out, err)
	}

	closed := make(chan struct{})
	nc := g.connect(key, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "group"), patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		g.Errorf("in the group, on NATS: %+v %v", m, err)
	}
	token := g.mintBy(key.Key, "shop", "ada", "check")
	asks := func(credential, app string) int {
		status, _ := g.ask(credential, "POST", "/v1/apps/"+app+"/check", `{"subject":"ada","purpose":"mail"}`)
		return status
	}
	if app, bank, person := asks(key.Key, "shop"), asks(key.Key, "bank"), asks(token, "shop"); app != 200 || bank != 404 || person != 200 {
		g.Errorf("in the group: %d, elsewhere %d, the person %d", app, bank, person)
	}

	recorded := func(roles string) {
		g.Helper()
		g.eventually(func() bool {
			out, err := g.as(g.keys[auth.Auditor].Key, "replay", "--app", "shop", "--type", "roles.changed", "-o", "jsonl")
			lines := strings.Split(strings.TrimSpace(out), "\n")
			last := lines[len(lines)-1]
			return err == nil && strings.Contains(last, key.Principal) && wiretest.Holds(last, `"roles":"`+roles+`"`)
		}, "the log of the app does not say that the key has there "+roles)
	}
	recorded("app-writer")
	if out, err := g.as(g.admin, "app", "add", "shop", "--group", ""); err != nil {
		g.Fatal(out, err)
	}
	if app, person := asks(key.Key, "shop"), asks(token, "shop"); app != 404 || person != 401 {
		g.Errorf("out of the group: %d, the person %d", app, person)
	}
	select {
	case <-closed:
	case <-g.Context().Done():
		g.Errorf("the connection stands: %v", nc.Status())
	}
	recorded("none")
}

// eventually waits until something is so.
func (g *guarded) eventually(is func() bool, otherwise string) {
	g.Helper()
	for ends := time.Now().Add(patience); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(ends) {
			g.Fatal(otherwise)
		}
	}
}

// A key that is revoked ends at once: over HTTP, and on a connection to NATS that stood. So
// does a key for a group of apps in an app that leaves the group.
func TestARevokedKeyEndsEverywhere(t *testing.T) {
	t.Parallel()
	g := guard(t)
	g.leavesItsGroup()
	key := g.issue("--role", "app-writer", "--app", "shop")
	closed := make(chan struct{})
	nc := g.connect(key, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if status, _ := g.ask(key.Key, "GET", "/v1/apps/shop", ""); status != 200 {
		t.Errorf("before: %d", status)
	}
	if out, err := g.as(g.admin, "access", "key", "revoke", key.ID); err != nil || !strings.Contains(out, "revoked") {
		t.Errorf("%s %v", out, err)
	}
	if status, text := g.ask(key.Key, "GET", "/v1/apps/shop", ""); status != 401 || !strings.Contains(text, "revoked") {
		t.Errorf("after: %d %s", status, text)
	}
	select {
	case <-closed:
	case <-t.Context().Done():
		t.Errorf("the connection stands: %v", nc.Status())
	}
	if _, err := nats.Connect(g.nats, nats.Token(key.Key)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("connecting again: %v", err)
	}
	list, err := g.as(g.admin, "access", "key", "list", "--all", "-o", "jsonl")
	if err != nil || !wiretest.Holds(list, `"state":"revoked"`) || strings.Contains(list, "clk_") {
		t.Errorf("%s %v", list, err)
	}
}

// connect connects to NATS with a key.
func (g *guarded) connect(key auth.KeyAnswer, options ...nats.Option) *nats.Conn {
	g.Helper()
	nc, err := nats.Connect(g.nats, append(options, nats.Timeout(patience), nats.Token(key.Key), nats.CustomInboxPrefix(auth.InboxOf(key.ID)))...)
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(nc.Close)
	return nc
}

// speaks reports whether a connection may publish, or subscribe, on a subject. The server says
// that it may not before it answers the flush.
func speaks(nc *nats.Conn, do func() error) bool {
	nc.SetErrorHandler(nil)
	before := nc.LastError()
	if err := errors.Join(do(), nc.Flush()); err != nil {
		return false
	}
	said := nc.LastError()
	return said == before || !errors.Is(said, nats.ErrPermissionViolation)
}

const withdrawal = `{"specversion":"1.0","id":"%s","source":"test","type":"consent.withdrawn","subject":"ada","data":{"all":true}}`

func TestAnAppOnNATSSeesNoOther(t *testing.T) {
	t.Parallel()
	g := guard(t)
	nc := g.connect(g.keys[auth.Writer])
	m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "n1"), patience)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("%+v %v", m, err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "consent.v1.shop.in.consent.withdrawn", fmt.Appendf(nil, withdrawal, "n2")); err != nil {
		t.Error(err)
	}
	seesNoOther(t, func() *nats.Conn { return nc })
	for name, option := range map[string]nats.Option{
		"no key": nats.Name("x"), "another token": nats.Token("x"), "a user": nats.UserInfo("ledger", ""), "a user's password": nats.UserInfo("ledger", "ledger"),
	} {
		if _, err := nats.Connect(g.nats, option); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if as, err := nats.Connect(g.nats, nats.Timeout(patience), nats.UserInfo("anybody", g.keys[auth.Writer].Key)); err != nil {
		t.Errorf("a key as a password: %v", err)
	} else {
		as.Close()
	}
}

// seesNoOther checks that a writer of the shop may publish and listen where the shop's are,
// and nowhere else: on no other app's subjects, by no wildcard, and on none by which a
// server or its streams are administered. Connect returns a connection that is open; one
// that ended meanwhile says nothing.
func seesNoOther(t *testing.T, connect func() *nats.Conn) {
	t.Helper()
	may := func(do func(*nats.Conn) error) bool {
		for {
			nc := connect()
			spoke := speaks(nc, func() error { return do(nc) })
			if !nc.IsClosed() {
				return spoke
			}
		}
	}
	for _, subject := range []string{
		"consent.v1.bank.record", "consent.v1.bank.in.consent.withdrawn", "consent.v1.bank.check", "consent.v1.shop.operate", "consent.v1.shop.query.history",
		"consent.v1.shop.group", "consent.v1.shop.out.obligation.opened", "consent.v1.shop.rejected", "$JS.API.INFO", "$JS.API.STREAM.PURGE.CONSENT_IN", "$JS.API.STREAM.DELETE.CONSENT_IN",
		"$JS.API.STREAM.MSG.GET.CONSENT_IN", "$KV.CONSENT_REJECTED_SEEN.1", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.AUTH", "_INBOX.consentledger.x", "_INBOX.x",
	} {
		if may(func(nc *nats.Conn) error { return nc.Publish(subject, []byte("{}")) }) {
			t.Errorf("it may publish on %s", subject)
		}
	}
	for _, subject := range []string{
		">", "consent.>", "consent.v1.*.out.>", "consent.v1.bank.out.>", "*.v1.shop.out.>", "consent.v1.*.record", "consent.v1.shop.record", "consent.v1.shop.in.>",
		"_INBOX.>", "_INBOX.*", "_INBOX.consentledger.>", "$JS.>", "$SYS.>", "$SYS.REQ.USER.AUTH", "$KV.>", "$SRV.>", "consent.v1.shop.rejected",
	} {
		if may(func(nc *nats.Conn) error { _, err := nc.SubscribeSync(subject); return err }) {
			t.Errorf("it may listen on %s", subject)
		}
		if may(func(nc *nats.Conn) error { _, err := nc.QueueSubscribeSync(subject, "consentledger"); return err }) {
			t.Errorf("it may listen on %s in the ledger's own group", subject)
		}
	}
	for _, subject := range []string{"consent.v1.shop.out.>", "consent.v1.shop.out.obligation.opened"} {
		if !may(func(nc *nats.Conn) error { _, err := nc.SubscribeSync(subject); return err }) {
			t.Errorf("it may not hear what becomes of its own on %s", subject)
		}
	}
	if !may(func(nc *nats.Conn) error { return nc.Publish("consent.v1.shop.check", []byte("{}")) }) {
		t.Error("it may not ask of its own")
	}
}

// Who asks names the subject of the answer: the ledger answers to inboxes alone, so that
// nobody lets it speak where they may not.
func TestNoAnswerGoesWhereItsAskerMayNotSpeak(t *testing.T) {
	t.Parallel()
	g := guard(t)
	officer := g.issue("--role", "privacy-officer", "--all-apps")
	nc := g.connect(g.keys[auth.Writer])
	for i, reply := range []string{"consent.v1.bank.record", "consent.v1.bank.in.consent.given", "consent.v1.shop.out.x"} {
		for _, subject := range []string{"consent.v1.shop.record", "consent.v1.shop.check"} {
			if err := nc.PublishRequest(subject, reply, fmt.Appendf(nil, withdrawal, fmt.Sprint("r", i, subject))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "last"), patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("%+v %v", m, err)
	}
	eventually(t, "all", func() string { // what was asked is recorded, whoever was to hear of it
		status, text := g.ask(officer.Key, "POST", "/v1/apps/shop/subjects/history", `{"subject":"ada"}`)
		if n := strings.Count(text, `"type":"consent.withdrawn"`); status == 200 && n >= 3+1 {
			return "all"
		}
		return text
	})
	out, err := g.as(officer.Key, "rejected", "list", "-o", "jsonl")
	if err != nil || wiretest.Holds(out, `"app":"bank"`) {
		t.Errorf("the bank got something: %s %v", out, err)
	}
	if status, text := g.ask(officer.Key, "POST", "/v1/apps/bank/subjects/history", `{"subject":"ada"}`); strings.Contains(text, "consent.withdrawn") {
		t.Errorf("the bank recorded something: %d %s", status, text)
	}
}

// The subjects of operators want the key in the message, because NATS does not tell who
// sent it.
func TestOperatorsOnNATSAreWhoTheirKeySays(t *testing.T) {
	t.Parallel()
	g := guard(t)
	officer := g.keys[auth.Officer]
	nc := g.connect(officer)
	ask := func(key string) *nats.Msg {
		t.Helper()
		m := nats.NewMsg("consent.v1.shop.query.app")
		if key != "" {
			m.Header.Set("Authorization", "Bearer "+key)
		}
		answer, err := nc.RequestMsg(m, patience)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if m := ask(officer.Key); m.Header.Get("Nats-Service-Error-Code") != "" || !strings.Contains(string(m.Data), "Demo Ltd") {
		t.Errorf("%v %s", m.Header, m.Data)
	}
	for name, key := range map[string]string{"none": "", "a bad one": "clk_x"} {
		if m := ask(key); m.Header.Get("Nats-Service-Error-Code") != "401" {
			t.Errorf("%s: %v %s", name, m.Header, m.Data)
		}
	}
	bank := g.issue("--role", "privacy-officer", "--app", "bank")
	if m := ask(bank.Key); m.Header.Get("Nats-Service-Error-Code") != "404" {
		t.Errorf("another app's: %v %s", m.Header, m.Data)
	}
}

func TestTheFirstAdministratorIsLetIn(t *testing.T) {
	t.Parallel()
	b := &banner{ready: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- server.Run(ctx, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Access: server.Access{Authenticate: true}}, b)
	}()
	defer func() { stop(); <-done }()
	select {
	case <-b.ready:
	case err := <-done:
		t.Fatal(err)
	}
	text := ""
	eventually(t, "a key", func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		if text = b.text.String(); strings.Contains(text, "clk_") {
			return "a key"
		}
		return text
	})
	key := regexp.MustCompile(`clk_[a-z2-7_]+[0-9a-f]+`).FindString(text)
	g := &guarded{T: t, admin: key, running: &running{http: regexp.MustCompile(`http://[0-9.:]+`).FindString(text)}}
	stays := g.issue("--role", "administrator", "--all-apps")
	if out, err := g.as(stays.Key, "access", "key", "list"); err != nil || !strings.Contains(out, "setup") {
		t.Errorf("%s %v", out, err)
	}
}

func TestServeListensWhereOthersAreForNobodyUnknown(t *testing.T) {
	cert, key := newAuthority(t).issue()
	for name, c := range map[string]struct {
		args []string
		want string // in the error; empty: it may
	}{
		"loopback":                        {nil, ""},
		"every address":                   {[]string{"--http", "0.0.0.0:8080"}, "--authenticate"},
		"every address, without a host":   {[]string{"--http", ":8080"}, "--authenticate"},
		"every address of version 6":      {[]string{"--http", "[::]:8080"}, "--authenticate"},
		"a name":                          {[]string{"--http", "ledger.example:8080"}, "--authenticate"},
		"NATS for everybody":              {[]string{"--nats-listen", "0.0.0.0:4222"}, "--authenticate"},
		"localhost":                       {[]string{"--http", "localhost:8080", "--nats-listen", "[::1]:4222"}, ""},
		"loopback in another spelling":    {[]string{"--http", "127.3.4.5:80", "--nats-listen", "[::ffff:127.0.0.1]:4222"}, ""},
		"no port":                         {[]string{"--http", "127.0.0.1"}, "--authenticate"},
		"keys in the clear":               {[]string{"--http", "0.0.0.0:8080", "--authenticate"}, "--tls-cert"},
		"TLS without keys":                {[]string{"--http", "0.0.0.0:8080", "--tls-cert", cert, "--tls-key", key}, "--authenticate"},
		"TLS and keys":                    {[]string{"--http", "0.0.0.0:8080", "--nats-listen", "0.0.0.0:4222", "--authenticate", "--tls-cert", cert, "--tls-key", key}, ""},
		"behind a proxy":                  {[]string{"--http", "0.0.0.0:8080", "--authenticate", "--tls-elsewhere"}, ""},
		"behind a proxy, without keys":    {[]string{"--http", "0.0.0.0:8080", "--tls-elsewhere"}, "--authenticate"},
		"half of TLS":                     {[]string{"--tls-cert", cert}, "--tls-key"},
		"TLS here and there":              {[]string{"--tls-cert", cert, "--tls-key", key, "--tls-elsewhere"}, "one of them"},
		"the key as the certificate":      {[]string{"--tls-cert", key, "--tls-key", cert}, "--tls-cert"},
		"EventStoreDB's for everybody":    {[]string{"--esdb-listen", "0.0.0.0:2113", "--authenticate", "--tls-elsewhere"}, "--esdb-listen"},
		"the demo, authenticated":         {[]string{"--demo", "--authenticate"}, "--demo"},
		"NATS elsewhere listens nowhere":  {[]string{"--nats", "nats://127.0.0.1:4222"}, ""},
		"keys on loopback, with no TLS":   {[]string{"--authenticate"}, ""},
		"a certificate that is not there": {[]string{"--tls-cert", "nosuch", "--tls-key", key}, "nosuch"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveOf(t, c.args)
			err := s.CheckAccess()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// serveOf returns what the flags of serve say of its endpoints.
func serveOf(t *testing.T, args []string) (s server.Config) {
	t.Helper()
	c := newServe()
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	get := func(name string) string { return c.Flags().Lookup(name).Value.String() }
	s.HTTP, s.NATSListen, s.ESDB, s.NATS.URL = get("http"), get("nats-listen"), get("esdb-listen"), get("nats")
	s.Access = server.Access{Authenticate: get("authenticate") == "true", Cert: get("tls-cert"), Key: get("tls-key"), Elsewhere: get("tls-elsewhere") == "true"}
	s.Demo = get("demo") == "true"
	return s
}

func TestHTTPAndNATSSpeakTLS(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	cert, key := authority.issue()
	dir := t.TempDir()
	admin, err := cli(t, nil, "access", "key", "new", "--name", "ann", "--role", "administrator", "--all-apps", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, server.Config{Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Access: server.Access{Authenticate: true, Cert: cert, Key: key}})
	if r.http != "" || r.nats != "" {
		t.Fatalf("it says http or nats: %s %s", r.http, r.nats)
	}
	address := strings.TrimPrefix(regexp.MustCompile(`https://[0-9.:]+`).FindString(r.said()), "https://")
	pool := x509.NewCertPool()
	pool.AddCert(authority.cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+"/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(admin))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%d, TLS %x", resp.StatusCode, resp.TLS.Version)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("it speaks TLS 1.1")
	}
	at := regexp.MustCompile(`tls://[0-9.:]+`).FindString(r.said())
	nc, err := nats.Connect(at, nats.Timeout(patience), nats.Token(strings.TrimSpace(admin)), nats.Secure(&tls.Config{RootCAs: pool}))
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	nc.Close()
	if _, err := nats.Connect(strings.Replace(at, "tls", "nats", 1), nats.Token(strings.TrimSpace(admin))); err == nil {
		t.Error("NATS takes keys without TLS that is known")
	}
}

// Who is not let in, or does not trust the server's certificate, hears what to do.
func TestAVerbSaysHowItGetsIn(t *testing.T) {
	t.Parallel()
	secured := httptest.NewUnstartedServer(http.NotFoundHandler())
	secured.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of who does not trust it
	secured.StartTLS()
	defer secured.Close()
	g := guard(t)
	for server, want := range map[string]string{secured.URL: "SSL_CERT_FILE", g.running.http: remote.KeyVariable} {
		root := newRoot()
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		root.SetArgs([]string{"status", "--server", server})
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "is it running") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A key is shown to no other machine in the clear, and what is no key to none.
func TestAKeyIsNotShownInTheClear(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(auth.NewKey().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[string]string{
		"http://ledger.example:8080": "https", "http://192.0.2.7": "https", "http://127.0.0.1.evil.example": "https", "http://localhost.evil.example": "https",
		"http://127.0.0.1:1": "is it running", "http://[::1]:1": "is it running",
	} {
		root := newRoot()
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		root.SetArgs([]string{"status", "--server", server, "--key-file", file})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := root.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", server, err, want)
		}
		cancel()
	}
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cli(t, nil, "status", "--key-file", file); err == nil || !strings.Contains(err.Error(), "--key-file: this is no key") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	t.Setenv(remote.KeyVariable, "secret")
	if _, err := cli(t, nil, "status"); err == nil || !strings.Contains(err.Error(), remote.KeyVariable) {
		t.Errorf("%v", err)
	}
}

// Where nobody is authenticated, nobody issues a key either: they would be let in later.
func TestWhereNobodyIsAuthenticatedNobodyIssuesKeys(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	eventually(t, "true", func() string { return fmt.Sprint(strings.Contains(r.said(), "NOBODY IS AUTHENTICATED")) })
	if _, err := cli(t, r, "access", "key", "new", "--name", "eve", "--role", "administrator", "--all-apps"); err == nil || !strings.Contains(err.Error(), "--authenticate") {
		t.Errorf("%v", err)
	}
	if status, answer := get(t, r.http+"/v1/access/keys"); status != 409 {
		t.Errorf("%d %v", status, answer)
	}
}
