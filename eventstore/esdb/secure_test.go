package esdb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

// certificate returns a key and certificate of its own authority, and the file of
// that.
func certificate(t testing.TB) (pair tls.Certificate, file string) {
	t.Helper()
	dir := t.TempDir()
	writeCertificate(t, dir)
	file = filepath.Join(dir, "cert.pem")
	pair, err := tls.LoadX509KeyPair(file, filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return pair, file
}

// writeCertificate writes cert.pem, its own authority, and key.pem.
func writeCertificate(t testing.TB, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var ledgerRights = esdbserver.Rights{Append: true, ReadStream: true, ReadAll: true}

// secure serves a node with TLS and one user, and returns its address without user
// and settings, and the file of its authority.
func secure(t testing.TB, rights esdbserver.Rights) (s *esdbserver.Server, host, file string) {
	t.Helper()
	pair, file := certificate(t)
	s = serve(t, esdbserver.Options{
		TLS:   &tls.Config{Certificates: []tls.Certificate{pair}},
		Users: []esdbserver.User{{Name: "ledger", Password: "p@ss:/é", Rights: rights}},
	})
	return s, s.Addr(), file
}

const user = "ledger:p%40ss%3A%2F%C3%A9@"

func TestTLSAndUsers(t *testing.T) {
	leavesNothing(t)
	_, host, file := secure(t, ledgerRights)
	s := open(t, "esdb://"+user+host+"?tlsCaFile="+url.QueryEscape(file), esdb.Options{})
	mustAppend(t, s, "a", 0, record(1, "one"))
	if got := read(t, s, "a"); len(got) != 1 {
		t.Errorf("read %d records", len(got))
	}
	if warnings, err := s.CheckRights(t.Context()); err != nil || len(warnings) != 0 {
		t.Errorf("its rights: %q, %v", warnings, err)
	}
	for name, address := range map[string]string{
		"another authority":     "esdb://" + user + host,
		"a wrong password":      "esdb://ledger:wrong@" + host + "?tlsCaFile=" + url.QueryEscape(file),
		"nobody":                "esdb://" + host + "?tlsCaFile=" + url.QueryEscape(file),
		"no TLS where there is": "esdb://" + host + "?tls=false",
	} {
		s := open(t, address+map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")]+"discoveryInterval=100", esdb.Options{})
		began := time.Now()
		ctx, cancel := within(t, 4*time.Second)
		err := s.Ready(ctx)
		cancel()
		if err == nil || time.Since(began) > 20*time.Second {
			t.Errorf("%s: after %v: %v", name, time.Since(began), err)
		}
		if err != nil && strings.Contains(err.Error(), "wrong@") {
			t.Errorf("%s: the password is in %q", name, err)
		}
	}
}

// TestAChangedPasswordIsTriedForAWhile: a server goes on to refuse the new one for
// up to two seconds.
func TestAChangedPasswordIsTriedForAWhile(t *testing.T) {
	leavesNothing(t)
	server, host, file := secure(t, ledgerRights)
	s := open(t, "esdb://ledger:new@"+host+"?tlsCaFile="+url.QueryEscape(file), esdb.Options{})
	go func() {
		time.Sleep(500 * time.Millisecond)
		server.SetUser(esdbserver.User{Name: "ledger", Password: "new", Rights: ledgerRights})
	}()
	mustAppend(t, s, "a", 0, record(1, "one"))
}

func TestMissingRightsAreNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		rights esdbserver.Rights
		says   string
	}{
		"append": {esdbserver.Rights{ReadStream: true, ReadAll: true}, "append"},
		"read":   {esdbserver.Rights{Append: true, ReadAll: true}, "$userStreamAcl"},
		"all":    {esdbserver.Rights{Append: true, ReadStream: true}, "$$$all"},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			_, host, file := secure(t, tt.rights)
			s := open(t, "esdb://"+user+host+"?tlsCaFile="+url.QueryEscape(file), esdb.Options{})
			ctx, cancel := within(t, 30*time.Second)
			defer cancel()
			if _, err := s.CheckRights(ctx); !errors.Is(err, esdb.ErrDenied) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want what says %q", err, tt.says)
			}
		})
	}
}

func TestRightsTooManyAreAWarning(t *testing.T) {
	leavesNothing(t)
	many := ledgerRights
	many.Delete, many.Metadata = true, true
	_, host, file := secure(t, many)
	s := open(t, "esdb://"+user+host+"?tlsCaFile="+url.QueryEscape(file), esdb.Options{})
	mustAppend(t, s, "a", 0, record(1, "one"))
	warnings, err := s.CheckRights(t.Context())
	if err != nil || len(warnings) != 2 {
		t.Errorf("%q, %v", warnings, err)
	}
	if got := read(t, s, "a"); len(got) != 1 || s.Fault() != nil {
		t.Errorf("after looking: %d records, %v", len(got), s.Fault())
	}
	if err := s.Barrier(t.Context()); err != nil {
		t.Error(err)
	}
}
