package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// An authority signs certificates. Its file is what --nats-ca names.
type authority struct {
	t    *testing.T
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, file: filepath.Join(t.TempDir(), "ca.pem")}
	a.key = newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue writes a certificate for 127.0.0.1 that serves both sides.
func (a *authority) issue() (cert, key string) {
	a.t.Helper()
	return a.issueTo("test")
}

func (a *authority) issueTo(name string) (cert, key string) {
	a.t.Helper()
	k := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(a.t, cert, "CERTIFICATE", der)
	writePEM(a.t, key, "PRIVATE KEY", keyDER)
	return cert, key
}

func (a *authority) tls() *tls.Config {
	a.t.Helper()
	cert, key := a.issue()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, RootCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

// A cluster is a NATS server as an operator runs it: TLS on both sides, users
// with JWTs, JetStream in an account with limits.
type cluster struct {
	t              *testing.T
	ca             *authority
	operator       nkeys.KeyPair
	ledger, poor   nkeys.KeyPair // accounts: with a little JetStream, with none
	options        server.Options
	server         *server.Server
	cert, key, url string
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, ca: newAuthority(t)}
	c.cert, c.key = c.ca.issue()
	c.operator = c.pair(nkeys.CreateOperator())
	c.ledger, c.poor = c.pair(nkeys.CreateAccount()), c.pair(nkeys.CreateAccount())
	system := c.pair(nkeys.CreateAccount())
	resolver := &server.MemAccResolver{}
	c.account(resolver, c.ledger, jwt.JetStreamLimits{DiskStorage: 48 << 20, Streams: 5, Consumer: 2, MaxAckPending: 1024})
	c.account(resolver, c.poor, jwt.JetStreamLimits{})
	c.account(resolver, system, jwt.JetStreamLimits{})
	claims := jwt.NewOperatorClaims(public(t, c.operator))
	token, err := claims.Encode(c.operator)
	if err == nil {
		claims, err = jwt.DecodeOperatorClaims(token)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.options = server.Options{
		ServerName: "outside", Host: "127.0.0.1", Port: freeport.Port(t), NoSigs: true, NoLog: true, TLS: true, TLSConfig: c.ca.tls(),
		TrustedOperators: []*jwt.OperatorClaims{claims}, AccountResolver: resolver, SystemAccount: public(t, system),
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
	}
	c.start()
	c.url = "tls://" + c.server.Addr().String()
	t.Cleanup(c.stop)
	return c
}

func (c *cluster) pair(p nkeys.KeyPair, err error) nkeys.KeyPair {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func public(t *testing.T, p nkeys.KeyPair) string {
	t.Helper()
	s, err := p.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *cluster) account(r *server.MemAccResolver, p nkeys.KeyPair, js jwt.JetStreamLimits) {
	c.t.Helper()
	claims := jwt.NewAccountClaims(public(c.t, p))
	claims.Limits.JetStreamLimits = js
	token, err := claims.Encode(c.operator)
	if err == nil {
		err = r.Store(public(c.t, p), token)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) start() {
	c.t.Helper()
	options := c.options // the server keeps what it is given
	s, err := server.NewServer(&options)
	if err != nil {
		c.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		c.t.Fatal("the outside server does not start")
	}
	c.server = s
}

func (c *cluster) stop() {
	c.server.Shutdown()
	c.server.WaitForShutdown()
}

// creds writes the credentials file of a new user of an account.
func (c *cluster) creds(account nkeys.KeyPair, p jwt.Permissions) string {
	c.t.Helper()
	user := c.pair(nkeys.CreateUser())
	claims := jwt.NewUserClaims(public(c.t, user))
	claims.Permissions = p
	token, err := claims.Encode(account)
	if err != nil {
		c.t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		c.t.Fatal(err)
	}
	name := filepath.Join(c.t.TempDir(), "user.creds")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return name
}

// ledgerUser may do what intake says the ledger needs, and nothing else.
func ledgerUser(publish ...[]string) (p jwt.Permissions) {
	p.Pub.Allow.Add(intake.Permissions.Publish...)
	for _, more := range publish {
		p.Pub.Allow.Add(more...)
	}
	p.Sub.Allow.Add(intake.Permissions.Subscribe...)
	p.Resp = &jwt.ResponsePermission{MaxMsgs: 1, Expires: time.Minute}
	return p
}

// appUser may do what an app needs.
func appUser() (p jwt.Permissions) {
	p.Pub.Allow.Add("consent.v1.smartkey.record", "consent.v1.smartkey.check", "consent.v1.smartkey.in.>")
	p.Sub.Allow.Add("_INBOX.app.>")
	return p
}

func (c *cluster) reach(creds string) ledgerserver.ExternalNATS {
	return ledgerserver.ExternalNATS{URL: c.url, Creds: creds, CA: c.ca.file, Cert: c.cert, Key: c.key}
}

func (c *cluster) connect(creds string) *nats.Conn {
	c.t.Helper()
	nc, err := nats.Connect(c.url, nats.Timeout(patience), nats.UserCredentials(creds), nats.RootCAs(c.ca.file), nats.ClientCert(c.cert, c.key),
		nats.CustomInboxPrefix("_INBOX.app"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.IgnoreAuthErrorAbort())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	return nc
}
