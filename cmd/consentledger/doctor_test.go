package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"consentledger/cmd/internal/server"
)

// diagnosed returns what doctor said last of a thing.
func diagnosed(t *testing.T, d *doctor, check string) (found diagnosis) {
	t.Helper()
	for _, row := range d.rows {
		var x diagnosis
		if err := json.Unmarshal(row, &x); err != nil {
			t.Fatal(err)
		}
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
		c := &cobra.Command{}
		c.SetContext(t.Context())
		c.Flags().String("server", s.URL, "")
		d := &doctor{}
		d.server(c)
		s.Close()
		if got := diagnosed(t, d, "clock"); got.State != state || (got.Fix == "") != (state == "ok") {
			t.Errorf("off by %s: %+v", off, got)
		}
	}

	// Files of the ledger from later than now.
	d := &doctor{data: t.TempDir()}
	name := filepath.Join(d.data, "store", "1")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.future()
	if d.broken != 0 {
		t.Errorf("%s", d.rows)
	}
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	d.future()
	if got := diagnosed(t, d, "clock"); got.State != "broken" {
		t.Errorf("files from later: %+v", got)
	}
}

func TestDoctorFindsACertificateForOtherNames(t *testing.T) {
	cert, key := newAuthority(t).issue()
	for host, state := range map[string]string{"127.0.0.1": "ok", "consent.example.com": "broken"} {
		d := &doctor{http: "127.0.0.1:8443", hosts: []string{host}, access: server.Access{Cert: cert, Key: key}}
		d.certificate()
		if got := diagnosed(t, d, "tls"); got.State != state || state == "broken" && !strings.Contains(got.Found, "is not for consent.example.com, but for: ") {
			t.Errorf("%s: %+v", host, got)
		}
	}

	// A server whose certificate nobody vouches for is asked and not trusted.
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	c := &cobra.Command{}
	c.SetContext(t.Context())
	c.Flags().String("server", s.URL, "")
	d := &doctor{clock: s.URL}
	d.server(c)
	if got := diagnosed(t, d, "server"); got.State != "broken" || got.Fix == "" {
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
	d := &doctor{data: filepath.Join(file, "data")}
	d.directory(t.Context())
	if got := diagnosed(t, d, "directory"); got.State != "broken" || got.Fix == "" {
		t.Errorf("below a file: %+v", got)
	}
	if os.Geteuid() == 0 {
		return
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	d = &doctor{data: dir}
	d.directory(t.Context())
	if got := diagnosed(t, d, "directory"); got.State != "broken" || !strings.Contains(got.Found, "cannot be written") {
		t.Errorf("without the right to write: %+v", got)
	}
}
