package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/telemetry"

	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats.go"
	"github.com/oauth2-proxy/mockoidc"
)

// groupsFile gives each role a group of its own name, in the shop.
func groupsFile(t *testing.T) string {
	t.Helper()
	text := "claim: groups\ngroups:\n"
	for _, r := range auth.Roles {
		text += "  - group: " + string(r.Role) + "\n    roles: [" + string(r.Role) + "]\n"
		if r.Role == auth.Administrator {
			text += "    all_apps: true\n"
		} else {
			text += "    apps: [shop]\n"
		}
	}
	name := filepath.Join(t.TempDir(), "roles.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// token returns one of the identity provider, for who is in a group.
func tokenOf(t *testing.T, idp *mockoidc.MockOIDC, group string) string {
	t.Helper()
	now := time.Now()
	text, err := idp.Keypair.SignJWT(jwt.MapClaims{
		"iss": idp.Issuer(), "aud": "consentledger", "sub": "ann", "groups": []string{group},
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Who comes by a token of an identity provider may do what who has a key of the same role
// may, on every route, and is named in records by a pseudonym.
func TestATokenOfAProviderIsAsGoodAsAKey(t *testing.T) {
	t.Parallel()
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	g := guardWith(t, server.Ways{Issuer: idp.Issuer(), Audience: "consentledger", Groups: groupsFile(t)})
	by := map[auth.Role]identity{}
	for _, r := range auth.Roles {
		by[r.Role] = g.by(tokenOf(t, idp, string(r.Role)))
	}
	g.everyRoute(by)

	if status, text := g.ask(tokenOf(t, idp, "nobody"), "GET", "/v1/apps/shop", ""); status != 403 || !wiretest.Holds(text, `"code":"unmapped"`) {
		t.Errorf("of no group: %d %s", status, text)
	}
	if out, err := g.as(tokenOf(t, idp, string(auth.AppReader)), "app", "list"); err != nil || !strings.Contains(out, "shop") {
		t.Errorf("a verb with a token: %s %v", out, err)
	}
	status, text := by[auth.Writer]("POST", "/v1/apps/shop/events",
		`{"specversion":"1.0","id":"w1","source":"test","type":"consent.withdrawn","subject":"ada","data":{"all":true}}`)
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	out, err := g.as(g.keys[auth.Auditor].Key, "replay", "--app", "shop", "--subject", "ada")
	if err != nil || !strings.Contains(out, `"recorded_by":"p-`) || strings.Contains(out, "ann") {
		t.Errorf("%s %v", out, err)
	}
}

// Who comes by a certificate may do what who has a key of the same role may, on every
// route. Keys go on beside certificates, and a certificate of another authority is none.
func TestACertificateIsAsGoodAsAKey(t *testing.T) {
	t.Parallel()
	own, other := newAuthority(t), newAuthority(t)
	cert, key := own.issueTo("ledger")
	text := "certificates:\n"
	for _, r := range auth.Roles {
		where := "apps: [shop]"
		if r.Role == auth.Administrator {
			where = "all_apps: true"
		}
		text += fmt.Sprintf("  - name: %[1]s\n    subject: CN=%[1]s\n    roles: [%[1]s]\n    %[2]s\n", r.Role, where)
	}
	file := filepath.Join(t.TempDir(), "roles.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := cli(t, nil, "access", "key", "new", "--name", "ann", "--role", "administrator", "--all-apps", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	admin := strings.TrimSpace(out)
	r := startWith(t, server.Config{Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Access: server.Access{
		Authenticate: true, Cert: cert, Key: key, Ways: server.Ways{ClientCA: own.file, Certificates: file},
	}})
	address := regexp.MustCompile(`https://[0-9.:]+`).FindString(r.said())
	trusted := x509.NewCertPool()
	trusted.AddCert(own.cert)

	// by returns who shows a certificate of an authority; nil: none.
	by := func(of *authority, name, credential string) identity {
		speaks := &tls.Config{RootCAs: trusted}
		if of != nil {
			cert, key := of.issueTo(name)
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			speaks.Certificates = []tls.Certificate{pair}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: speaks}}
		t.Cleanup(client.CloseIdleConnections)
		return func(method, path, body string) (int, string) {
			return sendAs(t, client, credential, method, address+path, body)
		}
	}
	for _, app := range []string{"shop", "bank"} {
		if status, text := by(nil, "", admin)("PUT", "/v1/apps/"+app, `{"handler":"Demo Ltd","environment":"test","jurisdiction":"CN","time_zone":"Asia/Shanghai","locales":["en"]}`); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	all := map[auth.Role]identity{}
	for _, r := range auth.Roles {
		all[r.Role] = by(own, string(r.Role), "")
	}
	g := &guarded{T: t, running: r}
	g.everyRouteBut(all, by(nil, "", ""))

	if status, _ := by(own, "nobody", "")("GET", "/v1/apps/shop", ""); status != 403 {
		t.Errorf("a certificate without a role: %d", status)
	}
	if status, _ := by(other, string(auth.AppReader), "")("GET", "/v1/apps/shop", ""); status != 0 {
		t.Errorf("a certificate of another authority: %d", status)
	}
	if status, _ := by(own, string(auth.Officer), "clk_x")("GET", "/v1/apps/shop", ""); status != 401 {
		t.Errorf("a bad key beside a certificate: %d", status)
	}

	// On NATS a certificate is a connection to its own subjects, as a key is.
	at := regexp.MustCompile(`tls://[0-9.:]+`).FindString(r.said())
	connect := func(of *authority, name string) (*nats.Conn, error) {
		cert, key := of.issueTo(name)
		return nats.Connect(at, nats.Timeout(patience), nats.RootCAs(own.file), nats.ClientCert(cert, key), nats.CustomInboxPrefix("_INBOX.cert-"+name), nats.NoReconnect())
	}
	nc, err := connect(own, string(auth.Writer))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	m, err := nc.Request("consent.v1.shop.record", fmt.Appendf(nil, withdrawal, "c1"), patience)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Errorf("%+v %v", m, err)
	}
	if speaks(nc, func() error { return nc.Publish("consent.v1.bank.record", []byte("{}")) }) {
		t.Error("it may publish in another app")
	}
	for name, of := range map[string]*authority{string(auth.Writer): other, "nobody": own} {
		if nc, err := connect(of, name); err == nil {
			nc.Close()
			t.Errorf("%s of an authority gets in", name)
		}
	}
}

// sendAs sends a request, and returns the status and the body; 0: it did not get through.
func sendAs(t *testing.T, client *http.Client, credential, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestWaysThatLeadNowhereAreRefused(t *testing.T) {
	groups := groupsFile(t)
	for name, c := range map[string]struct {
		access server.Access
		want   string
	}{
		"an issuer alone":           {server.Access{Authenticate: true, Ways: server.Ways{Issuer: "https://id.example.com"}}, "go together"},
		"without authentication":    {server.Access{Ways: server.Ways{Issuer: "https://id.example.com", Audience: "x", Groups: groups}}, "--authenticate"},
		"a file that is not there":  {server.Access{Authenticate: true, Ways: server.Ways{Issuer: "https://id.example.com", Audience: "x", Groups: groups + "x"}}, "--oidc-roles"},
		"an issuer on an open line": {server.Access{Authenticate: true, Ways: server.Ways{Issuer: "http://id.example.com", Audience: "x", Groups: groups}}, "https://"},
		"an issuer that is no URL":  {server.Access{Authenticate: true, Ways: server.Ways{Issuer: "id", Audience: "x", Groups: groups}}, "the issuer is a URL"},
		"authorities alone":         {server.Access{Authenticate: true, Ways: server.Ways{ClientCA: groups}}, "go together"},
		"certificates without TLS":  {server.Access{Authenticate: true, Ways: server.Ways{ClientCA: groups, Certificates: groups}}, "--tls-cert"},
		"a rate below zero":         {server.Access{Authenticate: true, Ways: server.Ways{Rate: -1}}, "above zero"},
		"a burst of no rate":        {server.Access{Authenticate: true, Ways: server.Ways{Burst: 7}}, "--rate"},
		"a rate for nobody":         {server.Access{Ways: server.Ways{Rate: 7}}, "--authenticate"},
		"an origin for nobody":      {server.Access{Ways: server.Ways{Origins: []string{"shop=https://shop.example.com"}}}, "--authenticate"},
		"an origin of no app":       {server.Access{Authenticate: true, Ways: server.Ways{Origins: []string{"https://shop.example.com"}}}, "--allow-origin"},
		"no file":                   {server.Access{Authenticate: true, Ways: server.Ways{Issuer: "https://id.example.com", Audience: "x", Groups: "/dev/null"}}, "--oidc-roles"},
	} {
		s := server.Config{HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Access: c.access}
		if err := s.CheckAccess(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Who asks faster than the rate is told when to come again, whatever they ask for; others
// go on, and so does health. What was refused is counted.
func TestWhoAsksTooFastIsToldToWait(t *testing.T) {
	dir := t.TempDir()
	out, err := cli(t, nil, "access", "key", "new", "--name", "ann", "--role", "administrator", "--all-apps", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, server.Config{Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Metrics: true,
		Telemetry: telemetry.Config{Prometheus: true}, Access: server.Access{Authenticate: true, Ways: server.Ways{Rate: 0.001, Burst: 3}}})
	g := &guarded{T: t, admin: strings.TrimSpace(out), running: r}
	viewer := g.issue("--role", "viewer", "--all-apps")

	// Of a burst of three one is spent. What is not there counts as well.
	for range 2 {
		if status, _ := g.ask(g.admin, "GET", "/v1/apps/nosuch", ""); status == 429 {
			t.Error("within the burst: 429")
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.http+"/v1/apps", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.admin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || n < 1 || n > 1000 || resp.StatusCode != 429 {
		t.Errorf("%d, Retry-After: %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if status, text := g.ask(g.admin, "GET", "/v1/apps", ""); status != 429 || !strings.Contains(text, "send it again in") {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := g.ask("", "GET", "/readyz", ""); status != 200 {
		t.Errorf("health: %d", status)
	}
	status, text := g.ask(viewer.Key, "GET", "/metrics", "")
	if status != 200 || !regexp.MustCompile(`consentledger_http_limited_total(\{[^}]*\})? [1-9]`).MatchString(text) {
		t.Errorf("%d: the metric is not there", status)
	}
}
