package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/clientcert"
	"consentledger/api/nats/callout"
	"consentledger/api/nats/intake"
	"consentledger/api/wire/wiretest"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"
	"consentledger/eventstore/postgres/pgserver/pgservertest"

	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/oauth2-proxy/mockoidc"
)

// A seeded is a key pair of NATS, whose seed lies in a file.
type seeded struct{ public, file string }

func newSeed(t *testing.T, pair nkeys.KeyPair, err error) seeded {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(file, append(seed, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return seeded{public(t, pair), file}
}

func newUserSeed(t *testing.T) seeded    { p, err := nkeys.CreateUser(); return newSeed(t, p, err) }
func newAccountSeed(t *testing.T) seeded { p, err := nkeys.CreateAccount(); return newSeed(t, p, err) }
func newCurveSeed(t *testing.T) seeded   { p, err := nkeys.CreateCurveKeys(); return newSeed(t, p, err) }

// An asking is a NATS cluster of three nodes that run from the file of the deployment by
// which they ask the ledger whom to let in.
type asking struct {
	*testing.T
	secrets              string
	ledger, issuer, xkey seeded
	nodes                []*server.Server
	urls                 []string
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	c := &asking{
		T: t, secrets: filepath.Join(deployment(t), "secrets"),
		ledger: newUserSeed(t), issuer: newAccountSeed(t), xkey: newCurveSeed(t),
	}
	var routes []string
	for range 3 {
		routes = append(routes, freeport.Address(t))
	}
	for n := range 3 {
		c.start(n, routes)
	}
	for _, s := range c.nodes {
		if !s.ReadyForConnections(patience) {
			t.Fatal("a node is not ready")
		}
		c.urls = append(c.urls, "tls://"+s.Addr().String())
	}
	eventually(t, "true", func() string {
		settled := true
		for _, s := range c.nodes {
			settled = settled && s.NumRoutes() > 0 && s.JetStreamIsCurrent()
		}
		return fmt.Sprint(settled)
	})
	return c
}

// options reads the file of the deployment, so that it fits this machine.
func (c *asking) options(n int, routes []string) *server.Options {
	c.Helper()
	name := fmt.Sprint("nats", n+1)
	file := filepath.Join(c.TempDir(), "nats.conf")
	text := readCompose(c.T, "nats/callout.conf",
		"$NATS_NAME", name, "$LEDGER_NKEY", c.ledger.public, "$CALLOUT_ISSUER", c.issuer.public, "$CALLOUT_XKEY", c.xkey.public,
		"/run/secrets/nats.", filepath.Join(c.secrets, name)+".", "/run/secrets/authority", filepath.Join(c.secrets, "authority.crt"),
		"/data", c.TempDir(), "0.0.0.0:4222", "127.0.0.1:-1", "0.0.0.0:8222", "127.0.0.1:-1", "0.0.0.0:6222", routes[n],
		"nats1:6222", routes[0], "nats2:6222", routes[1], "nats3:6222", routes[2])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		c.Fatal(err)
	}
	options.NoSigs, options.NoLog = true, true
	return options
}

func (c *asking) start(n int, routes []string) {
	c.Helper()
	s, err := server.NewServer(c.options(n, routes))
	if err != nil {
		c.Fatal(err)
	}
	s.Start()
	c.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	c.nodes = append(c.nodes, s)
}

func (c *asking) authority() string { return filepath.Join(c.secrets, "authority.crt") }

// connect connects to a node with the inbox of somebody, and with nothing else unless an
// option says so. A connection that ends stays so.
func (c *asking) connect(node int, inbox string, options ...nats.Option) (*nats.Conn, error) {
	options = append(options, nats.RootCAs(c.authority()), nats.CustomInboxPrefix(inbox), nats.NoReconnect(), nats.Timeout(patience))
	nc, err := nats.Connect(c.urls[node], options...)
	if err == nil {
		c.Cleanup(nc.Close)
	}
	return nc, err
}

// certificate shows one of the deployment.
func (c *asking) certificate(name string) nats.Option {
	return nats.ClientCert(filepath.Join(c.secrets, name+".crt"), filepath.Join(c.secrets, name+".key"))
}

// Every permission that the ledger may need is in the file, and no other.
func TestTheNATSConfigurationForCalloutHasThePermissionsOfTheLedger(t *testing.T) {
	t.Parallel()
	c := &asking{
		T: t, secrets: filepath.Join(deployment(t), "secrets"),
		ledger: newUserSeed(t), issuer: newAccountSeed(t), xkey: newCurveSeed(t),
	}
	options := c.options(0, []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"})
	if len(options.Nkeys) != 1 || options.Nkeys[0].Nkey != c.ledger.public || len(options.Users) != 0 {
		t.Fatalf("users beside the ledger: %v %v", options.Nkeys, options.Users)
	}
	has := options.Nkeys[0].Permissions
	wants := ledgersSubjects(t)
	wants = slices.Concat(wants, callout.Publish, []string{"_INBOX.>"})
	same(t, "publish to", has.Publish.Allow, wants)
	same(t, "subscribe to", has.Subscribe.Allow, slices.Concat(intake.Permissions.Subscribe, callout.Subscribe))
	same(t, "not publish to", has.Publish.Deny, []string{intake.InboxPrefix + ".>"})
	if has.Response != nil {
		t.Errorf("it answers where a caller says: %+v", has.Response)
	}

	// What docs/access.md shows is part of the file.
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```\n  auth_callout {\n")
	block, _, found := strings.Cut(block, "```")
	if !found || !strings.Contains(readCompose(t, "nats/callout.conf"), "  auth_callout {\n"+block) {
		t.Errorf("docs/access.md shows another auth_callout than the file has:\n%s", block)
	}
}

// Three nodes ask two processes of a ledger whom to let in. A key, a token of a provider
// and a certificate are let in to their own subjects; whoever is no good is not, and
// whoever is no good any more is out. One process is killed, and the other goes on.
func TestANATSClusterAsksTheLedgerWhomToLetIn(t *testing.T) {
	t.Parallel()
	c := newAsking(t)
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	const renew = 3 * time.Second
	first, second, admin := c.ledgers(idp.Issuer(), renew)
	g := &guarded{T: t, admin: admin, running: &first.running, keys: map[auth.Role]auth.KeyAnswer{}}
	for _, app := range []string{"shop", "bank"} {
		if _, err := g.as(g.admin, "app", "add", app, "--handler", "Demo Ltd"); err != nil {
			t.Fatal(err)
		}
	}
	// A key is good in the process that issued it, and a moment later in the other.
	issue := func() auth.KeyAnswer {
		key := g.issue("--role", "app-writer", "--app", "shop")
		there := &guarded{T: t, running: &second.running}
		eventually(t, "known", func() string {
			if status, text := there.ask(key.Key, "GET", "/v1/access/me", ""); status != 200 {
				return text
			}
			return "known"
		})
		return key
	}
	key := issue()
	token := tokenOf(t, idp, string(auth.Writer))
	me, err := g.as(token, "access", "me", "-o", "jsonl")
	if err != nil {
		t.Fatal(err)
	}
	pseudonym := inboxOf(t, me)

	// Whoever is let in, in whichever way and at whichever node, has the same subjects.
	ways := []struct {
		name, inbox string
		option      nats.Option
	}{
		{"a key as the token", auth.InboxOf(key.ID), nats.Token(key.Key)},
		{"a key as the password", auth.InboxOf(key.ID), nats.UserInfo("anybody", key.Key)},
		{"a token of the provider", pseudonym, nats.Token(token)},
		{"a certificate", auth.InboxOf(clientcert.Prefix + "shop"), c.certificate("app")},
	}
	for i, way := range ways {
		nc, err := c.connect(i%3, way.inbox, way.option)
		if err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, fmt.Sprint("w", i)), patience)
		if err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
			t.Errorf("%s records: %+v %v", way.name, m, err)
		}
		seesNoOther(t, func() *nats.Conn { // one that is looked at anew ends meanwhile
			nc, err := c.connect(i%3, way.inbox, way.option)
			if err != nil {
				t.Fatal(err)
			}
			return nc
		})
	}

	t.Run("who is no good is refused", func(t *testing.T) { c.refuses(t, g, idp, token) })
	t.Run("no answer goes elsewhere", func(t *testing.T) { c.answersNowhereElse(t, key) })
	t.Run("the nats tool", func(t *testing.T) { c.tool(t, key) })
	t.Run("who is revoked or has expired is out", func(t *testing.T) { c.ends(t, g, issue(), idp, renew) })

	first.kill(t)
	eventually(t, "let in", func() string { // the nodes hear a moment later that it listens no more
		for node := range 3 {
			nc, err := c.connect(node, auth.InboxOf(key.ID), nats.Token(key.Key))
			if err != nil {
				return err.Error()
			}
			nc.Close()
		}
		return "let in"
	})
	second.stop(t)
	for _, l := range []*child{first, second} {
		log := l.stderr.String()
		for what, secret := range map[string]string{"a key": key.Key, "a token": token, "a subject": `"ann"`, "a seed": string(seedOf(t, c.issuer))} {
			if strings.Contains(log, secret) {
				t.Errorf("the log has %s:\n%s", what, log)
			}
		}
	}
}

func seedOf(t *testing.T, s seeded) []byte {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(text)
}

// inboxOf returns the inbox of who is told by access me who they are.
func inboxOf(t *testing.T, me string) string {
	t.Helper()
	_, rest, has := strings.Cut(me, `"principal":"`)
	name, _, ends := strings.Cut(rest, `"`)
	if !has || !ends {
		t.Fatalf("access me says no principal: %s", me)
	}
	return auth.InboxOf(name)
}

// ledgers starts two processes of a ledger that answer the cluster, and returns them with
// an administrator's key.
func (c *asking) ledgers(issuer string, renew time.Duration) (first, second *child, admin string) {
	t := c.T
	t.Helper()
	pg := pgservertest.Serve(t)
	dir, keys := t.TempDir(), filepath.Join(t.TempDir(), "keys")
	if out, err := cli(t, nil, "keys", "new", keys); err != nil {
		t.Fatal(out, err)
	}
	env := os.Environ()
	for variable, value := range map[string]string{
		ledgerserver.StoreVariable: databaseOf(t, pg, "records"), ledgerserver.VaultVariable: databaseOf(t, pg, "vault"),
		ledgerserver.KeysVariable: keys, ledgerserver.NkeyVariable: c.ledger.file, ledgerserver.CalloutVariable: c.issuer.file,
	} {
		env = append(env, variable+"="+value)
	}
	certificates := filepath.Join(dir, "certificates.yaml")
	must(t, os.WriteFile(certificates, []byte("certificates:\n  - name: shop\n    subject: CN=app\n    roles: [app-writer]\n    apps: [shop]\n"), 0o600))
	bin, groups := build(t), groupsFile(t)
	issue := exec.Command(bin, "access", "key", "new", "--name", "ann", "--role", "administrator", "--all-apps", "--data", filepath.Join(dir, "ledger-0"))
	issue.Env = env
	out, err := issue.Output()
	if err != nil {
		t.Fatalf("%s, %v", out, err)
	}

	launch := func(i int) *child {
		name := fmt.Sprint("ledger-", i)
		return launchIn(t, env, bin, "serve", "--data", filepath.Join(dir, name), "--http", "127.0.0.1:0", "--process", name,
			"--origin", "logs.example.com/asking", "--authenticate", "--nats", strings.Join(c.urls, ","), "--nats-ca", c.authority(),
			"--nats-callout-xkey", c.xkey.file, "--nats-renew", renew.String(),
			"--oidc-issuer", issuer, "--oidc-audience", "consentledger", "--oidc-roles", groups,
			"--tls-client-ca", c.authority(), "--tls-client-roles", certificates)
	}
	return launch(0), launch(1), strings.TrimSpace(string(out))
}

// refuses connects as those who are not to be let in.
func (c *asking) refuses(t *testing.T, g *guarded, idp *mockoidc.MockOIDC, token string) {
	other := newAuthority(t)
	cert, key := other.issueTo("app")
	head, _, _ := strings.Cut(g.admin, "_")
	for name, option := range map[string]nats.Option{
		"nothing":                            nats.Name("nobody"),
		"another token":                      nats.Token("x"),
		"what looks like a key":              nats.Token(head + "_" + strings.Repeat("a", 12) + "_" + strings.Repeat("a", 60)),
		"a token of no group":                nats.Token(tokenOf(t, idp, "nobody")),
		"a token that was altered":           nats.Token(token[:len(token)-4] + "AAAA"),
		"a token that has expired":           nats.Token(tokenUntil(t, idp, string(auth.Writer), time.Now().Add(-time.Minute))),
		"a subject token":                    nats.Token(g.mintBy(g.issue("--role", "app-writer", "--app", "shop").Key, "shop", "ada")),
		"a certificate without a role":       c.certificate("nats1"),
		"a certificate of others":            nats.ClientCert(cert, key),
		"the ledger's user without its seed": nats.Nkey(c.ledger.public, func([]byte) ([]byte, error) { return []byte("x"), nil }),
	} {
		if nc, err := c.connect(0, "_INBOX.x", option); err == nil {
			nc.Close()
			t.Errorf("%s is let in", name)
		}
	}
}

// tokenUntil returns a token of the identity provider that ends at a time.
func tokenUntil(t *testing.T, idp *mockoidc.MockOIDC, group string, ends time.Time) string {
	t.Helper()
	text, err := idp.Keypair.SignJWT(jwt.MapClaims{
		"iss": idp.Issuer(), "aud": "consentledger", "sub": "ann", "groups": []string{group},
		"iat": ends.Add(-time.Hour).Unix(), "exp": ends.Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// answersNowhereElse asks for answers on subjects on which the asker may not speak: the
// ledger could, and does not.
func (c *asking) answersNowhereElse(t *testing.T, key auth.KeyAnswer) {
	nc, err := c.connect(0, auth.InboxOf(key.ID), nats.Token(key.Key))
	if err != nil {
		t.Fatal(err)
	}
	admin, err := nats.Connect(c.urls[1], nats.Timeout(patience), nats.RootCAs(c.authority()), c.asLedger(), nats.CustomInboxPrefix(intake.InboxPrefix))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	js, err := jetstream.New(admin, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	sequence := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		in, err := js.Stream(ctx, "CONSENT_IN")
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(in.CachedInfo().State.LastSeq, in.CachedInfo().Config.Name)
	}
	before := sequence()
	for i, reply := range []string{"consent.v1.bank.in.consent.given", "consent.v1.bank.record", "$JS.API.STREAM.PURGE.CONSENT_IN", intake.InboxPrefix + ".x"} {
		for _, subject := range []string{"consent.v1.shop.record", "consent.v1.shop.check", "$SRV.PING"} {
			if err := nc.PublishRequest(subject, reply, fmt.Appendf(nil, withdrawal, fmt.Sprint("r", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "last"), patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("%+v %v", m, err)
	}
	if after := sequence(); after != before || strings.Contains(after, "error") {
		t.Errorf("the stream of incoming events was at %s, is at %s", before, after)
	}
}

// asLedger is the ledger's own user of the cluster.
func (c *asking) asLedger() nats.Option {
	c.Helper()
	option, err := nats.NkeyOptionFromSeed(c.ledger.file)
	if err != nil {
		c.Fatal(err)
	}
	return option
}

// tool uses the nats tool, which is nobody's code here.
func (c *asking) tool(t *testing.T, key auth.KeyAnswer) {
	u := newNATSUser(t, "--server", c.urls[2], "--tlsca", c.authority(), "--user", "key", "--password", key.Key,
		"--inbox-prefix", auth.InboxOf(key.ID))
	out := u.run("req", "consent.v1.shop.record", fmt.Sprintf(withdrawal, "tool"), "--raw")
	if !strings.Contains(out, `"event_id"`) {
		t.Errorf("the shop's: %s", out)
	}
	if out, err := u.try("req", "consent.v1.bank.check", `{"subject":"ada","purpose":"mail"}`, "--timeout=5s"); err == nil && !strings.Contains(out, "ermission") {
		t.Errorf("the bank's: %s", out)
	}
	if out, err := u.try("sub", "consent.v1.>", "--count=1", "--timeout=5s"); err == nil && !strings.Contains(out, "ermission") {
		t.Errorf("everybody's: %s", out)
	}
	stranger := newNATSUser(t, "--server", c.urls[2], "--tlsca", c.authority(), "--user", "key", "--password", "clk_x")
	if out, err := stranger.try("req", "consent.v1.shop.check", "{}"); err == nil || !strings.Contains(strings.ToLower(out), "authorization violation") {
		t.Errorf("a stranger: %s %v", out, err)
	}
}

// ends revokes a key and lets a token expire whose connections are open.
func (c *asking) ends(t *testing.T, g *guarded, key auth.KeyAnswer, idp *mockoidc.MockOIDC, renew time.Duration) {
	short := time.Now().Add(20 * time.Second).Truncate(time.Second) // it connects with it first
	token := tokenUntil(t, idp, string(auth.Writer), short)
	by, err := c.connect(1, "_INBOX.x", nats.Token(token))
	if err != nil {
		t.Fatal(err)
	}

	// A client as apps have it connects anew by itself, as long as its key is good.
	again, closed := make(chan struct{}, 1), make(chan struct{})
	nc, err := nats.Connect(strings.Join(c.urls, ","), nats.Timeout(patience), nats.RootCAs(c.authority()), nats.Token(key.Key), nats.CustomInboxPrefix(auth.InboxOf(key.ID)),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectHandler(func(*nats.Conn) {
			select {
			case again <- struct{}{}:
			default:
			}
		}), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for range 3 {
		select {
		case <-again:
		case <-closed:
			t.Fatalf("a client whose key is good does not come back: %v", nc.LastError())
		case <-t.Context().Done():
			t.Fatal("a connection is not looked at anew")
		}
		if m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "again"), patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
			t.Errorf("after it came back: %+v %v", m, err)
		}
	}

	if _, err := g.as(g.admin, "access", "key", "revoke", key.ID); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	eventually(t, "closed", func() string {
		if by.IsClosed() {
			return "closed"
		}
		return "open"
	})
	select {
	case <-closed:
	case <-t.Context().Done():
		t.Fatal("the connection of a revoked key stands")
	}
	// Beside the bound stands how long it takes to be told that the key is no good.
	if late := time.Since(revoked); late > renew+patience {
		t.Errorf("whose key was revoked was out after %s", late)
	}
	if _, err := c.connect(0, "_INBOX.x", nats.Token(key.Key)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked key connects again: %v", err)
	}
	time.Sleep(time.Until(short)) // by ended when it was looked at anew
	if _, err := c.connect(0, "_INBOX.x", nats.Token(token)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("an expired token connects again: %v", err)
	}
}

// A single node asks as its options say.
func (c *asking) single(change func(*server.Options)) string {
	c.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: c.TempDir(), SyncAlways: true,
		Nkeys:       []*server.NkeyUser{{Nkey: c.ledger.public}},
		AuthCallout: &server.AuthCallout{Issuer: c.issuer.public, Account: "$G", AuthUsers: []string{c.ledger.public}},
	}
	change(o)
	s, err := server.NewServer(o)
	if err != nil {
		c.Fatal(err)
	}
	s.Start()
	c.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		c.Fatal("the node is not ready")
	}
	return s.ClientURL()
}

// openNode is a case in which one of two servers lets in who comes.
const openNode = "a node lets in everybody"

// What a server's configuration lacks, or has otherwise than the ledger, is named with what
// would be right: by serve, which ends, and by doctor.
func TestACalloutThatCannotWorkIsNamed(t *testing.T) {
	t.Parallel()
	c := &asking{T: t, ledger: newUserSeed(t), issuer: newAccountSeed(t), xkey: newCurveSeed(t)}
	other := newAccountSeed(t)
	for _, x := range []struct {
		name   string
		change func(*server.Options)
		xkey   bool
		want   []string
	}{
		{"another issuer", func(o *server.Options) { o.AuthCallout.Issuer = other.public }, false, []string{"auth_callout.issuer", other.public, c.issuer.public}},
		{"no xkey there", func(*server.Options) {}, true, []string{"put xkey into"}},
		{"no xkey here", func(o *server.Options) { o.AuthCallout.XKey = c.xkey.public }, false, []string{"--nats-callout-xkey"}},
		{"another xkey", func(o *server.Options) { o.AuthCallout.XKey = newCurveSeed(t).public }, true, []string{"auth_callout.xkey", c.xkey.public}},
		{"nobody is asked", func(o *server.Options) { o.AuthCallout = nil }, false, []string{"auth_callout", c.issuer.public, "$G"}},
		{"another account is asked", func(o *server.Options) {
			o.AuthCallout.Account = "$SYS"
		}, false, []string{"auth_callout", "the account $G"}},
		{"no user of an nkey", func(o *server.Options) { o.AuthCallout, o.Nkeys = nil, nil }, false, []string{"--nats-nkey", "its users"}},
		{openNode, func(*server.Options) {}, false, []string{"without asking", "auth_callout", c.issuer.public}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := &asking{T: t, ledger: c.ledger, issuer: c.issuer, xkey: c.xkey}
			n := ledgerserver.ExternalNATS{URL: c.single(x.change), Nkey: c.ledger.file, Callout: c.issuer.file}
			if x.name == openNode {
				n.URL += "," + c.single(func(o *server.Options) { o.AuthCallout, o.Nkeys = nil, nil })
			}
			args := []string{"doctor", "--data", t.TempDir(), "--http", freeport.Address(t), "--nats", n.URL, "--nats-nkey", n.Nkey, "--nats-callout", n.Callout, "-o", "jsonl"}
			if x.xkey {
				n.CalloutXKey = c.xkey.file
				args = append(args, "--nats-callout-xkey", n.CalloutXKey)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := ledgerserver.Run(ctx, ledgerserver.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATS: n,
				Access: ledgerserver.Access{Authenticate: true}}, &banner{ready: make(chan struct{})})
			if err == nil {
				t.Fatal("serve ran")
			}
			said, broken := cli(t, nil, args...)
			if broken == nil {
				t.Errorf("doctor finds nothing: %s", said)
			}
			for _, want := range x.want {
				if !strings.Contains(err.Error(), want) || !strings.Contains(said, want) {
					t.Errorf("serve: %v\ndoctor: %s\ndo not both say %s", err, said, want)
				}
			}
			if !strings.Contains(err.Error(), "--nats-") {
				t.Errorf("serve names no flag: %v", err)
			}
		})
	}
	t.Run("what is right", func(t *testing.T) {
		url := c.single(func(o *server.Options) { o.AuthCallout.XKey = c.xkey.public })
		out, _ := cli(t, nil, "doctor", "--data", t.TempDir(), "--http", freeport.Address(t), "--nats", url, "--nats-nkey", c.ledger.file, "--nats-callout", c.issuer.file,
			"--nats-callout-xkey", c.xkey.file, "-o", "jsonl")
		if !wiretest.Holds(out, `"check":"auth-callout","state":"ok"`) || !strings.Contains(out, c.issuer.public) || !strings.Contains(out, c.xkey.public) {
			t.Error(out)
		}
	})
}

// Flags that lead nowhere are refused before anything is opened.
func TestFlagsOfACalloutAreCheckedFirst(t *testing.T) {
	user, issuer, xkey := newUserSeed(t), newAccountSeed(t), newCurveSeed(t)
	at := "nats://" + freeport.Address(t)
	for _, x := range []struct{ args, want string }{
		{"--nats-callout " + issuer.file + " --authenticate", "--nats-callout"},
		{"--nats " + at + " --nats-callout " + issuer.file, "--authenticate"},
		{"--nats " + at + " --authenticate --nats-callout " + user.file, "SA..."},
		{"--nats " + at + " --authenticate --nats-callout " + issuer.file + " --nats-callout-xkey " + issuer.file, "SX..."},
		{"--nats " + at + " --authenticate --nats-callout-xkey " + xkey.file, "--nats-callout"},
		{"--nats " + at + " --authenticate --nats-callout " + issuer.file + ".not", "--nats-callout"},
		{"--nats " + at + " --nats-nkey " + issuer.file, "SU..."},
		{"--nats-nkey " + user.file, "--nats URL"},
		{"--authenticate --nats-renew 2h", "--nats-renew"},
		{"--authenticate --nats-renew 1ms", "--nats-renew"},
	} {
		_, err := cli(t, nil, append([]string{"serve", "--http", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, strings.Fields(x.args)...)...)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.args, err, x.want)
		}
		for _, s := range []seeded{user, issuer, xkey} {
			if err != nil && strings.Contains(err.Error(), string(seedOf(t, s))) {
				t.Errorf("%s: the error shows a seed", x.args)
			}
		}
	}
}

// At the embedded server a token of a provider is a connection to its own subjects until
// it expires; a role that its group loses in the file ends it before.
func TestATokenConnectsToNATSUntilItExpires(t *testing.T) {
	t.Parallel()
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	groups := groupsFile(t)
	g := guardIn(t, t.TempDir(), ledgerserver.Access{Authenticate: true, NATSRenew: 5 * time.Second,
		Ways: ledgerserver.Ways{Issuer: idp.Issuer(), Audience: "consentledger", Groups: groups}})
	token := tokenOf(t, idp, string(auth.Writer))
	me, err := g.as(token, "access", "me", "-o", "jsonl")
	if err != nil {
		t.Fatal(err)
	}
	connect := func(token string) (*nats.Conn, error) {
		nc, err := nats.Connect(g.nats, nats.Token(token), nats.CustomInboxPrefix(inboxOf(t, me)), nats.NoReconnect(), nats.Timeout(patience))
		if err == nil {
			t.Cleanup(nc.Close)
		}
		return nc, err
	}
	nc, err := connect(token)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "t1"), patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Errorf("%+v %v", m, err)
	}
	seesNoOther(t, func() *nats.Conn {
		nc, err := connect(token)
		if err != nil {
			t.Fatal(err)
		}
		return nc
	})

	// It expires before who came by a token is looked at anew. On a busy machine that may be before it
	// connects: then another one does.
	var ends time.Time
	var short *nats.Conn
	for range 20 {
		ends = time.Now().Add(4 * time.Second).Truncate(time.Second)
		if short, err = connect(tokenUntil(t, idp, string(auth.Writer), ends)); !errors.Is(err, nats.ErrAuthorization) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "closed", func() string {
		if short.IsClosed() {
			return "closed"
		}
		return "open"
	})
	if early := time.Until(ends); early > 0 {
		t.Errorf("it ended %s before its token", early)
	}
	for name, bad := range map[string]string{
		"a token of no group": tokenOf(t, idp, "nobody"), "one that has expired": tokenUntil(t, idp, string(auth.Writer), time.Now().Add(-time.Minute)),
		"a subject token": g.mint("shop", "ada"), "one that was altered": token[:len(token)-4] + "AAAA",
	} {
		if _, err := connect(bad); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
		}
	}

	stays, err := connect(token)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(groups)
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(groups, bytes.Replace(text, []byte("group: app-writer\n"), []byte("group: nobody-is-in-it\n"), 1), 0o600))
	eventually(t, "out", func() string {
		if _, err := connect(token); stays.IsClosed() && errors.Is(err, nats.ErrAuthorization) {
			return "out"
		}
		return "in"
	})
}
