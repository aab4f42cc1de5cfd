package audit

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/audit/witness"
)

// An authority is OpenSSL's time-stamping authority behind HTTP.
type authority struct {
	t     *testing.T
	dir   string
	url   string
	roots *x509.CertPool
}

const authorityConfig = `
[tsa]
default_tsa = it
[it]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[ext]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[dn]
`

func startAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), roots: x509.NewCertPool()}
	a.write("tsa.conf", authorityConfig)
	a.write("serial", "01\n")
	a.openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test Root")
	a.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test Authority")
	a.openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "tsa.conf", "-extensions", "ext", "-out", "tsa.pem")
	pem, err := os.ReadFile(filepath.Join(a.dir, "ca.pem"))
	if err != nil || !a.roots.AppendCertsFromPEM(pem) {
		t.Fatal("no root", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
			http.Error(w, "not a query", http.StatusBadRequest)
			return
		}
		a.write("query", string(body))
		a.openssl("ts", "-reply", "-config", "tsa.conf", "-section", "it", "-queryfile", "query", "-out", "reply")
		w.Header().Set("Content-Type", "application/timestamp-reply")
		http.ServeFile(w, r, filepath.Join(a.dir, "reply"))
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *authority) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.t.Error(err)
	}
}

// openssl runs OpenSSL among the authority's files, and wants it to succeed.
func (a *authority) openssl(args ...string) {
	a.t.Helper()
	if out, err := a.run(args...); err != nil {
		a.t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (a *authority) run(args ...string) ([]byte, error) {
	c := exec.Command("openssl", args...)
	c.Dir = a.dir
	return c.CombinedOutput()
}

// TestStamps: an authority that is not ours stamps the log as it grows, OpenSSL
// and we accept the stamp, and neither accepts it of another checkpoint.
func TestStamps(t *testing.T) {
	h, a := newTestServer(t), startAuthority(t)
	h.stamps.URL, h.stamps.Roots = a.url, a.roots
	if resp, _ := h.get("/timestamp"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("before there is a stamp: %s", resp.Status)
	}
	stamp := func() StampAnswer {
		t.Helper()
		if err := h.stamps.Stamp(t.Context(), "demo"); err != nil {
			t.Fatal(err)
		}
		resp, text := h.get("/timestamp")
		var s StampAnswer
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(resp.Status, err)
		}
		return s
	}
	h.add(someRecords(5)...)
	first := stamp()
	again := stamp()
	if again.Time != first.Time || string(again.Response) != string(first.Response) {
		t.Error("a log that has not grown was stamped again")
	}
	h.add([]byte(`{"one":"more"}`))
	second := stamp()
	if !strings.Contains(second.Checkpoint, "\n6\n") {
		t.Errorf("the newest stamp is of\n%s", second.Checkpoint)
	}
	a.write("checkpoint", second.Checkpoint)
	a.write("response", string(second.Response))
	a.openssl("ts", "-verify", "-data", "checkpoint", "-in", "response", "-CAfile", "ca.pem")
	a.write("other", first.Checkpoint)
	if _, err := a.run("ts", "-verify", "-data", "other", "-in", "response", "-CAfile", "ca.pem"); err == nil {
		t.Error("OpenSSL accepts the stamp of another checkpoint")
	}
	refuses := func(what string, checkpoint string, response []byte, roots *x509.CertPool) {
		t.Helper()
		if at, err := witness.VerifyStamp(t.Context(), []byte(checkpoint), response, roots); err == nil {
			t.Errorf("%s is accepted, of %s", what, at)
		}
	}
	if _, err := witness.VerifyStamp(t.Context(), []byte(second.Checkpoint), second.Response, a.roots); err != nil {
		t.Error(err)
	}
	refuses("the stamp of another checkpoint", first.Checkpoint, second.Response, a.roots)
	refuses("an authority that nobody trusts", second.Checkpoint, second.Response, x509.NewCertPool())
	for i := len(second.Response) / 2; i < len(second.Response); i += 97 {
		changed := append([]byte(nil), second.Response...)
		changed[i] ^= 0x10
		if at, err := witness.VerifyStamp(t.Context(), []byte(second.Checkpoint), changed, a.roots); err == nil && at.Format("2006-01-02T15:04:05Z") != second.Time {
			t.Errorf("with byte %d changed it says another time: %s", i, at)
		}
	}
}

// TestAnAuthorityThatIsNotTrusted: its stamp is not kept.
func TestAnAuthorityThatIsNotTrusted(t *testing.T) {
	h, a := newTestServer(t), startAuthority(t)
	h.add(someRecords(3)...)
	h.stamps.URL, h.stamps.Roots = a.url, x509.NewCertPool()
	if err := h.stamps.Stamp(t.Context(), "demo"); err == nil {
		t.Error("the stamp of a stranger was taken")
	}
	if resp, _ := h.get("/timestamp"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the stamp of a stranger is kept: %s", resp.Status)
	}
}
