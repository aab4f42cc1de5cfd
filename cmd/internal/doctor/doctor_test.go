package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// diagnosed returns what a doctor said last of a thing.
func diagnosed(d *Doctor, check string) (found Diagnosis) {
	for _, x := range d.said {
		if x.Check == check {
			found = x
		}
	}
	return found
}

func TestDoctorFindsAClockThatIsFarOff(t *testing.T) {
	for off, state := range map[time.Duration]string{0: "ok", 10 * time.Minute: "broken", -10 * time.Minute: "broken"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		}))
		d := &Doctor{Server: s.URL}
		d.server(t.Context())
		s.Close()
		if got := diagnosed(d, "clock"); got.State != state || (got.Fix == "") != (state == "ok") {
			t.Errorf("off by %s: %+v", off, got)
		}
	}

	// Files of the ledger from later than now.
	d := &Doctor{Data: t.TempDir()}
	name := filepath.Join(d.Data, "store", "1")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.future()
	if len(d.said) > 0 {
		t.Errorf("%v", d.said)
	}
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	d.future()
	if got := diagnosed(d, "clock"); got.State != "broken" {
		t.Errorf("files from later: %+v", got)
	}
}

func TestDoctorFindsACertificateForOtherNames(t *testing.T) {
	cert, key := certificateFor127(t)
	for host, state := range map[string]string{"127.0.0.1": "ok", "consent.example.com": "broken"} {
		d := &Doctor{HTTP: "127.0.0.1:8443", Hosts: []string{host}, Access: server.Access{Cert: cert, Key: key}}
		d.certificate()
		if got := diagnosed(d, "tls"); got.State != state || state == "broken" && !strings.Contains(got.Found, "is not for consent.example.com, but for: ") {
			t.Errorf("%s: %+v", host, got)
		}
	}

	// A server whose certificate nobody vouches for is asked and not trusted.
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	d := &Doctor{Clock: s.URL}
	d.server(t.Context())
	if got := diagnosed(d, "server"); got.State != "broken" || got.Fix == "" {
		t.Errorf("%+v", got)
	}
}

// A directory that cannot be written is named. Root may write everywhere: there a file
// stands where the directory would be made.
func TestDoctorFindsADirectoryThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Doctor{Data: filepath.Join(file, "data")}
	d.directory(t.Context(), true)
	if got := diagnosed(d, "directory"); got.State != "broken" || got.Fix == "" {
		t.Errorf("below a file: %+v", got)
	}
	if os.Geteuid() == 0 {
		return
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	d = &Doctor{Data: dir}
	d.directory(t.Context(), true)
	if got := diagnosed(d, "directory"); got.State != "broken" || !strings.Contains(got.Found, "cannot be written") {
		t.Errorf("without the right to write: %+v", got)
	}
}

// certificateFor127 writes a certificate for 127.0.0.1, and its key.
func certificateFor127(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// Statements that the vault's server logs with their values hold sealed texts and wrapped keys, also
// after an erasure.
func TestDoctorSaysWhatTheVaultsServerLogs(t *testing.T) {
	pg := pgservertest.Serve(t, "log_min_duration_statement = 0")
	said := func(check string) string {
		d := &Doctor{}
		d.postgres(t.Context(), part{check: check, place: server.VaultPlace, schema: "consentledger_vault"}, pg.Address("postgres"))
		got := diagnosed(d, check)
		if got.State != "ok" {
			t.Errorf("%+v", got)
		}
		return got.Found
	}
	const sealed = "its own log shows sealed texts"
	if !strings.Contains(said("vault"), sealed) || strings.Contains(said("store"), sealed) {
		t.Errorf("%q, and of the records %q", said("vault"), said("store"))
	}

	_, fix, _ := strings.Cut(said("vault"), "as its administrator, ")
	if _, err := pg.SQL(t.Context(), "postgres", fix); err != nil {
		t.Fatal(err)
	}
	if got := said("vault"); strings.Contains(got, "own log") {
		t.Error(got)
	}
}
